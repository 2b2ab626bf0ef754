//! int8 convolutions and dense layers with packed weights: `x`, then what the layout stores. Tiles of four filters hold all
//! weights; the other layouts are sparse in one way or another, of four bits, or of few values.

use super::memory::{self, Operands, check_output_image, input_image, operands, output_image};
use super::words::StoredClamp;
use super::{Cost, Outcome, Record, window};
use crate::error::{OperatorError, ShapeError};
use crate::format::{Overlap, Params, Step};
use crate::kernels::tiles::blocks::INDEXED_GROUP_WORDS;
use crate::kernels::tiles::compressed::{QUAD_WORDS, UNITS};
use crate::kernels::tiles::filters::GROUP;
use crate::kernels::tiles::taps::QUAD_WORDS as TAPS_QUAD_WORDS;
use crate::kernels::tiles::{
    Blocks, CONSTANT_WORDS, Codebook, CompressedRows, Conv2dTiled, DenseTiled, FILTERS, Int4, Kept, Packed, Rows, Taps,
    TiledInt8, Tiles,
};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{Conv2d, Dense};
use crate::num::{Rounding, saturate_i8};
use crate::shape::expect_len;

pub use window::write_packed_convolution as write;

/// Operands with weights, and with what a layout stores besides.
const WORDS: usize = 1;
const LIST: usize = 2;
const CONSTANTS: usize = 3;

/// Zero points and clamp of `step`.
pub(super) fn numerics(step: &Step<'_>) -> Result<TiledInt8, OperatorError> {
    Ok(TiledInt8 {
        input_zero_point: saturate_i8(step.input(0)?.zero_point),
        output_zero_point: step.output()?.zero_point,
        clamp: StoredClamp::read_clamp(&step.record.params)?,
    })
}

/// Writes the clamp of `step` again.
pub(super) fn write_clamp(step: &Step<'_>, params: &mut Params) {
    if let Ok(numerics) = numerics(step) {
        StoredClamp::write_clamp(numerics.clamp, params);
    }
}

/// Checks what all operators with packed weights have in common: an input in the arena, scratch memory, a rounding.
pub(super) fn check(step: &Step<'_>, scratch_words: usize) -> Outcome {
    numerics(step)?;
    step.in_arena::<i8>(0)?;
    step.result::<i8>()?;
    if step.rounding() != Rounding::Double {
        return Err(OperatorError::Param { name: "rounding", value: 1 });
    }
    let bytes = step.record.scratch_bytes as usize;
    Ok(expect_len("scratch", bytes.next_multiple_of(size_of::<i32>()).max(scratch_words * size_of::<i32>()), bytes)?)
}

/// The convolution of `step`.
#[inline(always)] // a frame of its own would make that of reading deeper than the kernel's
fn conv2d(step: &Step<'_>) -> Result<Conv2dTiled, OperatorError> {
    let ((input, in_channels), (_, out_channels)) = (input_image(step)?, output_image(step)?);
    let window = window::packed_convolution(&step.record.params, input)?;
    Ok(Conv2dTiled { conv: Conv2d::try_new(window, in_channels, out_channels)? })
}

fn in_place_offset(step: &Step<'_>) -> Result<isize, OperatorError> {
    Ok(conv2d(step)?.lead())
}

/// The layer of `step`.
fn dense(step: &Step<'_>) -> Result<Dense, OperatorError> {
    Ok(Dense::try_new(step.input(0)?.element_count(), step.output()?.element_count())?)
}

/// A convolution with all weights in tiles.
pub(super) struct TiledConv2d<'m> {
    op: Conv2dTiled,
    numerics: TiledInt8,
    tiles: Tiles<'m>,
}

impl<'m> Record<'m> for TiledConv2d<'m> {
    const OVERLAP: Overlap = Overlap::InPlaceOffset(in_place_offset);

    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let op = conv2d(step)?;
        let tiles = Tiles::try_new(step.constant(WORDS)?, op.conv.out_channels().get(), op.weight_words())?;
        Ok(Self { op, numerics: numerics(step)?, tiles })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        write(params, &self.op.conv.window);
        StoredClamp::write_clamp(self.numerics.clamp, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_output_image(step, &self.op.conv.window, self.op.conv.out_channels().get())?;
        check(step, self.op.scratch_words())?;
        self.op.check_tiles(&self.tiles)
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        let outputs = self.op.conv.out_channels().get();
        let weights = self.op.conv.filter_len() * outputs;
        Cost { macs: self.op.conv.window.output_area() * weights, weights, biases: outputs }
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let (mut activations, scratch) = memory::packed(step, arena)?;
        Ok(Best::conv2d_tiled(&self.op, &self.numerics, &self.tiles, &mut activations, scratch)?)
    }
}

