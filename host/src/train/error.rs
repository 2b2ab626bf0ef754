//! Why training ended early.

use super::Phase;
use crate::engine::EngineError;
use crate::graph::GraphError;
use crate::io::atomic::WriteError;
use crate::quantize::QuantizeError;
use crate::sparsify::SparsifyError;
use crate::zoo::ZooError;
use niwaki_core::error::OptimError;
use std::path::PathBuf;

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A network that cannot be built or changed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The engine refused the network or a batch.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is no such network.
    #[error(transparent)]
    Zoo(#[from] ZooError),
    /// Masks of edges for a network that weights them itself.
    #[error("attention has no masks of edges; choose gcn, gin or sage")]
    AttentionMasks,
    /// Masks were to be found in no round at all.
    #[error("no round of masks was run")]
    NoRounds,
    /// The network cannot be quantised.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The network could not be made sparse.
    #[error(transparent)]
    Sparsify(#[from] SparsifyError),
    /// An optimizer step was refused.
    #[error(transparent)]
    Optim(#[from] OptimError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file of the run folder cannot be used.
    #[error("{}: {what}; delete it to start this run again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The loss stopped being a number.
    #[error(
        "the loss became {loss} in the {phase} phase, epoch {epoch}, step {step}: the run diverged; lower optimizer.lr \
         (now {lr:e}){}", also_lower(*phase, *lambda)
    )]
    Diverged {
        /// Phase.
        phase: Phase,
        /// Epoch in the phase, from 1.
        epoch: usize,
        /// Step in the phase, from 1.
        step: u32,
        /// The loss.
        loss: f64,
        /// Learning rate of the step.
        lr: f64,
        /// Penalty of the step.
        lambda: f64,
    },
    /// The caller asked to stop.
    #[error("stopped after {phase} epoch {epoch}; the same command goes on from there")]
    Interrupted {
        /// Phase.
        phase: Phase,
        /// Epochs of the phase that are saved.
        epoch: usize,
    },
}

/// What else a diverged run may lower.
fn also_lower(phase: Phase, lambda: f64) -> String {
    match phase {
        Phase::Qat => " or quantize.qat_lr".into(),
        _ if lambda > 0.0 => format!(" or sparsity.lambda (now {lambda:e})"),
        _ => String::new(),
    }
}
