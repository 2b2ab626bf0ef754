//! Convolution as a matrix product over unfolded patches; 1x1 with stride 1 needs no unfolding.

use super::elementwise::{self, for_channel_blocks};
use super::gemm::{Into, Matrix, gemm};
use super::real::Real;
use super::simd::vectorize;
use super::window::Grid;
use crate::graph::Activation;
use pulp::Arch;

/// Geometry of a convolution: `x: [batch, H, W, C] · w: [O, KH, KW, C] · y: [batch, OH, OW, O]`.
#[derive(Debug, Clone)]
pub(super) struct Conv2d {
    pub(super) grid: Grid,
    pub(super) channels: usize,
    pub(super) filters: usize,
    pub(super) activation: Activation,
}

impl Conv2d {
    fn patch_len(&self) -> usize {
        self.grid.kernel_area() * self.channels
    }

    fn input_len(&self) -> usize {
        self.grid.input_area() * self.channels
    }

    /// The patches are the input itself.
    fn is_pointwise(&self) -> bool {
        self.grid.kernel_area() == 1 && self.grid.input_area() == self.grid.output_area()
    }

    /// Elements of scratch that one sample needs.
    pub(super) fn scratch_len(&self) -> usize {
        if self.is_pointwise() { 0 } else { self.grid.output_area() * self.patch_len() }
    }

    /// `[positions, patch]` rows of every window of `x`, in `scratch` unless `x` has that form already.
    fn patches<'a, T: Real>(&self, x: &'a [T], scratch: &'a mut [T]) -> Matrix<'a, T> {
        let samples = x.len() / self.input_len();
        let rows = samples * self.grid.output_area();
        if self.is_pointwise() {
            return Matrix::new(x, rows, self.channels);
        }
        let scratch = &mut scratch[..rows * self.patch_len()];
        for (x, patches) in x.chunks_exact(self.input_len()).zip(scratch.chunks_exact_mut(self.scratch_len())) {
            self.unfold(x, patches);
        }
        Matrix::new(scratch, rows, self.patch_len())
    }

    fn unfold<T: Real>(&self, x: &[T], patches: &mut [T]) {
        let (c, cols, taps) = (self.channels, self.grid.x.inputs, self.grid.x.taps);
        let mut patches = patches.chunks_exact_mut(self.patch_len());
        for oy in 0..self.grid.y.outputs {
            let rows = self.grid.y.by_output.of(oy);
            for (ox, patch) in (0..self.grid.x.outputs).zip(&mut patches) {
                let columns = self.grid.x.by_output.of(ox);
                if rows.len() * columns.len() < self.grid.kernel_area() {
                    patch.fill(T::ZERO);
                }
                let Some(first) = columns.first() else { continue };
                for row in rows {
                    let (from, to) = (row.input * cols, row.tap * taps);
                    if self.grid.x.dilation == 1 {
                        let len = columns.len() * c;
                        let from = &x[(from + first.input) * c..][..len];
                        patch[(to + first.tap) * c..][..len].copy_from_slice(from);
                    } else {
                        for column in columns {
                            let from = &x[(from + column.input) * c..][..c];
                            patch[(to + column.tap) * c..][..c].copy_from_slice(from);
                        }
                    }
                }
            }
        }
    }

    pub(super) fn forward<T: Real>(
        &self,
        arch: Arch,
        x: &[T],
        w: &[T],
        bias: Option<&[T]>,
        scratch: &mut [T],
        y: &mut [T],
    ) {
        let w = Matrix::new(w, self.filters, self.patch_len());
        gemm(self.patches(x, scratch), w.t(), Into::Write, y);
        elementwise::bias_activation(arch, bias, self.activation, y);
    }

    /// `dw += dyᵀ patches`
    pub(super) fn weight_gradient<T: Real>(&self, x: &[T], dy: &[T], scratch: &mut [T], dw: &mut [T]) {
        let dy = Matrix::new(dy, dy.len() / self.filters, self.filters);
        gemm(dy.t(), self.patches(x, scratch), Into::Add, dw);
    }

    /// `dx = fold(dy w)`, or adds to it.
    pub(super) fn input_gradient<T: Real>(
        &self,
        arch: Arch,
        w: &[T],
        dy: &[T],
        scratch: &mut [T],
        into: Into,
        dx: &mut [T],
    ) {
        let w = Matrix::new(w, self.filters, self.patch_len());
        let rows = dy.len() / self.filters;
        let dy = Matrix::new(dy, rows, self.filters);
        if self.is_pointwise() {
            return gemm(dy, w, into, dx);
        }
        let scratch = &mut scratch[..rows * self.patch_len()];
        gemm(dy, w, Into::Write, scratch);
        vectorize!(arch, {
            for (patches, dx) in scratch.chunks_exact(self.scratch_len()).zip(dx.chunks_exact_mut(self.input_len())) {
                for_channel_blocks!(self.channels, [64, 16, 4, 1], fold::<T>(self, patches, into, dx));
            }
        });
    }
}

/// Sums every patch element into the input that it was taken from.
#[inline(always)]
fn fold<T: Real, const B: usize>(c: usize, conv: &Conv2d, patches: &[T], into: Into, dx: &mut [T]) {
    let (channels, patch_len, taps) = (conv.channels, conv.patch_len(), conv.grid.x.taps);
    let mut pixels = dx.chunks_exact_mut(channels);
    for iy in 0..conv.grid.y.inputs {
        for (ix, dx) in (0..conv.grid.x.inputs).zip(&mut pixels) {
            let dx = &mut dx[c..c + B];
            let mut acc = [T::ZERO; B];
            if into == Into::Add {
                acc.copy_from_slice(dx);
            }
            for row in conv.grid.y.by_input.of(iy) {
                for column in conv.grid.x.by_input.of(ix) {
                    let position = row.output * conv.grid.x.outputs + column.output;
                    let tap = row.tap * taps + column.tap;
                    let patch = &patches[position * patch_len + tap * channels + c..][..B];
                    for i in 0..B {
                        acc[i] += patch[i];
                    }
                }
            }
            dx.copy_from_slice(&acc);
        }
    }
}
