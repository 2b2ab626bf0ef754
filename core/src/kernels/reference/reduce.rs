//! Over axes.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::{Reduce, Reduction};

/// Calls `visit(output index, [input index])` with the inputs of every output in their order.
fn for_each_output(op: &Reduce, mut visit: impl FnMut(usize, &mut dyn FnMut(&mut dyn FnMut(usize)))) {
    let input_len = op.count() * op.output_len();
    for o in 0..op.output_len() {
        visit(o, &mut |element| {
            (0..input_len).filter(|&i| output_index(op, i) == o).for_each(&mut *element);
        });
    }
}

/// The output that input `i` belongs to.
fn output_index(op: &Reduce, i: usize) -> usize {
    let (mut rest, mut output, mut stride) = (i, 0, 1);
    for (size, reduced) in op.axes().into_iter().rev() {
        if !reduced {
            output += rest.checked_rem(size).unwrap_or(0) * stride;
            stride *= size;
        }
        rest = rest.checked_div(size).unwrap_or(0);
    }
    output
}

/// Sum or mean over axes; shapes at [`Reduce`], numerics at the [`Reduction`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn reduce<T: Copy + Default, R: Reduction<T>>(
    op: &Reduce,
    reduction: &R,
    x: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for_each_output(op, |o, elements| {
        let mut sum = R::Sum::default();
        elements(&mut |i| sum = reduction.add(sum, at(x, i)));
        put(y, o, reduction.finish(sum));
    });
    Ok(())
}

/// Position of the largest element over the reduced axes, the first of several; shapes at [`Reduce`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn arg_max<T: Copy + Default + PartialOrd>(op: &Reduce, x: &[T], y: &mut [i32]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for_each_output(op, |o, elements| {
        let (mut best, mut position, mut best_position) = (None, 0, 0);
        elements(&mut |i| {
            if best.is_none_or(|best| at(x, i) > best) {
                (best, best_position) = (Some(at(x, i)), position);
            }
            position += 1;
        });
        put(y, o, best_position);
    });
    Ok(())
}
