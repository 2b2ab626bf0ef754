//! Training: dense, then the ramp of a sparsity method, then the cut and the repair, then with rounding; seeded,
//! resumable, the same bits every time.

pub mod nodes;
pub mod weights;

mod augment;
mod checkpoint;
mod epoch;
mod error;
mod phase;
mod qat;
mod run;
mod samples;
mod sparse;

pub use checkpoint::CHECKPOINT_FILE;
pub use error::TrainError;
pub use phase::Phase;
pub use qat::QAT_FILE;
pub use run::Weights;

use crate::data::{Dataset, Split};
use crate::engine::{Engine, EngineError};
use crate::graph::Graph;
use crate::recipe::Recipe;
use crate::sparsify::cost::Meter;
use crate::sparsify::method::Prox;
use crate::sparsify::options::Method;
use checkpoint::Checkpoint;
use run::Run;
use samples::Samples;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Weights of the dense network in a run folder.
pub const DENSE_FILE: &str = "dense.safetensors";
/// One JSON object an epoch, in a run folder.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Weights of the pruned network in a run folder.
pub const SPARSE_FILE: &str = "sparse.safetensors";

/// One epoch, as `metrics.jsonl` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Phase.
    pub phase: Phase,
    /// Epoch in the phase, from 1.
    pub epoch: usize,
    /// Mean loss over the training samples as they were met.
    #[serde(deserialize_with = "nan_for_null")]
    pub train_loss: f64,
    /// Share of validation samples classified right, 0 to 1.
    #[serde(deserialize_with = "nan_for_null")]
    pub val_accuracy: f64,
    /// Penalty at the end of the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f64>,
    /// Groups that are not zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive_groups: Option<usize>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// JSON has no NaN and writes null: what was written must still be readable.
fn nan_for_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// What training tells while it runs.
#[derive(Debug)]
pub enum TrainEvent<'a> {
    /// A phase begins or goes on.
    Phase {
        /// Which.
        phase: Phase,
        /// Epochs it has.
        epochs: usize,
        /// Epochs already done.
        done: usize,
    },
    /// A step is done.
    Step {
        /// Steps of this epoch that are done.
        done: usize,
        /// Steps of an epoch.
        of: usize,
    },
    /// An epoch is done and saved.
    Epoch(&'a EpochRow),
}

/// How a run is carried out; nothing here changes its bits but the device of the prox.
pub struct TrainOptions<'a> {
    /// Threads.
    pub threads: usize,
    /// Where proximal steps run.
    pub prox: Prox,
    /// Finds out what a sparse network would cost on the target.
    pub meter: &'a mut dyn Meter,
    /// Set by someone else to end the run after the current epoch.
    pub stop: &'a AtomicBool,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The network after the dense phase.
    pub dense: Graph,
    /// The pruned network after the repair; `None` for `sparsity.method = "none"`.
    pub sparse: Option<Graph>,
    /// The integer network after quantisation-aware training; `None` without such.
    pub quantized: Option<Graph>,
    /// Every epoch.
    pub epochs: Vec<EpochRow>,
}

impl Trained {
    /// The float network that goes on to quantisation.
    pub fn last(&self) -> &Graph {
        self.sparse.as_ref().unwrap_or(&self.dense)
    }

    /// Wall-clock time of the phases that `which` accepts.
    pub fn seconds(&self, which: impl Fn(Phase) -> bool) -> f64 {
        self.epochs.iter().filter(|e| which(e.phase)).map(|e| e.seconds).sum()
    }
}

/// Trains in the folder `dir`, going on from its checkpoint if it has one.
///
/// `graph` is the initial network. Files: [`CHECKPOINT_FILE`] after every epoch, [`DENSE_FILE`], [`SPARSE_FILE`] and
/// [`QAT_FILE`].
///
/// # Errors
/// [`TrainError`]; whatever epochs were finished are saved.
pub fn train(
    recipe: &Recipe,
    graph: Graph,
    data: &Dataset,
    dir: &Path,
    options: TrainOptions<'_>,
    tell: &mut dyn FnMut(TrainEvent<'_>),
) -> Result<Trained, TrainError> {
    let TrainOptions { threads, prox, meter, stop } = options;
    let mut run = Run { optimizer: &recipe.optimizer, stop, tell };
    let saved = Checkpoint::load(&dir.join(CHECKPOINT_FILE), &graph, &recipe.quantize)?;
    let at = saved.unwrap_or_else(|| Checkpoint::start(graph));
    let mut samples = Samples::new(recipe, data, dir, threads, at);

    let dense = match samples.at.progress.phase {
        Phase::Dense => {
            samples.phase(&mut run, &mut Weights::Free)?;
            weights::save(&dir.join(DENSE_FILE), &samples.at.graph)?;
            samples.at.graph.clone()
        }
        _ => weights::load(&dir.join(DENSE_FILE), &samples.at.initial)?,
    };
    let sparse = match recipe.sparsity.method {
        Method::None => None,
        _ => Some(pruned(&mut run, &mut samples, &dense, prox, meter)?),
    };
    let last = sparse.as_ref().unwrap_or(&dense);
    let quantized = match recipe.quantize.qat_epochs {
        0 => None,
        _ => Some(qat::train(&mut run, &mut samples, last)?),
    };
    Ok(Trained { dense, sparse, quantized, epochs: samples.at.progress.epochs })
}

/// The dense network after the ramp of a sparsity method, the cut and the repair, from where the run is.
fn pruned(
    run: &mut Run<'_>,
    samples: &mut Samples<'_>,
    dense: &Graph,
    prox: Prox,
    meter: &mut dyn Meter,
) -> Result<Graph, TrainError> {
    let file = samples.dir.join(SPARSE_FILE);
    if samples.at.progress.phase == Phase::Qat {
        return weights::load(&file, &samples.at.pruned_structure()?);
    }
    if samples.at.progress.phase == Phase::Dense {
        samples.at.enter(Phase::Ramp);
    }
    if samples.recipe.sparsity.distill > 0.0 {
        samples.teacher = Some(samples.engine(dense)?);
    }
    if samples.at.progress.phase == Phase::Ramp {
        sparse::ramp(run, samples, dense, prox, meter)?;
    }
    match sparse::held(samples)? {
        Some(mut held) => samples.phase(run, &mut held)?,
        None => samples.phase(run, &mut Weights::Free)?,
    }
    weights::save(&file, &samples.at.graph)?;
    Ok(samples.at.graph.clone())
}

/// How well a network does on a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Share of samples classified right, 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub loss: f64,
}

/// Evaluates `engine` in batches of at most `batch` samples.
///
/// # Errors
/// [`EngineError`] when the samples do not fit the network.
pub fn evaluate(engine: &mut Engine, split: &Split, batch: usize) -> Result<Score, EngineError> {
    let (mut correct, mut sum) = (0, 0.0);
    let sample_len = split.x.len() / split.len().max(1);
    for (x, y) in split.x.chunks((batch * sample_len).max(1)).zip(split.y.chunks(batch.max(1))) {
        let loss = engine.loss(x, y)?;
        correct += loss.correct;
        sum += loss.mean * y.len() as f64;
    }
    let n = split.len().max(1) as f64;
    Ok(Score { accuracy: correct as f64 / n, loss: sum / n })
}
