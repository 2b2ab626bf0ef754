//! Over axes: the elements that are neighbours in memory are folded together.

use crate::error::ShapeError;
use crate::kernels::{Reduce, Reduction};

/// Outputs folded together.
const BLOCK: usize = 8;

/// [`BackEnd::reduce`](crate::kernels::BackEnd::reduce)
pub(crate) fn reduce<T: Copy + Default, R: Reduction<T>>(
    op: &Reduce,
    reduction: &R,
    x: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let [outer, mut first, middle, mut second, inner] = op.merged();
    if middle == 1 {
        (first, second) = (1, first * second);
    }
    let mut rows = y.chunks_exact_mut(inner.max(1));
    for o in 0..outer {
        for m in 0..middle {
            let Some(y) = rows.next() else { return Ok(()) };
            let start = |f: usize| ((o * first + f) * middle + m) * second * inner;
            if inner == 1 {
                // The elements of one output lie side by side.
                let runs = (0..first).filter_map(|f| x.get(start(f)..start(f) + second));
                let sum = runs.flatten().fold(R::Sum::default(), |sum, &x| reduction.add(sum, x));
                y.iter_mut().for_each(|y| *y = reduction.finish(sum));
                continue;
            }
            let mut column = 0;
            for y in y.chunks_mut(BLOCK) {
                let mut sums = [R::Sum::default(); BLOCK];
                for f in 0..first {
                    for s in 0..second {
                        let at = start(f) + s * inner + column;
                        let Some(x) = x.get(at..at + y.len()) else { continue };
                        sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = reduction.add(*sum, x));
                    }
                }
                column += y.len();
                y.iter_mut().zip(sums).for_each(|(y, sum)| *y = reduction.finish(sum));
            }
        }
    }
    Ok(())
}

/// [`BackEnd::arg_max`](crate::kernels::BackEnd::arg_max)
pub(crate) fn arg_max<T: Copy + PartialOrd>(op: &Reduce, x: &[T], y: &mut [i32]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let [outer, first, middle, second, inner] = op.merged();
    let mut outputs = y.iter_mut();
    for o in 0..outer {
        for m in 0..middle {
            for i in 0..inner {
                let Some(y) = outputs.next() else { return Ok(()) };
                let (mut best, mut position) = (None, 0_i32);
                *y = 0;
                for f in 0..first {
                    let start = ((o * first + f) * middle + m) * second * inner + i;
                    let elements = x.get(start..).unwrap_or_default().iter().step_by(inner.max(1)).take(second);
                    for &x in elements {
                        if best.is_none_or(|best| x > best) {
                            (best, *y) = (Some(x), position);
                        }
                        position = position.wrapping_add(1);
                    }
                }
            }
        }
    }
    Ok(())
}
