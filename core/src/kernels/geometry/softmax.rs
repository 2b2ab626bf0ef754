//! Softmax over rows, and its constants.

use crate::error::ShapeError;
use crate::num::{Multiplier, Rounding};
use crate::shape::expect_len;
use core::num::NonZeroUsize;

/// Softmax along the last axis.
///
/// # Shapes
/// `x, y: [rows, depth]` row-major, `depth <= 4095` (the int8 sum has 12 integer bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax {
    depth: NonZeroUsize,
}

impl Softmax {
    /// Largest `depth`.
    pub const MAX_DEPTH: usize = 4095;

    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`].
    pub fn try_new(depth: usize) -> Result<Self, ShapeError> {
        NonZeroUsize::new(depth)
            .filter(|d| d.get() <= Self::MAX_DEPTH)
            .map(|depth| Self { depth })
            .ok_or(ShapeError::Dim { name: "depth", value: depth })
    }

    /// Elements of a row.
    pub const fn depth(&self) -> NonZeroUsize {
        self.depth
    }

    /// Checks both operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, y: usize) -> Result<(), ShapeError> {
        // `x` is rounded down to whole rows, so a partial row is refused by name.
        expect_len("x", x - x % self.depth, x)?;
        expect_len("y", x, y)
    }
}

/// The constants of an int8 softmax with output scale 1/256 and zero point -128; specs/integer_arithmetic.md §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftmaxInt8 {
    /// `min(input_scale * 2^26, 2^31 - 1)`; `shift >= 0`.
    pub multiplier: Multiplier,
    /// Differences from the maximum below this give the code -128.
    pub difference_min: i32,
}

impl SoftmaxInt8 {
    /// The constants for inputs of `scale` (beta = 1).
    pub fn from_scale(scale: f32, rounding: Rounding) -> Self {
        let cap = match rounding {
            Rounding::Double => (1_u32 << 31) - 1,
            Rounding::Single => (1 << 30) - 1,
        };
        let real = f64::from(scale) * f64::from(1 << 26);
        let cap = f64::from(cap);
        let mut multiplier = Multiplier::from_real(if real < cap { real } else { cap }, rounding);
        if multiplier.shift < 0 {
            // An input this fine has no differences that matter: every exponential is 1.
            multiplier = Multiplier::default();
        }
        let radius = (31_i64 << 26) >> (multiplier.shift & 31);
        Self { multiplier, difference_min: i32::try_from(-radius).unwrap_or(i32::MIN) }
    }

    /// `max - x` as Q5.26 for `difference = x - max` in `difference_min..=0`.
    #[inline]
    pub fn rescale(&self, difference: i32) -> i32 {
        let shifted = difference.wrapping_shl(self.multiplier.shift as u32);
        crate::num::saturating_rounding_doubling_high_mul(shifted, self.multiplier.mantissa_q31)
    }
}

/// The constants of an int16 softmax with output scale 1/32768; specs/integer_arithmetic.md §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftmaxInt16 {
    /// Differences of input codes as those of the table of exponentials: `input_scale * 6553.5`.
    pub multiplier: Multiplier,
    /// How the multiplier rounds.
    pub rounding: Rounding,
}

impl SoftmaxInt16 {
    /// The constants for inputs of `scale` (beta = 1).
    pub fn from_scale(scale: f32, rounding: Rounding) -> Self {
        Self { multiplier: Multiplier::from_real(f64::from(scale) / (10.0 / 65535.0), rounding), rounding }
    }

    /// `exp(difference * scale)` as Q0.15 for `difference` in `-65535..=0`.
    #[inline]
    pub fn exponential(&self, difference: i32) -> i32 {
        let scaled = self.multiplier.apply(difference, self.rounding).saturating_add(32767);
        crate::num::exp_i16(crate::num::saturate_i16(scaled)).into()
    }
}
