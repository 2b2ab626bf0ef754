//! Sums and means over axes, and the position of the largest element.

use super::super::operands::{Operands, activation, axes, conversion, operands, output};
use super::elementwise::Stored;
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step, param};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{MeanF32, Reduce, ReduceInt, Reduction, SumF32};

operator!(/// int8 mean over axes
    MEAN_I8 = Mean, I8, Overlap::Never, check_reduce::<i8, ReduceInt>, run_reduce::<i8, ReduceInt>);
operator!(/// int16 mean over axes
    MEAN_I16 = Mean, I16, Overlap::Never, check_reduce::<i16, ReduceInt>, run_reduce::<i16, ReduceInt>);
operator!(/// f32 mean over axes
    MEAN_F32 = Mean, F32, Overlap::Never, check_reduce::<f32, MeanF32>, run_reduce::<f32, MeanF32>);
operator!(/// int8 sum over axes
    SUM_I8 = Sum, I8, Overlap::Never, check_reduce::<i8, ReduceInt>, run_reduce::<i8, ReduceInt>);
operator!(/// int16 sum over axes
    SUM_I16 = Sum, I16, Overlap::Never, check_reduce::<i16, ReduceInt>, run_reduce::<i16, ReduceInt>);
operator!(/// f32 sum over axes
    SUM_F32 = Sum, F32, Overlap::Never, check_reduce::<f32, SumF32>, run_reduce::<f32, SumF32>);
operator!(/// position of the largest int8 code
    ARG_MAX_I8 = ArgMax, I8, Overlap::Never, check_arg_max::<i8>, run_arg_max::<i8>);
operator!(/// position of the largest int16 code
    ARG_MAX_I16 = ArgMax, I16, Overlap::Never, check_arg_max::<i16>, run_arg_max::<i16>);
operator!(/// position of the largest f32 value
    ARG_MAX_F32 = ArgMax, F32, Overlap::Never, check_arg_max::<f32>, run_arg_max::<f32>);

/// The geometry of operand 0, whose axes the file counts from the first.
fn geometry(step: &Step<'_>) -> Result<Reduce, OperatorError> {
    let (x, stored) = (step.input(0)?, step.param(param::AXES));
    let wrong = OperatorError::Param { name: "axes", value: stored };
    let mask = u32::try_from(stored).ok().filter(|mask| mask >> x.rank.min(4) == 0).ok_or(wrong)?;
    Ok(Reduce::try_new(axes(&x), mask << (4 - x.rank.min(4)))?)
}

impl<T> Stored<T> for ReduceInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        // Counts are below 2^28: the product wraps as the sum does.
        let count = i32::try_from(geometry(step)?.count()).unwrap_or(i32::MAX);
        Ok(Self {
            offset: step.input(0)?.zero_point.wrapping_mul(count),
            output_zero_point: step.output()?.zero_point,
            multiplier: step.multiplier(param::MULTIPLIERS)?,
            rounding: step.model.rounding(),
        })
    }
}

impl Stored<f32> for SumF32 {
    fn read(_: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self)
    }
}

impl Stored<f32> for MeanF32 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self { count: geometry(step)?.count() as f32 })
    }
}

fn check_reduce<T: Element, R: Stored<T>>(step: &Step<'_>) -> Outcome {
    R::read(step)?;
    let (x, y) = (activation::<T>(step, 0)?, output::<T>(step)?);
    Ok(geometry(step)?.check(x.element_count(), y.element_count())?)
}

fn run_reduce<T: Element + Default, R: Stored<T> + Reduction<T>>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::reduce(&geometry(step)?, &R::read(step)?, x, output)?)
}

fn check_arg_max<T: Element>(step: &Step<'_>) -> Outcome {
    let axes = step.param(param::AXES);
    if axes.count_ones() != 1 {
        return Err(OperatorError::Param { name: "axes", value: axes });
    }
    let (x, y) = (activation::<T>(step, 0)?, output::<i32>(step)?);
    Ok(geometry(step)?.check(x.element_count(), y.element_count())?)
}

fn run_arg_max<T: Element + PartialOrd>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let (x, y) = conversion::<T, i32>(step, arena)?;
    Ok(Best::arg_max(&geometry(step)?, x, y)?)
}
