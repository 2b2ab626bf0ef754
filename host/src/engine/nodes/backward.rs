//! Gradients from the loss back to every parameter.

use super::super::elementwise::{deliver, mask};
use super::super::gemm::Into;
use super::super::real::Real;
use super::attention::Memory;
use super::dropout::Mask;
use super::linear::Linear;
use super::pool::Pool;
use super::resolve::{Kernel, Step};
use super::{NodeEngineOf, Randomness, own};
use crate::graph::{Activation, Propagation};
use pulp::Arch;

/// The slot of every value's gradient, and the slots' sizes. An operator whose gradient keeps its place shares its slot
/// with its operand, where nothing else reads that.
pub(super) fn slots<T>(steps: &[Step<T>], activations: &[Vec<T>]) -> (Vec<usize>, Vec<usize>) {
    let readers = |value: usize| steps.iter().filter(|step| step.inputs.contains(&value)).count();
    let (mut slot_of, mut lens) = (vec![usize::MAX; activations.len()], Vec::new());
    for step in steps {
        slot_of[step.output] = match step.kernel {
            Kernel::Activation(_) | Kernel::Bias { .. } | Kernel::Scale(_) | Kernel::Dropout { .. }
                if readers(step.inputs[0]) == 1 =>
            {
                slot_of[step.inputs[0]]
            }
            _ => {
                lens.push(activations[step.output].len());
                lens.len() - 1
            }
        };
    }
    (slot_of, lens)
}

impl<T: Real> NodeEngineOf<T> {
    /// All steps, last to first; the output's slot holds the gradient of the loss.
    pub(super) fn backward(&mut self, randomness: Randomness) {
        let mut written = vec![false; self.slots.len()];
        written[self.slot_of[self.output]] = true;
        self.forget_gradients();
        for step in (0..self.steps.len()).rev() {
            let slot = self.slot_of[self.steps[step].output];
            if !written[slot] {
                // Nothing that the loss depends on reads it.
                self.slots[slot].fill(T::ZERO);
            }
            let mut dy = std::mem::take(&mut self.slots[slot]);
            self.step_back(step, randomness, &mut dy, &mut written);
            self.slots[slot] = dy;
        }
    }

    /// Sums begin at zero; the weights of sparse products are written whole.
    fn forget_gradients(&mut self) {
        let whole: Vec<_> = self
            .steps
            .iter()
            .filter_map(|step| match &step.kernel {
                Kernel::SparseDense { w, .. } => Some(w.clone()),
                _ => None,
            })
            .collect();
        for p in self.parameters.iter().filter(|p| !whole.contains(&p.range)) {
            self.gradients[p.range.clone()].fill(T::ZERO);
        }
        if let Some(mask) = &mut self.mask {
            mask.gradients.fill(T::ZERO);
        }
    }

    fn step_back(&mut self, at: usize, randomness: Randomness, dy: &mut [T], written: &mut [bool]) {
        let Self { arch, pool, values, gradients, activations, slots, slot_of, memories, scratch, .. } = self;
        let (arch, all) = (*arch, &values[..]);
        let Step { kernel, inputs, output, .. } = &self.steps[at];
        let x = |i: usize| &activations[inputs[i]][..];
        let y = &activations[*output][..];
        let own_slot = slot_of[*output];
        // Hands the slot of operand `i` to `write`, unless it is the one that `dy` was taken from.
        let mut target = |i: usize, write: &mut dyn FnMut(Into, &mut [T])| {
            let slot = slot_of[inputs[i]];
            if slot != own_slot {
                let into = if std::mem::replace(&mut written[slot], true) { Into::Add } else { Into::Write };
                write(into, &mut slots[slot]);
            }
        };
        match kernel {
            Kernel::SparseDense { op, w, bias } => {
                clamped(arch, pool, op.activation, y, dy);
                if let Some(bias) = bias {
                    Linear::bias_gradient(arch, dy, &mut gradients[bias.clone()]);
                }
                op.weight_gradient(arch, pool, dy, &mut gradients[w.clone()]);
            }
            Kernel::Linear { op, w, bias } => {
                clamped(arch, pool, op.activation, y, dy);
                if let Some(bias) = bias {
                    Linear::bias_gradient(arch, dy, &mut gradients[bias.clone()]);
                }
                op.weight_gradient(pool, x(0), dy, scratch, &mut gradients[w.clone()]);
                target(0, &mut |into, dx| op.input_gradient(pool, &all[w.clone()], dy, into, dx));
            }
            Kernel::Gather { op, eps, activation } => {
                clamped(arch, pool, *activation, y, dy);
                if let (Some(eps), Propagation::Sum) = (eps, op.rule) {
                    gradients[eps.start] += op.own_gradient(x(0), dy);
                }
                if let Some(mask) = &mut self.mask {
                    op.mask_gradient(arch, x(0), dy, &mut mask.gradients);
                }
                let mask = self.mask.as_ref().map(|mask| &mask.values[..]);
                let own = own(op.own, eps, all);
                target(0, &mut |into, dx| op.input_gradient(arch, pool, mask, own, dy, into, dx));
            }
            Kernel::Attention { op, source, target: to, activation } => {
                clamped(arch, pool, *activation, y, dy);
                let memory: &mut Memory<T> = &mut memories[at];
                let vectors = (&all[source.clone()], &all[to.clone()]);
                let (mut d_source, mut d_target) = (vec![T::ZERO; source.len()], vec![T::ZERO; to.len()]);
                target(0, &mut |into, dx| {
                    let d_vectors = (&mut d_source[..], &mut d_target[..]);
                    op.backward(arch, pool, vectors, memory, x(0), dy, into, Some(dx), d_vectors);
                });
                for (range, d) in [(source, d_source), (to, d_target)] {
                    gradients[range.clone()].iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
                }
            }
            Kernel::Activation(activation) => {
                clamped(arch, pool, *activation, y, dy);
                target(0, &mut |into, dx| deliver(arch, dy, into, dx));
            }
            Kernel::Add(activation) => {
                clamped(arch, pool, *activation, y, dy);
                for i in 0..2 {
                    target(i, &mut |into, dx| deliver(arch, dy, into, dx));
                }
            }
            Kernel::Bias { bias, activation } => {
                clamped(arch, pool, *activation, y, dy);
                Linear::bias_gradient(arch, dy, &mut gradients[bias.clone()]);
                target(0, &mut |into, dx| deliver(arch, dy, into, dx));
            }
            Kernel::Scale(factor) => {
                dy.iter_mut().for_each(|dy| *dy = *factor * *dy);
                target(0, &mut |into, dx| deliver(arch, dy, into, dx));
            }
            Kernel::Dropout { rate, layer } => {
                let mask = Mask::new(*rate, randomness.seed, randomness.step, *layer);
                mask.apply_in_place(arch, pool, *rate, dy);
                target(0, &mut |into, dx| deliver(arch, dy, into, dx));
            }
        }
    }
}

/// Zeroes `dy` where the output was clamped.
fn clamped<T: Real>(arch: Arch, pool: &Pool, activation: Activation, y: &[T], dy: &mut [T]) {
    if activation != Activation::None {
        pool.rows(dy, 1, |start, part| mask(arch, activation, &y[start..start + part.len()], part));
    }
}
