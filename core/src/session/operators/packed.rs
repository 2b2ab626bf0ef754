//! int8 convolutions and dense layers whose weights are packed: sparse in one way or another, of four bits, or few values.

use super::super::operands::{expect_output_image, image, tiled_operands, windowed};
use super::tiled::{check_tiled, numerics};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, OpCode, Operator, Overlap, Step};
use crate::kernels::tiles::{Blocks, Codebook, CompressedRows, Conv2dTiled, Int4, Kept, Packed, Rows, Taps};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{Conv2d, Dense};
use crate::shape::expect_len;

/// When a packing is read: its indices are checked at verification and trusted afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    AtVerify,
    AtRun,
}

macro_rules! packed {
    ($(#[$doc:meta])* $read:ident, $conv2d:ident = $conv2d_code:ident, $dense:ident = $dense_code:ident) => {
        operator!($(#[$doc])*
            $conv2d = $conv2d_code, I8, Overlap::Lead(lead),
            |step| {
                let op = conv2d(step)?;
                expect_output_image(step, &op.conv.window, op.conv.out_channels().get())?;
                check_tiled(step, $read(step, conv2d_dims(&op), Reading::AtVerify)?.conv2d_scratch_words(&op))
            },
            |step, arena| {
                // Borrowed from where it was made: a copy would lie on the stack below the kernel.
                let op = conv2d(step);
                let op = op.as_ref().map_err(|&error| error)?;
                let packed = $read(step, conv2d_dims(op), Reading::AtRun)?;
                let (mut activations, scratch) = tiled_operands(step, arena)?;
                Ok(Best::conv2d_packed(op, &numerics(step)?, &packed, &mut activations, scratch)?)
            });
        operator!($(#[$doc])*
            $dense = $dense_code, I8, Overlap::Never,
            |step| check_tiled(step, $read(step, dense_dims(step)?, Reading::AtVerify)?.dense_scratch_words()),
            |step, arena| {
                let dims = dense_dims(step)?;
                let packed = $read(step, dims, Reading::AtRun)?;
                let (mut activations, scratch) = tiled_operands(step, arena)?;
                let [outputs, inputs] = dims;
                let (x, y) = activations.split(inputs, outputs)?;
                Ok(Best::dense_packed(&numerics(step)?, &packed, x, y, scratch)?)
            });
    };
}

packed!(/// int8 [`Blocks`]
    blocks, CONV2D_BLOCKS_I8 = Conv2dBlocks, DENSE_BLOCKS_I8 = DenseBlocks);
packed!(/// int8 [`Kept`]
    kept, CONV2D_KEPT_I8 = Conv2dKept, DENSE_KEPT_I8 = DenseKept);
packed!(/// int8 [`Rows`]
    rows, CONV2D_ROWS_I8 = Conv2dRows, DENSE_ROWS_I8 = DenseRows);
packed!(/// int8 [`Int4`]
    int4, CONV2D_INT4_I8 = Conv2dInt4, DENSE_INT4_I8 = DenseInt4);

packed!(/// int8 [`Taps`]
    taps, CONV2D_TAPS_I8 = Conv2dTaps, DENSE_TAPS_I8 = DenseTaps);
packed!(/// int8 [`Codebook`]
    codebook, CONV2D_CODEBOOK_I8 = Conv2dCodebook, DENSE_CODEBOOK_I8 = DenseCodebook);

operator!(/// int8 [`CompressedRows`]
    DENSE_COMPRESSED_I8 = DenseCompressed, I8, Overlap::Never, check_compressed, run_compressed);

fn conv2d(step: &Step<'_>) -> Result<Conv2dTiled, OperatorError> {
    let (window, in_channels) = windowed(step, true)?;
    let (_, out_channels) = image(&step.output()?, usize::MAX)?;
    Ok(Conv2dTiled { conv: Conv2d::try_new(window, in_channels, out_channels)? })
}

fn lead(step: &Step<'_>) -> Result<isize, OperatorError> {
    Ok(conv2d(step)?.lead())
}

/// Filters of a convolution, and weights of each.
fn conv2d_dims(op: &Conv2dTiled) -> [usize; 2] {
    [op.conv.out_channels().get(), op.conv.filter_len()]
}

/// Rows of a dense layer, and weights of each.
fn dense_dims(step: &Step<'_>) -> Result<[usize; 2], OperatorError> {
    let (x, y) = (step.input(0)?.element_count(), step.output()?.element_count());
    let dense = Dense::try_new(x, y)?;
    Ok([dense.outputs().get(), dense.inputs().get()])
}

fn blocks<'m>(step: &Step<'m>, [filters, len]: [usize; 2], reading: Reading) -> Result<Blocks<'m>, OperatorError> {
    let words = step.constant(1)?;
    match reading {
        Reading::AtVerify => Blocks::try_new(words, filters, len),
        Reading::AtRun => Ok(Blocks::verified(words, filters, len)),
    }
}

fn kept<'m>(step: &Step<'m>, [filters, len]: [usize; 2], reading: Reading) -> Result<Kept<'m>, OperatorError> {
    let (words, positions) = (step.constant(1)?, step.constant(2)?);
    match reading {
        Reading::AtVerify => Kept::try_new(words, positions, filters, len),
        Reading::AtRun => Ok(Kept::verified(words, positions, filters, len)?),
    }
}

