//! Operators of two operands that broadcast, element by element.

use super::elementwise::Binary;
use super::lowered::{Lowered, clamp_f32};
use super::operands::Scaled;
use super::rules::{last, whole};
use super::training::{Arithmetic, Training};
use super::{
    Activation, Axis, Channels, Constants, InPlace, Misfit, OneValue, Operands, Operator, Rules, Zero, answers, arity,
    example,
};
use niwaki_core::error::ShapeError;
use niwaki_core::kernels::{AddInt, Broadcast, MulInt, PreluInt};
use niwaki_core::num::Multiplier;

/// Inputs `a`, `b`: of one shape, or one broadcast to the other by NumPy's rule. Either may be constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Add {
    /// Fused clamp.
    pub activation: Activation,
}

/// `a - b`; inputs as for [`Add`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sub {
    /// Fused clamp.
    pub activation: Activation,
}

/// `a * b`; inputs as for [`Add`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mul {
    /// Fused clamp.
    pub activation: Activation,
}

/// Inputs `x: [.., C]` and a constant `alpha` that broadcasts to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prelu;

/// NumPy's rule: axes aligned at the last, of one size or of size 1 in either.
fn broadcast(inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
    arity(inputs, 2..=2)?;
    let (a, b) = (inputs[0], inputs[1]);
    let rank = a.len().max(b.len());
    let axis = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let size = |i: usize| match (axis(a, i), axis(b, i)) {
        (a, b) if a == b || b == 1 => Ok(a),
        (1, b) => Ok(b),
        _ => Err(Misfit::Broadcast),
    };
    (0..rank).map(size).collect()
}

/// The answers of a sum; others differ where they say so.
fn rules() -> Rules {
    Rules {
        zero: Zero::All,
        constants: Constants::Quantised,
        one_value: OneValue::ThroughAlike,
        in_place: InPlace::EitherOperand,
        repeats_channel: true,
        ..Rules::computed()
    }
}

/// Constants are no operands here but weights of the channels.
fn channels(on: &Operands<'_>) -> Channels {
    let to = last(on.output);
    let (constant, computed): (Vec<usize>, Vec<usize>) =
        (0..on.inputs.len()).filter(|&i| last(on.inputs[i]) == to).partition(|&i| on.inputs[i].data.is_some());
    let axis = |operand: usize| {
        let axis = on.inputs[operand].shape.len().checked_sub(1)?;
        Some(Axis { operand, axis, reads: false })
    };
    Channels {
        runs: Some(computed.into_iter().map(|operand| whole(on, operand)).collect()),
        axes: constant.into_iter().filter_map(axis).collect(),
    }
}

/// How the operands lie over each other, and what is computed: in f32, or of the quantised values of both and the output.
fn lower(on: &Operands<'_>, float: Binary, integer: impl FnOnce([Scaled; 3]) -> Binary) -> Result<Lowered, Misfit> {
    let axes = |i: usize| -> Result<[usize; 4], ShapeError> {
        let shape = &on.inputs[i].shape;
        let front = 4_usize.checked_sub(shape.len()).ok_or(ShapeError::Dim { name: "rank", value: shape.len() })?;
        let mut axes = [1; 4];
        axes[front..].copy_from_slice(shape);
        Ok(axes)
    };
    let broadcast = Broadcast::try_new(axes(0)?, axes(1)?)?;
    Ok(Lowered::Binary(broadcast, on.one_type()?.map_or(float, integer)))
}

/// A sum or difference of quantised values.
fn sum(on: &Operands<'_>, [a, b, y]: [Scaled; 3], activation: Activation) -> AddInt {
    let scales = [a.affine.scale, b.affine.scale];
    let (input_multipliers, output_multiplier) = if y.int16 {
        AddInt::multipliers::<i16>(scales, y.affine.scale, on.rounding)
    } else {
        AddInt::multipliers::<i8>(scales, y.affine.scale, on.rounding)
    };
    AddInt {
        input_zero_points: [a.affine.zero_point, b.affine.zero_point],
        input_multipliers,
        output_zero_point: y.affine.zero_point,
        output_multiplier,
        clamp: y.clamp(activation),
        rounding: on.rounding,
    }
}

/// What a product of quantised values is multiplied by.
fn product([a, b, y]: [Scaled; 3]) -> f64 {
    let [a, b, y] = [a, b, y].map(|of| f64::from(of.affine.scale));
    a * b / y
}

/// The answers that sum, difference and product share.
macro_rules! arithmetic {
    ($arithmetic:ident) => {
        fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
            broadcast(inputs)
        }

        fn channels(&self, on: &Operands<'_>) -> Channels {
            channels(on)
        }

        fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
            Ok(Training::Arithmetic { arithmetic: Arithmetic::$arithmetic, activation: self.activation })
        }

        answers!(no_macs, no_identity, no_factor, fused_activation, no_window, no_counts, evaluated_as_lowered);
    };
}

impl Operator for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let Self { activation } = *self;
        lower(on, Binary::Add(clamp_f32(activation)), |of| Binary::AddInt(sum(on, of, activation)))
    }

    arithmetic!(Add);
}

example!(Add = Add { activation: RELU }, [value(&IMAGE), parameter(&[4])]);

impl Operator for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let Self { activation } = *self;
        lower(on, Binary::Sub(clamp_f32(activation)), |of| Binary::SubInt(sum(on, of, activation)))
    }

    arithmetic!(Sub);
}

example!(Sub = Sub { activation: Activation::None }, [value(&IMAGE), parameter(&[1])]);

impl Operator for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn rules(&self) -> Rules {
        Rules { zero: Zero::Any, ..rules() }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let Self { activation } = *self;
        lower(on, Binary::Mul(clamp_f32(activation)), |[a, b, y]| {
            Binary::MulInt(MulInt {
                input_zero_points: [a.affine.zero_point, b.affine.zero_point],
                output_zero_point: y.affine.zero_point,
                multiplier: Multiplier::from_real(product([a, b, y]), on.rounding),
                clamp: y.clamp(activation),
                rounding: on.rounding,
            })
        })
    }

    arithmetic!(Mul);
}

example!(Mul = Mul { activation: Activation::None }, [value(&IMAGE), parameter(&IMAGE)]);

impl Operator for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        let shape = broadcast(inputs)?;
        if shape == inputs[0] { Ok(shape) } else { Err(Misfit::Slopes) }
    }

    fn rules(&self) -> Rules {
        Rules { zero: Zero::First, one_value: OneValue::ThroughKept, repeats_channel: false, ..rules() }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        channels(on)
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        lower(on, Binary::Prelu, |[x, alpha, y]| {
            Binary::PreluInt(PreluInt {
                input_zero_points: [x.affine.zero_point, alpha.affine.zero_point],
                output_zero_point: y.affine.zero_point,
                positive: Multiplier::from_real(x.quotient(y), on.rounding),
                negative: Multiplier::from_real(product([x, alpha, y]), on.rounding),
                rounding: on.rounding,
            })
        })
    }

    answers!(no_macs, no_identity, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered, untrained);
}

example!(Prelu = Prelu, [value(&IMAGE), parameter(&[4])]);
