//! Depthwise convolution with weights in tiles of four channels.

use super::super::operands::{activation, expect_output_image, image, output, tiled_operands};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, OpCode, Operator, Overlap, Place, Step, StoredClamp, param};
use crate::kernels::best as kernels;
use crate::kernels::tiles::{DepthwiseConv2dTiled, TiledInt8};
use crate::num::{Rounding, saturate_i8};
use crate::shape::expect_len;

operator!(/// int8 [`DepthwiseConv2dTiled`]
    DEPTHWISE_CONV2D_TILED_I8 = DepthwiseConv2dTiled, I8, Overlap::Exact, check, run);

fn depthwise(step: &Step<'_>) -> Result<DepthwiseConv2dTiled, OperatorError> {
    let x = step.input(0)?;
    let (input, channels) = image(&x, 0)?;
    let size = |name, index| {
        usize::try_from(step.param(index)).map_err(|_| OperatorError::Param { name, value: step.param(index) })
    };
    let kernel = [size("kernel_y", param::TILED_KERNEL_Y)?, size("kernel_x", param::TILED_KERNEL_X)?];
    let int8 = TiledInt8 {
        input_zero_point: saturate_i8(x.zero_point),
        output_zero_point: step.output()?.zero_point,
        clamp: StoredClamp::read_clamp(step)?,
    };
    Ok(DepthwiseConv2dTiled::try_new(step.window(input, kernel, step.dilation()?)?, channels, int8)?)
}

fn check(step: &Step<'_>) -> Outcome {
    let op = depthwise(step)?;
    let (x, y) = (activation::<i8>(step, 0)?, output::<i8>(step)?);
    expect_output_image(step, &op.window, op.channels().get())?;
    if step.model.rounding() != Rounding::Double {
        return Err(OperatorError::Param { name: "rounding", value: 1 });
    }
    let tiles = op.tiles(step.constant(1)?)?;
    if !tiles.multipliers_are_valid() {
        return Err(OperatorError::Param { name: "multiplier", value: 0 });
    }
    for start in tiles.iter().flat_map(|tile| tile.start) {
        if start.checked_abs().is_none_or(|start| start > DepthwiseConv2dTiled::MAX_START) {
            return Err(OperatorError::Param { name: "start", value: start });
        }
    }
    let words = step.record.scratch_bytes as usize / size_of::<i32>();
    expect_len("scratch", op.scratch_len().max(words), words)?;
    if x.location() != Some(Place::Arena) || (x.span() == y.span() && !op.in_place()) {
        return Err(OperatorError::Activation { operand: 0, expected: "in the arena, apart from the output" });
    }
    Ok(())
}

fn run(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = depthwise(step)?;
    let (mut memory, scratch) = tiled_operands(step, arena)?;
    Ok(kernels::depthwise_conv2d_tiled(&op, step.constant(1)?, &mut memory, scratch)?)
}
