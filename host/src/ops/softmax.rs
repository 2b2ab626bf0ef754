//! Softmax.

use super::lowered::Lowered;
use super::training::Training;
use super::{Misfit, Operands, Operator, Quantisation, Rounded, Rules, Value, Zero, answers, example};
use niwaki_core::format::DType;
use niwaki_core::kernels::{self, SoftmaxInt8, SoftmaxInt16, reference};

/// Input `x: [.., C]`; softmax along the last axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softmax;

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn rules(&self) -> Rules {
        Rules {
            zero: Zero::Never,
            quantisation: Quantisation::Fixed { scale: 1.0 / 256.0, zero_point: -128 },
            rounded: Rounded::Inside,
            ..Rules::computed()
        }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let (x, y) = (on.x(), on.output);
        let op = kernels::Softmax::try_new(x.shape.last().copied().unwrap_or(0))?;
        let (quant, to) = match (&x.quant, &y.quant) {
            (None, None) => return Ok(Lowered::SoftmaxF32(op)),
            (Some(quant), Some(to)) => (quant, to),
            _ => return Err(Misfit::PartlyQuantised { what: "input and output" }),
        };
        match (x.element, y.element, to.scales[0], to.zero_point) {
            (DType::I8, DType::I8, scale, -128) if scale == 1.0 / 256.0 => {
                Ok(Lowered::SoftmaxInt8(op, SoftmaxInt8::from_scale(quant.scales[0], on.rounding)))
            }
            (DType::I16, DType::I16, scale, 0) if scale == 1.0 / 32768.0 => {
                Ok(Lowered::SoftmaxInt16(op, SoftmaxInt16::from_scale(quant.scales[0], on.rounding)))
            }
            (_, DType::I16, ..) => {
                Err(Misfit::OutputScale { what: "an int16 softmax", scale: "1/32768", zero_point: 0 })
            }
            _ => Err(Misfit::OutputScale { what: "an int8 softmax", scale: "1/256", zero_point: -128 }),
        }
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Softmax)
    }

    answers!(no_macs, same_shape, mixes_channels, no_identity, no_factor, no_activation, no_window, no_counts);
    answers!(evaluated_as_lowered);
}

example!(Softmax = Softmax, [value(&IMAGE)]);

/// What a softmax makes of `x`.
pub(super) fn evaluate(lowered: &Lowered, on: &Operands<'_>, x: &Value) -> Result<Value, Misfit> {
    let len = on.output.element_count();
    match (lowered, x) {
        (Lowered::SoftmaxF32(op), Value::F32(x)) => {
            let mut y = vec![0.0; len];
            reference::softmax_f32(op, x, &mut y)?;
            Ok(Value::F32(y))
        }
        (Lowered::SoftmaxInt8(op, constants), Value::I8(x)) => {
            let mut y = vec![0; len];
            reference::softmax_int8(op, constants, x, &mut y)?;
            Ok(Value::I8(y))
        }
        (Lowered::SoftmaxInt16(op, constants), Value::I16(x)) => {
            let mut y = vec![0; len];
            reference::softmax_int16(op, constants, x, &mut y)?;
            Ok(Value::I16(y))
        }
        _ => Err(Misfit::ValueTypes),
    }
}
