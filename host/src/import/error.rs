//! Why a file of another tool cannot be used.

use super::tflite::Fault;
use std::path::PathBuf;

/// A file that is not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A format that nothing here reads.
    #[error("{}: reading {format} files is not built yet; give a .tflite or .niwaki file", path.display())]
    NotBuilt {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
    },
    /// What is in a `.tflite` file cannot be imported.
    #[error("{}: {source}", path.display())]
    Tflite {
        /// The file.
        path: PathBuf,
        /// The place in it and the reason.
        source: Box<Fault>,
    },
}
