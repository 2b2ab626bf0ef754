//! The task of images and signals: batches of samples in a random order, saved after every epoch.

use super::checkpoint::{Checkpoint, save_metrics};
use super::epoch::{Draw, EpochPlan, Goal};
use super::run::{Around, Run, Task};
use super::{CHECKPOINT_FILE, EpochRow, Phase, TrainError, TrainEvent, evaluate};
use crate::data::Dataset;
use crate::engine::{Distillation, Engine, EngineError, EngineOptions, Slots};
use crate::graph::Graph;
use crate::recipe::Recipe;
use std::path::Path;

/// A data set of samples, and where a run over it is.
pub(super) struct Samples<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) data: &'a Dataset,
    pub(super) dir: &'a Path,
    pub(super) threads: usize,
    /// The network before this phase, if its answers are learned from: dense, or not rounded.
    pub(super) teacher: Option<Engine>,
    pub(super) at: Checkpoint,
    /// The batch of a step.
    x: Vec<f32>,
    y: Vec<u32>,
}

impl<'a> Samples<'a> {
    pub(super) fn new(recipe: &'a Recipe, data: &'a Dataset, dir: &'a Path, threads: usize, at: Checkpoint) -> Self {
        Self { recipe, data, dir, threads, teacher: None, at, x: Vec::new(), y: Vec::new() }
    }

    pub(super) fn engine(&self, graph: &Graph) -> Result<Engine, EngineError> {
        Engine::new(graph, EngineOptions { batch: self.recipe.train.batch, threads: self.threads })
    }

    /// The phase that the run is in.
    fn goal(&self) -> Goal {
        let (sparsity, optimizer) = (&self.recipe.sparsity, &self.recipe.optimizer);
        let phase = self.at.progress.phase;
        let (epochs, lambda, lr) = match phase {
            Phase::Dense => (self.recipe.train.epochs, 0.0, 1.0),
            Phase::Ramp => (sparsity.ramp_epochs + sparsity.half_space_epochs, sparsity.lambda, 1.0),
            Phase::Finetune => (sparsity.finetune_epochs, 0.0, 1.0),
            Phase::Qat => (self.recipe.quantize.qat_epochs, 0.0, self.recipe.quantize.qat_lr),
        };
        Goal {
            phase,
            epochs,
            done: self.at.progress.epoch,
            lr: optimizer.lr * lr,
            schedule: optimizer.schedule,
            lambda,
            rising: sparsity.rising_steps(self.steps()),
        }
    }

    /// Runs the epochs of the current phase that are left, saving after each.
    pub(super) fn phase(&mut self, run: &mut Run<'_>, around: &mut dyn Around) -> Result<(), TrainError> {
        let goal = self.goal();
        (run.tell)(TrainEvent::Phase { phase: goal.phase, epochs: goal.epochs, done: goal.done });
        if goal.done >= goal.epochs {
            return Ok(());
        }
        let mut engine = self.engine(&self.at.graph)?;
        around.begin(&mut engine)?;
        let mut slots = std::mem::take(&mut self.at.slots);
        run.phase(self, &goal, &mut engine, &mut slots, around)
    }
}

impl Task for Samples<'_> {
    fn steps(&self) -> usize {
        self.data.train.len().div_ceil(self.recipe.train.batch)
    }

    fn draw(&self, phase: Phase, epoch: usize) -> Draw {
        Draw::new(&self.recipe.train, &self.data.input_shape, self.data.train.len(), phase, epoch)
    }

    fn loss(&mut self, engine: &mut Engine, plan: &EpochPlan, step: usize) -> Result<(f64, usize), EngineError> {
        let Self { recipe, data, teacher, x, y, .. } = self;
        let (first, Draw { order, moves }) = (step * recipe.train.batch, &plan.draw);
        let batch = first..order.len().min(first + recipe.train.batch);
        x.clear();
        y.clear();
        for (&sample, by) in order[batch.clone()].iter().zip(&moves[batch]) {
            by.apply(data.train.sample(sample), &data.input_shape, x);
            y.push(data.train.y[sample]);
        }
        let loss = match teacher {
            None => engine.loss_and_gradients(x, y)?,
            Some(teacher) => {
                let weight = match plan.phase {
                    Phase::Qat => recipe.quantize.qat_distill,
                    _ => recipe.sparsity.distill,
                };
                let options = Distillation { weight, temperature: recipe.sparsity.temperature };
                engine.distill(x, y, teacher.logits(x, y.len())?, options)?
            }
        };
        Ok((loss.mean, y.len()))
    }

    fn score(&mut self, engine: &mut Engine) -> Result<f64, EngineError> {
        Ok(evaluate(engine, &self.data.val, self.recipe.train.batch)?.accuracy)
    }

    fn keep(
        &mut self,
        engine: &mut Engine,
        slots: &Slots,
        around: &dyn Around,
        row: &EpochRow,
    ) -> Result<usize, TrainError> {
        let at = &mut self.at;
        at.alive = around.alive().unwrap_or_default();
        at.progress.epoch = row.epoch;
        at.progress.epochs.push(row.clone());
        engine.store(&mut at.graph);
        at.save(slots, &self.dir.join(CHECKPOINT_FILE))?;
        save_metrics(self.dir, &at.progress.epochs)?;
        Ok(row.epoch)
    }
}
