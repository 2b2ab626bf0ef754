//! Why a file could not be read or written.

use super::atomic::WriteError;
use std::{io, path::PathBuf};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file could not be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The gzip stream is corrupt or ends early.
    #[error("{}: damaged gzip data after {offset} uncompressed bytes: {source}; fetch the file again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// Uncompressed bytes that could be read.
        offset: u64,
        /// The decoder's reason.
        source: io::Error,
    },
    /// The file holds fewer or more bytes than its header announces. Offsets count uncompressed bytes.
    #[error("{}: {what} at byte {offset}: expected {expected} bytes, got {got}", path.display(), got = Got { got: *got, expected: *expected })]
    Length {
        /// The file.
        path: PathBuf,
        /// What should be there.
        what: &'static str,
        /// Where it starts.
        offset: u64,
        /// Its length in bytes.
        expected: u64,
        /// How many bytes there are; `expected + 1` stands for any larger number.
        got: u64,
    },
    /// The file's header is not one that can be read here.
    #[error("{}: at byte {offset}: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where the offending field starts.
        offset: u64,
        /// What was expected and what is there.
        what: String,
    },
    /// Two files, or a shape and its values, do not belong together.
    #[error("{}: {what}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Both sides.
        what: String,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Shows a length that is only known to be too large as such.
struct Got {
    got: u64,
    expected: u64,
}

impl std::fmt::Display for Got {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.got > self.expected { f.write_str("more") } else { self.got.fmt(f) }
    }
}
