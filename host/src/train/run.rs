//! The epochs of a phase over any task: plan, loss, optimizer with what stands around it, score, and what is kept.

use super::epoch::{Draw, EpochPlan, Goal, StepScalars};
use super::{EpochRow, Phase, TrainError, TrainEvent};
use crate::engine::{Engine, EngineError, Slots};
use crate::recipe::Optimizer;
use crate::sparsify::method::Moment;
use niwaki_core::error::OptimError;
use niwaki_core::optim::Hyper;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What a network is trained on.
pub(super) trait Task {
    /// Steps of an epoch.
    fn steps(&self) -> usize;

    /// Everything random about the samples of an epoch.
    fn draw(&self, phase: Phase, epoch: usize) -> Draw;

    /// Loss and gradients of step `step` of the epoch: the mean loss, and of how many samples.
    ///
    /// # Errors
    /// [`EngineError`].
    fn loss(&mut self, engine: &mut Engine, plan: &EpochPlan, step: usize) -> Result<(f64, usize), EngineError>;

    /// Share of what validates that is classified right.
    ///
    /// # Errors
    /// [`EngineError`].
    fn score(&mut self, engine: &mut Engine) -> Result<f64, EngineError>;

    /// Keeps what the epoch leaves; how many epochs a run that ends now has saved.
    ///
    /// # Errors
    /// [`TrainError`].
    fn keep(
        &mut self,
        engine: &mut Engine,
        slots: &Slots,
        around: &dyn Around,
        row: &EpochRow,
    ) -> Result<usize, TrainError>;
}

/// What a phase does around the optimizer's step.
pub(super) trait Around {
    /// Before the first step.
    ///
    /// # Errors
    /// [`TrainError`].
    fn begin(&mut self, _engine: &mut Engine) -> Result<(), TrainError> {
        Ok(())
    }

    /// The optimizer's step, and all that goes with it.
    ///
    /// # Errors
    /// [`TrainError`].
    fn update(&mut self, engine: &mut Engine, slots: &mut Slots, at: &Step<'_>) -> Result<Stepped, TrainError>;

    /// Groups that are not zero, where there are groups.
    ///
    /// # Errors
    /// [`TrainError`].
    fn alive_groups(&mut self, _values: &[f32]) -> Result<Option<usize>, TrainError> {
        Ok(None)
    }

    /// The groups that are left, as checkpoints have them.
    fn alive(&self) -> Option<Vec<u8>> {
        None
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stepped {
    Done,
    /// A value is no number any more.
    Diverged,
}

/// A step that is taken.
pub(super) struct Step<'a> {
    optimizer: &'a Optimizer,
    scalars: StepScalars,
    /// Where it is in its phase.
    pub(super) moment: Moment,
    /// Whether it is the first of its epoch.
    pub(super) is_first: bool,
}

impl Step<'_> {
    /// The optimizer's step over all values, in parts that threads share.
    pub(super) fn optimize(&self, engine: &mut Engine, slots: &mut Slots) -> Result<(), OptimError> {
        let (rule, hyper, t) = (self.optimizer.name, self.hyper(), self.t());
        engine.update(slots, |values, gradients, slots| rule.step(&hyper, values, gradients, slots, t))
    }

    fn hyper(&self) -> Hyper {
        self.optimizer.hyper(self.scalars.lr)
    }

    fn t(&self) -> NonZeroU32 {
        NonZeroU32::new(self.scalars.number).unwrap_or(NonZeroU32::MIN)
    }
}

/// What holds weights at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights<'a> {
    /// Nothing.
    Free,
    /// After every step all but the largest are zeroed: this many are zero. The support may change.
    Ball {
        /// Zeros of all weights together.
        zeros: usize,
    },
    /// Those that are marked stay, and no others ever come back.
    Held(&'a [bool]),
}

impl Around for Weights<'_> {
    fn update(&mut self, engine: &mut Engine, slots: &mut Slots, at: &Step<'_>) -> Result<Stepped, TrainError> {
        at.optimize(engine, slots)?;
        match *self {
            Self::Free => {}
            Self::Ball { zeros } => engine.project_l0(zeros),
            Self::Held(kept) => {
                let dropped = engine.values_mut().iter_mut().zip(kept).filter(|(_, kept)| !**kept);
                dropped.for_each(|(value, _)| *value = 0.0);
            }
        }
        Ok(Stepped::Done)
    }
}

/// What stays the same through a run, whatever its task.
pub(super) struct Run<'a> {
    pub(super) optimizer: &'a Optimizer,
    pub(super) stop: &'a AtomicBool,
    pub(super) tell: &'a mut dyn FnMut(TrainEvent<'_>),
}

impl Run<'_> {
    /// Runs the epochs of `goal` that are left.
    pub(super) fn phase(
        &mut self,
        task: &mut dyn Task,
        goal: &Goal,
        engine: &mut Engine,
        slots: &mut Slots,
        around: &mut dyn Around,
    ) -> Result<(), TrainError> {
        let phase = goal.phase;
        slots.ask(self.optimizer.name.slots(&self.optimizer.hyper(goal.lr)), engine.values().len());
        for epoch in goal.done..goal.epochs {
            let started = Instant::now();
            let plan = EpochPlan::new(goal, epoch, task.steps(), task.draw(phase, epoch));
            let train_loss = self.epoch(task, &plan, engine, slots, around)?;
            let is_ramp = phase == Phase::Ramp;
            let lambda = plan.steps.last().filter(|_| is_ramp).map(|step| step.lambda);
            let alive_groups = if is_ramp { around.alive_groups(engine.values())? } else { None };
            let val_accuracy = task.score(engine)?;
            let seconds = started.elapsed().as_secs_f64();
            let row = EpochRow { phase, epoch: epoch + 1, train_loss, val_accuracy, lambda, alive_groups, seconds };
            let saved = task.keep(engine, slots, around, &row)?;
            (self.tell)(TrainEvent::Epoch(&row));
            if self.stop.load(Ordering::Relaxed) {
                return Err(TrainError::Interrupted { phase, epoch: saved });
            }
        }
        Ok(())
    }

    /// The steps of one epoch; the mean loss.
    fn epoch(
        &mut self,
        task: &mut dyn Task,
        plan: &EpochPlan,
        engine: &mut Engine,
        slots: &mut Slots,
        around: &mut dyn Around,
    ) -> Result<f64, TrainError> {
        let (mut sum, mut samples) = (0.0, 0);
        let &EpochPlan { phase, epoch, epochs, .. } = plan;
        let steps = plan.steps.len();
        for (done, &scalars) in plan.steps.iter().enumerate() {
            let (loss, count) = task.loss(engine, plan, done)?;
            let StepScalars { number, lr, lambda, half_space } = scalars;
            let diverged = || TrainError::Diverged { phase, epoch: epoch + 1, step: number, loss, lr, lambda };
            if !loss.is_finite() {
                return Err(diverged());
            }
            sum += loss * count as f64;
            samples += count;
            let step = number as usize;
            let moment = Moment { epoch, epochs, step, steps: epochs * steps, lr, lambda, half_space };
            let at = Step { optimizer: self.optimizer, scalars, moment, is_first: done == 0 };
            if around.update(engine, slots, &at)? == Stepped::Diverged {
                return Err(diverged());
            }
            if steps > 1 {
                (self.tell)(TrainEvent::Step { done: done + 1, of: steps });
            }
        }
        Ok(sum / samples.max(1) as f64)
    }
}
