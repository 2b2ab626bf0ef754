//! Batch normalisation with its clamp in the same pass: tile sums, their fixed-order merge, and the two applications.
//!
//! Forward `y = clamp((x - mean) * scale + beta)` with `scale = gamma / sqrt(var + epsilon)`. With `g` the masked output
//! gradient and `x̂ = (x - mean) / sqrt(var + epsilon)`, backward (Ioffe & Szegedy 2015, section 3)
//! `dx = scale * (g - Σg / n - x̂ * Σ(g x̂) / n)`. The mask comes from `x` again, by the very expression that made `y`.

use super::elementwise::{Clamp, for_channel_blocks};
use super::real::Real;
use super::simd::vectorize;
use crate::graph::Activation;
use pulp::Arch;
use std::ops::Range;

/// What a batch-norm node says, beside its tensors.
#[derive(Debug, Clone)]
pub(super) struct BatchNorm {
    pub(super) channels: usize,
    pub(super) epsilon: f64,
    pub(super) momentum: f64,
    pub(super) activation: Activation,
}

/// Two running sums a channel in f64: in the forward pass count, mean and squared deviations; in the backward pass
/// `Σg` and `Σ g (x - mean)`.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    count: f64,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Moments {
    pub(super) fn new(channels: usize) -> Self {
        Self { count: 0.0, first: vec![0.0; channels], second: vec![0.0; channels] }
    }

    pub(super) fn clear(&mut self) {
        self.count = 0.0;
        self.first.fill(0.0);
        self.second.fill(0.0);
    }

    /// Merges mean and squared deviations of `count` more values of channel `c` (Chan et al. 1983).
    #[inline(always)]
    fn merge(&mut self, c: usize, count: f64, mean: f64, deviations: f64) {
        let total = self.count + count;
        let delta = mean - self.first[c];
        self.first[c] += delta * (count / total);
        self.second[c] += deviations + delta * delta * (self.count * count / total);
    }

    /// Merges the statistics of another part of the batch.
    pub(super) fn merge_statistics(&mut self, other: &Self) {
        if other.count > 0.0 {
            for c in 0..self.first.len() {
                self.merge(c, other.count, other.first[c], other.second[c]);
            }
            self.count += other.count;
        }
    }

    /// Adds the gradient sums of another part of the batch.
    pub(super) fn add(&mut self, other: &Self) {
        for (to, from) in self.first.iter_mut().zip(&other.first) {
            *to += from;
        }
        for (to, from) in self.second.iter_mut().zip(&other.second) {
            *to += from;
        }
    }
}

/// Per-channel factors of one node, the same for every sample of a batch.
#[derive(Debug, Clone)]
pub(super) struct Factors<T> {
    mean: Vec<T>,
    scale: Vec<T>,
    beta: Vec<T>,
    inverse_deviation: Vec<f64>,
    count: f64,
    /// `dx = scale * g + slope * (x - mean) + offset`
    slope: Vec<T>,
    offset: Vec<T>,
}

impl<T: Real> Factors<T> {
    pub(super) fn new(channels: usize) -> Self {
        let zeros = || vec![T::ZERO; channels];
        Self {
            mean: zeros(),
            scale: zeros(),
            beta: zeros(),
            inverse_deviation: vec![0.0; channels],
            count: 0.0,
            slope: zeros(),
            offset: zeros(),
        }
    }

    fn set(&mut self, c: usize, mean: f64, variance: f64, epsilon: f64, gamma: T, beta: T) {
        self.inverse_deviation[c] = 1.0 / (variance + epsilon).sqrt();
        self.mean[c] = T::from_f64(mean);
        self.scale[c] = T::from_f64(gamma.to_f64() * self.inverse_deviation[c]);
        self.beta[c] = beta;
    }

    /// Inference: the running statistics.
    pub(super) fn set_from_running(&mut self, op: &BatchNorm, gamma: &[T], beta: &[T], mean: &[T], var: &[T]) {
        for c in 0..op.channels {
            self.set(c, mean[c].to_f64(), var[c].to_f64(), op.epsilon, gamma[c], beta[c]);
        }
    }

