//! Between real values and codes, and between codes of different widths.

use super::super::operands::{activation, conversion, output};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step, TensorRecord, param};
use crate::kernels::{Affine, Clamp, Rescale};
use crate::kernels::{BackEnd as _, Best};
use crate::num::Code;
use crate::shape::expect_len;

operator!(/// codes of f32 values, int8 or int16 as the output is
    QUANTIZE_F32 = Quantize, F32, Overlap::Never, check_quantize_f32, run_quantize_f32);
operator!(/// codes of int8 codes in another quantisation, int8 or int16 as the output is
    QUANTIZE_I8 = Quantize, I8, Overlap::Never, check_rescale::<i8>, run_rescale::<i8>);
operator!(/// codes of int16 codes in another quantisation, int8 or int16 as the output is
    QUANTIZE_I16 = Quantize, I16, Overlap::Never, check_rescale::<i16>, run_rescale::<i16>);
operator!(/// f32 values of int8 codes
    DEQUANTIZE_I8 = Dequantize, I8, Overlap::Never, check_dequantize::<i8>, run_dequantize::<i8>);
operator!(/// f32 values of int16 codes
    DEQUANTIZE_I16 = Dequantize, I16, Overlap::Never, check_dequantize::<i16>, run_dequantize::<i16>);

/// Checks the types of operand 0 and output, and that they have one length.
fn check_types<X: Element, Y: Element>(step: &Step<'_>) -> Outcome {
    let (x, y) = (activation::<X>(step, 0)?, output::<Y>(step)?);
    Ok(expect_len("x", y.element_count(), x.element_count())?)
}

/// Whether the output holds int16 codes.
fn writes_int16(step: &Step<'_>) -> Result<bool, OperatorError> {
    Ok(step.output()?.element() == Some(DType::I16))
}

/// The quantisation of `tensor`, which is positive for codes in the arena and must be so for a constant.
fn affine(tensor: &TensorRecord) -> Result<Affine, OperatorError> {
    if tensor.scale > 0.0 {
        Ok(Affine { scale: tensor.scale, zero_point: tensor.zero_point })
    } else {
        Err(OperatorError::Param { name: "scale", value: 0 })
    }
}

fn check_quantize_f32(step: &Step<'_>) -> Outcome {
    affine(&step.output()?)?;
    if writes_int16(step)? { check_types::<f32, i16>(step) } else { check_types::<f32, i8>(step) }
}

fn run_quantize_f32(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = affine(&step.output()?)?;
    if writes_int16(step)? {
        let (x, y) = conversion::<f32, i16>(step, arena)?;
        Ok(Best::unary(&op, x, y)?)
    } else {
        let (x, y) = conversion::<f32, i8>(step, arena)?;
        Ok(Best::unary(&op, x, y)?)
    }
}

fn check_dequantize<T: Element>(step: &Step<'_>) -> Outcome {
    affine(&step.input(0)?)?;
    check_types::<T, f32>(step)
}

fn run_dequantize<T: Element + Code>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = affine(&step.input(0)?)?;
    let (x, y) = conversion::<T, f32>(step, arena)?;
    Ok(Best::unary(&op, x, y)?)
}

/// A rescale to every code of `Y`.
fn requantize<Y: Code>(step: &Step<'_>) -> Result<Rescale, OperatorError> {
    Ok(Rescale {
        input_zero_point: step.input(0)?.zero_point,
        output_zero_point: step.output()?.zero_point,
        multiplier: step.multiplier(param::MULTIPLIERS)?,
        clamp: Clamp { min: Y::MIN, max: Y::MAX },
        rounding: step.model.rounding(),
    })
}

fn check_rescale<X: Element>(step: &Step<'_>) -> Outcome {
    requantize::<i8>(step)?;
    if writes_int16(step)? { check_types::<X, i16>(step) } else { check_types::<X, i8>(step) }
}

fn run_rescale<X: Element + Code>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    if writes_int16(step)? {
        let (x, y) = conversion::<X, i16>(step, arena)?;
        Ok(Best::unary(&requantize::<i16>(step)?, x, y)?)
    } else {
        let (x, y) = conversion::<X, i8>(step, arena)?;
        Ok(Best::unary(&requantize::<i8>(step)?, x, y)?)
    }
}
