//! The protocol between host and firmware: a job goes to the chip, records come back.
//!
//! Both are byte strings, little-endian, without padding; the last byte of each magic is the version.
//!
//! # Job
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | `NIWAKIJ` 1 |
//! | 8..12 | flags: bit 0 = run the self-test; the others are zero |
//! | 12..16 | bytes of the model; 0 = no model, run the self-test only |
//! | 16..20 | number of inputs |
//! | 20..24 | bytes of one input: the model's input tensors one after the other |
//! | 24.. | the model, then the inputs |
//!
//! # Result
//! `NIWAKIR` 1, then records: kind (`u32`), bytes of the payload (`u32`), payload. A result that does not end in
//! [`Record::End`] or [`Record::Failure`] was cut off: the records before that are still valid. Times are in ticks of the
//! clock that [`Record::Clock`] describes, overheads not yet subtracted.
//!
//! | kind | payload |
//! | --- | --- |
//! | 1 Model | arena bytes, operators, output bytes of one run: `u32` each |
//! | 2 Run | ticks `u64`, outputs; one record for each input, in order |
//! | 3 Operators | ticks `u32` of each operator, for the first input |
//! | 4 Stack | bytes of `Session::run`, bytes of the program: `u32` each |
//! | 5 SelfTest | instructions `u64` executed, ticks `u64` counted |
//! | 6 Clock | ticks a second, ticks that an empty run shows, ticks that an empty operator shows: `u32` each |
//! | 7 Failure | UTF-8 text |
//! | 8 End | runs `u32` |
#![no_std]

use core::fmt;

const JOB_MAGIC: [u8; 8] = *b"NIWAKIJ\x01";

/// The first bytes of a result.
pub const RESULT_MAGIC: [u8; 8] = *b"NIWAKIR\x01";

/// The job's file name in the working directory of the emulator.
pub const JOB_FILE: &core::ffi::CStr = c"job.bin";

/// The result's file name in the working directory of the emulator.
pub const RESULT_FILE: &core::ffi::CStr = c"result.bin";

const SELF_TEST: u32 = 1;

/// The header of a job, before the model and the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobHeader {
    /// Check the instruction counter against code of known length.
    pub self_test: bool,
    /// Bytes of the model, 0 for none.
    pub model_bytes: u32,
    /// Number of inputs.
    pub input_count: u32,
    /// Bytes of one input.
    pub input_bytes: u32,
}

impl JobHeader {
    /// Bytes of an encoded header.
    pub const LEN: usize = 24;

    /// The header's bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let mut out = Bytes { bytes: &mut bytes, len: 0 };
        out.push(&JOB_MAGIC);
        let flags = if self.self_test { SELF_TEST } else { 0 };
        for field in [flags, self.model_bytes, self.input_count, self.input_bytes] {
            out.push(&field.to_le_bytes());
        }
        bytes
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`ProtocolError`] if the bytes are not a job, or one of another version or with unknown flags.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, ProtocolError> {
        let bytes = after_magic(bytes, JOB_MAGIC, "job")?;
        let fields = words(bytes).ok_or(ProtocolError::Truncated)?;
        let [flags, model_bytes, input_count, input_bytes] = fields;
        if flags & !SELF_TEST != 0 {
            return Err(ProtocolError::Flags { flags });
        }
        Ok(Self { self_test: flags & SELF_TEST != 0, model_bytes, input_count, input_bytes })
    }
}

