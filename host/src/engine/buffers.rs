//! Which buffer holds what, and when: gradient slots by liveness, and batch-norm outputs that are computed again
//! rather than kept.
//!
//! A batch norm's output costs one pass to compute from its input, which backward needs anyway. Kept for the whole
//! batch it would go out to memory and come back; computed again it stays in the cache. So it lives in a buffer the
//! size of a tile, in each phase that reads it.

use super::gemm::Into;
use super::kernel::{Kernel, Operator};
use super::plan::Step;
use super::real::Real;

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the lane, for all its samples.
    Lane,
    /// In this buffer of the thread's workspace, for one tile, during one phase.
    Workspace(usize),
}

/// The values that live in workspaces (in buffer 0 until [`share_workspaces`] says otherwise).
pub(super) fn places<T: Real>(operators: &[Operator<T>], kept: &[usize], values: usize) -> Vec<Place> {
    let mut places = vec![Place::Lane; values];
    for op in operators {
        let cheap = matches!(op.kernel, Kernel::BatchNorm { .. });
        if cheap && places[op.inputs[0]] == Place::Lane && !kept.contains(&op.output) {
            places[op.output] = Place::Workspace(0);
        }
    }
    places
}

/// Calls `read` with every value that a step reads.
fn reads<T: Real>(operators: &[Operator<T>], step: Step, mut read: impl FnMut(usize)) {
    match step {
        Step::Forward(i) => operators[i].inputs.iter().for_each(|&v| read(v)),
        Step::Statistics(i) | Step::GradientSums(i) => read(operators[i].inputs[0]),
        Step::Backward(i) => {
            let op = &operators[i];
            let (inputs, output) = op.kernel.backward_reads();
            if inputs {
                op.inputs.iter().for_each(|&v| read(v));
            }
            if output {
                read(op.output);
            }
        }
        // The logits stay in the lane.
        Step::Loss | Step::LossGradient => {}
    }
}

/// Inserts the forward step of each workspace value before the first step of a phase that reads it.
pub(super) fn recompute<T: Real>(operators: &[Operator<T>], places: &[Place], steps: &mut Vec<Step>) {
    let mut present: Vec<usize> = Vec::new();
    let mut out = Vec::with_capacity(steps.len());
    for &step in &*steps {
        reads(operators, step, |value| {
            if places[value] != Place::Lane && !present.contains(&value) {
                present.push(value);
                let producer = operators.iter().position(|op| op.output == value);
                out.extend(producer.map(Step::Forward));
            }
        });
        if let Step::Forward(i) = step {
            present.push(operators[i].output);
        }
        out.push(step);
    }
    *steps = out;
}

/// First and last step of a list that touch a value, if any does.
type Span = Option<(usize, usize)>;

/// Gives workspace values that are never needed at once the same buffer; returns the buffers' elements a sample.
pub(super) fn share_workspaces<T: Real>(
    operators: &[Operator<T>],
    lists: &[&[Step]],
    value_lens: &[usize],
    places: &mut [Place],
) -> Vec<usize> {
    // For each list of steps: from which step to which the value is needed.
    let lifetimes = |value: usize| -> Vec<Span> {
        let lifetime = |steps: &&[Step]| {
            let mut span: Span = None;
            for (at, &step) in steps.iter().enumerate() {
                let mut touch = |v: usize| {
                    if v == value {
                        span = Some((span.map_or(at, |s| s.0), at));
                    }
                };
                reads(operators, step, &mut touch);
                if let Step::Forward(i) = step {
                    touch(operators[i].output);
                }
            }
            span
        };
        lists.iter().map(lifetime).collect()
    };
    let overlap = |a: &[Span], b: &[Span]| {
        let pair = |(a, b): (&Span, &Span)| a.zip(*b).is_some_and(|(a, b)| a.0 <= b.1 && b.0 <= a.1);
        a.iter().zip(b).any(pair)
    };
    let mut buffers: Vec<(usize, Vec<Vec<Span>>)> = Vec::new();
    for value in (0..places.len()).filter(|&v| places[v] != Place::Lane).collect::<Vec<_>>() {
        let span = lifetimes(value);
        let fits = buffers.iter().position(|(_, users)| users.iter().all(|user| !overlap(user, &span)));
        let buffer = fits.unwrap_or_else(|| {
            buffers.push((0, Vec::new()));
            buffers.len() - 1
        });
        buffers[buffer].0 = buffers[buffer].0.max(value_lens[value]);
        buffers[buffer].1.push(span);
        places[value] = Place::Workspace(buffer);
    }
    buffers.into_iter().map(|(len, _)| len).collect()
}

/// Where the gradient of an operand goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) slot: usize,
    pub(super) into: Into,
}

/// Gradient slots of one operator.
#[derive(Debug, Clone, Default)]
pub(super) struct GradientPlan {
    pub(super) output: usize,
    /// One for each value among the operator's inputs; `None` where no gradient is needed.
    pub(super) targets: Vec<Option<Target>>,
}

/// Hands out gradient slots; one that is no longer needed is used again.
pub(super) struct GradientSlots<'a> {
    value_lens: &'a [usize],
    /// Elements a sample of each slot.
    pub(super) lens: Vec<usize>,
    free: Vec<usize>,
    /// The slot that holds the gradient of a value, from its first consumer (in reverse order) on.
    of_value: Vec<Option<usize>>,
}

impl<'a> GradientSlots<'a> {
    pub(super) fn new(value_lens: &'a [usize]) -> Self {
        Self { value_lens, lens: Vec::new(), free: Vec::new(), of_value: vec![None; value_lens.len()] }
    }

    /// A slot for a value that has none yet.
    pub(super) fn begin(&mut self, value: usize) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.lens.push(0);
            self.lens.len() - 1
        });
        self.lens[slot] = self.lens[slot].max(self.value_lens[value]);
        self.of_value[value] = Some(slot);
        slot
    }

    pub(super) fn operator<T: Real>(&mut self, op: &Operator<T>, needed: &[bool]) -> GradientPlan {
        let output = match self.of_value[op.output] {
            Some(slot) => slot,
            None => self.begin(op.output),
        };
        let mut may_move = op.kernel.gradient_is_in_place();
        let mut moved = false;
        let mut target = |&value: &usize| {
            if !needed[value] {
                return None;
            }
            Some(match self.of_value[value] {
                Some(slot) => Target { slot, into: Into::Add },
                None if may_move => {
                    (may_move, moved) = (false, true);
                    self.of_value[value] = Some(output);
                    Target { slot: output, into: Into::Write }
                }
                None => Target { slot: self.begin(value), into: Into::Write },
            })
        };
        let targets = op.inputs.iter().map(&mut target).collect();
        if !moved {
            self.free.push(output);
        }
        GradientPlan { output, targets }
    }
}
