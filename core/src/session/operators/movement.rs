//! Operators that move elements without computing.

use super::super::operands::{Operands, operands};
use super::elementwise::check_elementwise;
use super::{Outcome, operator};
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step};

operator!(/// int8 elements in another shape
    RESHAPE_I8 = Reshape, I8, Overlap::Exact, check_reshape::<i8>, run_reshape::<i8>);
operator!(/// f32 elements in another shape
    RESHAPE_F32 = Reshape, F32, Overlap::Exact, check_reshape::<f32>, run_reshape::<f32>);

fn check_reshape<T: Element>(step: &Step<'_>) -> Outcome {
    check_elementwise::<T>(step, 1)
}

fn run_reshape<T: Element>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands::<'_, T, 1> { inputs: [x], output, in_place } = operands(step, arena)?;
    if in_place.is_none() {
        output.iter_mut().zip(x).for_each(|(y, &x)| *y = x);
    }
    Ok(())
}
