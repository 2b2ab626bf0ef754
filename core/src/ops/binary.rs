//! Operators of two operands, element by element, that broadcast: `a, b`.

use super::memory::{Operands, axes, operands};
use super::words::{StoredClamp, code_clamp, multiplier, put_multipliers};
use super::{Constants, Cost, Outcome, Record};
use crate::error::OperatorError;
use crate::format::{Element, Overlap, Params, Step};
use crate::kernels::{AddF32, AddInt, Binary as Kernel, Broadcast, MulF32, MulInt, PreluF32, PreluInt, SubF32, SubInt};
use crate::kernels::{BackEnd as _, Best, Side};
use crate::num::Code;
use crate::shape::expect_len;
use core::marker::PhantomData;

/// How the two operands lie over the output; operands of as many elements as the output may have any shapes.
fn broadcast(step: &Step<'_>) -> Result<Broadcast, OperatorError> {
    let (a, b, y) = (step.input(0)?, step.input(1)?, step.output()?);
    let len = y.element_count();
    if a.element_count() == len && b.element_count() == len {
        return Ok(Broadcast::equal(len)?);
    }
    let shape = Broadcast::try_new(axes(a), axes(b))?;
    for (expected, got) in shape.sizes().into_iter().zip(axes(y)) {
        expect_len("axis of the output", expected, got)?;
    }
    Ok(shape)
}

/// Checks types and lengths of operands that broadcast.
fn check<T: Element>(step: &Step<'_>) -> Outcome {
    let (a, b, y) = (step.activation::<T>(0)?, step.activation::<T>(1)?, step.result::<T>()?);
    Ok(broadcast(step)?.check(a.element_count(), b.element_count(), y.element_count())?)
}

/// Runs `op` on operands that broadcast.
fn run<T: Element + Default, B: Kernel<T>>(op: &B, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let shape = broadcast(step)?;
    let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(0) => Best::binary_in_place(op, &shape, Side::Left, b, output)?,
        Some(_) => Best::binary_in_place(op, &shape, Side::Right, a, output)?,
        None => Best::binary(op, &shape, a, b, output)?,
    }
    Ok(())
}

/// An operator of elements `T`.
pub(super) struct Binary<T, B> {
    op: B,
    element: PhantomData<T>,
}

impl<'m, T: Element + Default, B: Constants<T> + Kernel<T>> Record<'m> for Binary<T, B> {
    const OVERLAP: Overlap = Overlap::Exact;

    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self { op: B::read(step)?, element: PhantomData })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        self.op.write(params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check::<T>(step)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        run(&self.op, step, arena)
    }
}

/// An int8 sum, which has a kernel of its own where nothing broadcasts.
pub(super) struct AddInt8(AddInt);

impl AddInt8 {
    /// The general kernel, whose frame the other one does without.
    #[inline(never)]
    fn run_broadcast(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        run::<i8, _>(&self.0, step, arena)
    }
}

impl<'m> Record<'m> for AddInt8 {
    const OVERLAP: Overlap = Overlap::Exact;

    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Constants::<i8>::read(step).map(Self)
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        Constants::<i8>::write(&self.0, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check::<i8>(step)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let len = step.output()?.element_count();
        if step.input(0)?.element_count() != len || step.input(1)?.element_count() != len {
            return self.run_broadcast(step, arena);
        }
        let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
        match in_place {
            Some(0) => Best::add_int8_in_place(&self.0, Side::Left, b, output)?,
            Some(_) => Best::add_int8_in_place(&self.0, Side::Right, a, output)?,
            None => Best::add_int8(&self.0, a, b, output)?,
        }
        Ok(())
    }
}

fn input_zero_points(step: &Step<'_>) -> Result<[i32; 2], OperatorError> {
    Ok([step.input(0)?.zero_point, step.input(1)?.zero_point])
}

impl<T: Code> Constants<T> for AddInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        let params = &step.record.params;
        Ok(Self {
            input_zero_points: input_zero_points(step)?,
            input_multipliers: [multiplier(params, 0)?, multiplier(params, 1)?],
            output_zero_point: step.output()?.zero_point,
            output_multiplier: multiplier(params, 2)?,
            clamp: code_clamp::<T>(params)?,
            rounding: step.rounding(),
        })
    }

    fn write(&self, params: &mut Params) {
        let [a, b] = self.input_multipliers;
        put_multipliers(params, &[a, b, self.output_multiplier]);
        StoredClamp::write_clamp(self.clamp, params);
    }
}

impl<T: Code> Constants<T> for SubInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Constants::<T>::read(step).map(Self)
    }

    fn write(&self, params: &mut Params) {
        Constants::<T>::write(&self.0, params);
    }
}

impl<T: Code> Constants<T> for MulInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_points: input_zero_points(step)?,
            output_zero_point: step.output()?.zero_point,
            multiplier: multiplier(&step.record.params, 0)?,
            clamp: code_clamp::<T>(&step.record.params)?,
            rounding: step.rounding(),
        })
    }

    fn write(&self, params: &mut Params) {
        put_multipliers(params, &[self.multiplier]);
        StoredClamp::write_clamp(self.clamp, params);
    }
}

impl<T: Code> Constants<T> for PreluInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_points: input_zero_points(step)?,
            output_zero_point: step.output()?.zero_point,
            positive: multiplier(&step.record.params, 0)?,
            negative: multiplier(&step.record.params, 1)?,
            rounding: step.rounding(),
        })
    }

    fn write(&self, params: &mut Params) {
        put_multipliers(params, &[self.positive, self.negative]);
    }
}

impl Constants<f32> for PreluF32 {
    fn read(_: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self)
    }

    fn write(&self, _: &mut Params) {}
}

macro_rules! with_a_clamp {
    ($($op:ident),*) => {$(
        impl Constants<f32> for $op {
            fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
                StoredClamp::read_clamp(&step.record.params).map(Self)
            }

            fn write(&self, params: &mut Params) {
                StoredClamp::write_clamp(self.0, params);
            }
        }
    )*};
}

with_a_clamp!(AddF32, SubF32, MulF32);
