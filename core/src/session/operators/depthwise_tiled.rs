//! int8 depthwise convolution whose weights lie in tiles of four channels.

use super::super::operands::{expect_output_image, tiled_operands, windowed};
use super::tiled::{check_tiled, numerics};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, OpCode, Operator, Overlap, Step};
use crate::kernels::tiles::DepthwiseConv2dTiled;
use crate::kernels::{BackEnd as _, Best};

operator!(/// int8 [`DepthwiseConv2dTiled`]
    DEPTHWISE_CONV2D_TILED_I8 = DepthwiseConv2dTiled, I8, Overlap::Exact, check, run);

fn depthwise(step: &Step<'_>) -> Result<DepthwiseConv2dTiled, OperatorError> {
    let (window, channels) = windowed(step, true)?;
    Ok(DepthwiseConv2dTiled::try_new(window, channels, numerics(step)?)?)
}

fn check(step: &Step<'_>) -> Outcome {
    let op = depthwise(step)?;
    expect_output_image(step, &op.window, op.channels().get())?;
    check_tiled(step, op.scratch_len())?;
    op.check_tiles(&op.tiles(step.constant(1)?)?)?;
    if step.input(0)?.span() == step.output()?.span() && !op.in_place() {
        return Err(OperatorError::Activation { operand: 0, expected: "apart from the output" });
    }
    Ok(())
}

fn run(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    // Borrowed from where it was made: a copy would lie on the stack below the kernel.
    let op = depthwise(step);
    let op = op.as_ref().map_err(|&error| error)?;
    let (mut activations, scratch) = tiled_operands(step, arena)?;
    Ok(Best::depthwise_conv2d_tiled(op, step.constant(1)?, &mut activations, scratch)?)
}