/// A dense layer with all weights in tiles.
pub(super) struct TiledDense<'m> {
    op: DenseTiled,
    numerics: TiledInt8,
    tiles: Tiles<'m>,
}

impl<'m> Record<'m> for TiledDense<'m> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let op = DenseTiled { dense: dense(step)? };
        let tiles = Tiles::try_new(step.constant(WORDS)?, op.dense.outputs().get(), op.weight_words())?;
        Ok(Self { op, numerics: numerics(step)?, tiles })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        StoredClamp::write_clamp(self.numerics.clamp, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check(step, self.op.scratch_words())?;
        self.op.check_tiles(&self.tiles)
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        let [outputs, inputs] = [self.op.dense.outputs().get(), self.op.dense.inputs().get()];
        Cost { macs: inputs * outputs, weights: inputs * outputs, biases: outputs }
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Self { op, numerics, tiles } = self;
        if op.scratch_words() == 0 {
            let Operands { inputs: [x], output, .. } = operands(step, arena)?;
            return Ok(Best::dense_tiled(op, numerics, tiles, x, output)?);
        }
        // Inputs that are no whole groups are copied to where they can be read as such.
        let lost = ShapeError::Len { operand: "scratch", expected: op.scratch_words(), got: 0 };
        let (mut activations, scratch) = memory::packed(step, arena)?;
        let padded: &mut [i8] = bytemuck::try_cast_slice_mut(scratch).map_err(|_| lost)?;
        let padded = padded.get_mut(..op.read_len()).ok_or(lost)?;
        padded.iter_mut().zip(activations.x()).for_each(|(to, &from)| *to = from);
        let output = activations.y().get_mut(..op.dense.outputs().get()).ok_or(lost)?;
        Ok(Best::dense_tiled(op, numerics, tiles, padded, output)?)
    }
}

/// A layout of packed weights as files store it.
pub(super) trait Stored<'m>: Packed + Sized {
    /// Reads the operands of `filters` filters of `len` weights; indices that were proved are trusted.
    fn read(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError>;

    /// Proves the operands: every index, every multiplier, every sum.
    fn prove(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError>;

    /// Weights that are stored and multiplied, those that fill units included.
    fn stored_weights(&self) -> usize {
        self.filters() * self.filter_len()
    }
}

/// Words of records of which each has `constants` words besides its weights.
fn weight_words(words: &[i32], filters: usize, constants: usize) -> usize {
    words.len().saturating_sub(constants * filters.div_ceil(FILTERS))
}

impl<'m> Stored<'m> for Blocks<'m> {
    fn read(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Ok(Self::verified(step.constant(WORDS)?, filters, len))
    }

    fn prove(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Self::try_new(step.constant(WORDS)?, filters, len)
    }

    fn stored_weights(&self) -> usize {
        weight_words(self.words(), self.filters(), CONSTANT_WORDS) / INDEXED_GROUP_WORDS * FILTERS * GROUP
    }
}

impl<'m> Stored<'m> for Taps<'m> {
    fn read(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Ok(Self::verified(step.constant(WORDS)?, filters, len))
    }

    fn prove(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Self::try_new(step.constant(WORDS)?, filters, len)
    }

    fn stored_weights(&self) -> usize {
        weight_words(self.words(), self.filters(), 1 + CONSTANT_WORDS) / TAPS_QUAD_WORDS * FILTERS * GROUP
    }
}

impl<'m> Stored<'m> for Kept<'m> {
    fn read(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Ok(Self::verified(step.constant(WORDS)?, step.constant(LIST)?, filters, len)?)
    }

    fn prove(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Self::try_new(step.constant(WORDS)?, step.constant(LIST)?, filters, len)
    }

    fn stored_weights(&self) -> usize {
        self.positions().len() * self.filters()
    }
}

impl<'m> Stored<'m> for Rows<'m> {
    fn read(step: &Step<'m>, _: usize, len: usize) -> Result<Self, OperatorError> {
        Ok(Self::verified(step.constant(WORDS)?, step.constant(LIST)?, step.constant(CONSTANTS)?, len)?)
    }

    fn prove(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        let constants = step.constant(CONSTANTS)?;
        expect_len("constants", filters, constants.len())?;
        Self::try_new(step.constant(WORDS)?, step.constant(LIST)?, constants, len)
    }

    fn stored_weights(&self) -> usize {
        self.rows().len() * self.filter_len()
    }
}