/// One record of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// The model was accepted.
    Model {
        /// Arena that it needs.
        arena_bytes: u32,
        /// Operators that a run executes.
        operators: u32,
        /// Bytes of all outputs of one run.
        output_bytes: u32,
    },
    /// One input went through the model.
    Run {
        /// Time of `Session::run`.
        ticks: u64,
        /// The outputs, one after the other.
        outputs: &'a [u8],
    },
    /// Where the time of the first input went: `u32` ticks for each operator, see [`operator_ticks`].
    Operators(&'a [u8]),
    /// How deep the stack was.
    Stack {
        /// Used by `Session::run` below its caller's frame.
        run_bytes: u32,
        /// Used by the whole program.
        program_bytes: u32,
    },
    /// A piece of code of known length was timed.
    SelfTest {
        /// Instructions that it executed.
        instructions: u64,
        /// Ticks that went by.
        ticks: u64,
    },
    /// How to read the times of the other records.
    Clock {
        /// Ticks a second.
        tick_hz: u32,
        /// Ticks that a run shows if it does nothing.
        run_overhead: u32,
        /// Ticks that an operator shows if it does nothing.
        operator_overhead: u32,
    },
    /// Why the job was given up, in words; nothing follows.
    Failure(&'a [u8]),
    /// The job is done; nothing follows.
    End {
        /// Number of [`Record::Run`] before this one.
        runs: u32,
    },
}

impl<'a> Record<'a> {
    /// The record's bytes in two parts: what has a fixed size, then the slice.
    ///
    /// A writer whose slice lies in several places may write `Record::head` of the total length and the pieces.
    pub fn encode(&self) -> (Head, &'a [u8]) {
        let slice: &[u8] = match *self {
            Self::Run { outputs: slice, .. } | Self::Operators(slice) | Self::Failure(slice) => slice,
            _ => &[],
        };
        (self.head(u32::try_from(slice.len()).unwrap_or(u32::MAX)), slice)
    }

    /// The part of fixed size, of a record whose slice will have `slice_bytes` bytes.
    pub fn head(&self, slice_bytes: u32) -> Head {
        let mut bytes = [0; Head::MAX];
        let mut fixed = Bytes { bytes: &mut bytes, len: 8 };
        let kind: u32 = match *self {
            Self::Model { arena_bytes, operators, output_bytes } => {
                fixed.push_words(&[arena_bytes, operators, output_bytes]);
                1
            }
            Self::Run { ticks, .. } => {
                fixed.push(&ticks.to_le_bytes());
                2
            }
            Self::Operators(_) => 3,
            Self::Stack { run_bytes, program_bytes } => {
                fixed.push_words(&[run_bytes, program_bytes]);
                4
            }
            Self::SelfTest { instructions, ticks } => {
                fixed.push(&instructions.to_le_bytes());
                fixed.push(&ticks.to_le_bytes());
                5
            }
            Self::Clock { tick_hz, run_overhead, operator_overhead } => {
                fixed.push_words(&[tick_hz, run_overhead, operator_overhead]);
                6
            }
            Self::Failure(_) => 7,
            Self::End { runs } => {
                fixed.push_words(&[runs]);
                8
            }
        };
        let len = fixed.len;
        let payload = (len as u32 - 8).saturating_add(slice_bytes);
        Bytes { bytes: &mut bytes, len: 0 }.push_words(&[kind, payload]);
        Head { bytes, len }
    }

    /// Reads the record at the start of `bytes` and says how many bytes it has; `None` if it is not there in full yet.
    ///
    /// # Errors
    /// [`ProtocolError`] if no record begins with these bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
        let [kind, len] = words(head).ok_or(ProtocolError::Truncated)?;
        let wrong = ProtocolError::Payload { kind, bytes: len };
        let record_len = (len as usize).checked_add(8).ok_or(wrong)?;
        let Some(payload) = rest.get(..len as usize) else {
            return if (1..=8).contains(&kind) { Ok(None) } else { Err(ProtocolError::Kind { kind }) };
        };
        let record = match kind {
            1 => words(payload).map(|[arena_bytes, operators, output_bytes]| Self::Model {
                arena_bytes,
                operators,
                output_bytes,
            }),
            2 => payload
                .split_first_chunk()
                .map(|(ticks, outputs)| Self::Run { ticks: u64::from_le_bytes(*ticks), outputs }),
            3 => payload.len().is_multiple_of(4).then_some(Self::Operators(payload)),
            4 => words(payload).map(|[run_bytes, program_bytes]| Self::Stack { run_bytes, program_bytes }),
            5 => words(payload).map(|[a, b, c, d]| Self::SelfTest { instructions: long(a, b), ticks: long(c, d) }),
            6 => words(payload).map(|[tick_hz, run_overhead, operator_overhead]| Self::Clock {
                tick_hz,
                run_overhead,
                operator_overhead,
            }),
            7 => Some(Self::Failure(payload)),
            8 => words(payload).map(|[runs]| Self::End { runs }),
            _ => return Err(ProtocolError::Kind { kind }),
        };
        record.map(|record| Some((record, record_len))).ok_or(wrong)
    }
}

