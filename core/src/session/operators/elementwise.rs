//! Element by element: sums, products, clamps, activations.

use super::super::operands::{Operands, activation, axes, operands, output};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step, StoredClamp, param};
use crate::kernels::{
    AddF32, AddInt, Binary, Broadcast, Clamp, HardSwishF32, LeakyReluF32, LeakyReluInt, LogisticF32, LogisticInt16,
    Lookup, MulF32, MulInt, PreluF32, PreluInt, Rescale, Steps, SubF32, SubInt, TanhF32, TanhInt16, Unary,
};
use crate::kernels::{BackEnd as _, Best, Side};
use crate::num::Code;
use crate::shape::expect_len;

operator!(/// int8 sum
    ADD_I8 = Add, I8, Overlap::Exact, check_binary::<i8, AddInt>, run_add_int8);
operator!(/// int16 sum
    ADD_I16 = Add, I16, Overlap::Exact, check_binary::<i16, AddInt>, run_binary::<i16, AddInt>);
operator!(/// f32 sum
    ADD_F32 = Add, F32, Overlap::Exact, check_binary::<f32, AddF32>, run_binary::<f32, AddF32>);
operator!(/// int8 difference
    SUB_I8 = Sub, I8, Overlap::Exact, check_binary::<i8, SubInt>, run_binary::<i8, SubInt>);
operator!(/// int16 difference
    SUB_I16 = Sub, I16, Overlap::Exact, check_binary::<i16, SubInt>, run_binary::<i16, SubInt>);
operator!(/// f32 difference
    SUB_F32 = Sub, F32, Overlap::Exact, check_binary::<f32, SubF32>, run_binary::<f32, SubF32>);
operator!(/// int8 product
    MUL_I8 = Mul, I8, Overlap::Exact, check_binary::<i8, MulInt>, run_binary::<i8, MulInt>);
operator!(/// int16 product
    MUL_I16 = Mul, I16, Overlap::Exact, check_binary::<i16, MulInt>, run_binary::<i16, MulInt>);
operator!(/// f32 product
    MUL_F32 = Mul, F32, Overlap::Exact, check_binary::<f32, MulF32>, run_binary::<f32, MulF32>);
operator!(/// int8 leaky ReLU with slopes
    PRELU_I8 = Prelu, I8, Overlap::Exact, check_binary::<i8, PreluInt>, run_binary::<i8, PreluInt>);
operator!(/// f32 leaky ReLU with slopes
    PRELU_F32 = Prelu, F32, Overlap::Exact, check_binary::<f32, PreluF32>, run_binary::<f32, PreluF32>);
operator!(/// int8 clamp with rescale
    CLAMP_I8 = Clamp, I8, Overlap::Exact, check_unary::<i8, Rescale>, run_unary::<i8, Rescale>);
operator!(/// int16 clamp with rescale
    CLAMP_I16 = Clamp, I16, Overlap::Exact, check_unary::<i16, Rescale>, run_unary::<i16, Rescale>);
operator!(/// f32 clamp
    CLAMP_F32 = Clamp, F32, Overlap::Exact, check_unary::<f32, Clamp<f32>>, run_unary::<f32, Clamp<f32>>);
operator!(/// any int8 operator of one operand
    LOOKUP_I8 = Lookup, I8, Overlap::Exact, check_lookup, run_lookup);
operator!(/// int16 logistic function
    LOGISTIC_I16 = Logistic, I16, Overlap::Exact, check_unary::<i16, LogisticInt16>, run_unary::<i16, LogisticInt16>);
operator!(/// f32 logistic function
    LOGISTIC_F32 = Logistic, F32, Overlap::Exact, check_unary::<f32, LogisticF32>, run_unary::<f32, LogisticF32>);
operator!(/// int16 hyperbolic tangent
    TANH_I16 = Tanh, I16, Overlap::Exact, check_unary::<i16, TanhInt16>, run_unary::<i16, TanhInt16>);
operator!(/// f32 hyperbolic tangent
    TANH_F32 = Tanh, F32, Overlap::Exact, check_unary::<f32, TanhF32>, run_unary::<f32, TanhF32>);
