//! The plan of an epoch: everything random and every scalar of its steps, drawn before the first of them.

use super::Phase;
use super::augment::Move;
use crate::recipe;
use niwaki_core::schedule::{self, Schedule};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// What the steps of a phase have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal {
    pub(super) phase: Phase,
    /// Epochs of the phase, and those that are done.
    pub(super) epochs: usize,
    pub(super) done: usize,
    /// The largest learning rate, and how it moves from there.
    pub(super) lr: f64,
    pub(super) schedule: Schedule,
    /// The largest weight of the regulariser, and the steps over which it rises.
    pub(super) lambda: f64,
    pub(super) rising: usize,
}

/// What the samples of an epoch are, drawn at random.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Draw {
    /// The samples in the order in which steps take them.
    pub(super) order: Vec<usize>,
    /// How each of them is moved, in the same order.
    pub(super) moves: Vec<Move>,
}

/// Scalars of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StepScalars {
    /// The step in the phase, from 1.
    pub(super) number: u32,
    pub(super) lr: f64,
    /// Weight of the regulariser.
    pub(super) lambda: f64,
    /// Whether the regulariser has risen, and groups that turn around are dropped.
    pub(super) half_space: bool,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EpochPlan {
    pub(super) phase: Phase,
    /// From 0.
    pub(super) epoch: usize,
    /// Epochs of the phase.
    pub(super) epochs: usize,
    pub(super) draw: Draw,
    pub(super) steps: Vec<StepScalars>,
}

impl EpochPlan {
    /// The plan of epoch `epoch`, which has `steps` steps.
    pub(super) fn new(goal: &Goal, epoch: usize, steps: usize, draw: Draw) -> Self {
        let scalars = |step: usize| {
            let number = (epoch * steps + step) as u32 + 1;
            StepScalars {
                number,
                lr: goal.schedule.rate(goal.lr, schedule::progress(number, goal.epochs * steps)),
                lambda: goal.lambda * schedule::ramp(number, goal.rising),
                half_space: number as usize > goal.rising,
            }
        };
        let steps = (0..steps).map(scalars).collect();
        Self { phase: goal.phase, epoch, epochs: goal.epochs, draw, steps }
    }
}

impl Draw {
    /// A random order of `len` samples of the shape `shape`, and how each is moved. The numbers of an epoch are a stream of
    /// their own, so that a run that goes on meets the same ones: all of the order first, then the moves in its order.
    pub(super) fn new(train: &recipe::Train, shape: &[usize], len: usize, phase: Phase, epoch: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(train.seed);
        rng.set_stream((phase as u64 + 1) << 32 | epoch as u64);
        let order = shuffled(len, &mut rng);
        let moves = order.iter().map(|_| Move::draw(train, shape, &mut rng)).collect();
        Self { order, moves }
    }
}

/// The random numbers of a sparsity method in an epoch.
pub(super) fn method_rng(seed: u64, epoch: usize) -> ChaCha8Rng {
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOAL: Goal =
        Goal { phase: Phase::Ramp, epochs: 3, done: 0, lr: 0.1, schedule: Schedule::Cosine, lambda: 2.0, rising: 8 };

    #[test]
    fn steps_are_numbered_through_the_phase_and_their_scalars_move_with_them() {
        let plans: Vec<EpochPlan> = (0..3).map(|epoch| EpochPlan::new(&GOAL, epoch, 4, Draw::default())).collect();
        let steps: Vec<StepScalars> = plans.into_iter().flat_map(|plan| plan.steps).collect();
        assert!(steps.iter().map(|step| step.number).eq(1..=12));
        assert!(steps.windows(2).all(|pair| pair[1].lr < pair[0].lr));
        assert_eq!((steps[11].lr, steps[3].lambda, steps[7].lambda, steps[11].lambda), (0.0, 1.0, 2.0, 2.0));
        assert!(steps.iter().map(|step| step.half_space).eq((1..=12).map(|number| number > 8)));
    }

    #[test]
    fn an_epoch_has_every_sample_once_and_depends_on_seed_phase_and_epoch_alone() {
        let train = recipe::Train { shift: 1, flip: true, ..recipe::Train::default() };
        let draw = |phase, epoch| Draw::new(&train, &[8, 8, 1], 50, phase, epoch);
        let first = draw(Phase::Dense, 0);
        let mut samples = first.order.clone();
        samples.sort_unstable();
        assert!(samples.into_iter().eq(0..50) && first.moves.len() == 50);
        assert_eq!(first, draw(Phase::Dense, 0));
        assert_ne!(first, draw(Phase::Dense, 1));
        assert_ne!(first, draw(Phase::Ramp, 0));
    }
}
