//! Softmax along the last axis of `x`.

use super::memory::{Operands, operands};
use super::words::{Word, multiplier, put_multipliers};
use super::{Constants, Cost, Outcome, Record};
use crate::error::{OperatorError, ShapeError};
use crate::format::{Element, Params, Step};
use crate::kernels::{self as shapes, SoftmaxInt8, SoftmaxInt16};
use crate::kernels::{BackEnd as _, Best};
use core::marker::PhantomData;

/// int8: the smallest difference from the maximum that is not zero.
const DIFFERENCE_MIN: Word = Word::new(2, "difference_min");

impl Constants<i8> for SoftmaxInt8 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        let params = &step.record.params;
        let multiplier = multiplier(params, 0)?;
        if multiplier.shift < 0 {
            return Err(OperatorError::Param { name: "multiplier", value: multiplier.shift });
        }
        Ok(Self { multiplier, difference_min: DIFFERENCE_MIN.get(params) })
    }

    fn write(&self, params: &mut Params) {
        put_multipliers(params, &[self.multiplier]);
        DIFFERENCE_MIN.put(params, self.difference_min);
    }
}

impl Constants<i16> for SoftmaxInt16 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self { multiplier: multiplier(&step.record.params, 0)?, rounding: step.rounding() })
    }

    fn write(&self, params: &mut Params) {
        put_multipliers(params, &[self.multiplier]);
    }
}

/// A softmax of floats, which has no constants.
pub(super) struct SoftmaxF32;

impl Constants<f32> for SoftmaxF32 {
    fn read(_: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self)
    }

    fn write(&self, _: &mut Params) {}
}

/// How the softmax of elements `T` runs with its constants.
pub(super) trait Kernel<T>: Constants<T> {
    /// Runs it.
    fn run(&self, op: &shapes::Softmax, x: &[T], y: &mut [T]) -> Result<(), ShapeError>;
}

impl Kernel<i8> for SoftmaxInt8 {
    fn run(&self, op: &shapes::Softmax, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        Best::softmax_int8(op, self, x, y)
    }
}

impl Kernel<i16> for SoftmaxInt16 {
    fn run(&self, op: &shapes::Softmax, x: &[i16], y: &mut [i16]) -> Result<(), ShapeError> {
        Best::softmax_int16(op, self, x, y)
    }
}

impl Kernel<f32> for SoftmaxF32 {
    fn run(&self, op: &shapes::Softmax, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
        Best::softmax_f32(op, x, y)
    }
}

/// A softmax of elements `T`.
pub(super) struct Softmax<T, K> {
    op: shapes::Softmax,
    kernel: K,
    element: PhantomData<T>,
}

impl<'m, T: Element, K: Kernel<T>> Record<'m> for Softmax<T, K> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let depth = step.input(0)?.shape().last().copied().unwrap_or(0) as usize;
        Ok(Self { op: shapes::Softmax::try_new(depth)?, kernel: K::read(step)?, element: PhantomData })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        self.kernel.write(params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let (x, y) = (step.activation::<T>(0)?, step.result::<T>()?);
        Ok(self.op.check(x.element_count(), y.element_count())?)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(self.kernel.run(&self.op, x, output)?)
    }
}
