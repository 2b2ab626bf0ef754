//! Depthwise convolution: one small filter a channel, summed directly with a block of channels in registers.

use super::elementwise::{Clamp, for_channel_blocks};
use super::gemm::Into;
use super::real::Real;
use super::simd::vectorize;
use super::window::Grid;
use crate::graph::Activation;
use pulp::Arch;

/// Geometry: `x: [batch, H, W, C] · w: [KH, KW, C * multiplier] · y: [batch, OH, OW, C * multiplier]`.
#[derive(Debug, Clone)]
pub(super) struct Depthwise {
    pub(super) grid: Grid,
    pub(super) channels: usize,
    pub(super) multiplier: usize,
    pub(super) activation: Activation,
}

/// The value that an accumulator starts from.
#[derive(Clone, Copy)]
enum Start<'a, T> {
    Zero,
    Bias(&'a [T]),
    Destination,
}

impl Depthwise {
    fn input_len(&self) -> usize {
        self.grid.input_area() * self.channels
    }

    fn output_channels(&self) -> usize {
        self.channels * self.multiplier
    }

    fn output_len(&self) -> usize {
        self.grid.output_area() * self.output_channels()
    }

    pub(super) fn forward<T: Real>(&self, arch: Arch, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
        let start = bias.map_or(Start::Zero, Start::Bias);
        let clamp = Clamp::new(self.activation);
        let (input_len, output_len) = (self.input_len(), self.output_len());
        vectorize!(arch, {
            for (x, y) in x.chunks_exact(input_len).zip(y.chunks_exact_mut(output_len)) {
                if self.multiplier == 1 {
                    for_channel_blocks!(self.channels, [64, 16, 4, 1], outputs::<T>(self, x, w, start, clamp, y));
                } else {
                    outputs_multiplied(self, x, w, start, clamp, y);
                }
            }
        });
    }

    /// Adds the gradient of the weights to `dw`.
    pub(super) fn weight_gradient<T: Real>(&self, arch: Arch, x: &[T], dy: &[T], dw: &mut [T]) {
        let (input_len, output_len) = (self.input_len(), self.output_len());
        vectorize!(arch, {
            for (x, dy) in x.chunks_exact(input_len).zip(dy.chunks_exact(output_len)) {
                if self.multiplier == 1 {
                    for_channel_blocks!(self.channels, [64, 16, 4, 1], weights::<T>(self, x, dy, dw));
                } else {
                    weights_multiplied(self, x, dy, dw);
                }
            }
        });
    }

    /// Writes the gradient of the input, or adds it.
    pub(super) fn input_gradient<T: Real>(&self, arch: Arch, w: &[T], dy: &[T], into: Into, dx: &mut [T]) {
        let start = if into == Into::Add { Start::Destination } else { Start::Zero };
        let (input_len, output_len) = (self.input_len(), self.output_len());
        vectorize!(arch, {
            for (dy, dx) in dy.chunks_exact(output_len).zip(dx.chunks_exact_mut(input_len)) {
                if self.multiplier == 1 {
                    for_channel_blocks!(self.channels, [64, 16, 4, 1], inputs::<T>(self, dy, w, start, dx));
                } else {
                    inputs_multiplied(self, dy, w, start, dx);
                }
            }
        });
    }
}

#[inline(always)]
fn begin<T: Real, const B: usize>(start: Start<'_, T>, c: usize, destination: &[T]) -> [T; B] {
    let mut acc = [T::ZERO; B];
    match start {
        Start::Zero => {}
        Start::Bias(bias) => acc.copy_from_slice(&bias[c..c + B]),
        Start::Destination => acc.copy_from_slice(destination),
    }
    acc
}

#[inline(always)]
fn multiply_add<T: Real, const B: usize>(acc: &mut [T; B], a: &[T], b: &[T]) {
    let (a, b) = (&a[..B], &b[..B]);
    for i in 0..B {
        acc[i] += a[i] * b[i];
    }
}

/// Channels `c..c + B` of one sample's output, multiplier 1.
#[inline(always)]
fn outputs<T: Real, const B: usize>(
    c: usize,
    op: &Depthwise,
    x: &[T],
    w: &[T],
    start: Start<'_, T>,
    clamp: Clamp<T>,
    y: &mut [T],
) {
    let (channels, grid) = (op.channels, &op.grid);
    let mut pixels = y.chunks_exact_mut(channels);
    for oy in 0..grid.y.outputs {
        for (ox, y) in (0..grid.x.outputs).zip(&mut pixels) {
            let y = &mut y[c..c + B];
            let mut acc: [T; B] = begin(start, c, y);
            for row in grid.y.by_output.of(oy) {
                let x = &x[row.input * grid.x.inputs * channels + c..];
                let w = &w[row.tap * grid.x.taps * channels + c..];
                for column in grid.x.by_output.of(ox) {
                    multiply_add(&mut acc, &x[column.input * channels..], &w[column.tap * channels..]);
                }
            }
            for (y, acc) in y.iter_mut().zip(acc) {
                *y = clamp.of(acc);
            }
        }
    }
}

