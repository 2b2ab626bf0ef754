//! Why a run from recipe to report failed.

use crate::chip::ChipError;
use crate::data::DataError;
use crate::engine::EngineError;
use crate::export::ExportError;
use crate::graph::GraphError;
use crate::io::atomic::WriteError;
use crate::quantize::QuantizeError;
use crate::report::ReportError;
use crate::sparsify::SparsifyError;
use crate::train::TrainError;
use crate::tune::TuneError;
use crate::zoo::ZooError;
use niwaki_kernels::GpuError;
use std::path::PathBuf;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is the error of the step that it is named after")]
pub enum PipelineError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Zoo(#[from] ZooError),
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    #[error(transparent)]
    Sparsify(#[from] SparsifyError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Tune(#[from] TuneError),
    #[error(transparent)]
    Chip(#[from] ChipError),
    #[error(transparent)]
    Gpu(#[from] GpuError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{}: cannot be created: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("instructions cannot be counted: {why}; or compare by another cost: --unit macs, or `[compare] unit`")]
    NoInstructions { why: String },
    #[error(
        "{source}\nwhat was trained is in {}: the same command with --set target.flash=..., target.ram=... or \
         target.instructions=... goes on from there", dir.display()
    )]
    Limits { dir: PathBuf, source: TuneError },
    #[error("networks over graphs are trained on the CPU: leave --device out")]
    GraphDevice,
    #[error("stopped after {done} of {of} cells; the same command goes on from there")]
    Stopped { done: usize, of: usize },
    #[error("{}: {what}", path.display())]
    Source { path: PathBuf, what: String },
    #[error(
        "{} holds a run with another recipe ({difference}); give --out another folder, or delete that one",
        path.display()
    )]
    OtherRecipe { path: PathBuf, difference: String },
}
