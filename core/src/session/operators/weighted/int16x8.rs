//! int16 activations and int8 weights in files: the bias, i64 or i32, says what sums are kept in.

use super::{
    Stored, check_conv2d, check_dense, check_depthwise, check_multipliers, check_transpose_conv2d, run_conv2d,
    run_dense, run_depthwise, run_transpose_conv2d,
};
use crate::error::OperatorError;
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step};
use crate::kernels::{Arithmetic, Int16Accumulator, Int16x8};
use crate::session::operators::{Outcome, operator};
use core::marker::PhantomData;

operator!(/// int16 [`Conv2d`](crate::kernels::Conv2d) with int8 weights
    CONV2D_I16 = Conv2d, I16, Overlap::Never,
    |step| if wide(step) { check_conv2d::<Int16File<i64>>(step) } else { check_conv2d::<Int16File<i32>>(step) },
    |step, arena| if wide(step) { run_conv2d::<Int16File<i64>>(step, arena) } else { run_conv2d::<Int16File<i32>>(step, arena) });
operator!(/// int16 [`DepthwiseConv2d`](crate::kernels::DepthwiseConv2d) with int8 weights
    DEPTHWISE_CONV2D_I16 = DepthwiseConv2d, I16, Overlap::Never,
    |step| if wide(step) { check_depthwise::<Int16File<i64>>(step) } else { check_depthwise::<Int16File<i32>>(step) },
    |step, arena| if wide(step) { run_depthwise::<Int16File<i64>>(step, arena) } else { run_depthwise::<Int16File<i32>>(step, arena) });
operator!(/// int16 [`Dense`](crate::kernels::Dense) with int8 weights
    DENSE_I16 = Dense, I16, Overlap::Never,
    |step| if wide(step) { check_dense::<Int16File<i64>>(step) } else { check_dense::<Int16File<i32>>(step) },
    |step, arena| if wide(step) { run_dense::<Int16File<i64>>(step, arena) } else { run_dense::<Int16File<i32>>(step, arena) });
operator!(/// int16 [`TransposeConv2d`](crate::kernels::TransposeConv2d) with int8 weights
    TRANSPOSE_CONV2D_I16 = TransposeConv2d, I16, Overlap::Never,
    |step| if wide(step) { check_transpose_conv2d::<Int16File<i64>>(step) } else { check_transpose_conv2d::<Int16File<i32>>(step) },
    |step, arena| if wide(step) { run_transpose_conv2d::<Int16File<i64>>(step, arena) } else { run_transpose_conv2d::<Int16File<i32>>(step, arena) });

/// Whether the bias, and so the sum, has 64 bits.
fn wide(step: &Step<'_>) -> bool {
    step.input(2).is_ok_and(|bias| bias.element() == Some(DType::I64))
}

struct Int16File<B>(PhantomData<B>);

impl<B: Element + Int16Accumulator> Stored for Int16File<B> {
    type Value = i16;
    type Weight = i8;
    type Bias = B;
    type Arithmetic<'m> = Int16x8<'m, B>;

    fn read<'m>(step: &Step<'m>) -> Result<Int16x8<'m, B>, OperatorError> {
        Ok(Int16x8 {
            multipliers_q31: step.constant(3)?,
            shifts: step.constant(4)?,
            clamp: step.code_clamp::<i16>()?,
            rounding: step.model.rounding(),
            bias: PhantomData,
        })
    }

    fn check(step: &Step<'_>, channels: usize) -> Outcome {
        for tensor in [step.input(0)?, step.output()?] {
            if tensor.zero_point != 0 {
                return Err(OperatorError::Param { name: "zero_point", value: tensor.zero_point });
            }
        }
        let constants = Self::read(step)?;
        constants.check_channels(channels)?;
        let largest_shift = if B::DTYPE == DType::I64 { 7 } else { 30 };
        check_multipliers(constants.multipliers_q31, constants.shifts, largest_shift)
    }
}