fn rows<'m>(step: &Step<'m>, [filters, len]: [usize; 2], reading: Reading) -> Result<Rows<'m>, OperatorError> {
    let (words, rows, constants) = (step.constant(1)?, step.constant(2)?, step.constant(3)?);
    match reading {
        Reading::AtVerify => {
            expect_len("constants", filters, constants.len())?;
            Rows::try_new(words, rows, constants, len)
        }
        Reading::AtRun => Ok(Rows::verified(words, rows, constants, len)?),
    }
}

fn int4<'m>(step: &Step<'m>, [filters, len]: [usize; 2], reading: Reading) -> Result<Int4<'m>, OperatorError> {
    let words = step.constant(1)?;
    match reading {
        Reading::AtVerify => Int4::try_new(words, filters, len),
        Reading::AtRun => Ok(Int4::verified(words, filters, len)?),
    }
}

fn taps<'m>(step: &Step<'m>, [filters, len]: [usize; 2], reading: Reading) -> Result<Taps<'m>, OperatorError> {
    let words = step.constant(1)?;
    match reading {
        Reading::AtVerify => Taps::try_new(words, filters, len),
        Reading::AtRun => Ok(Taps::verified(words, filters, len)),
    }
}

fn codebook<'m>(step: &Step<'m>, [filters, len]: [usize; 2], reading: Reading) -> Result<Codebook<'m>, OperatorError> {
    let (words, values) = (step.constant(1)?, step.constant(2)?);
    match reading {
        Reading::AtVerify => Codebook::try_new(words, values, filters, len),
        Reading::AtRun => Ok(Codebook::verified(words, values, filters, len)?),
    }
}

fn compressed<'m>(step: &Step<'m>, reading: Reading) -> Result<CompressedRows<'m>, OperatorError> {
    let [outputs, inputs] = dense_dims(step)?;
    let (words, columns, dense) = (step.constant(1)?, step.constant(2)?, Dense::try_new(inputs, outputs)?);
    match reading {
        Reading::AtVerify => CompressedRows::try_new(words, columns, dense),
        Reading::AtRun => Ok(CompressedRows::verified(words, columns, dense)),
    }
}

fn check_compressed(step: &Step<'_>) -> Outcome {
    check_tiled(step, compressed(step, Reading::AtVerify)?.scratch_words())
}

fn run_compressed(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let compressed = compressed(step, Reading::AtRun)?;
    let dense = compressed.dense();
    let (mut activations, scratch) = tiled_operands(step, arena)?;
    let (x, y) = activations.split(dense.inputs().get(), dense.outputs().get())?;
    Ok(Best::dense_compressed(&numerics(step)?, &compressed, x, y, scratch)?)
}