/// The ticks of a [`Record::Operators`].
pub fn operator_ticks(slice: &[u8]) -> impl Iterator<Item = u32> {
    slice.as_chunks().0.iter().map(|ticks| u32::from_le_bytes(*ticks))
}

/// The part of a record that has a fixed size.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    bytes: [u8; Head::MAX],
    len: usize,
}

impl Head {
    const MAX: usize = 24;
}

impl AsRef<[u8]> for Head {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// Removes the magic from the front of a result.
///
/// # Errors
/// [`ProtocolError`] if it is another one; an incomplete magic is [`ProtocolError::Truncated`].
pub fn result_records(bytes: &[u8]) -> Result<&[u8], ProtocolError> {
    after_magic(bytes, RESULT_MAGIC, "result")
}

/// Why bytes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// There are too few bytes.
    Truncated,
    /// The first bytes are those of something else.
    Magic {
        /// What was expected.
        what: &'static str,
    },
    /// Host and firmware were built from different sources.
    Version {
        /// What was read.
        what: &'static str,
        /// Its version.
        version: u8,
    },
    /// A flag has no meaning.
    Flags {
        /// All flags.
        flags: u32,
    },
    /// There is no such record.
    Kind {
        /// Its kind.
        kind: u32,
    },
    /// A record's payload has a wrong length.
    Payload {
        /// The record's kind.
        kind: u32,
        /// The length.
        bytes: u32,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated => write!(f, "it ends too early"),
            Self::Magic { what } => write!(f, "it is no niwaki {what}"),
            Self::Version { what, version } => {
                write!(f, "the {what} has version {version}, expected 1: build host and firmware from the same sources")
            }
            Self::Flags { flags } => write!(f, "the flags {flags:#x} are unknown"),
            Self::Kind { kind } => write!(f, "there is no record of kind {kind}"),
            Self::Payload { kind, bytes } => write!(f, "a record of kind {kind} cannot have {bytes} bytes"),
        }
    }
}

impl core::error::Error for ProtocolError {}

fn after_magic<'a>(bytes: &'a [u8], magic: [u8; 8], what: &'static str) -> Result<&'a [u8], ProtocolError> {
    let ([name @ .., version], rest) = bytes.split_first_chunk::<8>().ok_or(ProtocolError::Truncated)?;
    let [expected_name @ .., expected_version] = &magic;
    if name != expected_name {
        return Err(ProtocolError::Magic { what });
    }
    if version != expected_version {
        return Err(ProtocolError::Version { what, version: *version });
    }
    Ok(rest)
}

/// Exactly `N` words.
fn words<const N: usize>(bytes: &[u8]) -> Option<[u32; N]> {
    let (chunks, rest) = bytes.as_chunks();
    let chunks: &[[u8; 4]; N] = chunks.try_into().ok()?;
    rest.is_empty().then_some(chunks.map(u32::from_le_bytes))
}

fn long(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// A buffer that is filled from the front; what does not fit is a bug and is dropped.
struct Bytes<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl Bytes<'_> {
    fn push(&mut self, piece: &[u8]) {
        let end = self.len + piece.len();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(piece);
            self.len = end;
        }
    }

    fn push_words(&mut self, words: &[u32]) {
        for word in words {
            self.push(&word.to_le_bytes());
        }
    }
}
