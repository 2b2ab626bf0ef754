//! The header of a job.

use crate::ProtocolError;
use crate::bytes::{Bytes, after_magic, words};

const JOB_MAGIC: [u8; 8] = *b"NIWAKIJ\x01";

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
