//! Elements that keep their value in another place: concatenation, borders, slices, transposition, nearest neighbours.
//!
//! Which element goes where is asked of core once, by letting its kernel move the elements' numbers instead of their
//! values. So there is one definition of every movement, and one way forward and back for all of them.

use super::error::Untrainable;
use super::gemm::Into;
use super::real::Real;
use super::simd::vectorize;
use crate::graph::{Graph, Node};
use crate::ops::{Misfit, lowered};
use niwaki_core::format::DType;
use pulp::Arch;

/// `len` elements of an operand that follow each other in the output too.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from: usize,
    to: usize,
    len: usize,
}

/// Elements of one operand in a sample, and where they go.
#[derive(Debug, Clone)]
struct Operand {
    len: usize,
    /// By ascending place in the output.
    runs: Vec<Stretch>,
}

/// One sample's movement.
#[derive(Debug, Clone)]
pub(super) struct Movement {
    operands: Vec<Operand>,
    output_len: usize,
    /// The value of the elements that come from no operand.
    border: f32,
}

impl Movement {
    /// What `movement` does with the operands of `node`; elements that come from none of them are `border`.
    ///
    /// # Errors
    /// [`Untrainable`] says why it cannot be followed.
    pub(super) fn new(
        graph: &Graph,
        node: &Node,
        movement: &lowered::Movement,
        border: f32,
    ) -> Result<Self, Untrainable> {
        // Number 0 is the border.
        let lens: Vec<usize> = node.inputs.iter().map(|&id| graph[id].element_count()).collect();
        let count = u32::try_from(lens.iter().sum::<usize>()).map_err(|_| Untrainable::Elements)?;
        let mut numbers = 1..=count;
        let numbers_of = |&len: &usize| numbers.by_ref().take(len).flat_map(u32::to_le_bytes).collect();
        let operands: Vec<Vec<u8>> = lens.iter().map(numbers_of).collect();
        let output_len = graph[node.output].element_count();
        let moved = movement.evaluate(&operands, DType::F32, output_len).map_err(Misfit::from)?;

        let mut operands: Vec<Operand> = lens.iter().map(|&len| Operand { len, runs: Vec::new() }).collect();
        for (to, number) in moved.chunks_exact(4).enumerate() {
            let number = u32::from_le_bytes([number[0], number[1], number[2], number[3]]) as usize;
            let Some(mut from) = number.checked_sub(1) else { continue };
            let mut operand = 0;
            while from >= lens[operand] {
                from -= lens[operand];
                operand += 1;
            }
            match operands[operand].runs.last_mut() {
                Some(run) if (run.from + run.len, run.to + run.len) == (from, to) => run.len += 1,
                _ => operands[operand].runs.push(Stretch { from, to, len: 1 }),
            }
        }
        Ok(Self { operands, output_len, border })
    }

    /// Fills what comes from no operand; before [`forward`](Self::forward).
    pub(super) fn fill_border<T: Real>(&self, y: &mut [T]) {
        let moved: usize = self.operands.iter().flat_map(|operand| &operand.runs).map(|run| run.len).sum();
        if moved < self.output_len {
            y.fill(T::from_f32(self.border));
        }
    }

    /// Moves the elements of one operand.
    pub(super) fn forward<T: Real>(&self, operand: usize, x: &[T], y: &mut [T]) {
        let Operand { len, runs } = &self.operands[operand];
        for (x, y) in x.chunks_exact(*len).zip(y.chunks_exact_mut(self.output_len)) {
            for run in runs {
                y[run.to..][..run.len].copy_from_slice(&x[run.from..][..run.len]);
            }
        }
    }

    /// The gradient of one operand: every element gathers from all the places that it went to.
    pub(super) fn gradient<T: Real>(&self, arch: Arch, operand: usize, dy: &[T], into: Into, dx: &mut [T]) {
        let Operand { len, runs } = &self.operands[operand];
        if into == Into::Write {
            dx.fill(T::ZERO);
        }
        vectorize!(arch, {
            for (dy, dx) in dy.chunks_exact(self.output_len).zip(dx.chunks_exact_mut(*len)) {
                for run in runs {
                    let (dy, dx) = (&dy[run.to..][..run.len], &mut dx[run.from..][..run.len]);
                    for (dx, &dy) in dx.iter_mut().zip(dy) {
                        *dx += dy;
                    }
                }
            }
        });
    }
}
