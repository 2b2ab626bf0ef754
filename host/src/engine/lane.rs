//! A share of the batch with buffers of its own, and the steps that it takes over them.

mod backward;
mod forward;

use super::aligned::Aligned;
use super::attention;
use super::batch_norm::{Factors, Moments};
use super::buffers::Place;
use super::distill::Teacher;
use super::dropout::Randomness;
use super::kernel::{Constant, Kernel};
use super::loss::{self, LossSum};
use super::objective::Objective;
use super::plan::{Plan, Step};
use super::quantized::Quantized;
use super::real::Real;
use super::threads::Threads;
use pulp::Arch;
use std::ops::Range;

/// What the caller gives for a step, with lengths that fit.
pub(super) struct Batch<'a, T> {
    /// Samples.
    pub(super) len: usize,
    pub(super) x: &'a [T],
    /// Empty where no loss is asked for.
    pub(super) labels: &'a [u32],
    pub(super) teacher: Option<Teacher<'a, T>>,
    /// What a network over nodes is trained for.
    pub(super) objective: Option<&'a Objective<'a, T>>,
    /// What dropout depends on; at inference none.
    pub(super) random: Option<Randomness>,
}

impl<'a, T> Batch<'a, T> {
    pub(super) fn unlabelled(x: &'a [T], len: usize) -> Self {
        Self { len, x, labels: &[], teacher: None, objective: None, random: None }
    }

    pub(super) fn labelled(x: &'a [T], labels: &'a [u32]) -> Self {
        Self { labels, ..Self::unlabelled(x, labels.len()) }
    }
}

/// What all lanes read during a phase.
pub(super) struct Shared<'a, T> {
    pub(super) arch: Arch,
    /// Those that a kernel may use: the caller's alone where threads run whole lanes.
    pub(super) threads: &'a Threads,
    pub(super) plan: &'a Plan<T>,
    pub(super) parameters: &'a [T],
    pub(super) buffers: &'a [T],
    pub(super) factors: &'a [Factors<T>],
    pub(super) batch: &'a Batch<'a, T>,
    pub(super) quantized: Option<&'a Quantized<T>>,
    /// Whether what [`Plan::fixed`] operators computed last still holds.
    pub(super) fresh: bool,
    /// What every edge counts, where edges have weights.
    pub(super) edges: Option<&'a [T]>,
}

impl<'a, T> Shared<'a, T> {
    fn constant(&self, constant: &Constant) -> &'a [T] {
        match constant {
            Constant::Parameter(range) => &self.parameters[range.clone()],
            Constant::Buffer(range) => &self.buffers[range.clone()],
        }
    }
}

/// What forward steps leave for the way back, besides their outputs.
struct Memory<T> {
    /// By max-pool index: the tap of each maximum.
    taps: Vec<Vec<u32>>,
    /// By attention index.
    attention: Vec<attention::Memory<T>>,
}

/// Buffers of one lane.
pub(super) struct Lane<T> {
    /// Samples of the batch that this lane holds in the current step.
    pub(super) samples: Range<usize>,
    /// By tensor index; empty for tensors that are no value or lie in the workspace.
    values: Vec<Aligned<T>>,
    slots: Vec<Aligned<T>>,
    memory: Memory<T>,
    /// This lane's share of the gradient of every parameter.
    pub(super) partial: Aligned<T>,
    /// By batch-norm index.
    pub(super) moments: Vec<Moments>,
    /// The gradients of the weights of edges, where they have such.
    pub(super) edge_gradients: Vec<T>,
    pub(super) loss: LossSum,
    /// By tensor index, where scales are learned: by what each output moves when its scale does.
    factors: Vec<Vec<T>>,
}

/// Buffers of one thread; nothing in them outlives a tile.
pub(super) struct Workspace<T> {
    values: Vec<Aligned<T>>,
    scratch: Aligned<T>,
    /// Codes of an input, where the network is quantised.
    codes: Aligned<T>,
}

