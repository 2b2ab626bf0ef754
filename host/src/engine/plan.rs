//! The schedule, decided once: phases between batch-norm barriers, and how a batch is cut into lanes and tiles.
//!
//! A *lane* is a fixed share of the batch with buffers of its own; threads run whole lanes, so nothing that a thread
//! does depends on how many there are. A *tile* is as many samples of a lane as stay in the second-level cache while
//! a phase runs all its steps over them.

use super::buffers::{self, GradientPlan, GradientSlots, Place};
use super::resolve::{Kernel, Operator, Resolved};

/// Most lanes of a batch, hence most threads that can work at once.
const MAX_LANES: usize = 16;
/// A lane holds at least as many samples as make its largest buffer this long.
const MIN_LANE_LEN: usize = 1 << 14;
/// A tile holds at most as many samples as make its largest buffer this long, but at least one.
const MAX_TILE_LEN: usize = 1 << 15;

/// One thing done to every tile.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Forward(usize),
    /// The batch statistics of a batch norm's input.
    Statistics(usize),
    Loss,
    LossGradient,
    /// The two gradient sums of a batch norm.
    GradientSums(usize),
    Backward(usize),
}

/// What must see all lanes before the next phase.
#[derive(Debug, Clone, Copy)]
pub(super) enum Barrier {
    Statistics(usize),
    GradientSums(usize),
}

/// Steps that samples take independently of each other, and the barrier behind them.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase {
    pub(super) steps: Vec<Step>,
    pub(super) barrier: Option<Barrier>,
}

/// Everything about a network that does not change from step to step.
pub(super) struct Plan {
    pub(super) operators: Vec<Operator>,
    pub(super) gradients: Vec<GradientPlan>,
    pub(super) train: Vec<Phase>,
    pub(super) eval: Vec<Step>,
    pub(super) eval_loss: Vec<Step>,
    /// Where each value lies, by tensor index.
    pub(super) places: Vec<Place>,
    /// Elements a sample of each workspace buffer.
    pub(super) workspace_lens: Vec<usize>,
    pub(super) input: usize,
    pub(super) output: usize,
    /// The value that the loss reads, and the slot of its gradient.
    pub(super) logits: usize,
    pub(super) logits_slot: usize,
    /// Elements a sample of each value, by tensor index.
    pub(super) value_lens: Vec<usize>,
    /// Elements a sample of each gradient slot.
    pub(super) slot_lens: Vec<usize>,
    pub(super) scratch_len: usize,
    pub(super) batch_norms: usize,
    pub(super) max_pools: usize,
}

impl Plan {
    pub(super) fn new(resolved: Resolved, value_lens: Vec<usize>) -> Self {
        let Resolved { operators, input, output, batch_norms, max_pools } = resolved;
        // A softmax at the end is part of the loss.
        let head = operators.last().filter(|op| op.output == output && matches!(op.kernel, Kernel::Softmax { .. }));
        let logits = head.map_or(output, |op| op.inputs[0]);
        let trained = &operators[..operators.len() - usize::from(head.is_some())];

        let mut slots = GradientSlots::new(&value_lens);
        let logits_slot = slots.begin(logits);
        let needed = needs_gradient(trained, value_lens.len());
        let mut gradients = vec![GradientPlan::default(); operators.len()];
        for (i, op) in trained.iter().enumerate().rev().filter(|(_, op)| needed[op.output]) {
            gradients[i] = slots.operator(op, &needed);
        }
        let mut train = phases(trained, &needed);
        let eval_loss: Vec<Step> = (0..trained.len()).map(Step::Forward).chain([Step::Loss]).collect();
        let eval: Vec<Step> = (0..operators.len()).map(Step::Forward).collect();
        let mut places = buffers::places(&operators, &[output, logits], value_lens.len());
        for phase in &mut train {
            buffers::recompute(&operators, &places, &mut phase.steps);
        }
        let lists: Vec<&[Step]> = train.iter().map(|p| &p.steps[..]).chain([&eval[..], &eval_loss]).collect();
        let workspace_lens = buffers::share_workspaces(&operators, &lists, &value_lens, &mut places);
        let scratch_len = operators.iter().map(|op| op.kernel.scratch_len()).max().unwrap_or(0);
        let slot_lens = slots.lens;
        Self {
            operators,
            gradients,
            train,
            eval,
            eval_loss,
            places,
            workspace_lens,
            input,
            output,
            logits,
            logits_slot,
            value_lens,
            slot_lens,
            scratch_len,
            batch_norms,
            max_pools,
        }
    }

    /// Elements a sample of the largest buffer.
    pub(super) fn largest_len(&self) -> usize {
        let values = self.operators.iter().map(|op| self.value_lens[op.output]);
        values.chain([self.value_lens[self.input], self.scratch_len]).max().unwrap_or(1)
    }

    fn min_lane(&self) -> usize {
        MIN_LANE_LEN.div_ceil(self.largest_len())
    }

    /// Samples of each lane but the last.
    pub(super) fn lane_samples(&self, batch: usize) -> usize {
        batch.div_ceil(MAX_LANES).max(self.min_lane()).min(batch)
    }

    /// Lanes that batches of up to `batch` samples use.
    pub(super) fn lane_count(&self, batch: usize) -> usize {
        batch.div_ceil(self.min_lane()).min(MAX_LANES)
    }

    /// Samples of each tile but the last of a lane.
    pub(super) fn tile_samples(&self) -> usize {
        (MAX_TILE_LEN / self.largest_len()).max(1)
    }
}

/// Which values a trained constant has influenced.
fn needs_gradient(operators: &[Operator], values: usize) -> Vec<bool> {
    let mut needed = vec![false; values];
    for op in operators {
        needed[op.output] = op.kernel.is_trained() || op.inputs.iter().any(|&i| needed[i]);
    }
    needed
}

/// A training step: forward with a barrier at each batch norm, the loss, and the way back.
fn phases(operators: &[Operator], needed: &[bool]) -> Vec<Phase> {
    let mut phases = Vec::new();
    let mut phase = Phase::default();
    let mut close = |phase: &mut Phase, step, barrier| {
        phase.steps.push(step);
        phase.barrier = Some(barrier);
        phases.push(std::mem::take(phase));
    };
    for (i, op) in operators.iter().enumerate() {
        if matches!(op.kernel, Kernel::BatchNorm { .. }) {
            close(&mut phase, Step::Statistics(i), Barrier::Statistics(i));
        }
        phase.steps.push(Step::Forward(i));
    }
    phase.steps.push(Step::LossGradient);
    for (i, op) in operators.iter().enumerate().rev().filter(|(_, op)| needed[op.output]) {
        if matches!(op.kernel, Kernel::BatchNorm { .. }) {
            close(&mut phase, Step::GradientSums(i), Barrier::GradientSums(i));
        }
        phase.steps.push(Step::Backward(i));
    }
    phases.push(phase);
    phases
}
