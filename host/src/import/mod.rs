//! Networks of other tools as graphs: a folder a format, chosen by the ending of the file's name.

mod error;
pub mod tflite;

pub use error::ImportError;

use crate::graph::Graph;
use std::path::Path;

/// A format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// TensorFlow Lite.
    Tflite,
    /// Open Neural Network Exchange, which is refused.
    Onnx,
}

impl Format {
    /// The format that the ending of a file's name says; none for niwaki's own and for unknown endings.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "tflite" => Some(Self::Tflite),
            "onnx" => Some(Self::Onnx),
            _ => None,
        }
    }
}

/// The network in a file of another tool; a file whose name says no format is read as `.tflite`.
///
/// # Errors
/// [`ImportError`] names the file, the tensor or operator, and the remedy.
pub fn read(path: &Path) -> Result<Graph, ImportError> {
    if Format::of(path) == Some(Format::Onnx) {
        return Err(ImportError::NotBuilt { path: path.into(), format: ".onnx" });
    }
    let bytes = std::fs::read(path).map_err(|source| ImportError::Read { path: path.into(), source })?;
    tflite::from_bytes(&bytes).map_err(|source| ImportError::Tflite { path: path.into(), source: Box::new(source) })
}
