//! int16 activations with int8 weights.

use super::{Arithmetic, Clamp, check_multipliers, multiplier};
use crate::error::ShapeError;
use crate::num::{Multiplier, Rounding, saturate_i16};
use core::marker::PhantomData;

/// What an int16 operator sums in: the type of its bias.
pub trait Int16Accumulator: Copy + Default {
    /// `self + x * w`, wrapping.
    fn multiply_add(self, x: i16, w: i8) -> Self;

    /// `self * multiplier`, rounded.
    fn scale(self, multiplier: Multiplier, rounding: Rounding) -> i32;
}

impl Int16Accumulator for i32 {
    #[inline]
    fn multiply_add(self, x: i16, w: i8) -> i32 {
        self.wrapping_add(x as i32 * w as i32)
    }

    #[inline]
    fn scale(self, multiplier: Multiplier, rounding: Rounding) -> i32 {
        multiplier.apply(self, rounding)
    }
}

impl Int16Accumulator for i64 {
    #[inline]
    fn multiply_add(self, x: i16, w: i8) -> i64 {
        self.wrapping_add((x as i32 * w as i32) as i64)
    }

    #[inline]
    fn scale(self, multiplier: Multiplier, _: Rounding) -> i32 {
        multiplier.apply_i64(self)
    }
}

/// int16 activations, int8 weights, and an int64 (or int32) bias that is also the accumulator's type;
/// specs/integer_arithmetic.md §7.
///
/// # Numerics
/// `acc = bias + sum w * x`, exact below 2^39 taps for an i64 bias and below 500 for an i32 one (it wraps above), then
/// `clamp(multiplier[channel] * acc)`; zero points are 0. Bit-exact on every target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int16x8<'a, B> {
    /// Q0.31 mantissas, one a channel or one for all.
    pub multipliers_q31: &'a [i32],
    /// Exponents, as many as `multipliers_q31`.
    pub shifts: &'a [i8],
    /// Within `-32768..=32767`.
    pub clamp: Clamp<i32>,
    /// How the multiplier rounds for an i32 bias; for an i64 one there is one way.
    pub rounding: Rounding,
    /// The type of the bias.
    pub bias: PhantomData<B>,
}

impl<B: Int16Accumulator> Arithmetic for Int16x8<'_, B> {
    type Input = i16;
    type Weight = i8;
    type Bias = B;
    type Acc = B;
    type Output = i16;

    fn check_channels(&self, channels: usize) -> Result<(), ShapeError> {
        check_multipliers(self.multipliers_q31, self.shifts, channels)
    }

    #[inline]
    fn start(&self, bias: B) -> B {
        bias
    }

    #[inline]
    fn multiply_add(&self, acc: B, x: i16, w: i8) -> B {
        acc.multiply_add(x, w)
    }

    #[inline]
    fn finish(&self, channel: usize, acc: B) -> i16 {
        let Some(multiplier) = multiplier(self.multipliers_q31, self.shifts, channel) else { return 0 };
        saturate_i16(self.clamp.apply(acc.scale(multiplier, self.rounding)))
    }
}
