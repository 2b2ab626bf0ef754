//! How the sums of a row become codes.

use crate::error::ShapeError;
use crate::kernels::Clamp;
use crate::num::{Multiplier, Rounding, SmallMultiplier, saturate_i8};
use crate::shape::expect_len;

/// The constants of a [`RowScaling`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowConstants<'a> {
    /// One a row, Q1.15; empty where every row has 1.
    pub factors: &'a [u16],
    /// One a channel.
    pub bias: &'a [i32],
    /// Q0.31 mantissas, one a channel.
    pub multipliers_q31: &'a [i32],
    /// Exponents, one a channel, each in `-31..=30`.
    pub shifts: &'a [i32],
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// Within `-128..=127`.
    pub clamp: Clamp<i32>,
    /// How multipliers round.
    pub rounding: Rounding,
}

/// How the sums of a row become int8 codes.
///
/// # Numerics
/// `y = clamp(multiplier[c] * (factor[row] * sum[c] + bias[c]) + output_zero_point)` with a Q1.15 factor as an integer of
/// 0 … 65535, or 1 where there are none. Exact while `factor * |sum| + |bias| <=` [`MAX_SUM`](super::MAX_SUM). Bit-exact on every target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowScaling<'a> {
    constants: RowConstants<'a>,
    /// Whether every multiplier is a [`SmallMultiplier`] and rounds twice.
    small: bool,
}

impl<'a> RowScaling<'a> {
    /// The scaling with these constants.
    pub fn new(constants: RowConstants<'a>) -> Self {
        let mut multipliers = constants.multipliers_q31.iter().zip(constants.shifts);
        let is_small = |(&mantissa_q31, &shift)| SmallMultiplier::new(Multiplier { mantissa_q31, shift }).is_some();
        Self { constants, small: constants.rounding == Rounding::Double && multipliers.all(is_small) }
    }

    /// Whether every multiplier is a [`SmallMultiplier`] and rounds twice.
    pub const fn is_small(&self) -> bool {
        self.small
    }

    /// The constants.
    pub const fn constants(&self) -> &RowConstants<'a> {
        &self.constants
    }

    /// Checks that there is a factor for each of `rows`, or none at all, and every constant for each of `channels`.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the constant.
    pub fn check(&self, rows: usize, channels: usize) -> Result<(), ShapeError> {
        let RowConstants { factors, bias, multipliers_q31, shifts, .. } = self.constants;
        if !factors.is_empty() {
            expect_len("factors", rows, factors.len())?;
        }
        expect_len("bias", channels, bias.len())?;
        expect_len("multipliers", channels, multipliers_q31.len())?;
        expect_len("shifts", channels, shifts.len())
    }

    /// What the sums of `row` are scaled by, nothing added.
    #[inline]
    pub fn of_row(&self, row: usize) -> RowScale {
        RowScale { factor: self.constants.factors.get(row).map_or(1, |&factor| factor.into()), offset: 0 }
    }

    /// The largest magnitude of a bias.
    pub fn largest_bias(&self) -> i64 {
        self.constants.bias.iter().map(|&bias| i64::from(bias).abs()).max().unwrap_or(0)
    }

    /// The code of `sum` in a row with this scale.
    pub fn code(&self, row: RowScale, channel: usize, sum: i32) -> i8 {
        let mut code = [0];
        self.codes(row, channel, &[sum], &mut code);
        let [code] = code;
        code
    }

    /// The codes of `sums` from channel `first` on in a row with this scale.
    #[inline]
    pub fn codes(&self, row: RowScale, first: usize, sums: &[i32], y: &mut [i8]) {
        let RowConstants { bias, multipliers_q31, shifts, output_zero_point, clamp, rounding, .. } = self.constants;
        let from = |values: &'a [i32]| values.get(first..).unwrap_or_default().iter();
        let constants = from(bias).zip(from(multipliers_q31)).zip(from(shifts));
        for ((y, &sum), ((&bias, &mantissa_q31), &shift)) in y.iter_mut().zip(sums).zip(constants) {
            let sum = sum.wrapping_add(row.offset).wrapping_mul(row.factor).wrapping_add(bias);
            let code = if self.small {
                let exponent = (-1_i32).wrapping_sub(shift) as u8;
                SmallMultiplier { mantissa_q32: (mantissa_q31 as u32) << 1, exponent }.code(sum, output_zero_point)
            } else {
                Multiplier { mantissa_q31, shift }.apply(sum, rounding).wrapping_add(output_zero_point)
            };
            *y = saturate_i8(clamp.apply(code));
        }
    }
}

/// What the sums of one row become before their bias: `factor * (sum + offset)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowScale {
    /// In `0..=65535`, or 1 where there are none.
    pub factor: i32,
    /// The same for every channel.
    pub offset: i32,
}
