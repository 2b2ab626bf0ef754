//! Depthwise convolution with its weights in tiles of four channels.

use super::filters::Filter;
use super::{Activations, FILTERS, TiledInt8, Tiles};
use crate::error::{OperatorError, ShapeError};
use crate::shape::{Axis, MAX_LEN, Window, channels, expect_len};
use core::num::NonZeroUsize;

/// Words that the pair kernel keeps for each channel of a tile.
pub(crate) const BLOCK_WORDS: usize = 14;

/// int8 depthwise convolution, one output channel for each input channel, weights in [`Tiles`].
///
/// # Shapes
/// `x: [in_h, in_w, channels]` · `tiles: ⌈channels ÷ 4⌉` records with one word of weights for every tap in the order row,
/// column, whose byte `f` is the weight of channel `f` of the tile · `y: [out_h, out_w, channels]`, row-major.
///
/// # Numerics
/// A channel's start is `bias - input_zero_point * Σ w` over all its taps; taps in the padding see the input's zero
/// point. Then `y = finish(start + Σ w * x)`. Sums are exact for `|start| <=` [`Self::MAX_START`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthwiseConv2dTiled {
    /// Rows and columns.
    pub window: Window,
    channels: NonZeroUsize,
    /// Zero points and clamp.
    pub int8: TiledInt8,
}

impl DepthwiseConv2dTiled {
    /// Largest magnitude of a start.
    pub const MAX_START: i32 = 1 << 29;
    /// Most taps of a kernel.
    pub const MAX_TAPS: usize = 1 << 14;

    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] names a tensor or a kernel that is too large.
    pub fn try_new(window: Window, channel_count: usize, int8: TiledInt8) -> Result<Self, ShapeError> {
        let tensors = [("input", window.input_area()), ("output", window.output_area())];
        for (name, area) in tensors {
            let len = area.checked_mul(channel_count).filter(|&len| len <= MAX_LEN);
            len.ok_or(ShapeError::Dim { name, value: usize::MAX })?;
        }
        let taps = window.y.kernel().saturating_mul(window.x.kernel());
        if taps > Self::MAX_TAPS {
            return Err(ShapeError::Dim { name: "kernel", value: taps });
        }
        Ok(Self { window, channels: channels("channels", channel_count)?, int8 })
    }

    /// Channels of `x` and `y`.
    pub const fn channels(&self) -> NonZeroUsize {
        self.channels
    }

    /// Words of weights in a record.
    pub const fn weight_words(&self) -> usize {
        self.window.kernel_area()
    }

    /// The records in `words`.
    ///
    /// # Errors
    /// [`ShapeError::Len`].
    pub fn tiles<'a>(&self, words: &'a [i32]) -> Result<Tiles<'a>, ShapeError> {
        Tiles::try_new(words, self.channels.get(), self.weight_words())
    }

    /// Checks once what the arithmetic relies on.
    ///
    /// # Errors
    /// [`OperatorError::Param`] names a multiplier or a start that is out of range.
    pub fn check_tiles(&self, tiles: &Tiles<'_>) -> Result<(), OperatorError> {
        for tile in tiles.iter() {
            if let Some(m) = tile.multipliers.iter().find(|m| !m.is_valid()) {
                return Err(OperatorError::Param { name: "multiplier", value: m.mantissa_q32 as i32 });
            }
            if let Some(&value) = tile.start.iter().find(|s| s.unsigned_abs() > Self::MAX_START as u32) {
                return Err(OperatorError::Param { name: "start", value });
            }
        }
        Ok(())
    }

    /// Whether `y` may be written over `x`: both have one shape, so an output pixel never lies before the rows and
    /// columns of the input that later outputs need. Of the tile in work these are in scratch memory; no other tile
    /// touches its channels.
    pub const fn in_place(&self) -> bool {
        self.window.y.input() == self.window.y.output() && self.window.x.input() == self.window.x.output()
    }

    /// The stride of a 3 × 3 kernel without dilation and with equal strides of 1 or 2, which works on pairs of rows.
    pub(crate) const fn pair_stride(&self) -> Option<usize> {
        let (y, x) = (&self.window.y, &self.window.x);
        let square = y.kernel() == 3 && x.kernel() == 3 && y.dilation() == 1 && x.dilation() == 1;
        if square && y.stride() == x.stride() && (x.stride() == 1 || x.stride() == 2) { Some(x.stride()) } else { None }
    }

    /// Columns of the padded input that outputs see.
    pub(crate) const fn seen_columns(&self) -> usize {
        seen(&self.window.x)
    }

    /// Rows of the padded input that one output sees.
    pub(crate) const fn rows_at_once(&self) -> usize {
        (self.window.y.kernel() - 1) * self.window.y.dilation() + 1
    }

    /// Words of scratch memory: one tile's part of the rows in work, and its constants.
    pub const fn scratch_len(&self) -> usize {
        let row = self.seen_columns();
        match self.pair_stride() {
            Some(_) => FILTERS * BLOCK_WORDS + 2 * FILTERS * row,
            None => self.rows_at_once() * row,
        }
    }

    /// Checks all operands; `in_place` says that `y` lies over `x`.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, tiles: usize, scratch: usize, memory: &mut Activations<'_>) -> Result<(), ShapeError> {
        expect_len("tiles", Tiles::words_of(self.channels.get(), self.weight_words()), tiles)?;
        expect_len("scratch", self.scratch_len().max(scratch), scratch)?;
        let channels = self.channels.get();
        memory.check(self.window.input_area() * channels, self.window.output_area() * channels)
    }
}

/// Columns (or rows) of the padded input under all windows of an axis.
const fn seen(axis: &Axis) -> usize {
    (axis.output() - 1) * axis.stride() + (axis.kernel() - 1) * axis.dilation() + 1
}

/// Writes the record of four channels, whose weights are in the order row, column; `None` where its length does not
/// fit. What else the kernels need is [checked](DepthwiseConv2dTiled::check_tiles) when the record is read.
pub fn pack(filters: &[Filter<'_>; FILTERS], record: &mut [i32]) -> Option<()> {
    let (start, rest) = record.split_first_chunk_mut::<FILTERS>()?;
    let (exponents, rest) = rest.split_last_mut()?;
    let (weights, mantissas) = rest.split_last_chunk_mut::<FILTERS>()?;
    *start = filters.map(|f| f.start);
    *mantissas = filters.map(|f| f.multiplier.mantissa_q32.cast_signed());
    *exponents = i32::from_le_bytes(filters.map(|f| f.multiplier.exponent));
    for (tap, word) in weights.iter_mut().enumerate() {
        let at = |f: Filter<'_>| f.weights.get(tap).map_or(0, |w| w.cast_unsigned());
        *word = i32::from_le_bytes(filters.map(at));
    }
    filters.iter().all(|f| f.weights.is_empty() || f.weights.len() == weights.len()).then_some(())
}
