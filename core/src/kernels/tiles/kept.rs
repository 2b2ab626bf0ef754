//! Filters that all leave out the same weights: the rest is a dense layer of fewer inputs, which are gathered first.

use super::filters::{self, GROUP};
use super::packed::{Packed, check_list};
use super::{FILTERS, TiledInt8, Tiles};
use crate::error::{OperatorError, ShapeError};

/// Filters of which only the weights at some positions are kept.
///
/// `tiles` are those of filters with one weight for each of `positions`, which are positions in the unrolled filter
/// (order row, column, channel), none less than the one before, a multiple of four in number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept<'a> {
    pub(crate) tiles: Tiles<'a>,
    positions: &'a [i16],
    filters: usize,
    filter_len: usize,
}

impl<'a> Kept<'a> {
    /// Checks the records and the positions for `filters` filters of `filter_len` weights, those left out included.
    ///
    /// # Errors
    /// [`OperatorError::Param`] `position` for one that is past the filter or falls; [`ShapeError::Dim`] `positions`
    /// where they are no whole groups; as at [`filters::check`].
    pub fn try_new(
        words: &'a [i32],
        positions: &'a [i16],
        filters: usize,
        filter_len: usize,
    ) -> Result<Self, OperatorError> {
        if filter_len > filters::MAX_LEN {
            return Err(ShapeError::Dim { name: "weights of a filter", value: filter_len }.into());
        }
        if positions.is_empty() || !positions.len().is_multiple_of(GROUP) {
            return Err(ShapeError::Dim { name: "positions", value: positions.len() }.into());
        }
        check_list("position", positions, filter_len, false)?;
        let kept = Self::verified(words, positions, filters, filter_len)?;
        filters::check(&kept.tiles, positions.len())?;
        Ok(kept)
    }

    /// What [`try_new`](Self::try_new) found good once: the kernels trust the positions.
    pub(crate) fn verified(
        words: &'a [i32],
        positions: &'a [i16],
        filters: usize,
        filter_len: usize,
    ) -> Result<Self, ShapeError> {
        let tiles = Tiles::try_new(words, filters, filters::weight_words(positions.len()))?;
        Ok(Self { tiles, positions, filters, filter_len })
    }

    /// Positions in the unrolled filter, each less than [`filter_len`](Packed::filter_len).
    pub const fn positions(&self) -> &'a [i16] {
        self.positions
    }
}

impl Packed for Kept<'_> {
    fn filters(&self) -> usize {
        self.filters
    }

    fn filter_len(&self) -> usize {
        self.filter_len
    }

    fn start(&self, o: usize) -> i32 {
        self.tiles.iter().nth(o / FILTERS).map_or(0, |tile| filters::start(&tile, o % FILTERS))
    }

    fn weight(&self, o: usize, k: usize) -> i32 {
        let Some(tile) = self.tiles.iter().nth(o / FILTERS) else { return 0 };
        let here = self.positions.iter().enumerate().filter(|&(_, &position)| position as usize == k);
        here.map(|(i, _)| filters::weight(&tile, o % FILTERS, i)).sum()
    }

    fn finish(&self, numerics: &TiledInt8, o: usize, acc: i32) -> i8 {
        let multiplier = self.tiles.iter().nth(o / FILTERS).and_then(|t| t.multipliers.get(o % FILTERS).copied());
        numerics.finish(acc, multiplier.unwrap_or_default())
    }

    fn pair_words(&self) -> usize {
        self.positions.len()
    }

    fn single_words(&self) -> usize {
        self.positions.len() / size_of::<i32>()
    }

    fn gathers(&self) -> bool {
        true
    }
}