    /// Training: the statistics of the batch.
    pub(super) fn set_from_batch(&mut self, op: &BatchNorm, gamma: &[T], beta: &[T], batch: &Moments) {
        self.count = batch.count;
        for c in 0..op.channels {
            self.set(c, batch.first[c], batch.second[c] / batch.count, op.epsilon, gamma[c], beta[c]);
        }
    }

    /// Turns gradient sums into the factors of `dx`; calls `parameter(c, dgamma, dbeta)` for each channel.
    pub(super) fn set_from_gradients(&mut self, sums: &Moments, mut parameter: impl FnMut(usize, T, T)) {
        for c in 0..sums.first.len() {
            let (sum, inverse_deviation) = (sums.first[c], self.inverse_deviation[c]);
            let dgamma = sums.second[c] * inverse_deviation;
            let scale = self.scale[c].to_f64();
            self.slope[c] = T::from_f64(-scale * dgamma * inverse_deviation / self.count);
            self.offset[c] = T::from_f64(-scale * sum / self.count);
            parameter(c, T::from_f64(dgamma), T::from_f64(sum));
        }
    }
}

impl BatchNorm {
    /// Moves the running statistics towards those of the batch, with its unbiased variance.
    pub(super) fn update_running<T: Real>(
        &self,
        batch: &Moments,
        buffers: &mut [T],
        mean: &Range<usize>,
        var: &Range<usize>,
    ) {
        let degrees = (batch.count - 1.0).max(1.0);
        let move_to = |running: &mut T, new: f64| {
            *running = T::from_f64((1.0 - self.momentum) * running.to_f64() + self.momentum * new);
        };
        for (running, new) in buffers[mean.clone()].iter_mut().zip(&batch.first) {
            move_to(running, *new);
        }
        for (running, new) in buffers[var.clone()].iter_mut().zip(&batch.second) {
            move_to(running, new / degrees);
        }
    }

    /// Merges mean and squared deviations of the rows of a tile into `moments`.
    ///
    /// # Numerics
    /// Sums of `x - first row`, so that a mean far from zero costs no digits; f64 across tiles.
    pub(super) fn statistics<T: Real>(&self, arch: Arch, x: &[T], moments: &mut Moments) {
        vectorize!(
            arch,
            for_channel_blocks!(self.channels, [64, 16, 4, 1], tile_statistics::<T>(x, self.channels, moments))
        );
        moments.count += (x.len() / self.channels) as f64;
    }

    pub(super) fn forward<T: Real>(&self, arch: Arch, factors: &Factors<T>, x: &[T], y: &mut [T]) {
        let clamp = Clamp::new(self.activation);
        let (mean, scale, beta) = (&factors.mean[..], &factors.scale[..], &factors.beta[..]);
        vectorize!(arch, {
            for (x, y) in x.chunks_exact(self.channels).zip(y.chunks_exact_mut(self.channels)) {
                for_channel_blocks!(self.channels, [16, 4, 1], normalize::<T>(mean, scale, beta, clamp, x, y));
            }
        });
    }

    /// Adds `Σg` and `Σ g (x - mean)` of a tile to `moments`.
    pub(super) fn gradient_sums<T: Real>(
        &self,
        arch: Arch,
        factors: &Factors<T>,
        x: &[T],
        dy: &[T],
        moments: &mut Moments,
    ) {
        let clamp = Clamp::new(self.activation);
        vectorize!(
            arch,
            for_channel_blocks!(self.channels, [64, 16, 4, 1], tile_gradient_sums::<T>(factors, clamp, x, dy, moments))
        );
    }