impl<T: Real> Workspace<T> {
    pub(super) fn new(plan: &Plan<T>, lane_samples: usize) -> Self {
        let zeros = |(i, len): (usize, &usize)| Aligned::zeros(len * plan.tile_samples().min(lane_samples), i + 3);
        Self {
            values: plan.workspace_lens.iter().enumerate().map(zeros).collect(),
            scratch: zeros((1, &plan.scratch_len)),
            codes: Aligned::default(),
        }
    }

    /// Makes room for the codes of a tile of the largest input.
    pub(super) fn codes_for(&mut self, len: usize) {
        if self.codes.len() < len {
            self.codes = Aligned::zeros(len, 2);
        }
    }
}

/// A run of samples: `first` counts from the start of the lane.
#[derive(Clone, Copy)]
struct Tile {
    first: usize,
    len: usize,
}

impl Tile {
    /// This tile in a buffer that holds a lane, or nothing but a tile.
    fn at(self, place: Place) -> Self {
        if place == Place::Lane { self } else { Self { first: 0, ..self } }
    }

    /// Where this tile lies in a buffer of `len` elements a sample.
    fn range(self, len: usize) -> Range<usize> {
        self.first * len..(self.first + self.len) * len
    }
}

impl<T: Real> Lane<T> {
    pub(super) fn new(plan: &Plan<T>, samples: usize, parameters: usize) -> Self {
        let mut lane = Self {
            samples: 0..0,
            values: plan.value_lens.iter().map(|_| Aligned::default()).collect(),
            slots: plan.slot_lens.iter().enumerate().map(|(i, len)| Aligned::zeros(len * samples, i)).collect(),
            memory: Memory { taps: Vec::new(), attention: Vec::new() },
            partial: Aligned::zeros(parameters, 0),
            moments: vec![Moments::new(0); plan.batch_norms],
            edge_gradients: Vec::new(),
            loss: LossSum::default(),
            factors: Vec::new(),
        };
        for op in &plan.operators {
            let len = plan.value_lens[op.output] * samples;
            if plan.places[op.output] == Place::Lane {
                lane.values[op.output] = Aligned::zeros(len, op.output);
            }
            match &op.kernel {
                Kernel::BatchNorm { op, index, .. } => lane.moments[*index] = Moments::new(op.channels),
                // In the order of their indices.
                Kernel::MaxPool { .. } => lane.memory.taps.push(vec![0; len]),
                Kernel::Attention { op, .. } => lane.memory.attention.push(op.memory()),
                _ => {}
            }
        }
        lane
    }

    /// Makes room for what learned scales need of every operator's output.
    pub(super) fn factors_for(&mut self, plan: &Plan<T>, samples: usize) {
        if self.factors.is_empty() {
            self.factors = vec![Vec::new(); plan.value_lens.len()];
            for op in &plan.operators {
                self.factors[op.output] = vec![T::ZERO; plan.value_lens[op.output] * samples];
            }
        }
    }

    /// Forgets the gradients that the last step summed up.
    pub(super) fn forget_gradients(&mut self, plan: &Plan<T>) {
        plan.sums.iter().for_each(|range| self.partial[range.clone()].fill(T::ZERO));
        self.edge_gradients.fill(T::ZERO);
    }

    /// The gradient of the loss by the scores, from outside.
    pub(super) fn set_gradient(&mut self, plan: &Plan<T>, gradient: &[T]) {
        self.slots[plan.logits_slot][..gradient.len()].copy_from_slice(gradient);
    }

    /// All steps over the first tile, then over the second, and so on.
    pub(super) fn run(&mut self, shared: &Shared<'_, T>, workspace: &mut Workspace<T>, steps: &[Step]) {
        for step in steps {
            if let Step::Statistics(i) | Step::GradientSums(i) = step
                && let Kernel::BatchNorm { index, .. } = shared.plan.operators[*i].kernel
            {
                self.moments[index].clear();
            }
        }
        let (count, tile) = (self.samples.len(), shared.plan.tile_samples());
        for first in (0..count).step_by(tile) {
            let tile = Tile { first, len: tile.min(count - first) };
            for step in steps {
                self.step(shared, workspace, *step, tile);
            }
        }
    }

