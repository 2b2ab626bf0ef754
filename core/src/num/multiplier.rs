//! Q0.31 multipliers: how an i32 accumulator is scaled back to an output code (specs/integer_arithmetic.md §2).

/// How [`Multiplier::apply`] rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// Twice: half up in the high multiplication, half away from zero in the shift. TensorFlow Lite Micro, CMSIS-NN.
    #[default]
    Double,
    /// Once, half up. ruy, XNNPACK.
    Single,
}

/// A positive real multiplier as `mantissa_q31 * 2^(shift - 31)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Multiplier {
    /// In `[2^30, 2^31)`, or 0 for the multiplier zero.
    pub mantissa_q31: i32,
    /// In `[-31, 30]`.
    pub shift: i32,
}

/// `round(a * b / 2^31)`, half up; `i32::MIN * i32::MIN` saturates. Arm's `SQRDMULH`.
#[inline]
pub const fn saturating_rounding_doubling_high_mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// `round(x / 2^exponent)`, half away from zero, for `exponent` in `0..=31`.
#[inline]
pub const fn rounding_divide_by_pot(x: i32, exponent: u32) -> i32 {
    let mask = (1_u32 << (exponent & 31)).wrapping_sub(1) as i32;
    let remainder = x & mask;
    let threshold = (mask >> 1) + (x < 0) as i32;
    (x >> (exponent & 31)) + (remainder > threshold) as i32
}

impl Multiplier {
    /// The nearest multiplier to `real >= 0`; values below `2^-32` become zero.
    ///
    /// Exact on every target: the exponent is read from the bits. `Single` caps multipliers above `2^30`.
    /// NaN, negative and infinite values become zero; the host refuses them before.
    pub fn from_real(real: f64, rounding: Rounding) -> Self {
        if !(real > 0.0 && real.is_finite()) {
            return Self::default();
        }
        let (fraction, mut exponent) = libm::frexp(real);
        let mut mantissa = super::round_away(fraction * (1_i64 << 31) as f64) as i64;
        if mantissa == 1 << 31 {
            mantissa /= 2;
            exponent += 1;
        }
        if exponent < -31 {
            return Self::default();
        }
        if exponent > 30 {
            // Single rounding cannot shift further left. With double rounding no network has such a multiplier.
            exponent = 30;
            mantissa = match rounding {
                Rounding::Single => (1 << 31) - 1,
                Rounding::Double => mantissa,
            };
        }
        Self { mantissa_q31: mantissa as i32, shift: exponent }
    }

    /// Whether the fields are in range, so that [`Multiplier::apply`] is defined.
    pub const fn is_valid(self) -> bool {
        self.mantissa_q31 >= 0 && self.shift >= -31 && self.shift <= 30
    }

    /// `round(x * multiplier)`; the left shift wraps as the reference runtimes' does.
    #[inline]
    pub const fn apply(self, x: i32, rounding: Rounding) -> i32 {
        match rounding {
            Rounding::Double => {
                let left = if self.shift > 0 { self.shift as u32 } else { 0 };
                let right = if self.shift < 0 { -self.shift as u32 } else { 0 };
                let scaled = saturating_rounding_doubling_high_mul(x.wrapping_shl(left), self.mantissa_q31);
                rounding_divide_by_pot(scaled, right)
            }
            Rounding::Single => {
                let total = ((31 - self.shift) as u32) & 63;
                let half = 1_i64 << (total.wrapping_sub(1) & 63);
                ((x as i64 * self.mantissa_q31 as i64 + half) >> total) as i32
            }
        }
    }

    /// `round(x * multiplier)` with the 16 leading bits of the mantissa, half up, for a `shift` up to 7 and `x` below 2^47
    /// (it wraps above): int16 operators with an i64 accumulator, in both ways of rounding.
    #[inline]
    pub const fn apply_i64(self, x: i64) -> i32 {
        let reduced = if self.mantissa_q31 < 0x7FFF_0000 { (self.mantissa_q31 + (1 << 15)) >> 16 } else { 0x7FFF };
        let total = ((15 - self.shift) as u32) & 63;
        let half = 1_i64 << (total.wrapping_sub(1) & 63);
        (x.wrapping_mul(reduced as i64).wrapping_add(half) >> total) as i32
    }
}
