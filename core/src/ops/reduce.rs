//! Means, sums and positions of the largest element over axes of `x`.

use super::memory::{Operands, axes, conversion, operands};
use super::words::{Word, multiplier, put_multipliers};
use super::{Constants, Cost, Outcome, Record};
use crate::error::OperatorError;
use crate::format::{Element, Params, Step};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{MeanF32, Reduce, ReduceInt, Reduction, SumF32};
use core::marker::PhantomData;

/// The axes, a bit each, bit 0 for the first.
const AXES: Word = Word::new(2, "axes");

/// Writes which axes are reduced.
pub fn write_axes(params: &mut Params, axes: &[usize]) {
    AXES.put(params, axes.iter().fold(0, |mask, axis| mask | 1 << axis));
}

/// The geometry of operand 0, whose axes the file counts from the first.
fn geometry(step: &Step<'_>) -> Result<Reduce, OperatorError> {
    let (x, params) = (step.input(0)?, &step.record.params);
    let mask = u32::try_from(AXES.get(params)).ok().filter(|mask| mask >> x.rank.min(4) == 0);
    let mask = mask.ok_or(AXES.refused(params))?;
    Ok(Reduce::try_new(axes(x), mask << (4 - x.rank.min(4)))?)
}

impl<T> Constants<T> for ReduceInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        // Counts are below 2^28: the product wraps as the sum does.
        let count = i32::try_from(geometry(step)?.count()).unwrap_or(i32::MAX);
        Ok(Self {
            offset: step.input(0)?.zero_point.wrapping_mul(count),
            output_zero_point: step.output()?.zero_point,
            multiplier: multiplier(&step.record.params, 0)?,
            rounding: step.rounding(),
        })
    }

    fn write(&self, params: &mut Params) {
        put_multipliers(params, &[self.multiplier]);
    }
}

impl Constants<f32> for SumF32 {
    fn read(_: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self)
    }

    fn write(&self, _: &mut Params) {}
}

impl Constants<f32> for MeanF32 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self { count: geometry(step)?.count() as f32 })
    }

    fn write(&self, _: &mut Params) {}
}

/// A mean or a sum of elements `T`.
pub(super) struct Over<T, R> {
    shape: Reduce,
    op: R,
    element: PhantomData<T>,
}

impl<'m, T: Element + Default, R: Constants<T> + Reduction<T>> Record<'m> for Over<T, R> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self { shape: geometry(step)?, op: R::read(step)?, element: PhantomData })
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        self.op.write(params);
        AXES.put(params, AXES.get(&step.record.params));
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let (x, y) = (step.activation::<T>(0)?, step.result::<T>()?);
        Ok(self.shape.check(x.element_count(), y.element_count())?)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(Best::reduce(&self.shape, &self.op, x, output)?)
    }
}

/// The position of the largest element along one axis.
pub(super) struct ArgMax<T> {
    shape: Reduce,
    element: PhantomData<T>,
}

impl<'m, T: Element + PartialOrd> Record<'m> for ArgMax<T> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self { shape: geometry(step)?, element: PhantomData })
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        AXES.put(params, AXES.get(&step.record.params));
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        if AXES.get(&step.record.params).count_ones() != 1 {
            return Err(AXES.refused(&step.record.params));
        }
        let (x, y) = (step.activation::<T>(0)?, step.result::<i32>()?);
        Ok(self.shape.check(x.element_count(), y.element_count())?)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let (x, y) = conversion::<T, i32>(step, arena)?;
        Ok(Best::arg_max(&self.shape, x, y)?)
    }
}
