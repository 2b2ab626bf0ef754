//! Elementwise operators whose output replaces an input.

use crate::error::ShapeError;
use crate::kernels::{AddInt8, Clamp, RescaleInt8};
use crate::shape::expect_len;

/// Which operand of a binary operator lies in the output's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `y = y + other`
    Left,
    /// `y = other + y`
    Right,
}

/// [`add_int8`](crate::kernels::reference::add_int8) with one operand in `y`.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn add_int8_in_place(op: &AddInt8, side: Side, other: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    expect_len("b", y.len(), other.len())?;
    y.iter_mut().zip(other).for_each(|(y, &other)| {
        *y = match side {
            Side::Left => op.apply(*y, other),
            Side::Right => op.apply(other, *y),
        }
    });
    Ok(())
}

/// [`add_f32`](crate::kernels::reference::add_f32) with one operand in `y`; float addition commutes.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn add_f32_in_place(clamp: Clamp<f32>, other: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    expect_len("b", y.len(), other.len())?;
    y.iter_mut().zip(other).for_each(|(y, &other)| *y = clamp.apply(*y + other));
    Ok(())
}

/// [`rescale_int8`](crate::kernels::reference::rescale_int8) in place.
pub fn rescale_int8_in_place(op: &RescaleInt8, y: &mut [i8]) {
    y.iter_mut().for_each(|y| *y = op.apply(*y));
}

/// [`clamp_f32`](crate::kernels::reference::clamp_f32) in place.
pub fn clamp_f32_in_place(clamp: Clamp<f32>, y: &mut [f32]) {
    y.iter_mut().for_each(|y| *y = clamp.apply(*y));
}
