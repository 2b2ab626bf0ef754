//! One operator forward over a tile.

use super::{Lane, Memory, Shared, Tile, Values, Workspace};
use crate::engine::buffers::Place;
use crate::engine::kernel::{Constant, Kernel, Operator};
use crate::engine::quantized::Buffers;
use crate::engine::real::Real;
use crate::engine::{elementwise, loss};

impl<T: Real> Lane<T> {
    pub(super) fn forward(&mut self, shared: &Shared<'_, T>, workspace: &mut Workspace<T>, i: usize, tile: Tile) {
        if shared.fresh && shared.plan.fixed[i] {
            return;
        }
        let operator = &shared.plan.operators[i];
        let (place, len) = (shared.plan.places[operator.output], shared.plan.value_lens[operator.output]);
        let home = match place {
            Place::Lane => &mut self.values[operator.output],
            Place::Workspace(buffer) => &mut workspace.values[buffer],
        };
        let mut output = std::mem::take(home);
        let y = &mut output[tile.at(place).range(len)];
        let values = Values { shared, lane: &self.values, workspace: &workspace.values, first: self.samples.start };
        let (scratch, memory) = (&mut workspace.scratch, &mut self.memory);
        match shared.quantized.filter(|quantized| !quantized.selects(i)) {
            None => float(shared, operator, &values, tile, memory, scratch, y),
            Some(quantized) => {
                if quantized.wants_float(i) {
                    float(shared, operator, &values, tile, memory, scratch, y);
                }
                let factors = self.factors.get_mut(operator.output).map(|f| &mut f[tile.range(len)]);
                let buffers = Buffers { codes: &mut workspace.codes, scratch, factors };
                quantized.forward(shared.arch, operator, i, tile.len, |value| values.of(value, tile), buffers, y);
            }
        }
        match place {
            Place::Lane => self.values[operator.output] = output,
            Place::Workspace(buffer) => workspace.values[buffer] = output,
        }
    }
}

/// The operator in floats.
fn float<T: Real>(
    shared: &Shared<'_, T>,
    operator: &Operator<T>,
    values: &Values<'_, T>,
    tile: Tile,
    memory: &mut Memory<T>,
    scratch: &mut [T],
    y: &mut [T],
) {
    let (arch, threads) = (shared.arch, shared.threads);
    let read = |i: usize| operator.inputs.get(i).map_or(&[][..], |&value| values.of(value, tile));
    let constant = |constant: &Constant| shared.constant(constant);
    let optional = |bias: &Option<Constant>| bias.as_ref().map(constant);
    let x = read(0);
    match &operator.kernel {
        Kernel::Conv2d { op, w, bias } => op.forward(arch, x, constant(w), optional(bias), scratch, y),
        Kernel::Depthwise { op, w, bias } => op.forward(arch, x, constant(w), optional(bias), y),
        Kernel::Dense { op, w, bias } => op.forward(arch, x, constant(w), optional(bias), y),
        Kernel::Pointwise { op, w, bias } => op.forward(arch, threads, x, constant(w), optional(bias), y),
        Kernel::SparseDense { op, w, bias } => op.forward(arch, threads, constant(w), optional(bias), y),
        Kernel::Propagate { op, eps, activation } => {
            let own = op.own(optional(eps));
            op.forward(arch, threads, shared.edges, own, *activation, x, y);
        }
        Kernel::Attention { op, index, source, target, activation } => {
            let (source, target, memory) = (constant(source), constant(target), &mut memory.attention[*index]);
            op.forward(arch, threads, source, target, *activation, memory, x, y);
        }
        Kernel::Dropout(op) => {
            if let Some(random) = shared.batch.random {
                op.forward(arch, threads, random, x, y);
            }
        }
        Kernel::BatchNorm { op, index, .. } => op.forward(arch, &shared.factors[*index], x, y),
        Kernel::Activation(activation) => elementwise::activation(arch, *activation, x, y),
        Kernel::Unary(op) => op.forward(arch, x, y),
        Kernel::Add(activation) => elementwise::add(arch, *activation, x, read(1), y),
        Kernel::Pairwise { op, b } => op.forward(arch, x, optional(b).unwrap_or_else(|| read(1)), y),
        Kernel::Movement(op) => {
            op.fill_border(y);
            (0..operator.inputs.len()).for_each(|i| op.forward(i, read(i), y));
        }
        Kernel::MaxPool { op, index } => {
            op.max(arch, x, y, &mut memory.taps[*index][tile.range(y.len() / tile.len)]);
        }
        Kernel::AveragePool(op) => op.average(arch, x, y),
        Kernel::Softmax { classes } => loss::softmax(*classes, x, y),
    }
}
