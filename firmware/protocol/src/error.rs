//! Why bytes were refused.

use core::fmt;

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
