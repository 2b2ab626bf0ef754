//! A share of the batch with buffers of its own, and the steps that it takes over them.

use super::aligned::Aligned;
use super::batch_norm::{Factors, Moments};
use super::buffers::{Place, Target};
use super::distill::Teacher;
use super::elementwise;
use super::gemm::Into;
use super::loss::{self, LossSum};
use super::plan::{Plan, Step};
use super::quantized::{Buffers, Quantized};
use super::real::Real;
use super::resolve::{Constant, Kernel};
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
}

impl<'a, T> Batch<'a, T> {
    pub(super) fn unlabelled(x: &'a [T], len: usize) -> Self {
        Self { len, x, labels: &[], teacher: None }
    }

    pub(super) fn labelled(x: &'a [T], labels: &'a [u32]) -> Self {
        Self { len: labels.len(), x, labels, teacher: None }
    }
}

/// What all lanes read during a phase.
pub(super) struct Shared<'a, T> {
    pub(super) arch: Arch,
    pub(super) plan: &'a Plan,
    pub(super) parameters: &'a [T],
    pub(super) buffers: &'a [T],
    pub(super) factors: &'a [Factors<T>],
    pub(super) batch: &'a Batch<'a, T>,
    pub(super) quantized: Option<&'a Quantized<T>>,
}

impl<'a, T> Shared<'a, T> {
    fn constant(&self, constant: &Constant) -> &'a [T] {
        match constant {
            Constant::Parameter(range) => &self.parameters[range.clone()],
            Constant::Buffer(range) => &self.buffers[range.clone()],
        }
    }
}

/// Buffers of one lane.
pub(super) struct Lane<T> {
    /// Samples of the batch that this lane holds in the current step.
    pub(super) samples: Range<usize>,
    /// By tensor index; empty for tensors that are no value or lie in the workspace.
    values: Vec<Aligned<T>>,
    slots: Vec<Aligned<T>>,
    /// By max-pool index: the tap of each maximum.
    taps: Vec<Vec<u32>>,
    /// This lane's share of the gradient of every parameter.
    pub(super) partial: Aligned<T>,
    /// By batch-norm index.
    pub(super) moments: Vec<Moments>,
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
    pub(super) fn new(plan: &Plan, lane_samples: usize) -> Self {
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
    pub(super) fn new(plan: &Plan, samples: usize, parameters: usize) -> Self {
        let mut lane = Self {
            samples: 0..0,
            values: plan.value_lens.iter().map(|_| Aligned::default()).collect(),
            slots: plan.slot_lens.iter().enumerate().map(|(i, len)| Aligned::zeros(len * samples, i)).collect(),
            taps: vec![Vec::new(); plan.max_pools],
            partial: Aligned::zeros(parameters, 0),
            moments: vec![Moments::new(0); plan.batch_norms],
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
                Kernel::MaxPool { index, .. } => lane.taps[*index] = vec![0; len],
                _ => {}
            }
        }
        lane
    }

    /// Makes room for what learned scales need of every operator's output.
    pub(super) fn factors_for(&mut self, plan: &Plan, samples: usize) {
        if self.factors.is_empty() {
            self.factors = vec![Vec::new(); plan.value_lens.len()];
            for op in &plan.operators {
                self.factors[op.output] = vec![T::ZERO; plan.value_lens[op.output] * samples];
            }
        }
    }

