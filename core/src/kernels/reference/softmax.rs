//! Softmax of codes and of floats.

use crate::error::ShapeError;
use crate::kernels::{Softmax, SoftmaxInt8, SoftmaxInt16};
use crate::num::saturating_rounding_doubling_high_mul as high_mul;
use crate::num::{
    exp_on_negative, one_over_one_plus, one_over_one_plus_i16, rounding_divide_by_pot, saturate_i8, saturate_i16,
};

/// int8 softmax; shapes at [`Softmax`], numerics in specs/integer_arithmetic.md §4.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn softmax_int8(op: &Softmax, constants: &SoftmaxInt8, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for (x, y) in x.chunks_exact(op.depth().get()).zip(y.chunks_exact_mut(op.depth().get())) {
        let max = x.iter().copied().max().unwrap_or(0) as i32;
        let exponential = |x: i8| {
            let difference = x as i32 - max;
            (difference >= constants.difference_min).then(|| exp_on_negative(constants.rescale(difference), 5))
        };
        // Q12.19; at least 2^19 because the maximum adds exp(0).
        let sum =
            x.iter().filter_map(|&x| exponential(x)).fold(0_i32, |s, e| s.wrapping_add(rounding_divide_by_pot(e, 12)));
        let headroom = sum.leading_zeros();
        let reciprocal = one_over_one_plus(((sum as u32).wrapping_shl(headroom)).wrapping_sub(1 << 31) as i32);
        let exponent = 35_u32.saturating_sub(headroom);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = match exponential(x) {
                Some(e) if exponent <= 31 => {
                    saturate_i8(rounding_divide_by_pot(high_mul(e, reciprocal), exponent) - 128)
                }
                _ => i8::MIN,
            };
        }
    }
    Ok(())
}

/// int16 softmax; shapes at [`Softmax`], numerics in specs/integer_arithmetic.md §7.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn softmax_int16(op: &Softmax, constants: &SoftmaxInt16, x: &[i16], y: &mut [i16]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for (x, y) in x.chunks_exact(op.depth().get()).zip(y.chunks_exact_mut(op.depth().get())) {
        let max = x.iter().copied().max().map_or(0, i32::from);
        // Q16.15; at least the maximum's own exponential and, with 4095 of them, below 2^27.
        let mut sum = 0_u32;
        for (y, &x) in y.iter_mut().zip(x) {
            let exponential = constants.exponential(i32::from(x) - max);
            *y = saturate_i16(exponential);
            sum = sum.wrapping_add(exponential.unsigned_abs());
        }
        let headroom = sum.leading_zeros();
        let normal = sum.wrapping_shl(headroom.wrapping_sub(1)).wrapping_add(1 << 13) >> 14;
        let reciprocal = i32::from(one_over_one_plus_i16(saturate_i16(normal.cast_signed().wrapping_sub(98304))));
        let shift = 31_u32.saturating_sub(headroom);
        for y in y {
            let product = i32::from(*y) * reciprocal;
            let rounded = product.wrapping_add(1_i32.wrapping_shl(shift.wrapping_sub(1))).wrapping_shr(shift);
            *y = saturate_i16(rounded.max(0));
        }
    }
    Ok(())
}

/// f32 softmax, `exp(x - max) / sum`; shapes at [`Softmax`].
///
/// # Numerics
/// libm's `expf` on every target, summed in order: the same bits everywhere.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn softmax_f32(op: &Softmax, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for (x, y) in x.chunks_exact(op.depth().get()).zip(y.chunks_exact_mut(op.depth().get())) {
        let max = x.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        let mut sum = 0.0;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = libm::expf(x - max);
            sum += *y;
        }
        y.iter_mut().for_each(|y| *y /= sum);
    }
    Ok(())
}
