//! Elements from one place to another.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::StridedCopy;
use crate::shape::expect_len;

/// Copies a grid of elements; shapes at [`StridedCopy`]. What lies between the elements of `y` stays.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn strided_copy(op: &StridedCopy, x: &[u8], y: &mut [u8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let [a, b, c, d] = op.sizes();
    for i in 0..a {
        for j in 0..b {
            for k in 0..c {
                for l in 0..d {
                    let [from, to] = [op.from(), op.to()].map(|walk| walk.element([i, j, k, l]) * op.element_bytes());
                    for byte in 0..op.element_bytes() {
                        put(y, to + byte, at(x, from + byte));
                    }
                }
            }
        }
    }
    Ok(())
}

/// [`strided_copy`] into a `y` that is `border`, one element, everywhere else.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn pad(op: &StridedCopy, border: &[u8], x: &[u8], y: &mut [u8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    expect_len("border", op.element_bytes(), border.len())?;
    for (y, &byte) in y.iter_mut().zip(border.iter().cycle()) {
        *y = byte;
    }
    strided_copy(op, x, y)
}