operator!(/// int16 leaky ReLU
    LEAKY_RELU_I16 = LeakyRelu, I16, Overlap::Exact, check_unary::<i16, LeakyReluInt>, run_unary::<i16, LeakyReluInt>);
operator!(/// f32 leaky ReLU
    LEAKY_RELU_F32 = LeakyRelu, F32, Overlap::Exact, check_unary::<f32, LeakyReluF32>, run_unary::<f32, LeakyReluF32>);
operator!(/// f32 hard swish
    HARD_SWISH_F32 = HardSwish, F32, Overlap::Exact, check_unary::<f32, HardSwishF32>, run_unary::<f32, HardSwishF32>);

/// Constants of an operator over elements `T` as files store them.
pub(super) trait Stored<T>: Sized {
    /// Reads and checks the constants of `step`.
    fn read(step: &Step<'_>) -> Result<Self, OperatorError>;
}

/// Checks that `inputs` operands and the output have one length and type.
pub(super) fn check_elementwise<T: Element>(step: &Step<'_>, inputs: usize) -> Outcome {
    let y = output::<T>(step)?;
    for index in 0..inputs {
        let x = activation::<T>(step, index)?;
        expect_len("operand", y.element_count(), x.element_count())?;
    }
    Ok(())
}

fn check_unary<T: Element, U: Stored<T>>(step: &Step<'_>) -> Outcome {
    U::read(step)?;
    check_elementwise::<T>(step, 1)
}

fn run_unary<T: Element, U: Stored<T> + Unary<T>>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    apply_unary(&U::read(step)?, step, arena)
}

fn apply_unary<T: Element, U: Unary<T>>(op: &U, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(_) => Best::unary_in_place(op, output),
        None => Best::unary(op, x, output)?,
    }
    Ok(())
}

fn lookup<'m>(step: &Step<'m>) -> Result<Lookup<'m>, OperatorError> {
    let table = step.constant::<i8>(1)?;
    expect_len("table", 256, table.len())?;
    let table = table.first_chunk().ok_or(OperatorError::Missing { operand: 1 })?;
    Ok(Lookup { table })
}

fn check_lookup(step: &Step<'_>) -> Outcome {
    lookup(step)?;
    check_elementwise::<i8>(step, 1)
}

fn run_lookup(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    apply_unary::<i8, _>(&lookup(step)?, step, arena)
}

/// How the two operands lie over the output; operands of as many elements as the output may have any shapes.
fn broadcast(step: &Step<'_>) -> Result<Broadcast, OperatorError> {
    let (a, b, y) = (step.input(0)?, step.input(1)?, step.output()?);
    let len = y.element_count();
    if a.element_count() == len && b.element_count() == len {
        return Ok(Broadcast::equal(len)?);
    }
    let shape = Broadcast::try_new(axes(&a), axes(&b))?;
    for (expected, got) in shape.sizes().into_iter().zip(axes(&y)) {
        expect_len("axis of the output", expected, got)?;
    }
    Ok(shape)
}

fn check_binary<T: Element, B: Stored<T>>(step: &Step<'_>) -> Outcome {
    B::read(step)?;
    let (a, b, y) = (activation::<T>(step, 0)?, activation::<T>(step, 1)?, output::<T>(step)?);
    Ok(broadcast(step)?.check(a.element_count(), b.element_count(), y.element_count())?)
}

fn run_binary<T: Element + Default, B: Stored<T> + Binary<T>>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let (op, shape) = (B::read(step)?, broadcast(step)?);
    let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(0) => Best::binary_in_place(&op, &shape, Side::Left, b, output)?,
        Some(_) => Best::binary_in_place(&op, &shape, Side::Right, a, output)?,
        None => Best::binary(&op, &shape, a, b, output)?,
    }
    Ok(())
}

fn run_add_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let len = step.output()?.element_count();
    if step.input(0)?.element_count() != len || step.input(1)?.element_count() != len {
        return run_binary::<i8, AddInt>(step, arena);
    }
    let op = <AddInt as Stored<i8>>::read(step)?;
    let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(0) => Best::add_int8_in_place(&op, Side::Left, b, output)?,
        Some(_) => Best::add_int8_in_place(&op, Side::Right, a, output)?,
        None => Best::add_int8(&op, a, b, output)?,
    }
    Ok(())
}

