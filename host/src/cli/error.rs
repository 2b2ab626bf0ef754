//! What a command can end with: 1 when the work failed, 2 for wrong usage or bad input.

use crate::chip::ChipError;
use crate::data::{DataError, get::GetError};
use crate::export::read::ReadError;
use crate::io::FileError;
use crate::io::atomic::WriteError;
use crate::pipeline::PipelineError;
use crate::recipe::RecipeError;
use crate::report::ReportError;
use crate::train::TrainError;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is the error of the module that it is named after")]
pub enum CliError {
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Chip(#[from] ChipError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Some cells of a comparison have no result.
    #[error("{} of {of} cells failed: {}", names.len(), names.join(", "))]
    Cells { names: Vec<String>, of: usize },
    /// Arguments or files that do not fit together.
    #[error("{0}")]
    Input(String),
    /// A command of the design that does not exist yet.
    #[error("`niwaki {command}` is not built yet")]
    NotBuilt { command: &'static str },
}

impl CliError {
    /// The exit code of this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Recipe(_)
            | Self::Read(_)
            | Self::Data(_)
            | Self::File(_)
            | Self::Input(_)
            | Self::NotBuilt { .. } => 2,
            Self::Get(GetError::Data(_) | GetError::Checksum { .. }) => 2,
            Self::Chip(ChipError::Unknown(_) | ChipError::Input { .. }) => 2,
            Self::Report(ReportError::Read { .. } | ReportError::Format { .. }) => 2,
            Self::Pipeline(PipelineError::Data(_) | PipelineError::OtherRecipe { .. } | PipelineError::Gpu(_)) => 2,
            Self::Pipeline(PipelineError::Source { .. } | PipelineError::Train(TrainError::Broken { .. })) => 2,
            _ => 1,
        }
    }
}
