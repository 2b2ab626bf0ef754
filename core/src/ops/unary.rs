//! Operators of one operand, element by element: `x`, and for a lookup `table`.

use super::memory::{Operands, operands};
use super::words::{StoredClamp, Word, code_clamp, multiplier, put_multipliers};
use super::{Constants, Cost, Outcome, Record};
use crate::error::{Operand, OperatorError};
use crate::format::{Element, Overlap, Params, Step};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{
    Clamp, HardSwishF32, LeakyReluF32, LeakyReluInt, LogisticF32, LogisticInt16, Lookup as Table, Rescale, Steps,
    TanhF32, TanhInt16, Unary as Kernel,
};
use crate::num::Code;
use crate::shape::expect_len;
use core::marker::PhantomData;

/// Checks that operand 0 and the output have one length and type.
pub(super) fn check_elementwise<T: Element>(step: &Step<'_>) -> Outcome {
    let (x, y) = (step.activation::<T>(0)?, step.result::<T>()?);
    Ok(expect_len("operand", y.element_count(), x.element_count())?)
}

/// Runs `op`, in place where the output has the memory of the input.
fn apply<T: Element, U: Kernel<T>>(op: &U, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(_) => Best::unary_in_place(op, output),
        None => Best::unary(op, x, output)?,
    }
    Ok(())
}

/// An operator of elements `T`.
pub(super) struct Unary<T, U> {
    op: U,
    element: PhantomData<T>,
}

impl<'m, T: Element, U: Constants<T> + Kernel<T>> Record<'m> for Unary<T, U> {
    const OVERLAP: Overlap = Overlap::Exact;

    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self { op: U::read(step)?, element: PhantomData })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        self.op.write(params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_elementwise::<T>(step)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        apply(&self.op, step, arena)
    }
}

/// Any int8 operator, as the output of every code.
pub(super) struct Lookup<'m> {
    table: &'m [i8; 256],
}

impl<'m> Record<'m> for Lookup<'m> {
    const OVERLAP: Overlap = Overlap::Exact;

    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let table = step.constant::<i8>(1)?;
        expect_len("table", 256, table.len())?;
        let table = table.first_chunk().ok_or(OperatorError::Missing { operand: Operand::Input(1) })?;
        Ok(Self { table })
    }

    fn write(&self, _: &Step<'m>, _: &mut Params) {}

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_elementwise::<i8>(step)
    }

    /// A table is made from two scales; nobody trained it.
    fn cost(&self, _: &Step<'m>) -> Cost {
        Cost::NONE
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        apply::<i8, _>(&Table { table: self.table }, step, arena)
    }
}

impl<T: Code> Constants<T> for Rescale {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_point: step.input(0)?.zero_point,
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

impl<T: Code> Constants<T> for LeakyReluInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_point: step.input(0)?.zero_point,
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

/// int16 logistic, tanh: what a code is multiplied by, and the number of bits that it is shifted right by.
const FACTOR: Word = Word::new(0, "factor");
const SHIFT: Word = Word::new(1, "shift");

impl Constants<i16> for Steps {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        let params = &step.record.params;
        let factor = FACTOR.get(params);
        if !(0..=Self::MAX_FACTOR).contains(&factor) {
            return Err(FACTOR.refused(params));
        }
        match u32::try_from(SHIFT.get(params)).ok().filter(|&shift| shift <= Self::MAX_SHIFT) {
            Some(shift) => Ok(Self { factor, shift }),
            None => Err(SHIFT.refused(params)),
        }
    }

    fn write(&self, params: &mut Params) {
        FACTOR.put(params, self.factor);
        SHIFT.put(params, self.shift.cast_signed());
    }
}

macro_rules! by_steps {
    ($($op:ident),*) => {$(
        impl Constants<i16> for $op {
            fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
                Steps::read(step).map(Self)
            }

            fn write(&self, params: &mut Params) {
                self.0.write(params);
            }
        }
    )*};
}

by_steps!(LogisticInt16, TanhInt16);

/// f32 leaky ReLU: the bits of the slope of the negative side.
const ALPHA: Word = Word::new(0, "alpha");

impl Constants<f32> for LeakyReluF32 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self { alpha: ALPHA.real(&step.record.params) })
    }

    fn write(&self, params: &mut Params) {
        ALPHA.put_real(params, self.alpha);
    }
}

impl Constants<f32> for Clamp<f32> {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        StoredClamp::read_clamp(&step.record.params)
    }

    fn write(&self, params: &mut Params) {
        StoredClamp::write_clamp(*self, params);
    }
}

macro_rules! without_constants {
    ($($op:ident),*) => {$(
        impl Constants<f32> for $op {
            fn read(_: &Step<'_>) -> Result<Self, OperatorError> {
                Ok(Self)
            }

            fn write(&self, _: &mut Params) {}
        }
    )*};
}

without_constants!(LogisticF32, TanhF32, HardSwishF32);