impl<'m> Stored<'m> for Int4<'m> {
    fn read(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Ok(Self::verified(step.constant(WORDS)?, filters, len)?)
    }

    fn prove(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Self::try_new(step.constant(WORDS)?, filters, len)
    }
}

impl<'m> Stored<'m> for Codebook<'m> {
    fn read(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Ok(Self::verified(step.constant(WORDS)?, step.constant(LIST)?, filters, len)?)
    }

    fn prove(step: &Step<'m>, filters: usize, len: usize) -> Result<Self, OperatorError> {
        Self::try_new(step.constant(WORDS)?, step.constant(LIST)?, filters, len)
    }
}

/// A convolution with weights in the layout `P`.
pub(super) struct PackedConv2d<P> {
    op: Conv2dTiled,
    numerics: TiledInt8,
    packed: P,
}

impl<'m, P: Stored<'m>> Record<'m> for PackedConv2d<P> {
    const OVERLAP: Overlap = Overlap::InPlaceOffset(in_place_offset);

    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let op = conv2d(step)?;
        let packed = P::read(step, op.conv.out_channels().get(), op.conv.filter_len())?;
        Ok(Self { op, numerics: numerics(step)?, packed })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        write(params, &self.op.conv.window);
        StoredClamp::write_clamp(self.numerics.clamp, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let (filters, len) = (self.op.conv.out_channels().get(), self.op.conv.filter_len());
        check_output_image(step, &self.op.conv.window, filters)?;
        check(step, P::prove(step, filters, len)?.conv2d_scratch_words(&self.op))
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        let filters = self.op.conv.out_channels().get();
        let weights = self.packed.stored_weights();
        Cost { macs: self.op.conv.window.output_area() * weights, weights, biases: filters }
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let (mut activations, scratch) = memory::packed(step, arena)?;
        Ok(Best::conv2d_packed(&self.op, &self.numerics, &self.packed, &mut activations, scratch)?)
    }
}

/// A dense layer with weights in the layout `P`.
pub(super) struct PackedDense<P> {
    op: Dense,
    numerics: TiledInt8,
    packed: P,
}

impl<'m, P: Stored<'m>> Record<'m> for PackedDense<P> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let op = dense(step)?;
        let packed = P::read(step, op.outputs().get(), op.inputs().get())?;
        Ok(Self { op, numerics: numerics(step)?, packed })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        StoredClamp::write_clamp(self.numerics.clamp, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let packed = P::prove(step, self.op.outputs().get(), self.op.inputs().get())?;
        check(step, packed.dense_scratch_words())
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        let outputs = self.op.outputs().get();
        let weights = self.packed.stored_weights();
        Cost { macs: weights, weights, biases: outputs }
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let (mut activations, scratch) = memory::packed(step, arena)?;
        let (x, y) = activations.split(self.op.inputs().get(), self.op.outputs().get())?;
        Ok(Best::dense_packed(&self.numerics, &self.packed, x, y, scratch)?)
    }
}

/// A dense layer in compressed rows.
pub(super) struct CompressedDense<'m> {
    rows: CompressedRows<'m>,
    numerics: TiledInt8,
}

impl<'m> Record<'m> for CompressedDense<'m> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let rows = CompressedRows::verified(step.constant(WORDS)?, step.constant(LIST)?, dense(step)?);
        Ok(Self { rows, numerics: numerics(step)? })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        StoredClamp::write_clamp(self.numerics.clamp, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let rows = CompressedRows::try_new(self.rows.words(), self.rows.columns(), self.rows.dense())?;
        check(step, rows.scratch_words())
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        let outputs = self.rows.dense().outputs().get();
        // Three words of a row are no quads; rows of more than 32 units have some more.
        let weights = self.rows.words().len().saturating_sub(3 * outputs) / QUAD_WORDS * UNITS * 2;
        Cost { macs: weights, weights, biases: outputs }
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let dense = self.rows.dense();
        let (mut activations, scratch) = memory::packed(step, arena)?;
        let (x, y) = activations.split(dense.inputs().get(), dense.outputs().get())?;
        Ok(Best::dense_compressed(&self.numerics, &self.rows, x, y, scratch)?)
    }
}
