//! Logistic function and hyperbolic tangent of codes.

use super::Unary;
use crate::num::{self, Multiplier, Rounding, rounding_divide_by_pot};

/// The front end of the int8 logistic and tanh: codes as Q4.27, with the range in which they are not saturated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Q4 {
    zero_point: i32,
    multiplier: Multiplier,
    radius: i32,
    rounding: Rounding,
}

impl Q4 {
    const INTEGER_BITS: u32 = 4;

    fn from_scale(scale: f32, zero_point: i32, rounding: Rounding) -> Self {
        let multiplier = Multiplier::from_real(f64::from(scale) * f64::from(1 << 27), rounding);
        // A scale so large that the exponent was capped saturates everything but zero.
        let radius = ((15_i64 << 27) >> multiplier.shift.clamp(0, 63)) as i32;
        Self { zero_point, multiplier, radius, rounding }
    }

    /// `Err` says which side of the range the code is beyond.
    #[inline]
    fn value(&self, q: i8) -> Result<i32, i8> {
        let difference = i32::from(q) - self.zero_point;
        if difference <= -self.radius {
            Err(i8::MIN)
        } else if difference >= self.radius {
            Err(i8::MAX)
        } else {
            Ok(self.multiplier.apply(difference, self.rounding))
        }
    }
}

/// int8 logistic function with output scale 1/256 and zero point -128; specs/integer_arithmetic.md §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogisticInt8(Q4);

impl LogisticInt8 {
    /// The constants for inputs of this quantisation.
    pub fn from_scale(scale: f32, zero_point: i32, rounding: Rounding) -> Self {
        Self(Q4::from_scale(scale, zero_point, rounding))
    }
}

impl Unary<i8> for LogisticInt8 {
    fn apply(&self, q: i8) -> i8 {
        let code = |x| num::saturate_i8(rounding_divide_by_pot(num::logistic(x, Q4::INTEGER_BITS), 23) - 128);
        self.0.value(q).map_or_else(|beyond| beyond, code)
    }
}

/// int8 hyperbolic tangent with output scale 1/128 and zero point 0; specs/integer_arithmetic.md §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TanhInt8(Q4);

impl TanhInt8 {
    /// The constants for inputs of this quantisation.
    pub fn from_scale(scale: f32, zero_point: i32, rounding: Rounding) -> Self {
        Self(Q4::from_scale(scale, zero_point, rounding))
    }
}

impl Unary<i8> for TanhInt8 {
    fn apply(&self, q: i8) -> i8 {
        let code = |x| num::saturate_i8(rounding_divide_by_pot(num::tanh(x, Q4::INTEGER_BITS), 24));
        self.0.value(q).map_or_else(|beyond| beyond, code)
    }
}

/// The constants of the int16 logistic function and tanh with output scale 1/32768; specs/integer_arithmetic.md §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// `input_scale * 12288 * 2^shift`, in `0..=65535`.
    pub factor: i32,
    /// In `0..=31`.
    pub shift: u32,
}

impl Steps {
    /// Largest factor: its product with any code is an `i32`.
    pub const MAX_FACTOR: i32 = 65535;
    /// Largest shift.
    pub const MAX_SHIFT: u32 = 31;

    /// The constants for inputs of `scale`; `None` for a scale above 5.33, where two codes are both ends of the range.
    pub fn from_scale(scale: f32) -> Option<Self> {
        let log2 = libm::logf(scale) * (1.0 / core::f32::consts::LN_2);
        // As the reference runtimes have it, a scale within a thousandth of an octave of 2^-12 counts as 2^-12.
        if libm::fabsf(log2 + 12.0) < 1e-3 {
            return Some(Self { factor: 3, shift: 0 });
        }
        let (mut factor, mut shift) = (f64::from(scale) * 4096.0 * 3.0, 0);
        while factor <= 32767.0 / 2.0 && shift < Self::MAX_SHIFT {
            factor *= 2.0;
            shift += 1;
        }
        (factor <= f64::from(Self::MAX_FACTOR)).then_some(Self { factor: factor as i32, shift })
    }

    /// `x` in units of 1/12288.
    #[inline]
    fn of(self, x: i16) -> i32 {
        let half = if self.shift > 0 { 1_i32.wrapping_shl(self.shift - 1) } else { 0 };
        i32::from(x).wrapping_mul(self.factor).wrapping_add(half).wrapping_shr(self.shift)
    }
}

/// int16 logistic function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogisticInt16(pub Steps);

impl Unary<i16> for LogisticInt16 {
    #[inline]
    fn apply(&self, x: i16) -> i16 {
        num::logistic_i16(self.0.of(x))
    }
}

/// int16 hyperbolic tangent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TanhInt16(pub Steps);

impl Unary<i16> for TanhInt16 {
    #[inline]
    fn apply(&self, x: i16) -> i16 {
        num::tanh_i16(self.0.of(x))
    }
}
