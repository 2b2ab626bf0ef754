//! Operators of one operand, element by element.

use super::elementwise::Unary;
use super::lowered::{Lowered, clamp_codes, clamp_f32};
use super::operands::Scaled;
use super::training::{Function, Training};
use super::{Activation, InPlace, Misfit, Operands, Operator, Quantisation, Rules, Zero, answers, example};
use niwaki_core::format::DType;
use niwaki_core::kernels::{self, Affine, LeakyReluInt, Lookup, Rescale, Steps};
use niwaki_core::num::{Multiplier, Rounding};

/// Input `x`; clamp on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp(pub Activation);

/// Input `x`; `1 / (1 + exp(-x))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logistic;

/// Input `x`; hyperbolic tangent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tanh;

/// Input `x`; `x` where positive, else `alpha * x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyRelu {
    /// Slope of the negative side.
    pub alpha: f32,
}

/// Input `x`; `x * relu6(x + 3) / 6`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HardSwish;

/// New values, in the place of the old ones.
fn rules() -> Rules {
    Rules { in_place: InPlace::Operand, ..Rules::computed() }
}

impl Operator for Clamp {
    fn name(&self) -> &'static str {
        match self.0 {
            Activation::None => "identity",
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::ReluN1To1 => "relu_n1_to_1",
        }
    }

    /// Every clamp has zero inside its interval.
    fn rules(&self) -> Rules {
        let is_none = self.0 == Activation::None;
        let quantisation = if is_none { Quantisation::OfOperand } else { Quantisation::Own };
        Rules { quantisation, renames: is_none, ..rules() }
    }

    fn is_identity(&self, on: &Operands<'_>) -> bool {
        match &on.output.quant {
            _ if self.0 == Activation::None => true,
            Some(quant) if on.output.element == DType::I8 => {
                let clamp = clamp_codes::<i8>(self.0, quant);
                clamp.min <= i8::MIN.into() && clamp.max >= i8::MAX.into()
            }
            _ => false,
        }
    }

    fn passes_factor(&self, _: usize) -> bool {
        matches!(self.0, Activation::None | Activation::Relu)
    }

    /// TensorFlow Lite Micro's RELU6 takes both quantisations for one, which converters make them.
    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let Some([x, y]) = on.one_type()? else { return Ok(Lowered::Unary(Unary::Clamp(clamp_f32(self.0)))) };
        let op = rescale([x, y], self.0, on.rounding);
        Ok(if y.int16 { Lowered::Unary(Unary::ClampInt16(op)) } else { table(&op) })
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(if self.0 == Activation::None { Training::Rename } else { Training::Activation(self.0) })
    }

    answers!(no_macs, same_shape, same_channels, no_activation, no_window, no_counts, evaluated_as_lowered);
}

example!(Clamp = Clamp(Activation::ReluN1To1), [value(&IMAGE)]);

impl Operator for Logistic {
    fn name(&self) -> &'static str {
        "logistic"
    }

    fn rules(&self) -> Rules {
        let quantisation = Quantisation::Fixed { scale: 1.0 / 256.0, zero_point: -128 };
        Rules { zero: Zero::Never, quantisation, ..rules() }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let Some([x, y]) = on.one_type()? else { return Ok(Lowered::Unary(Unary::Logistic)) };
        fixed(y, "a quantised logistic function", ("1/256", 1.0 / 256.0, -128))?;
        let Affine { scale, zero_point } = x.affine;
        Ok(match y.int16 {
            true => Lowered::Unary(Unary::LogisticInt16(steps(x)?)),
            false => table(&kernels::LogisticInt8::from_scale(scale, zero_point, on.rounding)),
        })
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Function(Function::Logistic))
    }

    answers!(no_macs, same_shape, same_channels, no_identity, no_factor, no_activation, no_window, no_counts);
    answers!(evaluated_as_lowered);
}

example!(Logistic = Logistic, [value(&IMAGE)]);

