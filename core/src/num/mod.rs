//! Integer and float arithmetic to the last bit: Q0.31 multipliers, fixed-point exp, saturation.
//!
//! The only module of core that narrows integers.

mod code;
mod fixed;
mod multiplier;
mod small_multiplier;
pub(crate) mod tables;

pub use code::{Code, dequantize, quantize};
pub use fixed::{exp_on_negative, logistic, one_over_one_plus, tanh};
pub use multiplier::{Multiplier, Rounding, rounding_divide_by_pot, saturating_rounding_doubling_high_mul};
pub use small_multiplier::SmallMultiplier;
pub use tables::{exp_i16, logistic_i16, one_over_one_plus_i16, tanh_i16};

/// Saturates to the range of `i8`.
#[inline]
pub const fn saturate_i8(value: i32) -> i8 {
    if value < i8::MIN as i32 {
        i8::MIN
    } else if value > i8::MAX as i32 {
        i8::MAX
    } else {
        value as i8
    }
}

/// Saturates to the range of `i16`.
#[inline]
pub const fn saturate_i16(value: i32) -> i16 {
    if value < i16::MIN as i32 {
        i16::MIN
    } else if value > i16::MAX as i32 {
        i16::MAX
    } else {
        value as i16
    }
}

/// Saturates to the range of `i16`.
#[inline]
pub const fn saturate_i16_from_i64(value: i64) -> i16 {
    if value < i16::MIN as i64 {
        i16::MIN
    } else if value > i16::MAX as i64 {
        i16::MAX
    } else {
        value as i16
    }
}

/// Rounds half away from zero, as C's `round` does (specs/integer_arithmetic.md §2).
pub fn round_away(value: f64) -> f64 {
    libm::round(value)
}

/// [`quantize`] to int8.
pub fn quantize_i8(x: f32, scale: f32, zero_point: i32) -> i8 {
    quantize(x, scale, zero_point)
}

/// [`dequantize`] from int8.
pub fn dequantize_i8(q: i8, scale: f32, zero_point: i32) -> f32 {
    dequantize(q, scale, zero_point)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests may panic")]
mod tests;