/// Channels `c..c + B` of one sample's input gradient, multiplier 1.
#[inline(always)]
fn inputs<T: Real, const B: usize>(c: usize, op: &Depthwise, dy: &[T], w: &[T], start: Start<'_, T>, dx: &mut [T]) {
    let (channels, grid) = (op.channels, &op.grid);
    let mut pixels = dx.chunks_exact_mut(channels);
    for iy in 0..grid.y.inputs {
        for (ix, dx) in (0..grid.x.inputs).zip(&mut pixels) {
            let dx = &mut dx[c..c + B];
            let mut acc: [T; B] = begin(start, c, dx);
            for row in grid.y.by_input.of(iy) {
                let dy = &dy[row.output * grid.x.outputs * channels + c..];
                let w = &w[row.tap * grid.x.taps * channels + c..];
                for column in grid.x.by_input.of(ix) {
                    multiply_add(&mut acc, &dy[column.output * channels..], &w[column.tap * channels..]);
                }
            }
            dx.copy_from_slice(&acc);
        }
    }
}

/// Channels `c..c + B` of the weight gradient that one sample adds, multiplier 1.
#[inline(always)]
fn weights<T: Real, const B: usize>(c: usize, op: &Depthwise, x: &[T], dy: &[T], dw: &mut [T]) {
    let (channels, grid) = (op.channels, &op.grid);
    for (tap, dw) in dw.chunks_exact_mut(channels).enumerate() {
        let columns = grid.x.by_tap.of(tap % grid.x.taps);
        let mut acc = [T::ZERO; B];
        for row in grid.y.by_tap.of(tap / grid.x.taps) {
            let x = &x[row.input * grid.x.inputs * channels + c..];
            let dy = &dy[row.output * grid.x.outputs * channels + c..];
            for column in columns {
                multiply_add(&mut acc, &x[column.input * channels..], &dy[column.output * channels..]);
            }
        }
        for (dw, acc) in dw[c..c + B].iter_mut().zip(acc) {
            *dw += acc;
        }
    }
}

#[inline(always)]
fn outputs_multiplied<T: Real>(op: &Depthwise, x: &[T], w: &[T], start: Start<'_, T>, clamp: Clamp<T>, y: &mut [T]) {
    let (c, m, grid) = (op.channels, op.multiplier, &op.grid);
    let mut pixels = y.chunks_exact_mut(c * m);
    for oy in 0..grid.y.outputs {
        for (ox, y) in (0..grid.x.outputs).zip(&mut pixels) {
            match start {
                Start::Bias(bias) => y.copy_from_slice(bias),
                _ => y.fill(T::ZERO),
            }
            for row in grid.y.by_output.of(oy) {
                for column in grid.x.by_output.of(ox) {
                    let x = &x[(row.input * grid.x.inputs + column.input) * c..][..c];
                    let w = &w[(row.tap * grid.x.taps + column.tap) * c * m..][..c * m];
                    for ((y, w), &x) in y.chunks_exact_mut(m).zip(w.chunks_exact(m)).zip(x) {
                        for (y, &w) in y.iter_mut().zip(w) {
                            *y += x * w;
                        }
                    }
                }
            }
            for y in y {
                *y = clamp.of(*y);
            }
        }
    }
}

#[inline(always)]
fn inputs_multiplied<T: Real>(op: &Depthwise, dy: &[T], w: &[T], start: Start<'_, T>, dx: &mut [T]) {
    let (c, m, grid) = (op.channels, op.multiplier, &op.grid);
    let mut pixels = dx.chunks_exact_mut(c);
    for iy in 0..grid.y.inputs {
        for (ix, dx) in (0..grid.x.inputs).zip(&mut pixels) {
            if !matches!(start, Start::Destination) {
                dx.fill(T::ZERO);
            }
            for row in grid.y.by_input.of(iy) {
                for column in grid.x.by_input.of(ix) {
                    let dy = &dy[(row.output * grid.x.outputs + column.output) * c * m..][..c * m];
                    let w = &w[(row.tap * grid.x.taps + column.tap) * c * m..][..c * m];
                    for ((dx, dy), w) in dx.iter_mut().zip(dy.chunks_exact(m)).zip(w.chunks_exact(m)) {
                        for (&dy, &w) in dy.iter().zip(w) {
                            *dx += dy * w;
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn weights_multiplied<T: Real>(op: &Depthwise, x: &[T], dy: &[T], dw: &mut [T]) {
    let (c, m, grid) = (op.channels, op.multiplier, &op.grid);
    for (tap, dw) in dw.chunks_exact_mut(c * m).enumerate() {
        for row in grid.y.by_tap.of(tap / grid.x.taps) {
            for column in grid.x.by_tap.of(tap % grid.x.taps) {
                let x = &x[(row.input * grid.x.inputs + column.input) * c..][..c];
                let dy = &dy[(row.output * grid.x.outputs + column.output) * c * m..][..c * m];
                for ((dw, dy), &x) in dw.chunks_exact_mut(m).zip(dy.chunks_exact(m)).zip(x) {
                    for (dw, &dy) in dw.iter_mut().zip(dy) {
                        *dw += x * dy;
                    }
                }
            }
        }
    }
}
