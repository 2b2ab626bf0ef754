//! Images in another size.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::{Interpolate, Resize};
use crate::num::Rounding;

/// The nearest element of the input; shapes at [`Resize`]. Bytes may stand for elements of several bytes: then a channel
/// is a byte.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn resize_nearest<T: Copy + Default>(op: &Resize, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for oy in 0..op.y.output() {
        for ox in 0..op.x.output() {
            for c in 0..op.channels().get() {
                let from = (op.y.nearest(oy) * op.x.input() + op.x.nearest(ox)) * op.channels().get() + c;
                put(y, (oy * op.x.output() + ox) * op.channels().get() + c, at(x, from));
            }
        }
    }
    Ok(())
}

/// Interpolation between the four nearest elements of the input; shapes at [`Resize`].
///
/// # Numerics
/// Codes: fractions of 10 bits, the sum of 20 is rounded half away from zero (double rounding) or half up (single).
/// Floats: f32 in the order of [`Interpolate::blend`]. Both as TensorFlow Lite Micro, bit for bit.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn resize_bilinear<T: Interpolate>(
    op: &Resize,
    rounding: Rounding,
    x: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for oy in 0..op.y.output() {
        for ox in 0..op.x.output() {
            let (row, column) = (T::between(&op.y, oy), T::between(&op.x, ox));
            let weights = T::weights(row.fraction, column.fraction);
            for c in 0..op.channels().get() {
                let corner = |iy, ix| at(x, (iy * op.x.input() + ix) * op.channels().get() + c);
                let corners = [
                    corner(row.lower, column.lower),
                    corner(row.lower, column.upper),
                    corner(row.upper, column.lower),
                    corner(row.upper, column.upper),
                ];
                put(y, (oy * op.x.output() + ox) * op.channels().get() + c, T::blend(corners, weights, rounding));
            }
        }
    }
    Ok(())
}
