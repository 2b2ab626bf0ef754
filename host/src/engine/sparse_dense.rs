//! Constant sparse features times dense weights.

use super::elementwise::{Clamp, for_channel_blocks};
use super::propagate::Rows;
use super::real::Real;
use super::simd::vectorize;
use super::threads::Threads;
use crate::graph::{Activation, Features};
use pulp::Arch;

/// `y = clamp(F w + bias)`
#[derive(Debug, Clone)]
pub(super) struct SparseDense<T> {
    rows: Rows,
    values: Vec<T>,
    /// By feature: the nodes that have it, and what it is worth there.
    transposed: Rows,
    transposed_values: Vec<T>,
    pub(super) activation: Activation,
}

impl<T: Real> SparseDense<T> {
    pub(super) fn new(features: &Features, activation: Activation) -> Self {
        let rows = Rows { offsets: features.offsets().to_vec(), columns: features.columns().to_vec() };
        let values: Vec<T> = features.values().into_iter().map(T::from_f32).collect();
        let (transposed, entries) = rows.transposed(features.width());
        let transposed_values = entries.iter().map(|entry| values[*entry as usize]).collect();
        Self { rows, values, transposed, transposed_values, activation }
    }

    pub(super) fn forward(&self, arch: Arch, threads: &Threads, w: &[T], bias: Option<&[T]>, y: &mut [T]) {
        let width = y.len() / self.rows.count();
        let clamp = Clamp::new(self.activation);
        threads.rows(y, width, |start, part| {
            let first = start / width;
            let matrix = Sparse { rows: &self.rows, values: &self.values };
            vectorize!(
                arch,
                for_channel_blocks!(
                    width,
                    [64, 16, 4, 1],
                    product_block::<T>(matrix, first, width, w, bias, clamp, part)
                )
            );
        });
    }

    /// Writes `dw = Fᵀ dy`.
    pub(super) fn weight_gradient(&self, arch: Arch, threads: &Threads, dy: &[T], dw: &mut [T]) {
        let width = dy.len() / self.rows.count();
        let clamp = Clamp::new(Activation::None);
        threads.rows(dw, width, |start, part| {
            let first = start / width;
            let matrix = Sparse { rows: &self.transposed, values: &self.transposed_values };
            vectorize!(
                arch,
                for_channel_blocks!(
                    width,
                    [64, 16, 4, 1],
                    product_block::<T>(matrix, first, width, dy, None, clamp, part)
                )
            );
        });
    }
}

#[derive(Clone, Copy)]
struct Sparse<'a, T> {
    rows: &'a Rows,
    values: &'a [T],
}

/// `B` channels from `c` on of all rows of a part: what they read stays in the cache.
#[expect(clippy::too_many_arguments, reason = "the block and what it is a block of")]
#[inline(always)]
fn product_block<T: Real, const B: usize>(
    c: usize,
    matrix: Sparse<'_, T>,
    first: usize,
    width: usize,
    x: &[T],
    bias: Option<&[T]>,
    clamp: Clamp<T>,
    part: &mut [T],
) {
    for (row, y) in (first..).zip(part.chunks_exact_mut(width)) {
        let mut sums = [T::ZERO; B];
        if let Some(bias) = bias {
            sums.copy_from_slice(&bias[c..c + B]);
        }
        let entries = matrix.rows.range(row);
        for (column, value) in matrix.rows.columns[entries.clone()].iter().zip(&matrix.values[entries]) {
            let x = &x[*column as usize * width + c..][..B];
            for i in 0..B {
                sums[i] += *value * x[i];
            }
        }
        for (y, sum) in y[c..c + B].iter_mut().zip(sums) {
            *y = clamp.of(sum);
        }
    }
}
