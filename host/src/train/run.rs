//! The epochs of a phase: batches, loss, optimizer, and what the sparsity method does around each step.

use super::checkpoint::{Checkpoint, Progress};
use super::qat::Rounding;
use super::{CHECKPOINT_FILE, EpochRow, Event, METRICS_FILE, Phase, TrainError, augment, evaluate};
use crate::data::Dataset;
use crate::engine::{Distillation, Engine, EngineError, Loss, Options as EngineOptions};
use crate::graph::Graph;
use crate::io::atomic;
use crate::recipe::Recipe;
use crate::sparsify::alive::Alive;
use crate::sparsify::family::Families;
use crate::sparsify::method::{Method, Moment, Stage, Update};
use niwaki_core::error::OptimError;
use niwaki_core::schedule;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The sparse side of a phase.
pub(super) struct Sparse {
    pub(super) families: Families,
    pub(super) alive: Alive,
    /// Ranks and empties groups; none once the choice is made.
    pub(super) method: Option<Box<dyn Method>>,
}

/// What stays the same through a run.
pub(super) struct Run<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) data: &'a Dataset,
    pub(super) dir: &'a Path,
    pub(super) threads: usize,
    pub(super) stop: &'a AtomicBool,
    pub(super) tell: &'a mut dyn FnMut(Event<'_>),
    /// The network before this phase, if its answers are learned from: dense, or not rounded.
    pub(super) teacher: Option<Engine>,
}

/// Where a step of a phase is.
#[derive(Clone, Copy)]
struct Step {
    phase: Phase,
    /// Step in the phase, from 1.
    number: u32,
    lr: f64,
    lambda: f64,
}