    /// A value that is kept in the lane, for all its samples.
    pub(super) fn value(&self, plan: &Plan<T>, value: usize) -> &[T] {
        &self.values[value][..self.samples.len() * plan.value_lens[value]]
    }

    fn step(&mut self, shared: &Shared<'_, T>, workspace: &mut Workspace<T>, step: Step, tile: Tile) {
        match step {
            Step::Forward(i) => self.forward(shared, workspace, i, tile),
            Step::Backward(i) => self.backward(shared, workspace, i, tile),
            Step::Statistics(i) | Step::GradientSums(i) => self.moments(shared, workspace, step, i, tile),
            Step::Loss | Step::LossGradient => self.loss(shared, workspace, step, tile),
        }
    }

    fn loss(&mut self, shared: &Shared<'_, T>, workspace: &mut Workspace<T>, step: Step, tile: Tile) {
        let (plan, batch) = (shared.plan, shared.batch);
        let classes = plan.classes;
        let values = Values { shared, lane: &self.values, workspace: &workspace.values, first: self.samples.start };
        let logits = values.of(plan.logits, tile);
        let samples = Tile { first: self.samples.start + tile.first, ..tile };
        if let Some(objective) = batch.objective {
            let gradient = &mut self.slots[plan.logits_slot][..logits.len()];
            let probabilities = &mut workspace.scratch[..logits.len()];
            self.loss = objective.loss_and_gradient(classes, logits, probabilities, gradient);
            return;
        }
        let labels = &batch.labels[samples.range(1)];
        if matches!(step, Step::LossGradient) {
            let start = tile.first * plan.slot_lens[plan.logits_slot];
            let gradient = &mut self.slots[plan.logits_slot][start..start + logits.len()];
            loss::cross_entropy_gradient(classes, batch.len, logits, labels, &mut self.loss, gradient);
            if let Some(teacher) = &batch.teacher {
                let scores = &teacher.logits[samples.range(classes)];
                teacher.options.blend(classes, batch.len, logits, scores, &mut self.loss, gradient);
            }
        } else {
            loss::cross_entropy(classes, logits, labels, &mut self.loss);
        }
    }

    fn moments(&mut self, shared: &Shared<'_, T>, workspace: &Workspace<T>, step: Step, i: usize, tile: Tile) {
        let operator = &shared.plan.operators[i];
        let Kernel::BatchNorm { op, index, .. } = &operator.kernel else { return };
        let values = Values { shared, lane: &self.values, workspace: &workspace.values, first: self.samples.start };
        let x = values.of(operator.inputs[0], tile);
        let moments = &mut self.moments[*index];
        if matches!(step, Step::Statistics(_)) {
            op.statistics(shared.arch, x, moments);
        } else {
            let slot = shared.plan.gradients[i].output;
            let start = tile.first * shared.plan.slot_lens[slot];
            let dy = &self.slots[slot][start..start + x.len()];
            op.gradient_sums(shared.arch, &shared.factors[*index], x, dy, moments);
        }
    }
}

/// Every value that a step can read.
struct Values<'a, T> {
    shared: &'a Shared<'a, T>,
    lane: &'a [Aligned<T>],
    workspace: &'a [Aligned<T>],
    /// The lane's first sample.
    first: usize,
}

impl<'a, T> Values<'a, T> {
    /// The tile's part of a value; the graph's input comes from the caller.
    fn of(&self, value: usize, tile: Tile) -> &'a [T] {
        let (plan, batch) = (self.shared.plan, self.shared.batch);
        let value = if batch.random.is_some() { value } else { plan.at_inference[value] };
        let place = plan.places[value];
        let range = tile.at(place).range(plan.value_lens[value]);
        match place {
            _ if Some(value) == plan.input => {
                &batch.x[Tile { first: self.first + tile.first, ..tile }.range(plan.value_lens[value])]
            }
            Place::Lane => &self.lane[value][range],
            Place::Workspace(buffer) => &self.workspace[buffer][range],
        }
    }
}
