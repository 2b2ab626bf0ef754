//! Pooling: a block of neighbouring channels is folded tap by tap.

use crate::error::ShapeError;
use crate::kernels::reference::PoolElement;
use crate::kernels::{Clamp, Pool2d};

/// Channels folded together.
const BLOCK: usize = 8;

/// Folds every window with `fold` and writes `finish(sum, taps)`.
#[inline(always)]
fn pool<T: PoolElement, S: Copy>(
    op: &Pool2d,
    start: S,
    x: &[T],
    y: &mut [T],
    fold: impl Fn(S, T) -> S,
    finish: impl Fn(S, usize) -> T,
) {
    let channels = op.channels().get();
    let (rows, columns) = (&op.window.y, &op.window.x);
    let mut pixels = y.chunks_exact_mut(channels);
    for oy in 0..rows.output() {
        let row_taps = rows.taps(oy);
        for ox in 0..columns.output() {
            let Some(y) = pixels.next() else { return };
            let column_taps = columns.taps(ox);
            let mut first = 0;
            for y in y.chunks_mut(BLOCK) {
                let mut sums = [start; BLOCK];
                for ky in 0..row_taps.len {
                    let row = (row_taps.input_start + ky) * columns.input() + column_taps.input_start;
                    for kx in 0..column_taps.len {
                        let at = (row + kx) * channels + first;
                        let Some(x) = x.get(at..at + y.len()) else { continue };
                        for (sum, &x) in sums.iter_mut().zip(x) {
                            *sum = fold(*sum, x);
                        }
                    }
                }
                let taps = row_taps.len * column_taps.len;
                first += y.len();
                for (y, sum) in y.iter_mut().zip(sums) {
                    *y = finish(sum, taps);
                }
            }
        }
    }
}

/// [`BackEnd::max_pool2d`](crate::kernels::BackEnd::max_pool2d)
pub(crate) fn max_pool2d<T: PoolElement>(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    pool(op, T::LOWEST, x, y, |a, x| if x > a { x } else { a }, |a, _| clamp.apply(a));
    Ok(())
}

/// [`BackEnd::average_pool2d`](crate::kernels::BackEnd::average_pool2d)
pub(crate) fn average_pool2d<T: PoolElement>(
    op: &Pool2d,
    clamp: Clamp<T>,
    x: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    pool(op, T::Sum::default(), x, y, |sum, x| x.add_to(sum), |sum, taps| clamp.apply(T::mean(sum, taps)));
    Ok(())
}