impl Run<'_> {
    pub(super) fn engine(&self, graph: &Graph) -> Result<Engine, EngineError> {
        Engine::new(graph, EngineOptions { batch: self.recipe.train.batch, threads: self.threads })
    }

    fn epochs(&self, phase: Phase) -> usize {
        let sparsity = &self.recipe.sparsity;
        match phase {
            Phase::Dense => self.recipe.train.epochs,
            Phase::Ramp => sparsity.ramp_epochs + sparsity.half_space_epochs,
            Phase::Finetune => sparsity.finetune_epochs,
            Phase::Qat => self.recipe.quantize.qat_epochs,
        }
    }

    /// Runs the epochs of the current phase that are left, saving after each.
    pub(super) fn phase(
        &mut self,
        at: &mut Checkpoint,
        mut sparse: Option<&mut Sparse>,
        rounding: Option<&Rounding>,
    ) -> Result<(), TrainError> {
        let phase = at.progress.phase;
        let epochs = self.epochs(phase);
        (self.tell)(Event::Phase { phase, epochs, done: at.progress.epoch });
        if at.progress.epoch >= epochs {
            return Ok(());
        }
        let mut engine = self.engine(&at.graph)?;
        if let Some(rounding) = rounding {
            rounding.round(&mut engine, &mut at.graph)?;
        }
        let steps = self.data.train.len().div_ceil(self.recipe.train.batch);
        let optimizer = &self.recipe.optimizer;
        at.slots.ask(optimizer.name.slots(&optimizer.hyper(optimizer.lr)), engine.values().len());
        while at.progress.epoch < epochs {
            let started = Instant::now();
            let (train_loss, lambda) = self.epoch(&mut engine, at, steps, epochs, sparse.as_deref_mut(), rounding)?;
            let mut alive_groups = None;
            if let Some(sparse) = sparse.as_deref_mut() {
                alive_groups = Some(alive(&mut sparse.families, engine.values())?);
                at.alive = sparse.alive.to_bytes(&sparse.families);
            }
            let val_accuracy = evaluate(&mut engine, &self.data.val, self.recipe.train.batch)?.accuracy;
            at.progress.epoch += 1;
            let row = EpochRow {
                phase,
                epoch: at.progress.epoch,
                train_loss,
                val_accuracy,
                lambda: (phase == Phase::Ramp).then_some(lambda),
                alive_groups: alive_groups.filter(|_| phase == Phase::Ramp),
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
        mut sparse: Option<&mut Sparse>,
        rounding: Option<&Rounding>,
    ) -> Result<(f64, f64), TrainError> {
        let Progress { phase, epoch, .. } = at.progress;
        let train = &self.data.train;
        let seed = self.recipe.train.seed;
        let mut rng = epoch_rng(seed, phase, epoch);
        let order = shuffled(train.len(), &mut rng);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let (mut sum, mut lambda) = (0.0, 0.0);
        let ramp_steps = self.recipe.sparsity.rising_steps(steps);
        for (done, batch) in order.chunks(self.recipe.train.batch).enumerate() {
            x.clear();
            y.clear();
            for &i in batch {
                augment::augmented(train.sample(i), &self.data.input_shape, &self.recipe.train, &mut rng, &mut x);
                y.push(train.y[i]);
            }
            let number = (epoch * steps + done) as u32 + 1;
            let part = schedule::progress(number, epochs * steps);
            lambda = if phase == Phase::Ramp {
                self.recipe.sparsity.lambda * schedule::ramp(number, ramp_steps)
            } else {
                0.0
            };
            let step = Step { phase, number, lr: self.learning_rate(phase, part), lambda };
            let loss = self.loss(engine, phase, &x, &y)?.mean;
            let diverged = || {
                let Step { lr, lambda, .. } = step;
                TrainError::Diverged { phase, epoch: epoch + 1, step: number, loss, lr, lambda }
            };
            if !loss.is_finite() {
                return Err(diverged());
            }
            sum += loss * batch.len() as f64;
            let moment = Moment {
                epoch,
                epochs,
                step: number as usize,
                steps: epochs * steps,
                lr: step.lr,
                lambda,
                half_space: number as usize > ramp_steps,
            };
            let mut method_rng = (done == 0).then(|| method_rng(seed, epoch));
            self.update(engine, at, sparse.as_deref_mut(), step, moment, method_rng.as_mut())?;
            if let Some(rounding) = rounding {
                let (values, _) = engine.values_and_gradients_mut();
                rounding.hold(values);
                at.slots.flat_mut().into_iter().for_each(|slot| rounding.hold(slot));
                // What is no number has no code.
                if engine.values().iter().any(|v| !v.is_finite()) {
                    return Err(diverged());
                }
                match rounding.round(engine, &mut at.graph) {
                    Err(TrainError::Engine(_)) => return Err(diverged()),
                    rounded => rounded?,
                }
            }
            (self.tell)(Event::Step { done: done + 1, of: steps });
        }
        Ok((sum / train.len().max(1) as f64, lambda))
    }

    /// Loss and gradients of a batch: of its labels, and of the teacher's answers if there is one.
    fn loss(&mut self, engine: &mut Engine, phase: Phase, x: &[f32], y: &[u32]) -> Result<Loss, EngineError> {
        let Some(teacher) = &mut self.teacher else { return engine.loss_and_gradients(x, y) };
        let s = &self.recipe.sparsity;
        let weight = if phase == Phase::Qat { self.recipe.quantize.qat_distill } else { s.distill };
        let options = Distillation { weight, temperature: s.temperature };
        engine.distill(x, y, teacher.logits(x, y.len())?, options)
    }

    /// One step of the optimizer with whatever the sparsity method does around it.
    fn update(
        &self,
        engine: &mut Engine,
        at: &mut Checkpoint,
        sparse: Option<&mut Sparse>,
        step: Step,
        moment: Moment,
        rng: Option<&mut ChaCha8Rng>,
    ) -> Result<(), TrainError> {
        let (values, gradients) = engine.values_and_gradients_mut();
        let Some(Sparse { families, alive, method }) = sparse else {
            return Ok(self.optimize(values, gradients, at, step)?);
        };
        if let Some(method) = method.as_mut().filter(|_| step.phase == Phase::Ramp) {
            let slots = &mut at.slots;
            let mut stage = Stage { families, values, gradients, slots, alive, at: moment };
            if let Some(rng) = rng {
                method.begin_epoch(&mut stage, rng)?;
            }
            if method.before_step(&mut stage)? == Update::Optimizer {
                self.optimize(values, gradients, at, step)?;
            }
            let slots = &mut at.slots;
            let mut stage = Stage { families, values, gradients, slots, alive, at: moment };
            method.after_step(&mut stage)?;
        } else {
            self.optimize(values, gradients, at, step)?;
        }
        let (values, _) = engine.values_and_gradients_mut();
        alive.hold(values);
        at.slots.flat_mut().into_iter().for_each(|slot| alive.hold(slot));
        Ok(())
    }

    /// The learning rate when `part` of the phase's steps, this one included, are done.
    fn learning_rate(&self, phase: Phase, part: f64) -> f64 {
        let lr = self.recipe.optimizer.lr * if phase == Phase::Qat { self.recipe.quantize.qat_lr } else { 1.0 };
        self.recipe.optimizer.schedule.rate(lr, part)
    }

    fn optimize(
        &self,
        values: &mut [f32],
        gradients: &[f32],
        at: &mut Checkpoint,
        step: Step,
    ) -> Result<(), OptimError> {
        let t = NonZeroU32::new(step.number).unwrap_or(NonZeroU32::MIN);
        let optimizer = &self.recipe.optimizer;
        optimizer.name.step(&optimizer.hyper(step.lr), values, gradients, &mut at.slots.flat_mut(), t)
    }
}

/// Groups that are not zero.
fn alive(families: &mut Families, values: &[f32]) -> Result<usize, TrainError> {
    let mut alive = 0;
    for family in &mut families.list {
        alive += family.squares(values)?.iter().filter(|sum| **sum != 0.0).count();
    }
    Ok(alive)
}

/// The random numbers of an epoch: a stream of their own, so that a resumed run meets the same ones.
fn epoch_rng(seed: u64, phase: Phase, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((phase as u64 + 1) << 32 | epoch as u64);
    rng
}

/// The random numbers of a sparsity method in an epoch.
fn method_rng(seed: u64, epoch: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 << 48 | epoch as u64);
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
