//! Between real values and quantised values, and between quantised values of different widths: `x`.

use super::memory::conversion;
use super::words::{multiplier, put_multipliers};
use super::{Cost, Outcome, Record};
use crate::error::OperatorError;
use crate::format::{DType, Element, Params, Step, TensorRecord};
use crate::kernels::{Affine, Clamp, Rescale};
use crate::kernels::{BackEnd as _, Best};
use crate::num::{Code, Multiplier};
use crate::shape::expect_len;
use core::marker::PhantomData;

/// Checks the types of operand 0 and output, and that they have one length.
fn check_types<X: Element, Y: Element>(step: &Step<'_>) -> Outcome {
    let (x, y) = (step.activation::<X>(0)?, step.result::<Y>()?);
    Ok(expect_len("x", y.element_count(), x.element_count())?)
}

/// Whether the output is int16.
fn writes_int16(step: &Step<'_>) -> Result<bool, OperatorError> {
    Ok(step.output()?.dtype == DType::I16.code())
}

/// The quantisation of `tensor`, which is positive for activations and must be so for a constant.
fn affine(tensor: &TensorRecord) -> Result<Affine, OperatorError> {
    if tensor.scale > 0.0 {
        Ok(Affine { scale: tensor.scale, zero_point: tensor.zero_point })
    } else {
        Err(OperatorError::Param { name: "scale", value: 0 })
    }
}

/// int8 or int16 values of floats, as the output is.
pub(super) struct Quantize(Affine);

impl<'m> Record<'m> for Quantize {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        affine(step.output()?).map(Self)
    }

    fn write(&self, _: &Step<'m>, _: &mut Params) {}

    fn check(&self, step: &Step<'m>) -> Outcome {
        if writes_int16(step)? { check_types::<f32, i16>(step) } else { check_types::<f32, i8>(step) }
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        if writes_int16(step)? {
            let (x, y) = conversion::<f32, i16>(step, arena)?;
            Ok(Best::unary(&self.0, x, y)?)
        } else {
            let (x, y) = conversion::<f32, i8>(step, arena)?;
            Ok(Best::unary(&self.0, x, y)?)
        }
    }
}

/// Floats of quantised values `T`.
pub(super) struct Dequantize<T>(Affine, PhantomData<T>);

impl<'m, T: Element + Code> Record<'m> for Dequantize<T> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self(affine(step.input(0)?)?, PhantomData))
    }

    fn write(&self, _: &Step<'m>, _: &mut Params) {}

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_types::<T, f32>(step)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let (x, y) = conversion::<T, f32>(step, arena)?;
        Ok(Best::unary(&self.0, x, y)?)
    }
}

/// Writes the words of a change of quantisation: its clamp is the range of the output's type and is not stored.
pub fn write_requantize(params: &mut Params, multiplier: Multiplier) {
    put_multipliers(params, &[multiplier]);
}

/// Values `T` in another quantisation, int8 or int16 as the output is.
pub(super) struct Requantize<T>(Multiplier, PhantomData<T>);

impl<T> Requantize<T> {
    /// A rescale to every value of `Y`.
    fn rescale<Y: Code>(&self, step: &Step<'_>) -> Result<Rescale, OperatorError> {
        Ok(Rescale {
            input_zero_point: step.input(0)?.zero_point,
            output_zero_point: step.output()?.zero_point,
            multiplier: self.0,
            clamp: Clamp { min: Y::MIN, max: Y::MAX },
            rounding: step.rounding(),
        })
    }
}

impl<'m, T: Element + Code> Record<'m> for Requantize<T> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self(multiplier(&step.record.params, 0)?, PhantomData))
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        write_requantize(params, self.0);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        if writes_int16(step)? { check_types::<T, i16>(step) } else { check_types::<T, i8>(step) }
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        if writes_int16(step)? {
            let (x, y) = conversion::<T, i16>(step, arena)?;
            Ok(Best::unary(&self.rescale::<i16>(step)?, x, y)?)
        } else {
            let (x, y) = conversion::<T, i8>(step, arena)?;
            Ok(Best::unary(&self.rescale::<i8>(step)?, x, y)?)
        }
    }
}
