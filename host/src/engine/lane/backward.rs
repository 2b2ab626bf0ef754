//! The way back through one operator over a tile.

use super::{Lane, Memory, Shared, Tile, Values, Workspace};
use crate::engine::aligned::Aligned;
use crate::engine::buffers::Target;
use crate::engine::gemm::Into;
use crate::engine::kernel::{Constant, Kernel, Operator};
use crate::engine::pairwise::Pairwise;
use crate::engine::plan::Plan;
use crate::engine::real::Real;
use crate::engine::{elementwise, loss};
use crate::graph::{Activation, Propagation};

impl<T: Real> Lane<T> {
    pub(super) fn backward(&mut self, shared: &Shared<'_, T>, workspace: &mut Workspace<T>, i: usize, tile: Tile) {
        let (plan, arch) = (shared.plan, shared.arch);
        let (operator, gradient) = (&plan.operators[i], &plan.gradients[i]);
        let mut output = std::mem::take(&mut self.slots[gradient.output]);
        let y_len = tile.len * plan.value_lens[operator.output];
        let dy = &mut output[tile.first * plan.slot_lens[gradient.output]..][..y_len];

        let values = Values { shared, lane: &self.values, workspace: &workspace.values, first: self.samples.start };
        let y = values.of(operator.output, tile);
        if let Some(quantized) = shared.quantized {
            let factors = self.factors.get(operator.output).map_or(&[][..], |f| &f[tile.range(y_len / tile.len)]);
            quantized.backward(arch, i, y, factors, dy, &mut self.partial);
        }
        let targets =
            Targets { plan, inputs: &operator.inputs, targets: &gradient.targets, tile, slots: &mut self.slots };
        let mut way = Way {
            shared,
            operator,
            values,
            tile,
            targets,
            scratch: &mut workspace.scratch,
            partial: &mut self.partial,
            memory: &mut self.memory,
            edges: &mut self.edge_gradients,
        };
        way.back(y, dy);
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

/// Where the gradients of an operator's operands go, for those whose input gradient is not in place.
struct Targets<'a, T> {
    plan: &'a Plan<T>,
    inputs: &'a [usize],
    targets: &'a [Option<Target>],
    tile: Tile,
    slots: &'a mut [Aligned<T>],
}

impl<T: Real> Targets<'_, T> {
    /// Where the gradient of an operand goes, if it is needed.
    fn of(&mut self, operand: usize) -> Option<(Into, &mut [T])> {
        let Target { slot, into } = self.targets.get(operand).copied().flatten()?;
        let (start, len) = (self.tile.first * self.plan.slot_lens[slot], self.plan.value_lens[self.inputs[operand]]);
        Some((into, &mut self.slots[slot][start..][..self.tile.len * len]))
    }
}

/// One operator on the way back, and all that it reads and writes besides its own gradient.
struct Way<'a, T> {
    shared: &'a Shared<'a, T>,
    operator: &'a Operator<T>,
    values: Values<'a, T>,
    tile: Tile,
    targets: Targets<'a, T>,
    scratch: &'a mut [T],
    partial: &'a mut [T],
    memory: &'a mut Memory<T>,
    edges: &'a mut [T],
}

