//! A multiplier below one half, in the form that a rounding multiply-accumulate of Arm's DSP extension takes
//! (specs/integer_arithmetic.md §2).

use super::Multiplier;

/// A multiplier that only shifts right: `mantissa_q32 * 2^-(33 + exponent)`.
///
/// Its mantissa has the bits of `2 * mantissa_q31` of the same [`Multiplier`], so as an `i32` it is `2 * mantissa_q31 -
/// 2^32`, and Arm's `SMMLAR s, acc, mantissa, acc` is `round(acc * mantissa_q31 / 2^31)` with nothing lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SmallMultiplier {
    /// In `[2^31, 2^32)`.
    pub mantissa_q32: u32,
    /// `-1 - shift`, at most [`Self::MAX_EXPONENT`].
    pub exponent: u8,
}

impl SmallMultiplier {
    /// With this `(2 * zero_point + 1) << exponent` and every sum of [`code`](Self::code) stay inside `i32`.
    pub const MAX_EXPONENT: u8 = 21;
    /// Largest magnitude of an accumulator.
    pub const MAX_ACC: i32 = 3 << 29;

    /// The same multiplier, if it has this form: `shift` in `-22..=-1` and a mantissa of at least 2^30.
    pub const fn new(multiplier: Multiplier) -> Option<Self> {
        let exponent = -1 - multiplier.shift;
        if multiplier.mantissa_q31 < 1 << 30 || exponent < 0 || exponent > Self::MAX_EXPONENT as i32 {
            return None;
        }
        Some(Self { mantissa_q32: (multiplier.mantissa_q31 as u32) << 1, exponent: exponent as u8 })
    }

    /// Whether the fields are in range.
    pub const fn is_valid(self) -> bool {
        self.mantissa_q32 >= 1 << 31 && self.exponent <= Self::MAX_EXPONENT
    }

    /// `round(acc * multiplier) + zero_point`, rounded twice as [`Multiplier::apply`] does, not yet saturated.
    ///
    /// # Ranges
    /// `|acc| <=` [`Self::MAX_ACC`], `zero_point` in `-128..=127`.
    #[inline]
    pub const fn code(self, acc: i32, zero_point: i32) -> i32 {
        let product = acc as i64 * self.mantissa_q32 as i64;
        let high = ((product + (1 << 31)) >> 32) as i32;
        // Half away from zero: up for numbers from zero on, and one unit less than half up below.
        let exponent = (self.exponent & 31) as u32;
        let half_and_zero_point = (2 * zero_point + 1).wrapping_shl(exponent);
        high.wrapping_add(high >> 31).wrapping_add(half_and_zero_point) >> exponent >> 1
    }
}
