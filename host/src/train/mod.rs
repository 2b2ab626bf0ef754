//! Training: dense, then a WGSEF ramp, then the cut and the repair; seeded, resumable, the same bits every time.

pub mod recipe;
pub mod weights;

mod augment;
mod checkpoint;
mod phase;

pub use checkpoint::CHECKPOINT_FILE;
pub use phase::Phase;

use crate::data::{Dataset, Split, atomic, atomic::WriteError};
use crate::engine::{Engine, EngineError, Options as EngineOptions};
use crate::graph::{Graph, GraphError};
use crate::sparsify::channels::Cut;
use crate::sparsify::remove::prune;
use crate::sparsify::wgsef::{Prox, Regulariser, WgsefError};
use checkpoint::{Checkpoint, Progress};
use niwaki_core::error::OptimError;
use niwaki_core::optim::{Decay, adam, sgd};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use recipe::{OptimizerName, Recipe, Schedule, SparsityMethod};
use serde::{Deserialize, Deserializer, Serialize};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Weights of the dense network in a run folder.
pub const DENSE_FILE: &str = "dense.safetensors";
/// One JSON object an epoch, in a run folder.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// Weights of the pruned network in a run folder.
pub const SPARSE_FILE: &str = "sparse.safetensors";

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
    /// A proximal step failed.
    #[error(transparent)]
    Wgsef(#[from] WgsefError),
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
         (now {lr:e}){}", if *lambda > 0.0 { format!(" or sparsity.lambda (now {lambda:e})") } else { String::new() }
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
pub enum Event<'a> {
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
pub struct Options<'a> {
    /// Threads.
    pub threads: usize,
    /// Where proximal steps run.
    pub prox: Prox,
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
    /// Every epoch.
    pub epochs: Vec<EpochRow>,
}