fn input_zero_points(step: &Step<'_>) -> Result<[i32; 2], OperatorError> {
    Ok([step.input(0)?.zero_point, step.input(1)?.zero_point])
}

impl<T: Code> Stored<T> for AddInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_points: input_zero_points(step)?,
            input_multipliers: [step.multiplier(param::MULTIPLIERS)?, step.multiplier(param::MULTIPLIERS + 2)?],
            output_zero_point: step.output()?.zero_point,
            output_multiplier: step.multiplier(param::MULTIPLIERS + 4)?,
            clamp: step.code_clamp::<T>()?,
            rounding: step.model.rounding(),
        })
    }
}

impl<T: Code> Stored<T> for SubInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Stored::<T>::read(step).map(Self)
    }
}

impl<T: Code> Stored<T> for MulInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_points: input_zero_points(step)?,
            output_zero_point: step.output()?.zero_point,
            multiplier: step.multiplier(param::MULTIPLIERS)?,
            clamp: step.code_clamp::<T>()?,
            rounding: step.model.rounding(),
        })
    }
}

impl<T: Code> Stored<T> for PreluInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_points: input_zero_points(step)?,
            output_zero_point: step.output()?.zero_point,
            positive: step.multiplier(param::MULTIPLIERS)?,
            negative: step.multiplier(param::MULTIPLIERS + 2)?,
            rounding: step.model.rounding(),
        })
    }
}

impl<T: Code> Stored<T> for Rescale {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_point: step.input(0)?.zero_point,
            output_zero_point: step.output()?.zero_point,
            multiplier: step.multiplier(param::MULTIPLIERS)?,
            clamp: step.code_clamp::<T>()?,
            rounding: step.model.rounding(),
        })
    }
}

impl<T: Code> Stored<T> for LeakyReluInt {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self {
            input_zero_point: step.input(0)?.zero_point,
            output_zero_point: step.output()?.zero_point,
            positive: step.multiplier(param::MULTIPLIERS)?,
            negative: step.multiplier(param::MULTIPLIERS + 2)?,
            rounding: step.model.rounding(),
        })
    }
}

fn steps(step: &Step<'_>) -> Result<Steps, OperatorError> {
    let (factor, shift) = (step.param(param::STEPS), step.param(param::STEPS + 1));
    if !(0..=Steps::MAX_FACTOR).contains(&factor) {
        return Err(OperatorError::Param { name: "factor", value: factor });
    }
    match u32::try_from(shift).ok().filter(|&shift| shift <= Steps::MAX_SHIFT) {
        Some(shift) => Ok(Steps { factor, shift }),
        None => Err(OperatorError::Param { name: "shift", value: shift }),
    }
}

impl Stored<i16> for LogisticInt16 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        steps(step).map(Self)
    }
}

impl Stored<i16> for TanhInt16 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        steps(step).map(Self)
    }
}

impl Stored<f32> for LeakyReluF32 {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        Ok(Self { alpha: f32::from_bits(step.param(param::ALPHA).cast_unsigned()) })
    }
}

impl Stored<f32> for Clamp<f32> {
    fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
        StoredClamp::read_clamp(step)
    }
}

macro_rules! stored_with_a_clamp {
    ($($op:ident),*) => {$(
        impl Stored<f32> for $op {
            fn read(step: &Step<'_>) -> Result<Self, OperatorError> {
                StoredClamp::read_clamp(step).map(Self)
            }
        }
    )*};
}

macro_rules! stored_without_constants {
    ($($op:ident),*) => {$(
        impl Stored<f32> for $op {
            fn read(_: &Step<'_>) -> Result<Self, OperatorError> {
                Ok(Self)
            }
        }
    )*};
}

stored_with_a_clamp!(AddF32, SubF32, MulF32);
stored_without_constants!(PreluF32, LogisticF32, TanhF32, HardSwishF32);
