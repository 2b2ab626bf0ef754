//! Operators of one operand, element by element: what each computes for one element.

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