impl Trained {
    /// The network that goes on to quantisation.
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
/// `graph` is the initial network. Files: [`CHECKPOINT_FILE`] after every epoch, [`DENSE_FILE`] and [`SPARSE_FILE`].
///
/// # Errors
/// [`TrainError`]; whatever epochs were finished are saved.
pub fn train(
    recipe: &Recipe,
    graph: Graph,
    data: &Dataset,
    dir: &Path,
    options: Options<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Trained, TrainError> {
    let mut run = Run { recipe, data, dir, threads: options.threads, stop: options.stop, tell };
    let saved = Checkpoint::load(&dir.join(CHECKPOINT_FILE), &graph)?;
    let mut at = saved.unwrap_or_else(|| Checkpoint::start(graph));

    if at.progress.phase == Phase::Dense {
        run.phase(&mut at, None)?;
        weights::save(&dir.join(DENSE_FILE), &at.graph)?;
    }
    let dense = match at.progress.phase {
        Phase::Dense => at.graph.clone(),
        _ => weights::load(&dir.join(DENSE_FILE), &at.initial)?,
    };
    if recipe.sparsity.method == SparsityMethod::None {
        return Ok(Trained { dense, sparse: None, epochs: at.progress.epochs });
    }

    if at.progress.phase == Phase::Dense {
        at.enter(Phase::Ramp);
    }
    if at.progress.phase == Phase::Ramp {
        let parameters = run.engine(&dense)?.parameters().to_vec();
        let mut regulariser = Regulariser::new(&dense, &parameters, recipe.sparsity.keep, options.prox)?;
        run.phase(&mut at, Some(&mut regulariser))?;
        let engine = run.engine(&at.graph)?;
        let kept = regulariser.rank(engine.values())?;
        let cuts: Vec<Cut> = kept.iter().map(|(space, keep)| Cut { space, keep }).collect();
        prune(&mut at.graph, &cuts)?;
        at.enter(Phase::Finetune);
    }
    run.phase(&mut at, None)?;
    weights::save(&dir.join(SPARSE_FILE), &at.graph)?;
    Ok(Trained { dense, sparse: Some(at.graph), epochs: at.progress.epochs })
}

/// What stays the same through a run.
struct Run<'a> {
    recipe: &'a Recipe,
    data: &'a Dataset,
    dir: &'a Path,
    threads: usize,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(Event<'_>),
}

impl Run<'_> {
    fn engine(&self, graph: &Graph) -> Result<Engine, EngineError> {
        Engine::new(graph, EngineOptions { batch: self.recipe.train.batch, threads: self.threads })
    }

    fn epochs(&self, phase: Phase) -> usize {
        match phase {
            Phase::Dense => self.recipe.train.epochs,
            Phase::Ramp => self.recipe.sparsity.ramp_epochs,
            Phase::Finetune => self.recipe.sparsity.finetune_epochs,
        }
    }

    /// Runs the epochs of the current phase that are left, saving after each.
    fn phase(&mut self, at: &mut Checkpoint, mut regulariser: Option<&mut Regulariser>) -> Result<(), TrainError> {
        let phase = at.progress.phase;
        let epochs = self.epochs(phase);
        (self.tell)(Event::Phase { phase, epochs, done: at.progress.epoch });
        if at.progress.epoch >= epochs {
            return Ok(());
        }
        let mut engine = self.engine(&at.graph)?;
        let steps = self.data.train.len().div_ceil(self.recipe.train.batch);
        at.moments.resize(engine.values().len());
        while at.progress.epoch < epochs {
            let started = Instant::now();
            let (train_loss, lambda) = self.epoch(&mut engine, at, steps, epochs, regulariser.as_deref_mut())?;
            let alive_groups = match regulariser.as_deref_mut() {
                Some(r) => Some(r.alive(engine.values())?.0),
                None => None,
            };
            let val_accuracy = evaluate(&mut engine, &self.data.val, self.recipe.train.batch)?.accuracy;
            at.progress.epoch += 1;
            let row = EpochRow {
                phase,
                epoch: at.progress.epoch,
                train_loss,
                val_accuracy,
                lambda: (phase == Phase::Ramp).then_some(lambda),
                alive_groups,
                seconds: started.elapsed().as_secs_f64(),
            };
            engine.store(&mut at.graph);
            at.progress.epochs.push(row.clone());
            at.save(&self.dir.join(CHECKPOINT_FILE))?;
            atomic::write(&self.dir.join(METRICS_FILE), metrics(&at.progress.epochs).as_bytes())?;
            (self.tell)(Event::Epoch(&row));
            let done = at.progress.epoch;
            if self.stop.load(Ordering::Relaxed) {
                return Err(TrainError::Interrupted { phase, epoch: done });
            }
        }
        Ok(())
    }

    /// One pass over the training samples; mean loss and the last penalty.
    fn epoch(
        &mut self,
        engine: &mut Engine,
        at: &mut Checkpoint,
        steps: usize,
        epochs: usize,
        mut regulariser: Option<&mut Regulariser>,
    ) -> Result<(f64, f64), TrainError> {
        let Progress { phase, epoch, .. } = at.progress;
        let train = &self.data.train;
        let mut rng = epoch_rng(self.recipe.train.seed, phase, epoch);
        let order = shuffled(train.len(), &mut rng);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let (mut sum, mut lambda) = (0.0, 0.0);
        for (done, batch) in order.chunks(self.recipe.train.batch).enumerate() {
            x.clear();
            y.clear();
            for &i in batch {
                augment::shifted(train.sample(i), &self.data.input_shape, self.recipe.train.shift, &mut rng, &mut x);
                y.push(train.y[i]);
            }
            let step = (epoch * steps + done) as u32 + 1;
            let part = f64::from(step) / (epochs * steps) as f64;
            let lr = self.learning_rate(part);
            lambda = if regulariser.is_some() { self.recipe.sparsity.lambda * part } else { 0.0 };
            let loss = engine.loss_and_gradients(&x, &y)?.mean;
            if !loss.is_finite() {
                return Err(TrainError::Diverged { phase, epoch: epoch + 1, step, loss, lr, lambda });
            }
            sum += loss * batch.len() as f64;
            self.optimize(engine, at, lr, step)?;
            if let Some(r) = regulariser.as_deref_mut() {
                r.prox(engine.values_mut(), (lr * lambda) as f32)?;
            }
            (self.tell)(Event::Step { done: done + 1, of: steps });
        }
        Ok((sum / train.len().max(1) as f64, lambda))
    }

    /// The learning rate when `part` of the phase's steps, this one included, are done.
    fn learning_rate(&self, part: f64) -> f64 {
        match self.recipe.optimizer.schedule {
            Schedule::Constant => self.recipe.optimizer.lr,
            Schedule::Cosine => self.recipe.optimizer.lr * 0.5 * (1.0 + (std::f64::consts::PI * part).cos()),
        }
    }

    fn optimize(&self, engine: &mut Engine, at: &mut Checkpoint, lr: f64, step: u32) -> Result<(), OptimError> {
        let o = &self.recipe.optimizer;
        let (values, gradients) = engine.values_and_gradients();
        let t = NonZeroU32::new(step).unwrap_or(NonZeroU32::MIN);
        let decay = match o.name {
            _ if o.weight_decay == 0.0 => Decay::None,
            OptimizerName::AdamW => Decay::Decoupled(o.weight_decay),
            OptimizerName::Adam | OptimizerName::Sgd => Decay::Coupled(o.weight_decay),
        };
        match o.name {
            OptimizerName::Adam | OptimizerName::AdamW => {
                let hyper = adam::Hyper { lr, beta1: o.beta1, beta2: o.beta2, eps: o.epsilon, decay };
                let state = adam::State { m: &mut at.moments.m, v: &mut at.moments.v };
                adam::step(values, gradients, state, &hyper, t)
            }
            OptimizerName::Sgd => {
                let hyper = sgd::Hyper { lr, decay };
                let momentum = sgd::Momentum { buffer: &mut at.moments.m, factor: o.momentum, nesterov: false };
                sgd::step(values, gradients, Some(momentum), &hyper)
            }
        }
    }
}

/// The random numbers of an epoch: a stream of their own, so that a resumed run meets the same ones.
fn epoch_rng(seed: u64, phase: Phase, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((phase as u64 + 1) << 32 | epoch as u64);
    rng
}

/// A random permutation of `0..len`.
fn shuffled(len: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    for i in (1..len).rev() {
        // The bias of the remainder is below 2^-40 for any set that fits in memory.
        order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
    }
    order
}

/// The lines of [`METRICS_FILE`].
fn metrics(epochs: &[EpochRow]) -> String {
    epochs.iter().filter_map(|row| serde_json::to_string(row).ok()).map(|line| line + "\n").collect()
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
