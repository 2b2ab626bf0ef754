//! Weights in tiles of four filters, and what their kernels share: the record, the numerics, the operands' memory.

pub mod blocks;
pub mod codebook;
pub mod compressed;
mod conv2d;
pub mod depthwise_conv2d;
pub(super) mod depthwise_drive;
pub(super) mod drive;
pub mod filters;
mod inner_loops;
pub mod int4;
mod kept;
mod packed;
mod rows;
pub mod taps;
mod windows;

pub use blocks::Blocks;
pub use codebook::Codebook;
pub use compressed::CompressedRows;
pub use conv2d::{Conv2dTiled, DenseTiled};
pub(crate) use depthwise_conv2d::BLOCK_WORDS;
pub use depthwise_conv2d::DepthwiseConv2dTiled;
pub use inner_loops::TiledWeights;
pub use int4::Int4;
pub use kept::Kept;
pub use packed::Packed;
pub use rows::Rows;
pub use taps::Taps;

use super::Clamp;
use crate::error::ShapeError;
use crate::num::{SmallMultiplier, saturate_i8};
use crate::shape::expect_len;
use core::num::NonZeroUsize;

/// Filters of a tile.
pub const FILTERS: usize = 4;

/// Constants of a tile in words, besides its weights: four starts, four mantissas, one word of exponents.
pub const CONSTANT_WORDS: usize = 9;

/// The constants of a tiled operator: one record for every four filters, one after the other.
///
/// A record is `[start: 4 | weights: weight_words | mantissa_q32: 4 | exponents: 1]` in words of 32 bits; byte `f` of
/// the last word is the exponent of filter `f`. What starts and weights hold is the operator's affair. Filters that
/// are missing in the last record are zeros with mantissa 2^31.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles<'a> {
    words: &'a [i32],
    record_words: NonZeroUsize,
}

impl<'a> Tiles<'a> {
    /// Words of the records of `filters` filters with `weight_words` each; saturates.
    pub const fn words_of(filters: usize, weight_words: usize) -> usize {
        filters.div_ceil(FILTERS).saturating_mul(weight_words.saturating_add(CONSTANT_WORDS))
    }

    /// The records of `filters` filters.
    ///
    /// # Errors
    /// [`ShapeError::Len`] where there are not exactly [`Self::words_of`] words.
    pub fn try_new(words: &'a [i32], filters: usize, weight_words: usize) -> Result<Self, ShapeError> {
        expect_len("tiles", Self::words_of(filters, weight_words), words.len())?;
        Ok(Self { words, record_words: NonZeroUsize::MIN.saturating_add(weight_words + (CONSTANT_WORDS - 1)) })
    }

    /// All words.
    pub const fn words(&self) -> &'a [i32] {
        self.words
    }

    /// Words of a record.
    pub const fn record_words(&self) -> usize {
        self.record_words.get()
    }

    /// The records.
    pub fn iter(&self) -> impl Iterator<Item = Tile<'a>> + use<'a> {
        self.words.chunks_exact(self.record_words.get()).filter_map(Tile::new)
    }
}

/// One record of [`Tiles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile<'a> {
    /// What accumulators start with, by filter.
    pub start: [i32; FILTERS],
    /// Weights in the operator's order.
    pub weights: &'a [i32],
    /// Multipliers, by filter.
    pub multipliers: [SmallMultiplier; FILTERS],
}

impl<'a> Tile<'a> {
    fn new(record: &'a [i32]) -> Option<Self> {
        let (start, rest) = record.split_first_chunk::<FILTERS>()?;
        let (exponents, rest) = rest.split_last()?;
        let (weights, mantissas) = rest.split_last_chunk::<FILTERS>()?;
        let multipliers = multipliers(mantissas, *exponents);
        Some(Self { start: *start, weights, multipliers })
    }
}

/// The multipliers of a record.
fn multipliers(mantissas: &[i32; FILTERS], exponents: i32) -> [SmallMultiplier; FILTERS] {
    let [m0, m1, m2, m3] = mantissas.map(|m| m as u32);
    let [e0, e1, e2, e3] = exponents.to_le_bytes();
    [(m0, e0), (m1, e1), (m2, e2), (m3, e3)].map(|(mantissa_q32, exponent)| SmallMultiplier { mantissa_q32, exponent })
}

/// Zero points and fused clamp of a tiled operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TiledInt8 {
    /// Code of zero in the input, in `-128..=127`: what the padding holds.
    pub input_zero_point: i8,
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// Within `-128..=127`.
    pub clamp: Clamp<i32>,
}

impl TiledInt8 {
    /// The output of an accumulator.
    #[inline]
    pub fn finish(&self, acc: i32, multiplier: SmallMultiplier) -> i8 {
        saturate_i8(self.clamp.apply(multiplier.code(acc, self.output_zero_point)))
    }
}

/// The input and the output of an operator whose output may follow its input in memory like a shadow.
#[derive(Debug)]
pub enum Activations<'a> {
    /// Two pieces of memory.
    Apart {
        /// The input's elements and perhaps others after them.
        x: &'a [i8],
        /// The output's elements.
        y: &'a mut [i8],
    },
    /// Places in one piece of memory, which may overlap.
    Shared {
        /// Both, and whatever else lies around them.
        memory: &'a mut [i8],
        /// Where the input starts.
        x: usize,
        /// Where the output starts.
        y: usize,
    },
}

impl Activations<'_> {
    /// The memory from the input's first element on; it may be longer than the input.
    #[inline]
    pub fn x(&self) -> &[i8] {
        match self {
            Self::Apart { x, .. } => x,
            Self::Shared { memory, x, .. } => memory.get(*x..).unwrap_or_default(),
        }
    }

    /// The memory from the output's first element on; it may be longer than the output.
    #[inline]
    pub fn y(&mut self) -> &mut [i8] {
        match self {
            Self::Apart { y, .. } => y,
            Self::Shared { memory, y, .. } => memory.get_mut(*y..).unwrap_or_default(),
        }
    }

    /// An input and an output of so many elements that share no memory.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand that is too short, or `y` where it would overlap `x`.
    pub fn split(&mut self, x_len: usize, y_len: usize) -> Result<(&[i8], &mut [i8]), ShapeError> {
        let len = |operand, expected| ShapeError::Len { operand, expected, got: 0 };
        let (x, y): (&[i8], &mut [i8]) = match self {
            Self::Apart { x, y } => (x, y),
            Self::Shared { memory, x, y } => {
                let (at_x, at_y) = (*x, *y);
                let (before, after) = memory.split_at_mut_checked(at_x.max(at_y)).ok_or(len("x", x_len))?;
                let before = before.get_mut(at_x.min(at_y)..).unwrap_or_default();
                if at_x < at_y { (before, after) } else { (after, before) }
            }
        };
        Ok((x.get(..x_len).ok_or(len("x", x_len))?, y.get_mut(..y_len).ok_or(len("y", y_len))?))
    }

    /// Checks that both are long enough.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand that is too short.
    pub fn check(&mut self, x: usize, y: usize) -> Result<(), ShapeError> {
        let (x_len, y_len) = (self.x().len(), self.y().len());
        expect_len("x", x.max(x_len), x_len)?;
        expect_len("y", y.max(y_len), y_len)
    }
}