    /// Forgets what the last step summed up.
    pub(super) fn reset(&mut self) {
        self.partial.fill(T::ZERO);
        self.loss = LossSum::default();
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
    pub(super) fn value(&self, plan: &Plan, value: usize) -> &[T] {
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

    fn loss(&mut self, shared: &Shared<'_, T>, workspace: &Workspace<T>, step: Step, tile: Tile) {
        let (plan, batch) = (shared.plan, shared.batch);
        let classes = plan.value_lens[plan.logits];
        let values = Values { shared, lane: &self.values, workspace: &workspace.values, first: self.samples.start };
        let logits = values.of(plan.logits, tile);
        let samples = Tile { first: self.samples.start + tile.first, ..tile };
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

    fn forward(&mut self, shared: &Shared<'_, T>, workspace: &mut Workspace<T>, i: usize, tile: Tile) {
        let operator = &shared.plan.operators[i];
        let (place, len) = (shared.plan.places[operator.output], shared.plan.value_lens[operator.output]);
        let home = match place {
            Place::Lane => &mut self.values[operator.output],
            Place::Workspace(buffer) => &mut workspace.values[buffer],
        };
        let mut output = std::mem::take(home);
        let y = &mut output[tile.at(place).range(len)];
        let values = Values { shared, lane: &self.values, workspace: &workspace.values, first: self.samples.start };
        let read = |i: usize| values.of(operator.inputs[i], tile);
        let (arch, x) = (shared.arch, read(0));
        let optional = |bias: &Option<Constant>| bias.as_ref().map(|b| shared.constant(b));
        let float = |y: &mut [T], scratch: &mut [T], taps: &mut [Vec<u32>]| match &operator.kernel {
            Kernel::Conv2d { op, w, bias } => {
                op.forward(arch, x, shared.constant(w), optional(bias), scratch, y);
            }
            Kernel::Depthwise { op, w, bias } => op.forward(arch, x, shared.constant(w), optional(bias), y),
            Kernel::Dense { op, w, bias } => op.forward(arch, x, shared.constant(w), optional(bias), y),
            Kernel::BatchNorm { op, index, .. } => op.forward(arch, &shared.factors[*index], x, y),
            Kernel::Activation(activation) => elementwise::activation(arch, *activation, x, y),
            Kernel::Unary(op) => op.forward(arch, x, y),
            Kernel::Add(activation) => elementwise::add(arch, *activation, x, read(1), y),
            Kernel::Pairwise { op, b } => op.forward(arch, x, optional(b).unwrap_or_else(|| read(1)), y),
            Kernel::Movement(op) => {
                op.fill_border(y);
                (0..operator.inputs.len()).for_each(|i| op.forward(i, read(i), y));
            }
            Kernel::MaxPool { op, index } => op.max(arch, x, y, &mut taps[*index][tile.range(y.len() / tile.len)]),
            Kernel::AveragePool(op) => op.average(arch, x, y),
            Kernel::Softmax { classes } => loss::softmax(*classes, x, y),
        };
        let (scratch, taps) = (&mut workspace.scratch, &mut self.taps);
        match shared.quantized.filter(|quantized| !quantized.selects(i)) {
            None => float(y, scratch, taps),
            Some(quantized) => {
                if quantized.wants_float(i) {
                    float(y, scratch, taps);
                }
                let factors = self.factors.get_mut(operator.output).map(|f| &mut f[tile.range(len)]);
                let buffers = Buffers { codes: &mut workspace.codes, scratch, factors };
                quantized.forward(arch, operator, i, tile.len, |value| values.of(value, tile), buffers, y);
            }
        }
        match place {
            Place::Lane => self.values[operator.output] = output,
            Place::Workspace(buffer) => workspace.values[buffer] = output,
        }
    }

    fn backward(&mut self, shared: &Shared<'_, T>, workspace: &mut Workspace<T>, i: usize, tile: Tile) {
        let (plan, arch) = (shared.plan, shared.arch);
        let (operator, gradient) = (&plan.operators[i], &plan.gradients[i]);
        let mut output = std::mem::take(&mut self.slots[gradient.output]);
        let y_len = tile.len * plan.value_lens[operator.output];
        let dy = &mut output[tile.first * plan.slot_lens[gradient.output]..][..y_len];

        let values = Values { shared, lane: &self.values, workspace: &workspace.values, first: self.samples.start };
        let read = |i: usize| values.of(operator.inputs[i], tile);
        let (x, y) = (read(0), values.of(operator.output, tile));
        let (slots, scratch, partial) = (&mut self.slots, &mut workspace.scratch, &mut self.partial);
        if let Some(quantized) = shared.quantized {
            let factors = self.factors.get(operator.output).map_or(&[][..], |f| &f[tile.range(y_len / tile.len)]);
            quantized.backward(arch, i, y, factors, dy, partial);
        }
        // The slot of an operand, for operators whose input gradient is not in place.
        let mut target_of = |operand: usize, write: &mut dyn FnMut(Into, &mut [T])| {
            if let Some(Target { slot, into }) = gradient.targets[operand] {
                let start = tile.first * plan.slot_lens[slot];
                write(into, &mut slots[slot][start..][..tile.len * plan.value_lens[operator.inputs[operand]]]);
            }
        };
        let mut target = |write: &mut dyn FnMut(Into, &mut [T])| target_of(0, write);
        match &operator.kernel {
            Kernel::Conv2d { op, w, bias } => {
                elementwise::mask(arch, op.activation, y, dy);
                bias_gradient(arch, bias, dy, partial);
                if let Constant::Parameter(range) = w {
                    op.weight_gradient(x, dy, scratch, &mut partial[range.clone()]);
                }
                target(&mut |into, dx| op.input_gradient(arch, shared.constant(w), dy, scratch, into, dx));
            }
            Kernel::Depthwise { op, w, bias } => {
                elementwise::mask(arch, op.activation, y, dy);
                bias_gradient(arch, bias, dy, partial);
                if let Constant::Parameter(range) = w {
                    op.weight_gradient(arch, x, dy, &mut partial[range.clone()]);
                }
                target(&mut |into, dx| op.input_gradient(arch, shared.constant(w), dy, into, dx));
            }
            Kernel::Dense { op, w, bias } => {
                elementwise::mask(arch, op.activation, y, dy);
                bias_gradient(arch, bias, dy, partial);
                if let Constant::Parameter(range) = w {
                    op.weight_gradient(x, dy, &mut partial[range.clone()]);
                }
                target(&mut |into, dx| op.input_gradient(shared.constant(w), dy, into, dx));
            }
            Kernel::MaxPool { op, index } => {
                let taps = &self.taps[*index][tile.range(y_len / tile.len)];
                target(&mut |into, dx| op.max_gradient(arch, dy, taps, into, dx));
            }
            Kernel::AveragePool(op) => target(&mut |into, dx| op.average_gradient(arch, dy, into, dx)),
            Kernel::BatchNorm { op, index, .. } => op.input_gradient(arch, &shared.factors[*index], x, dy),
            Kernel::Activation(activation) | Kernel::Add(activation) => elementwise::mask(arch, *activation, y, dy),
            Kernel::Unary(op) => op.gradient(arch, x, y, dy),
            Kernel::Pairwise { op, b } => {
                elementwise::mask(arch, op.activation, y, dy);
                let second = b.as_ref().map_or_else(|| read(1), |b| shared.constant(b));
                target_of(0, &mut |into, da| op.first_gradient(arch, dy, second, into, da));
                match b {
                    Some(Constant::Parameter(range)) => op.second_gradient(arch, dy, x, &mut partial[range.clone()]),
                    Some(Constant::Buffer(_)) => {}
                    None => target_of(1, &mut |into, db| {
                        if into == Into::Write {
                            db.fill(T::ZERO);
                        }
                        op.second_gradient(arch, dy, x, db);
                    }),
                }
            }
            Kernel::Movement(op) => {
                for i in 0..operator.inputs.len() {
                    target_of(i, &mut |into, dx| op.gradient(arch, i, dy, into, dx));
                }
            }
            Kernel::Softmax { classes } => loss::softmax_gradient(*classes, y, dy),
        }
        if operator.kernel.gradient_is_in_place() {
            for &Target { slot, into } in gradient.targets.iter().flatten() {
                let start = tile.first * plan.slot_lens[slot];
                match into {
                    Into::Write if slot == gradient.output => {}
                    Into::Add if slot == gradient.output => elementwise::double(arch, dy),
                    _ => elementwise::deliver(arch, dy, into, &mut self.slots[slot][start..start + y_len]),
                }
            }
        }
        self.slots[gradient.output] = output;
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
        let (plan, place) = (self.shared.plan, self.shared.plan.places[value]);
        let range = tile.at(place).range(plan.value_lens[value]);
        match place {
            _ if value == plan.input => {
                &self.shared.batch.x[Tile { first: self.first + tile.first, ..tile }.range(plan.value_lens[value])]
            }
            Place::Lane => &self.lane[value][range],
            Place::Workspace(buffer) => &self.workspace[buffer][range],
        }
    }
}

fn bias_gradient<T: Real>(arch: Arch, bias: &Option<Constant>, dy: &[T], partial: &mut [T]) {
    if let Some(Constant::Parameter(range)) = bias {
        elementwise::column_sums(arch, dy, &mut partial[range.clone()]);
    }
}