impl Operator for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn rules(&self) -> Rules {
        Rules { quantisation: Quantisation::Fixed { scale: 1.0 / 128.0, zero_point: 0 }, ..rules() }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let Some([x, y]) = on.one_type()? else { return Ok(Lowered::Unary(Unary::Tanh)) };
        fixed(y, "a quantised tanh", ("1/128", 1.0 / 128.0, 0))?;
        let Affine { scale, zero_point } = x.affine;
        Ok(match y.int16 {
            true => Lowered::Unary(Unary::TanhInt16(steps(x)?)),
            false => table(&kernels::TanhInt8::from_scale(scale, zero_point, on.rounding)),
        })
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Function(Function::Tanh))
    }

    answers!(no_macs, same_shape, same_channels, no_identity, no_factor, no_activation, no_window, no_counts);
    answers!(evaluated_as_lowered);
}

example!(Tanh = Tanh, [value(&IMAGE)]);

impl Operator for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let alpha = self.alpha;
        let Some([x, y]) = on.one_type()? else {
            return Ok(Lowered::Unary(Unary::LeakyRelu(kernels::LeakyReluF32 { alpha })));
        };
        if !(alpha >= 0.0 && alpha.is_finite()) {
            return Err(Misfit::Slope);
        }
        let negative = f64::from(x.affine.scale) * f64::from(alpha) / f64::from(y.affine.scale);
        let op = LeakyReluInt {
            input_zero_point: x.affine.zero_point,
            output_zero_point: y.affine.zero_point,
            positive: Multiplier::from_real(x.quotient(y), on.rounding),
            negative: Multiplier::from_real(negative, on.rounding),
            rounding: on.rounding,
        };
        Ok(if y.int16 { Lowered::Unary(Unary::LeakyReluInt16(op)) } else { table(&op) })
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Function(Function::LeakyRelu { alpha: self.alpha }))
    }

    answers!(no_macs, same_shape, same_channels, no_identity, no_factor, no_activation, no_window, no_counts);
    answers!(evaluated_as_lowered);
}

example!(LeakyRelu = LeakyRelu { alpha: 0.125 }, [value(&IMAGE)]);

impl Operator for HardSwish {
    fn name(&self) -> &'static str {
        "hard_swish"
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let Some([x, y]) = on.one_type()? else { return Ok(Lowered::Unary(Unary::HardSwish)) };
        if y.int16 {
            return Err(Misfit::NoInt16);
        }
        let zero_points = [x.affine.zero_point, y.affine.zero_point];
        let op = kernels::HardSwishInt8::try_new([x.affine.scale, y.affine.scale], zero_points, on.rounding);
        Ok(table(&op.ok_or(Misfit::FineOutput)?))
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Function(Function::HardSwish))
    }

    answers!(no_macs, same_shape, same_channels, no_identity, no_factor, no_activation, no_window, no_counts);
    answers!(evaluated_as_lowered);
}

example!(HardSwish = HardSwish, [value(&IMAGE)]);

/// Checks the output of a function whose quantised values have a fixed meaning: of int8 as given, of int16 `[-1, 1)`.
fn fixed(y: Scaled, what: &'static str, int8: (&'static str, f32, i32)) -> Result<(), Misfit> {
    let (text, scale, zero_point) = if y.int16 { ("1/32768", 1.0 / 32768.0, 0) } else { int8 };
    let want = Affine { scale, zero_point };
    if y.affine == want { Ok(()) } else { Err(Misfit::OutputScale { what, scale: text, zero_point }) }
}

/// The steps of core's int16 tables in quantised values of `x`.
fn steps(x: Scaled) -> Result<Steps, Misfit> {
    Steps::from_scale(x.affine.scale).filter(|_| x.affine.zero_point == 0).ok_or(Misfit::InputScale)
}

/// A rescale of quantised values `x` to those of `y`.
pub(super) fn rescale([x, y]: [Scaled; 2], activation: Activation, rounding: Rounding) -> Rescale {
    Rescale {
        input_zero_point: x.affine.zero_point,
        output_zero_point: y.affine.zero_point,
        multiplier: Multiplier::from_real(x.quotient(y), rounding),
        clamp: y.clamp(activation),
        rounding,
    }
}

/// An int8 operator as its table.
pub(super) fn table(op: &impl kernels::Unary<i8>) -> Lowered {
    Lowered::Lookup(Box::new(Lookup::table(op)))
}