impl<'a, T: Real> Way<'a, T> {
    fn read(&self, operand: usize) -> &'a [T] {
        self.operator.inputs.get(operand).map_or(&[][..], |&value| self.values.of(value, self.tile))
    }

    /// Zeroes `dy` where the output was clamped.
    fn mask(&self, activation: Activation, y: &[T], dy: &mut [T]) {
        if activation != Activation::None {
            let arch = self.shared.arch;
            let mask = |start: usize, dy: &mut [T]| elementwise::mask(arch, activation, &y[start..][..dy.len()], dy);
            self.shared.threads.elements(dy, mask);
        }
    }

    fn bias_gradient(&mut self, bias: &Option<Constant>, dy: &[T]) {
        if let Some(range) = bias.as_ref().and_then(Constant::trained) {
            elementwise::column_sums(self.shared.arch, dy, &mut self.partial[range]);
        }
    }

    /// From the gradient of the output to those of constants and operands; where it is in place, to `dy`.
    fn back(&mut self, y: &[T], dy: &mut [T]) {
        let (arch, threads) = (self.shared.arch, self.shared.threads);
        match &self.operator.kernel {
            Kernel::Conv2d { .. } | Kernel::Depthwise { .. } | Kernel::Dense { .. } => self.layer(y, dy),
            Kernel::Pointwise { .. } | Kernel::SparseDense { .. } => self.layer_over_nodes(y, dy),
            Kernel::Propagate { .. } => self.propagate(y, dy),
            Kernel::Attention { .. } => self.attention(y, dy),
            Kernel::Pairwise { op, b } => self.pairwise(op, b, y, dy),
            Kernel::MaxPool { op, index } => {
                let taps = &self.memory.taps[*index][self.tile.range(dy.len() / self.tile.len)];
                if let Some((into, dx)) = self.targets.of(0) {
                    op.max_gradient(arch, dy, taps, into, dx);
                }
            }
            Kernel::AveragePool(op) => {
                if let Some((into, dx)) = self.targets.of(0) {
                    op.average_gradient(arch, dy, into, dx);
                }
            }
            Kernel::BatchNorm { op, index, .. } => {
                op.input_gradient(arch, &self.shared.factors[*index], self.read(0), dy);
            }
            Kernel::Activation(activation) | Kernel::Add(activation) => self.mask(*activation, y, dy),
            Kernel::Unary(op) => op.gradient(arch, self.read(0), y, dy),
            Kernel::Dropout(op) => {
                if let Some(random) = self.shared.batch.random {
                    op.gradient(arch, threads, random, dy);
                }
            }
            Kernel::Movement(op) => {
                for i in 0..self.operator.inputs.len() {
                    if let Some((into, dx)) = self.targets.of(i) {
                        op.gradient(arch, i, dy, into, dx);
                    }
                }
            }
            Kernel::Softmax { classes } => loss::softmax_gradient(*classes, y, dy),
        }
    }

    /// Layers over samples.
    fn layer(&mut self, y: &[T], dy: &mut [T]) {
        let (arch, x, kernel) = (self.shared.arch, self.read(0), &self.operator.kernel);
        let (activation, w, bias) = match kernel {
            Kernel::Conv2d { op, w, bias } => (op.activation, w, bias),
            Kernel::Depthwise { op, w, bias } => (op.activation, w, bias),
            Kernel::Dense { op, w, bias } => (op.activation, w, bias),
            _ => return,
        };
        self.mask(activation, y, dy);
        self.bias_gradient(bias, dy);
        if let Some(range) = w.trained() {
            let dw = &mut self.partial[range];
            match kernel {
                Kernel::Conv2d { op, .. } => op.weight_gradient(x, dy, self.scratch, dw),
                Kernel::Depthwise { op, .. } => op.weight_gradient(arch, x, dy, dw),
                Kernel::Dense { op, .. } => op.weight_gradient(x, dy, dw),
                _ => {}
            }
        }
        let w = self.shared.constant(w);
        let Some((into, dx)) = self.targets.of(0) else { return };
        match kernel {
            Kernel::Conv2d { op, .. } => op.input_gradient(arch, w, dy, self.scratch, into, dx),
            Kernel::Depthwise { op, .. } => op.input_gradient(arch, w, dy, into, dx),
            Kernel::Dense { op, .. } => op.input_gradient(w, dy, into, dx),
            _ => {}
        }
    }

    fn layer_over_nodes(&mut self, y: &[T], dy: &mut [T]) {
        let (arch, threads) = (self.shared.arch, self.shared.threads);
        match &self.operator.kernel {
            Kernel::SparseDense { op, w, bias } => {
                self.mask(op.activation, y, dy);
                self.bias_gradient(bias, dy);
                if let Some(range) = w.trained() {
                    op.weight_gradient(arch, threads, dy, &mut self.partial[range]);
                }
            }
            Kernel::Pointwise { op, w, bias } => {
                let x = self.read(0);
                self.mask(op.activation, y, dy);
                self.bias_gradient(bias, dy);
                if let Some(range) = w.trained() {
                    op.weight_gradient(threads, x, dy, self.scratch, &mut self.partial[range]);
                }
                if let Some((into, dx)) = self.targets.of(0) {
                    op.input_gradient(threads, self.shared.constant(w), dy, into, dx);
                }
            }
            _ => {}
        }
    }

    fn propagate(&mut self, y: &[T], dy: &mut [T]) {
        let Kernel::Propagate { op, eps, activation } = &self.operator.kernel else { return };
        let (arch, threads, x) = (self.shared.arch, self.shared.threads, self.read(0));
        self.mask(*activation, y, dy);
        if let (Some(range), Propagation::Sum) = (eps.as_ref().and_then(Constant::trained), op.rule) {
            self.partial[range.start] += op.own_gradient(x, dy);
        }
        let edges = self.shared.edges;
        if edges.is_some() {
            op.mask_gradient(arch, x, dy, self.edges);
        }
        let own = op.own(eps.as_ref().map(|eps| self.shared.constant(eps)));
        if let Some((into, dx)) = self.targets.of(0) {
            op.input_gradient(arch, threads, edges, own, dy, into, dx);
        }
    }

    fn attention(&mut self, y: &[T], dy: &mut [T]) {
        let Kernel::Attention { op, index, source, target, activation } = &self.operator.kernel else { return };
        let (arch, threads, x) = (self.shared.arch, self.shared.threads, self.read(0));
        self.mask(*activation, y, dy);
        let vectors = (self.shared.constant(source), self.shared.constant(target));
        let (mut d_source, mut d_target) = (vec![T::ZERO; vectors.0.len()], vec![T::ZERO; vectors.1.len()]);
        let (into, dx) = self.targets.of(0).map_or((Into::Write, None), |(into, dx)| (into, Some(dx)));
        let d_vectors = (&mut d_source[..], &mut d_target[..]);
        op.backward(arch, threads, vectors, &mut self.memory.attention[*index], x, dy, into, dx, d_vectors);
        for (vector, d) in [(source, d_source), (target, d_target)] {
            if let Some(range) = vector.trained() {
                self.partial[range].iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
            }
        }
    }

    fn pairwise(&mut self, op: &Pairwise, b: &Option<Constant>, y: &[T], dy: &mut [T]) {
        let (arch, x) = (self.shared.arch, self.read(0));
        let second = b.as_ref().map_or_else(|| self.read(1), |b| self.shared.constant(b));
        self.mask(op.activation, y, dy);
        if let Some((into, da)) = self.targets.of(0) {
            op.first_gradient(arch, dy, second, into, da);
        }
        match b {
            Some(Constant::Parameter(range)) => op.second_gradient(arch, dy, x, &mut self.partial[range.clone()]),
            Some(Constant::Buffer(_)) => {}
            None => {
                let Some((into, db)) = self.targets.of(1) else { return };
                if into == Into::Write {
                    db.fill(T::ZERO);
                }
                op.second_gradient(arch, dy, x, db);
            }
        }
    }
}
