//! Element by element, with one operand or two.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::{Binary, Broadcast, Unary};
use crate::shape::expect_len;

/// `y[i] = op(x[i])`; both operands have one length, numerics at the operator.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn unary<X: Copy, Y, U: Unary<X, Y>>(op: &U, x: &[X], y: &mut [Y]) -> Result<(), ShapeError> {
    expect_len("x", y.len(), x.len())?;
    y.iter_mut().zip(x).for_each(|(y, &x)| *y = op.apply(x));
    Ok(())
}

/// `y = op(a, b)` with broadcasting; shapes at [`Broadcast`], numerics at the operator.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn binary<T: Copy + Default, B: Binary<T>>(
    op: &B,
    shape: &Broadcast,
    a: &[T],
    b: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    shape.check(a.len(), b.len(), y.len())?;
    for i in 0..y.len() {
        let (mut rest, mut position) = (i, [0; 2]);
        for axis in shape.loops().iter().rev() {
            let index = rest.checked_rem(axis.len).unwrap_or(0);
            rest = rest.checked_div(axis.len).unwrap_or(0);
            position.iter_mut().zip(axis.strides).for_each(|(position, stride)| *position += index * stride);
        }
        let [at_a, at_b] = position;
        put(y, i, op.apply(at(a, at_a), at(b, at_b)));
    }
    Ok(())
}