    /// Turns the gradient of the output into that of the input, in place.
    pub(super) fn input_gradient<T: Real>(&self, arch: Arch, factors: &Factors<T>, x: &[T], dy: &mut [T]) {
        let clamp = Clamp::new(self.activation);
        vectorize!(arch, {
            for (x, dy) in x.chunks_exact(self.channels).zip(dy.chunks_exact_mut(self.channels)) {
                for_channel_blocks!(self.channels, [16, 4, 1], normalize_gradient::<T>(factors, clamp, x, dy));
            }
        });
    }
}

/// Channels `c..c + B` of one row.
#[inline(always)]
fn normalize<T: Real, const B: usize>(
    c: usize,
    mean: &[T],
    scale: &[T],
    beta: &[T],
    clamp: Clamp<T>,
    x: &[T],
    y: &mut [T],
) {
    let (x, mean, scale, beta) = (&x[c..c + B], &mean[c..c + B], &scale[c..c + B], &beta[c..c + B]);
    let mut block = [T::ZERO; B];
    for i in 0..B {
        block[i] = clamp.of((x[i] - mean[i]) * scale[i] + beta[i]);
    }
    y[c..c + B].copy_from_slice(&block);
}

/// Channels `c..c + B` of one row.
#[inline(always)]
fn normalize_gradient<T: Real, const B: usize>(c: usize, factors: &Factors<T>, clamp: Clamp<T>, x: &[T], dy: &mut [T]) {
    let (mean, scale, beta) = (&factors.mean[c..c + B], &factors.scale[c..c + B], &factors.beta[c..c + B]);
    let (slope, offset) = (&factors.slope[c..c + B], &factors.offset[c..c + B]);
    let (x, dy) = (&x[c..c + B], &mut dy[c..c + B]);
    let mut block = [T::ZERO; B];
    for i in 0..B {
        let centred = x[i] - mean[i];
        let g = clamp.mask(centred * scale[i] + beta[i], dy[i]);
        block[i] = scale[i] * g + slope[i] * centred + offset[i];
    }
    dy.copy_from_slice(&block);
}

#[inline(always)]
fn tile_statistics<T: Real, const B: usize>(c: usize, x: &[T], channels: usize, moments: &mut Moments) {
    let mut pivot = [T::ZERO; B];
    pivot.copy_from_slice(&x[c..c + B]);
    let (mut sums, mut squares) = ([T::ZERO; B], [T::ZERO; B]);
    for row in x.chunks_exact(channels) {
        let row = &row[c..c + B];
        for i in 0..B {
            let d = row[i] - pivot[i];
            sums[i] += d;
            squares[i] += d * d;
        }
    }
    let count = (x.len() / channels) as f64;
    for i in 0..B {
        let (sum, square) = (sums[i].to_f64(), squares[i].to_f64());
        let mean = pivot[i].to_f64() + sum / count;
        moments.merge(c + i, count, mean, (square - sum * sum / count).max(0.0));
    }
}

#[inline(always)]
fn tile_gradient_sums<T: Real, const B: usize>(
    c: usize,
    factors: &Factors<T>,
    clamp: Clamp<T>,
    x: &[T],
    dy: &[T],
    moments: &mut Moments,
) {
    let channels = factors.mean.len();
    let block = |values: &[T]| {
        let mut block = [T::ZERO; B];
        block.copy_from_slice(&values[c..c + B]);
        block
    };
    let (mean, scale, beta) = (block(&factors.mean), block(&factors.scale), block(&factors.beta));
    let (mut sums, mut products) = ([T::ZERO; B], [T::ZERO; B]);
    for (x, dy) in x.chunks_exact(channels).zip(dy.chunks_exact(channels)) {
        let (x, dy) = (&x[c..c + B], &dy[c..c + B]);
        for i in 0..B {
            let centred = x[i] - mean[i];
            let g = clamp.mask(centred * scale[i] + beta[i], dy[i]);
            sums[i] += g;
            products[i] += g * centred;
        }
    }
    for i in 0..B {
        moments.first[c + i] += sums[i].to_f64();
        moments.second[c + i] += products[i].to_f64();
    }
}
