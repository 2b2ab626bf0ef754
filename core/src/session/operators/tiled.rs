//! int8 convolutions and dense layers whose weights lie in tiles of four filters.

use super::super::operands::{
    Operands, activation, expect_output_image, image, operands, output, tiled_operands, windowed,
};
use super::{Outcome, operator};
use crate::error::{OperatorError, ShapeError};
use crate::format::{DType, OpCode, Operator, Overlap, Place, Step, StoredClamp};
use crate::kernels::tiles::{Conv2dTiled, DenseTiled, TiledInt8, Tiles};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{Conv2d, Dense};
use crate::num::saturate_i8;
use crate::shape::expect_len;

operator!(/// int8 [`Conv2dTiled`]
    CONV2D_TILED_I8 = Conv2dTiled, I8, Overlap::Lead(lead_conv2d), check_conv2d, run_conv2d);
operator!(/// int8 [`DenseTiled`]
    DENSE_TILED_I8 = DenseTiled, I8, Overlap::Never, check_dense, run_dense);

/// Zero points and clamp of `step`.
pub(super) fn numerics(step: &Step<'_>) -> Result<TiledInt8, OperatorError> {
    Ok(TiledInt8 {
        input_zero_point: saturate_i8(step.input(0)?.zero_point),
        output_zero_point: step.output()?.zero_point,
        clamp: StoredClamp::read_clamp(step)?,
    })
}

/// Checks what all tiled operators have in common: an input in the arena, scratch memory, a rounding.
pub(super) fn check_tiled(step: &Step<'_>, scratch_words: usize) -> Outcome {
    numerics(step)?;
    let x = activation::<i8>(step, 0)?;
    output::<i8>(step)?;
    if x.location() != Some(Place::Arena) {
        return Err(OperatorError::Activation { operand: 0, expected: "in the arena" });
    }
    if step.model.rounding() != crate::num::Rounding::Double {
        return Err(OperatorError::Param { name: "rounding", value: 1 });
    }
    let bytes = step.record.scratch_bytes as usize;
    Ok(expect_len("scratch", bytes.next_multiple_of(size_of::<i32>()).max(scratch_words * size_of::<i32>()), bytes)?)
}

fn conv2d(step: &Step<'_>) -> Result<Conv2dTiled, OperatorError> {
    let (window, in_channels) = windowed(step, true)?;
    let (_, out_channels) = image(&step.output()?, usize::MAX)?;
    Ok(Conv2dTiled { conv: Conv2d::try_new(window, in_channels, out_channels)? })
}

fn conv2d_tiles<'m>(step: &Step<'m>, op: &Conv2dTiled) -> Result<Tiles<'m>, OperatorError> {
    Ok(Tiles::try_new(step.constant(1)?, op.conv.out_channels().get(), op.weight_words())?)
}

fn lead_conv2d(step: &Step<'_>) -> Result<isize, OperatorError> {
    Ok(conv2d(step)?.lead())
}

fn check_conv2d(step: &Step<'_>) -> Outcome {
    let op = conv2d(step)?;
    expect_output_image(step, &op.conv.window, op.conv.out_channels().get())?;
    check_tiled(step, op.scratch_words())?;
    op.check_tiles(&conv2d_tiles(step, &op)?)
}

fn run_conv2d(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    // Borrowed from where it was made: a copy would lie on the stack below the kernel.
    let op = conv2d(step);
    let op = op.as_ref().map_err(|&error| error)?;
    let (mut activations, scratch) = tiled_operands(step, arena)?;
    Ok(Best::conv2d_tiled(op, &numerics(step)?, &conv2d_tiles(step, op)?, &mut activations, scratch)?)
}

fn dense(step: &Step<'_>) -> Result<DenseTiled, OperatorError> {
    let (x, y) = (step.input(0)?.element_count(), step.output()?.element_count());
    Ok(DenseTiled { dense: Dense::try_new(x, y)? })
}

fn dense_tiles<'m>(step: &Step<'m>, op: &DenseTiled) -> Result<Tiles<'m>, OperatorError> {
    Ok(Tiles::try_new(step.constant(1)?, op.dense.outputs().get(), op.weight_words())?)
}

fn check_dense(step: &Step<'_>) -> Outcome {
    let op = dense(step)?;
    check_tiled(step, op.scratch_words())?;
    op.check_tiles(&dense_tiles(step, &op)?)
}

fn run_dense(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let (op, numerics) = (dense(step)?, numerics(step)?);
    let tiles = dense_tiles(step, &op)?;
    if op.scratch_words() == 0 {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        return Ok(Best::dense_tiled(&op, &numerics, &tiles, x, output)?);
    }
    // Inputs that are no whole groups are copied to where they can be read as such.
    let lost = ShapeError::Len { operand: "scratch", expected: op.scratch_words(), got: 0 };
    let (mut activations, scratch) = tiled_operands(step, arena)?;
    let padded: &mut [i8] = bytemuck::try_cast_slice_mut(scratch).map_err(|_| lost)?;
    let padded = padded.get_mut(..op.read_len()).ok_or(lost)?;
    padded.iter_mut().zip(activations.x()).for_each(|(to, &from)| *to = from);
    let output = activations.y().get_mut(..op.dense.outputs().get()).ok_or(lost)?;
    Ok(Best::dense_tiled(&op, &numerics, &tiles, padded, output)?)
}
