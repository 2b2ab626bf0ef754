//! The records of a result.

use crate::ProtocolError;
use crate::bytes::{Bytes, long, words};

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
