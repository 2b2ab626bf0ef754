//! Clamps, sums and column sums: loops over contiguous channels that LLVM vectorises for the CPU at hand.

use super::gemm::Into;
use super::real::Real;
use super::simd::vectorize;
use crate::graph::Activation;
use pulp::Arch;

/// Calls `$kernel::<T, B>(first channel, …)` for blocks of `B` channels that cover `0..$channels`, widest blocks first.
/// The last width must be 1. A kernel that keeps `n` arrays of `B` in registers wants about `n * B <= 96`.
macro_rules! for_channel_blocks {
    (@call $kernel:ident, $real:ty, $width:literal, $c:ident, ($($argument:expr),* $(,)?)) => {
        $kernel::<$real, $width>($c, $($argument),*)
    };
    ($channels:expr, [$($width:literal),+], $kernel:ident::<$real:ty> $arguments:tt) => {{
        let (channels, mut c) = ($channels, 0);
        $(while channels - c >= $width {
            for_channel_blocks!(@call $kernel, $real, $width, c, $arguments);
            c += $width;
        })+
        debug_assert_eq!(c, channels, "the last width is 1");
    }};
}
pub(super) use for_channel_blocks;

/// A clamp with its bounds in the type that is computed in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clamp<T> {
    low: T,
    high: T,
}

impl<T: Real> Clamp<T> {
    pub(super) fn new(activation: Activation) -> Self {
        let (low, high) = activation.range();
        Self { low: T::from_f32(low), high: T::from_f32(high) }
    }

    /// The clamped value; NaN stays NaN.
    #[inline(always)]
    pub(super) fn of(self, value: T) -> T {
        let value = if value < self.low { self.low } else { value };
        if value > self.high { self.high } else { value }
    }

    /// `gradient` where a value that came out of the clamp as `output` was not clamped, else 0.
    #[inline(always)]
    pub(super) fn mask(self, output: T, gradient: T) -> T {
        if (output > self.low) & (output < self.high) { gradient } else { T::ZERO }
    }
}

/// Clamps `x` into `y`.
pub(super) fn activation<T: Real>(arch: Arch, activation: Activation, x: &[T], y: &mut [T]) {
    let clamp = Clamp::new(activation);
    vectorize!(arch, {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = clamp.of(x);
        }
    });
}

/// Zeroes `dy` where the output `y` was clamped.
pub(super) fn mask<T: Real>(arch: Arch, activation: Activation, y: &[T], dy: &mut [T]) {
    if activation == Activation::None {
        return;
    }
    let clamp = Clamp::new(activation);
    vectorize!(arch, {
        for (dy, &y) in dy.iter_mut().zip(y) {
            *dy = clamp.mask(y, *dy);
        }
    });
}

/// `y = clamp(a + b)`
pub(super) fn add<T: Real>(arch: Arch, activation: Activation, a: &[T], b: &[T], y: &mut [T]) {
    let clamp = Clamp::new(activation);
    vectorize!(arch, {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = clamp.of(a + b);
        }
    });
}

/// `to = from` or `to += from`
pub(super) fn deliver<T: Real>(arch: Arch, from: &[T], into: Into, to: &mut [T]) {
    match into {
        Into::Write => to.copy_from_slice(from),
        Into::Add => vectorize!(arch, {
            for (to, &from) in to.iter_mut().zip(from) {
                *to += from;
            }
        }),
    }
}

/// `y = clamp(y + bias)` over rows of channels.
pub(super) fn bias_activation<T: Real>(arch: Arch, bias: Option<&[T]>, activation: Activation, y: &mut [T]) {
    let clamp = Clamp::new(activation);
    match bias {
        None if activation == Activation::None => {}
        None => vectorize!(arch, {
            for y in y.iter_mut() {
                *y = clamp.of(*y);
            }
        }),
        Some(bias) => vectorize!(arch, {
            for row in y.chunks_exact_mut(bias.len()) {
                for (y, &bias) in row.iter_mut().zip(bias) {
                    *y = clamp.of(*y + bias);
                }
            }
        }),
    }
}

/// Adds the sum over rows of `x: [rows, sums.len()]` to `sums`.
pub(super) fn column_sums<T: Real>(arch: Arch, x: &[T], sums: &mut [T]) {
    #[inline(always)]
    fn block<T: Real, const B: usize>(c: usize, x: &[T], channels: usize, sums: &mut [T]) {
        let mut acc = [T::ZERO; B];
        for row in x.chunks_exact(channels) {
            let row = &row[c..c + B];
            for i in 0..B {
                acc[i] += row[i];
            }
        }
        for (sum, acc) in sums[c..c + B].iter_mut().zip(acc) {
            *sum += acc;
        }
    }
    vectorize!(arch, for_channel_blocks!(sums.len(), [64, 16, 4, 1], block::<T>(x, sums.len(), sums)));
}

/// `x = x + x`
pub(super) fn double<T: Real>(arch: Arch, x: &mut [T]) {
    vectorize!(arch, {
        for x in x.iter_mut() {
            *x += *x;
        }
    });
}
