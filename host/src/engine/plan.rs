//! The schedule, decided once: phases between batch-norm barriers, and how a batch is cut into lanes and tiles.
//!
//! A *lane* is a fixed share of the batch with buffers of its own; threads run whole lanes, so nothing that a thread
//! does depends on how many there are. A *tile* is as many samples of a lane as stay in the second-level cache while
//! a phase runs all its steps over them.

use super::buffers::{self, GradientPlan, GradientSlots, Place};
use super::kernel::{Kernel, Operator};
use super::real::Real;
use super::resolve::Resolved;
use std::ops::Range;

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

/// Steps that samples take independently of each other, and the barrier after them.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase {
    pub(super) steps: Vec<Step>,
    pub(super) barrier: Option<Barrier>,
}

/// Everything about a network that does not change from step to step.
pub(super) struct Plan<T> {
    pub(super) operators: Vec<Operator<T>>,
    pub(super) gradients: Vec<GradientPlan>,
    pub(super) train: Vec<Phase>,
    pub(super) eval: Vec<Step>,
    pub(super) eval_loss: Vec<Step>,
    /// The way back alone, for a gradient of the loss that the caller has.
    pub(super) backward: Vec<Step>,
    /// By operator: whether neither the input nor the step's randomness comes before it.
    pub(super) fixed: Vec<bool>,
    /// By tensor index: where a value lies at inference, when dropout hands on its operand.
    pub(super) at_inference: Vec<usize>,
    /// The ranges of the flat gradient that are added up from zero.
    pub(super) sums: Vec<Range<usize>>,
    /// Where each value lies, by tensor index.
    pub(super) places: Vec<Place>,
    /// Elements a sample of each workspace buffer.
    pub(super) workspace_lens: Vec<usize>,
    /// None where the network has its data in it: one sample, whose rows are nodes.
    pub(super) input: Option<usize>,
    pub(super) output: usize,
    /// The value that the loss reads, and the slot of its gradient.
    pub(super) logits: usize,
    pub(super) logits_slot: usize,
    /// The length of a row of scores.
    pub(super) classes: usize,
    /// Elements a sample of each value, by tensor index.
    pub(super) value_lens: Vec<usize>,
    /// Elements a sample of each gradient slot.
    pub(super) slot_lens: Vec<usize>,
    pub(super) scratch_len: usize,
    pub(super) batch_norms: usize,
}

impl<T: Real> Plan<T> {
    pub(super) fn new(resolved: Resolved<T>, value_lens: Vec<usize>, classes: usize, parameters: usize) -> Self {
        let Resolved { operators, input, output, batch_norms } = resolved;
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
        let at_inference = at_inference(&operators, value_lens.len());
        let computed = |end: usize| (0..end).filter(|&i| at_inference[operators[i].output] == operators[i].output);
        let eval_loss: Vec<Step> = computed(trained.len()).map(Step::Forward).chain([Step::Loss]).collect();
        let eval: Vec<Step> = computed(operators.len()).map(Step::Forward).collect();
        let backward = (0..trained.len()).rev().filter(|&i| needed[operators[i].output]).map(Step::Backward).collect();
        let handed_on = operators.iter().filter(|op| matches!(op.kernel, Kernel::Dropout(_))).map(|op| op.inputs[0]);
        let kept: Vec<usize> = [output, logits].into_iter().chain(handed_on).collect();
        let mut places = buffers::places(&operators, &kept, value_lens.len());
        for phase in &mut train {
            buffers::recompute(&operators, &places, &mut phase.steps);
        }
        let lists: Vec<&[Step]> = train.iter().map(|p| &p.steps[..]).chain([&eval[..], &eval_loss]).collect();
        let workspace_lens = buffers::share_workspaces(&operators, &lists, &value_lens, &mut places);
        // The loss over nodes keeps their probabilities.
        let head_len = if input.is_none() { value_lens[logits] } else { 0 };
        let scratch_len = operators.iter().map(|op| op.kernel.scratch_len()).fold(head_len, usize::max);
        let fixed = fixed(&operators, input, value_lens.len());
        let whole = trained.iter().filter(|op| needed[op.output]).filter_map(|op| op.kernel.whole_gradient());
        let sums = rest(whole.collect(), parameters);
        let slot_lens = slots.lens;
        Self {
            operators,
            gradients,
            train,
            eval,
            eval_loss,
            backward,
            fixed,
            at_inference,
            sums,
            places,
            workspace_lens,
            input,
            output,
            logits,
            logits_slot,
            classes,
            value_lens,
            slot_lens,
            scratch_len,
            batch_norms,
        }
    }

    /// Elements a sample of the largest buffer.
    pub(super) fn largest_len(&self) -> usize {
        let values = self.operators.iter().map(|op| self.value_lens[op.output]);
        values.chain(self.input.map(|input| self.value_lens[input])).chain([self.scratch_len]).max().unwrap_or(1)
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
fn needs_gradient<T: Real>(operators: &[Operator<T>], values: usize) -> Vec<bool> {
    let mut needed = vec![false; values];
    for op in operators {
        needed[op.output] = op.kernel.is_trained() || op.inputs.iter().any(|&i| needed[i]);
    }
    needed
}

/// A training step: forward with a barrier at each batch norm, the loss, and the way back.
fn phases<T: Real>(operators: &[Operator<T>], needed: &[bool]) -> Vec<Phase> {
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

/// Where each value lies at inference.
fn at_inference<T>(operators: &[Operator<T>], values: usize) -> Vec<usize> {
    let mut at: Vec<usize> = (0..values).collect();
    for op in operators.iter().filter(|op| matches!(op.kernel, Kernel::Dropout(_))) {
        at[op.output] = at[op.inputs[0]];
    }
    at
}

/// Which operators compute the same until a value changes, whatever the batch and the step.
fn fixed<T>(operators: &[Operator<T>], input: Option<usize>, values: usize) -> Vec<bool> {
    let mut changes = vec![false; values];
    if let Some(input) = input {
        changes[input] = true;
    }
    let mut fixed = Vec::with_capacity(operators.len());
    for op in operators {
        let random = matches!(op.kernel, Kernel::Dropout(_) | Kernel::BatchNorm { .. });
        changes[op.output] = random || op.inputs.iter().any(|&i| changes[i]);
        fixed.push(!changes[op.output]);
    }
    fixed
}

/// What `ranges` leave of `0..len`.
fn rest(mut ranges: Vec<Range<usize>>, len: usize) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let starts = std::iter::once(0).chain(ranges.iter().map(|range| range.end));
    let ends = ranges.iter().map(|range| range.start).chain([len]);
    starts.zip(ends).map(|(start, end)| start..end).filter(|range| !range.is_empty()).collect()
}
