//! Softmax.

use super::super::operands::{Operands, activation, operands, output};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, OpCode, Operator, Overlap, Step, param};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{Softmax, SoftmaxInt8, SoftmaxInt16};

operator!(/// int8 softmax
    SOFTMAX_I8 = Softmax, I8, Overlap::Never, check_softmax_int8, run_softmax_int8);
operator!(/// int16 softmax
    SOFTMAX_I16 = Softmax, I16, Overlap::Never, check_softmax_int16, run_softmax_int16);
operator!(/// f32 softmax
    SOFTMAX_F32 = Softmax, F32, Overlap::Never, check_softmax_f32, run_softmax_f32);

/// Softmax along the last axis of operand 0.
fn softmax(step: &Step<'_>) -> Result<Softmax, OperatorError> {
    let x = step.input(0)?;
    Ok(Softmax::try_new(x.shape().last().copied().unwrap_or(0) as usize)?)
}

fn softmax_constants(step: &Step<'_>) -> Result<SoftmaxInt8, OperatorError> {
    let multiplier = step.multiplier(param::MULTIPLIERS)?;
    if multiplier.shift < 0 {
        return Err(OperatorError::Param { name: "multiplier", value: multiplier.shift });
    }
    Ok(SoftmaxInt8 { multiplier, difference_min: step.param(param::DIFFERENCE_MIN) })
}

fn check_softmax_int8(step: &Step<'_>) -> Outcome {
    softmax_constants(step)?;
    let op = softmax(step)?;
    let (x, y) = (activation::<i8>(step, 0)?, output::<i8>(step)?);
    Ok(op.check(x.element_count(), y.element_count())?)
}

fn run_softmax_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::softmax_int8(&softmax(step)?, &softmax_constants(step)?, x, output)?)
}

fn softmax_constants_int16(step: &Step<'_>) -> Result<SoftmaxInt16, OperatorError> {
    Ok(SoftmaxInt16 { multiplier: step.multiplier(param::MULTIPLIERS)?, rounding: step.model.rounding() })
}

fn check_softmax_int16(step: &Step<'_>) -> Outcome {
    softmax_constants_int16(step)?;
    let op = softmax(step)?;
    let (x, y) = (activation::<i16>(step, 0)?, output::<i16>(step)?);
    Ok(op.check(x.element_count(), y.element_count())?)
}

fn run_softmax_int16(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::softmax_int16(&softmax(step)?, &softmax_constants_int16(step)?, x, output)?)
}

fn check_softmax_f32(step: &Step<'_>) -> Outcome {
    let op = softmax(step)?;
    let (x, y) = (activation::<f32>(step, 0)?, output::<f32>(step)?);
    Ok(op.check(x.element_count(), y.element_count())?)
}

fn run_softmax_f32(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::softmax_f32(&softmax(step)?, x, output)?)
}
