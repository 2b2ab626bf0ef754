//! How a weighted operator multiplies, accumulates and finishes, for each number format.

mod float16;
mod int16x8;

pub use float16::Float16;
pub use int16x8::{Int16Accumulator, Int16x8};

use crate::error::ShapeError;
use crate::num::{Multiplier, Rounding, saturate_i8};

/// The closed interval that outputs are clamped to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp<T> {
    /// Smallest output.
    pub min: T,
    /// Largest output.
    pub max: T,
}

impl<T: PartialOrd + Copy> Clamp<T> {
    /// `value` moved into the interval; NaN stays NaN.
    #[inline]
    pub fn apply(self, value: T) -> T {
        if value < self.min {
            self.min
        } else if value > self.max {
            self.max
        } else {
            value
        }
    }
}

/// The number format of a convolution or dense layer.
///
/// One output is `finish(channel, acc)` where `acc` starts as `start(bias)` and takes `multiply_add` for every tap in
/// the order row, column, channel. Kernels keep that order for each accumulator, so floats agree bit for bit too.
pub trait Arithmetic: Copy {
    /// Element of the input.
    type Input: Copy + Default;
    /// Element of the weights.
    type Weight: Copy + Default;
    /// Element of the bias.
    type Bias: Copy + Default;
    /// Accumulator.
    type Acc: Copy + Default;
    /// Element of the output.
    type Output: Copy + Default;

    /// Checks that per-channel constants cover `channels` outputs.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the constant.
    fn check_channels(&self, channels: usize) -> Result<(), ShapeError>;

    /// The accumulator before the first tap.
    fn start(&self, bias: Self::Bias) -> Self::Acc;

    /// `acc + x * w`
    fn multiply_add(&self, acc: Self::Acc, x: Self::Input, w: Self::Weight) -> Self::Acc;

    /// An input whose product with any weight leaves every accumulator as it is, if there is one.
    #[inline]
    fn padding(&self) -> Option<Self::Input> {
        None
    }

    /// The output of `channel`.
    fn finish(&self, channel: usize, acc: Self::Acc) -> Self::Output;
}

/// f32 throughout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Float32 {
    /// Fused activation.
    pub clamp: Clamp<f32>,
}

impl Arithmetic for Float32 {
    type Input = f32;
    type Weight = f32;
    type Bias = f32;
    type Acc = f32;
    type Output = f32;

    fn check_channels(&self, _: usize) -> Result<(), ShapeError> {
        Ok(())
    }

    #[inline]
    fn start(&self, bias: f32) -> f32 {
        bias
    }

    #[inline]
    fn multiply_add(&self, acc: f32, x: f32, w: f32) -> f32 {
        acc + x * w
    }

    #[inline]
    fn finish(&self, _: usize, acc: f32) -> f32 {
        self.clamp.apply(acc)
    }
}

/// Checks that there is one multiplier for each of `channels`, or one for all.
fn check_multipliers(mantissas_q31: &[i32], shifts: &[i8], channels: usize) -> Result<(), ShapeError> {
    let expected = if mantissas_q31.len() == 1 { 1 } else { channels };
    crate::shape::expect_len("multipliers", expected, mantissas_q31.len())?;
    crate::shape::expect_len("shifts", expected, shifts.len())
}

/// The multiplier of `channel`, or the one for all.
#[inline]
fn multiplier(mantissas_q31: &[i32], shifts: &[i8], channel: usize) -> Option<Multiplier> {
    let of = |i: usize| mantissas_q31.get(i).zip(shifts.get(i));
    let (&mantissa_q31, &shift) = of(channel).or_else(|| of(0))?;
    Some(Multiplier { mantissa_q31, shift: shift as i32 })
}

/// int8 activations and weights, int32 bias; specs/integer_arithmetic.md §4.
///
/// # Numerics
/// `acc = bias + sum w * (x - input_zero_point)`, exact in i32 below 66,000 taps (it wraps above), then
/// `clamp(multiplier[channel] * acc + output_zero_point)`. Bit-exact on every target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Int8<'a> {
    /// In `-128..=127`.
    pub input_zero_point: i32,
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// Q0.31 mantissas, one a channel or one for all.
    pub multipliers_q31: &'a [i32],
    /// Exponents, as many as `multipliers_q31`.
    pub shifts: &'a [i8],
    /// Within `-128..=127`.
    pub clamp: Clamp<i32>,
    /// How the multiplier rounds.
    pub rounding: Rounding,
}

impl Arithmetic for Int8<'_> {
    type Input = i8;
    type Weight = i8;
    type Bias = i32;
    type Acc = i32;
    type Output = i8;

    fn check_channels(&self, channels: usize) -> Result<(), ShapeError> {
        check_multipliers(self.multipliers_q31, self.shifts, channels)
    }

    #[inline]
    fn start(&self, bias: i32) -> i32 {
        bias
    }

    #[inline]
    fn multiply_add(&self, acc: i32, x: i8, w: i8) -> i32 {
        acc.wrapping_add((x as i32 - self.input_zero_point) * w as i32)
    }

    #[inline]
    fn padding(&self) -> Option<i8> {
        i8::try_from(self.input_zero_point).ok()
    }

    #[inline]
    fn finish(&self, channel: usize, acc: i32) -> i8 {
        let Some(multiplier) = multiplier(self.multipliers_q31, self.shifts, channel) else { return 0 };
        let scaled = multiplier.apply(acc, self.rounding);
        saturate_i8(self.clamp.apply(scaled.wrapping_add(self.output_zero_point)))
    }
}
