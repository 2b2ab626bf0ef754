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

mod bytes;
mod error;
mod job;
mod record;

pub use error::ProtocolError;
pub use job::JobHeader;
pub use record::{Head, Record, operator_ticks};

/// The first bytes of a result.
pub const RESULT_MAGIC: [u8; 8] = *b"NIWAKIR\x01";

/// The job's file name in the working directory of the emulator.
pub const JOB_FILE: &core::ffi::CStr = c"job.bin";

/// The result's file name in the working directory of the emulator.
pub const RESULT_FILE: &core::ffi::CStr = c"result.bin";

/// Removes the magic from the front of a result.
///
/// # Errors
/// [`ProtocolError`] if it is another one; an incomplete magic is [`ProtocolError::Truncated`].
pub fn result_records(bytes: &[u8]) -> Result<&[u8], ProtocolError> {
    bytes::after_magic(bytes, RESULT_MAGIC, "result")
}
