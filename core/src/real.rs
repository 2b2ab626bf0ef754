//! The float types of the training side as one trait: `f32` on every chip, `f64` for certificates and oracles.

use core::fmt::Debug;
use core::ops::{Add, Div, Mul, Neg, Sub};

// Only for `sqrt`: a hosted target has the instruction and LLVM can vectorise it; libm's is a loop over bits. IEEE 754
// asks for a correctly rounded square root, so both spellings give the same bits.
#[cfg(not(target_os = "none"))]
extern crate std;

/// An IEEE 754 binary float.
pub trait Real:
    Copy
    + Debug
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// Width of a value in bits.
    const BITS: u32;
    /// A norm below this counts as zero: its reciprocal would leave the range of the type.
    const TINY: Self;

    /// Rounds to the nearest value of this type.
    fn from_f64(x: f64) -> Self;
    /// The same number in `f64`, exact.
    fn to_f64(self) -> f64;
    /// Correctly rounded square root, the same bits on every target.
    fn sqrt(self) -> Self;
    /// `e^self`, the same bits on every target.
    fn exp(self) -> Self;
    /// Natural logarithm, the same bits on every target.
    fn ln(self) -> Self;
    /// The bits of the absolute value: in the order of magnitudes, NaN above infinity.
    fn magnitude_bits(self) -> u64;
    /// Whether this is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// The value halfway between two non-negative values in the order of their bit patterns; `None` when they are
    /// neighbours or not in order.
    ///
    /// Bisection with this midpoint resolves a root to the last bit in at most 32 (`f32`) or 64 (`f64`) halvings
    /// wherever it lies; with `(lo + hi) / 2` the number of halvings would grow with the ratio of the two ends.
    fn between(lo: Self, hi: Self) -> Option<Self>;

    /// The smaller of two values; `other` when `self` is NaN.
    #[inline]
    fn min(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    /// The larger of two values; `other` when `self` is NaN.
    #[inline]
    fn max(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    /// The absolute value.
    #[inline]
    fn abs(self) -> Self {
        if self < Self::ZERO { -self } else { self }
    }
}

macro_rules! real {
    ($float:ident, $libm_sqrt:path, $libm_exp:path, $libm_log:path, $tiny:literal) => {
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $float::INFINITY;
            const NAN: Self = $float::NAN;
            const BITS: u32 = size_of::<$float>() as u32 * 8;
            const TINY: Self = $tiny;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $float
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.into()
            }

            #[cfg(not(target_os = "none"))]
            #[inline(always)]
            fn sqrt(self) -> Self {
                $float::sqrt(self)
            }

            #[cfg(target_os = "none")]
            #[inline]
            fn sqrt(self) -> Self {
                $libm_sqrt(self)
            }

            #[inline]
            fn exp(self) -> Self {
                $libm_exp(self)
            }

            #[inline]
            fn ln(self) -> Self {
                $libm_log(self)
            }

            #[inline(always)]
            fn magnitude_bits(self) -> u64 {
                (self.to_bits() & (!0 >> 1)).into()
            }

            #[inline(always)]
            fn is_finite(self) -> bool {
                $float::is_finite(self)
            }

            #[inline]
            fn between(lo: Self, hi: Self) -> Option<Self> {
                let (lo, hi) = (lo.to_bits(), hi.to_bits());
                let half = hi.checked_sub(lo)? / 2;
                (half > 0).then(|| $float::from_bits(lo + half))
            }
        }
    };
}

real!(f32, libm::sqrtf, libm::expf, libm::logf, 1e-20);
real!(f64, libm::sqrt, libm::exp, libm::log, 1e-150);

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn square_root_has_the_bits_of_libm() {
        for bits in (0..u32::MAX).step_by(65_537).filter(|b| !f32::from_bits(*b).is_nan()) {
            let x = f32::from_bits(bits).abs();
            assert_eq!(Real::sqrt(x).to_bits(), libm::sqrtf(x).to_bits(), "{x}");
        }
    }

    #[test]
    fn bisection_over_bits_ends_within_the_width_of_the_type() {
        let root = 1.234_567e-12_f32;
        let (mut lo, mut hi, mut halvings) = (0.0_f32, f32::MAX, 0);
        while let Some(mid) = Real::between(lo, hi) {
            if mid < root {
                lo = mid
            } else {
                hi = mid
            }
            halvings += 1;
        }
        assert_eq!((hi, halvings <= 32), (root, true));
    }
}
