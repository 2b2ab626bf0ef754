//! Operators of one operand, element by element: what each computes for one element.

mod sigmoid;

pub use sigmoid::{LogisticInt8, LogisticInt16, Steps, TanhInt8, TanhInt16};

use super::Clamp;
use crate::num::{self, Code, Multiplier, Rounding, rounding_divide_by_pot};

/// An operator that computes every output from the one input at its place.
pub trait Unary<X, Y = X>: Copy {
    /// One output.
    fn apply(&self, x: X) -> Y;
}

impl Unary<f32> for Clamp<f32> {
    #[inline]
    fn apply(&self, x: f32) -> f32 {
        Clamp::apply(*self, x)
    }
}

/// Any int8 operator as a table: the output of code `q` stands at the position that `q` has as an unsigned byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookup<'a> {
    /// One output an input code.
    pub table: &'a [i8; 256],
}

impl Lookup<'_> {
    /// The table of `op`.
    pub fn table(op: &impl Unary<i8>) -> [i8; 256] {
        let mut table = [0; 256];
        for code in i8::MIN..=i8::MAX {
            if let Some(slot) = table.get_mut(usize::from(code.cast_unsigned())) {
                *slot = op.apply(code);
            }
        }
        table
    }
}

impl Unary<i8> for Lookup<'_> {
    #[inline]
    fn apply(&self, x: i8) -> i8 {
        self.table.get(usize::from(x.cast_unsigned())).copied().unwrap_or(0)
    }
}

/// The constants of a rescale with clamp: relu, relu6, codes of another quantisation or width.
///
/// # Numerics
/// `clamp(multiplier * (x - input_zero_point) + output_zero_point)`; specs/integer_arithmetic.md §4.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// In `-128..=127`.
    pub input_zero_point: i32,
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// `input_scale / output_scale`.
    pub multiplier: Multiplier,
    /// Within the codes of the output.
    pub clamp: Clamp<i32>,
    /// How the multiplier rounds.
    pub rounding: Rounding,
}

impl<X: Code, Y: Code> Unary<X, Y> for Rescale {
    #[inline]
    fn apply(&self, x: X) -> Y {
        let scaled = self.multiplier.apply(x.to_i32() - self.input_zero_point, self.rounding);
        Y::saturate(self.clamp.apply(scaled.wrapping_add(self.output_zero_point)))
    }
}

/// The constants of a leaky ReLU of codes; specs/integer_arithmetic.md §4.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyReluInt {
    /// In `-128..=127`.
    pub input_zero_point: i32,
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// `input_scale / output_scale`, for `x >= 0`.
    pub positive: Multiplier,
    /// `alpha * input_scale / output_scale`, for `x < 0`.
    pub negative: Multiplier,
    /// How the multipliers round.
    pub rounding: Rounding,
}

impl<T: Code> Unary<T> for LeakyReluInt {
    #[inline]
    fn apply(&self, x: T) -> T {
        let x = x.to_i32() - self.input_zero_point;
        let multiplier = if x < 0 { self.negative } else { self.positive };
        T::saturate(multiplier.apply(x, self.rounding).wrapping_add(self.output_zero_point))
    }
}

/// Leaky ReLU of floats: `x` where positive, else `alpha * x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyReluF32 {
    /// Slope of the negative side.
    pub alpha: f32,
}

impl Unary<f32> for LeakyReluF32 {
    #[inline]
    fn apply(&self, x: f32) -> f32 {
        if x > 0.0 { x } else { x * self.alpha }
    }
}

/// `1 / (1 + exp(-x))` with libm's `expf`: the same bits on every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogisticF32;

impl Unary<f32> for LogisticF32 {
    #[inline]
    fn apply(&self, x: f32) -> f32 {
        1.0 / (1.0 + libm::expf(-x))
    }
}

/// Hyperbolic tangent with libm's `tanhf`: the same bits on every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TanhF32;

impl Unary<f32> for TanhF32 {
    #[inline]
    fn apply(&self, x: f32) -> f32 {
        libm::tanhf(x)
    }
}

/// `x * relu6(x + 3) / 6`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardSwishF32;

impl Unary<f32> for HardSwishF32 {
    #[inline]
    fn apply(&self, x: f32) -> f32 {
        x * Clamp { min: 0.0, max: 6.0 }.apply(x + 3.0) / 6.0
    }
}

/// The constants of an int8 hard swish; specs/integer_arithmetic.md §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HardSwishInt8 {
    input_zero_point: i32,
    output_zero_point: i32,
    /// 128ths of the input scale over the output scale.
    output: Multiplier,
    /// 128ths of the input scale over 3 / 2^15.
    relu: Multiplier,
}

impl HardSwishInt8 {
    /// The constants for `[input, output]` scales and zero points; `None` where the output scale is below a 128th of
    /// the input scale, which the arithmetic cannot express.
    pub fn try_new(scales: [f32; 2], zero_points: [i32; 2], rounding: Rounding) -> Option<Self> {
        let ([input_scale, output_scale], [input_zero_point, output_zero_point]) = (scales, zero_points);
        let fine = input_scale / 128.0;
        let multiplier = |unit: f32| Multiplier::from_real(f64::from(fine / unit), rounding);
        let (output, relu) = (multiplier(output_scale), multiplier(3.0 / 32768.0));
        (output.shift <= 0).then_some(Self { input_zero_point, output_zero_point, output, relu })
    }
}

impl Unary<i8> for HardSwishInt8 {
    fn apply(&self, q: i8) -> i8 {
        let value = (i32::from(q) - self.input_zero_point) * 128;
        let pre = high_mul_q15(value, q15(self.output));
        let mut relu = value;
        let shift = self.relu.shift;
        if shift > 0 {
            relu = i16::saturate(relu.saturating_mul(1 << (shift - 1).clamp(0, 30))).into();
        }
        relu = high_mul_q15(relu, q15(self.relu));
        if shift > 0 {
            relu = i16::saturate(relu * 2).into();
        } else {
            relu = rounding_divide_by_pot(relu, shift.unsigned_abs());
        }
        // 0 … 1 as Q0.15; this product alone truncates.
        let gate = (relu + 32768) >> 1;
        let product = gate * pre / 32768;
        let scaled = rounding_divide_by_pot(product, self.output.shift.unsigned_abs());
        num::saturate_i8(scaled + self.output_zero_point)
    }
}

/// The mantissa as Q0.15.
const fn q15(multiplier: Multiplier) -> i32 {
    if multiplier.mantissa_q31 >= 0x7FFF_0000 { 0x7FFF } else { (multiplier.mantissa_q31 + (1 << 15)) >> 16 }
}

/// `round(a * b / 2^15)`, half away from zero below and half up above, for 16-bit `a` and `b`.
const fn high_mul_q15(a: i32, b: i32) -> i32 {
    let product = a.wrapping_mul(b);
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    let rounded = (product + nudge) / (1 << 15);
    if rounded > 0x7FFF { 0x7FFF } else { rounded }
}

/// The quantisation that real values become codes of, or codes real values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// Real value of one code; positive.
    pub scale: f32,
    /// Code of the real value 0.
    pub zero_point: i32,
}

impl<T: Code> Unary<f32, T> for Affine {
    #[inline]
    fn apply(&self, x: f32) -> T {
        num::quantize(x, self.scale, self.zero_point)
    }
}

impl<T: Code> Unary<T, f32> for Affine {
    #[inline]
    fn apply(&self, x: T) -> f32 {
        num::dequantize(x, self.scale, self.zero_point)
    }
}
