//! Maximum and average pooling over the taps inside the input.

use super::elementwise::for_channel_blocks;
use super::gemm::Into;
use super::real::Real;
use super::simd::vectorize;
use super::window::{Grid, Link};
use pulp::Arch;

/// Geometry: `x: [batch, H, W, C] · y: [batch, OH, OW, C]`.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) grid: Grid,
    pub(super) channels: usize,
}

impl Pool {
    fn input_len(&self) -> usize {
        self.grid.input_area() * self.channels
    }

    fn output_len(&self) -> usize {
        self.grid.output_area() * self.channels
    }

    /// Taps inside the input at output `(oy, ox)`.
    #[inline(always)]
    fn tap_count(&self, oy: usize, ox: usize) -> usize {
        self.grid.y.by_output.of(oy).len() * self.grid.x.by_output.of(ox).len()
    }

    pub(super) fn average<T: Real>(&self, arch: Arch, x: &[T], y: &mut [T]) {
        vectorize!(arch, {
            for (x, y) in x.chunks_exact(self.input_len()).zip(y.chunks_exact_mut(self.output_len())) {
                for_channel_blocks!(self.channels, [64, 16, 4, 1], average::<T>(self, x, y));
            }
        });
    }

    pub(super) fn average_gradient<T: Real>(&self, arch: Arch, dy: &[T], into: Into, dx: &mut [T]) {
        vectorize!(arch, {
            for (dy, dx) in dy.chunks_exact(self.output_len()).zip(dx.chunks_exact_mut(self.input_len())) {
                for_channel_blocks!(self.channels, [64, 16, 4, 1], average_gradient::<T>(self, dy, into, dx));
            }
        });
    }

    /// Also notes under which tap each maximum lies; ties go to the first tap.
    pub(super) fn max<T: Real>(&self, arch: Arch, x: &[T], y: &mut [T], taps: &mut [u32]) {
        let len = self.output_len();
        vectorize!(arch, {
            for ((x, y), taps) in
                x.chunks_exact(self.input_len()).zip(y.chunks_exact_mut(len)).zip(taps.chunks_exact_mut(len))
            {
                for_channel_blocks!(self.channels, [16, 4, 1], maximum::<T>(self, x, y, taps));
            }
        });
    }

    pub(super) fn max_gradient<T: Real>(&self, arch: Arch, dy: &[T], taps: &[u32], into: Into, dx: &mut [T]) {
        let len = self.output_len();
        vectorize!(arch, {
            for ((dy, taps), dx) in
                dy.chunks_exact(len).zip(taps.chunks_exact(len)).zip(dx.chunks_exact_mut(self.input_len()))
            {
                for_channel_blocks!(self.channels, [64, 16, 4, 1], maximum_gradient::<T>(self, dy, taps, into, dx));
            }
        });
    }
}

#[inline(always)]
fn average<T: Real, const B: usize>(c: usize, pool: &Pool, x: &[T], y: &mut [T]) {
    let (channels, grid) = (pool.channels, &pool.grid);
    let mut pixels = y.chunks_exact_mut(channels);
    for oy in 0..grid.y.outputs {
        for (ox, y) in (0..grid.x.outputs).zip(&mut pixels) {
            let mut acc = [T::ZERO; B];
            for row in grid.y.by_output.of(oy) {
                for column in grid.x.by_output.of(ox) {
                    let x = &x[(row.input * grid.x.inputs + column.input) * channels + c..][..B];
                    for i in 0..B {
                        acc[i] += x[i];
                    }
                }
            }
            let count = T::from_f64(pool.tap_count(oy, ox) as f64);
            for (y, acc) in y[c..c + B].iter_mut().zip(acc) {
                *y = acc / count;
            }
        }
    }
}

#[inline(always)]
fn average_gradient<T: Real, const B: usize>(c: usize, pool: &Pool, dy: &[T], into: Into, dx: &mut [T]) {
    gather_gradient(
        c,
        pool,
        into,
        dx,
        #[inline(always)]
        |acc: &mut [T; B], row, column, at| {
            let dy = &dy[at..][..B];
            let share = T::ONE / T::from_f64(pool.tap_count(row.output, column.output) as f64);
            for i in 0..B {
                acc[i] += dy[i] * share;
            }
        },
    );
}

#[inline(always)]
#[allow(clippy::eq_op, reason = "only NaN differs from itself, and a maximum must not hide it")]
fn maximum<T: Real, const B: usize>(c: usize, pool: &Pool, x: &[T], y: &mut [T], taps: &mut [u32]) {
    let (channels, grid) = (pool.channels, &pool.grid);
    let mut pixels = y.chunks_exact_mut(channels).zip(taps.chunks_exact_mut(channels));
    for oy in 0..grid.y.outputs {
        for (ox, (y, taps)) in (0..grid.x.outputs).zip(&mut pixels) {
            let (mut best, mut best_tap) = ([T::ZERO; B], [u32::MAX; B]);
            for row in grid.y.by_output.of(oy) {
                for column in grid.x.by_output.of(ox) {
                    let x = &x[(row.input * grid.x.inputs + column.input) * channels + c..][..B];
                    let tap = (row.tap * grid.x.taps + column.tap) as u32;
                    for i in 0..B {
                        let wins = (best_tap[i] == u32::MAX) | (x[i] > best[i]) | (x[i] != x[i]);
                        best[i] = if wins { x[i] } else { best[i] };
                        best_tap[i] = if wins { tap } else { best_tap[i] };
                    }
                }
            }
            y[c..c + B].copy_from_slice(&best);
            taps[c..c + B].copy_from_slice(&best_tap);
        }
    }
}

#[inline(always)]
fn maximum_gradient<T: Real, const B: usize>(c: usize, pool: &Pool, dy: &[T], taps: &[u32], into: Into, dx: &mut [T]) {
    gather_gradient(
        c,
        pool,
        into,
        dx,
        #[inline(always)]
        |acc: &mut [T; B], row, column, at| {
            let (dy, taps) = (&dy[at..][..B], &taps[at..][..B]);
            let tap = (row.tap * pool.grid.x.taps + column.tap) as u32;
            for i in 0..B {
                acc[i] += if taps[i] == tap { dy[i] } else { T::ZERO };
            }
        },
    );
}

/// Sums, for each input position, what `add` makes of every tap that reads it: its row, its column, and where channel `c` of
/// the output position is.
#[inline(always)]
fn gather_gradient<T: Real, const B: usize>(
    c: usize,
    pool: &Pool,
    into: Into,
    dx: &mut [T],
    add: impl Fn(&mut [T; B], &Link, &Link, usize),
) {
    let (channels, grid) = (pool.channels, &pool.grid);
    let mut pixels = dx.chunks_exact_mut(channels);
    for iy in 0..grid.y.inputs {
        for (ix, dx) in (0..grid.x.inputs).zip(&mut pixels) {
            let dx = &mut dx[c..c + B];
            let mut acc = [T::ZERO; B];
            if into == Into::Add {
                acc.copy_from_slice(dx);
            }
            for row in grid.y.by_input.of(iy) {
                for column in grid.x.by_input.of(ix) {
                    add(&mut acc, row, column, (row.output * grid.x.outputs + column.output) * channels + c);
                }
            }
            dx.copy_from_slice(&acc);
        }
    }
}
