//! Why a job was given up.

use crate::{board, semihosting::HostError};
use core::fmt::{self, Write as _};
use niwaki_core::error::{SessionError, VerifyError};
use niwaki_protocol::ProtocolError;

/// Why a job was given up.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The host could not read or write a file.
    Disk {
        /// Which part of which file.
        what: &'static str,
        /// What the host said.
        source: HostError,
    },
    /// The file is not a job.
    Header(ProtocolError),
    /// The model does not fit into the board's memory.
    Room {
        /// Bytes of the model.
        needed: u32,
        /// Bytes of the memory.
        available: usize,
    },
    /// The model was refused.
    Verify(VerifyError),
    /// The board's arena was refused.
    Session(SessionError),
    /// The inputs have another size than the model's.
    Input {
        /// Bytes of one input.
        given: u32,
        /// Bytes that the model takes.
        expected: usize,
    },
    /// A second job in one run of the program.
    MemoryTaken,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { what, source } => write!(f, "{what}: {source}"),
            Self::Header(error) => write!(f, "the job: {error}"),
            Self::Room { needed, available } => {
                write!(f, "the model has {needed} bytes, {} has room for {available}", board::NAME)
            }
            Self::Verify(error) => write!(f, "the model was refused: {error}"),
            Self::Session(error) => write!(f, "{} cannot hold the model: {error}", board::NAME),
            Self::Input { given, expected } => write!(f, "an input has {given} bytes, the model takes {expected}"),
            Self::MemoryTaken => write!(f, "the memory belongs to another job"),
        }
    }
}

impl core::error::Error for JobError {}

impl JobError {
    /// For `map_err`: adds what was being done to what the host said.
    pub(crate) fn disk(what: &'static str) -> impl Fn(HostError) -> Self {
        move |source| Self::Disk { what, source }
    }
}

/// A message for the host; what does not fit is cut off.
pub type Text = heapless::String<240>;

/// A value as text.
pub fn text(thing: &dyn fmt::Display) -> Text {
    let mut text = Text::new();
    if write!(text, "{thing}").is_err() {
        // The end is cut off; the beginning says enough.
        let _ = text.push_str(" ...");
    }
    text
}
