//! Sums, products and clamps, element by element.

use super::super::operands::{Operands, activation, operands, output};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step, StoredClamp, param};
use crate::kernels::best as kernels;
use crate::kernels::{AddInt8, Clamp, RescaleInt8};
use crate::shape::expect_len;

operator!(/// int8 addition
    ADD_I8 = Add, I8, Overlap::Exact, check_add_int8, run_add_int8);
operator!(/// f32 addition
    ADD_F32 = Add, F32, Overlap::Exact, check_add_f32, run_add_f32);
operator!(/// int8 clamp with rescale
    CLAMP_I8 = Clamp, I8, Overlap::Exact, check_clamp_int8, run_clamp_int8);
operator!(/// f32 clamp
    CLAMP_F32 = Clamp, F32, Overlap::Exact, check_clamp_f32, run_clamp_f32);

/// Checks that `inputs` operands and the output have one length and type.
pub(super) fn check_elementwise<T: Element>(step: &Step<'_>, inputs: usize) -> Outcome {
    let y = output::<T>(step)?;
    for index in 0..inputs {
        let x = activation::<T>(step, index)?;
        expect_len("operand", y.element_count(), x.element_count())?;
    }
    Ok(())
}

fn add_int8(step: &Step<'_>) -> Result<AddInt8, OperatorError> {
    Ok(AddInt8 {
        input_zero_points: [step.input(0)?.zero_point, step.input(1)?.zero_point],
        input_multipliers: [step.multiplier(param::MULTIPLIERS)?, step.multiplier(param::MULTIPLIERS + 2)?],
        output_zero_point: step.output()?.zero_point,
        output_multiplier: step.multiplier(param::MULTIPLIERS + 4)?,
        clamp: StoredClamp::read_clamp(step)?,
        rounding: step.model.rounding(),
    })
}

fn check_add_int8(step: &Step<'_>) -> Outcome {
    add_int8(step)?;
    check_elementwise::<i8>(step, 2)
}

fn run_add_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = add_int8(step)?;
    let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(0) => kernels::add_int8_in_place(&op, kernels::Side::Left, b, output)?,
        Some(_) => kernels::add_int8_in_place(&op, kernels::Side::Right, a, output)?,
        None => kernels::add_int8(&op, a, b, output)?,
    }
    Ok(())
}

fn check_add_f32(step: &Step<'_>) -> Outcome {
    f32::read_clamp(step)?;
    check_elementwise::<f32>(step, 2)
}

fn run_add_f32(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let clamp = StoredClamp::read_clamp(step)?;
    let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(0) => kernels::add_f32_in_place(clamp, b, output)?,
        Some(_) => kernels::add_f32_in_place(clamp, a, output)?,
        None => kernels::add_f32(clamp, a, b, output)?,
    }
    Ok(())
}

fn rescale(step: &Step<'_>) -> Result<RescaleInt8, OperatorError> {
    Ok(RescaleInt8 {
        input_zero_point: step.input(0)?.zero_point,
        output_zero_point: step.output()?.zero_point,
        multiplier: step.multiplier(param::MULTIPLIERS)?,
        clamp: StoredClamp::read_clamp(step)?,
        rounding: step.model.rounding(),
    })
}

fn check_clamp_int8(step: &Step<'_>) -> Outcome {
    rescale(step)?;
    check_elementwise::<i8>(step, 1)
}

fn run_clamp_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = rescale(step)?;
    let Operands { inputs: [x], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(_) => kernels::rescale_int8_in_place(&op, output),
        None => kernels::rescale_int8(&op, x, output)?,
    }
    Ok(())
}

fn check_clamp_f32(step: &Step<'_>) -> Outcome {
    f32::read_clamp(step)?;
    check_elementwise::<f32>(step, 1)
}

fn run_clamp_f32(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let clamp: Clamp<f32> = StoredClamp::read_clamp(step)?;
    let Operands { inputs: [x], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(_) => kernels::clamp_f32_in_place(clamp, output),
        None => kernels::clamp_f32(clamp, x, output)?,
    }
    Ok(())
}
