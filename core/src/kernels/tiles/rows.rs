//! Layers some of whose filters are missing altogether: what those give is a constant.

use super::filters;
use super::packed::{Packed, check_list};
use super::{FILTERS, TiledInt8, Tiles};
use crate::error::{OperatorError, ShapeError};

/// Filters of which only some are there.
///
/// `tiles` are those of the filters that are there, in the order of `rows`: their output channels, rising. `constants`
/// has a code for each output channel: the output where no filter is there; the others have no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows<'a> {
    pub(crate) tiles: Tiles<'a>,
    rows: &'a [i16],
    constants: &'a [i8],
    filter_len: usize,
}

impl<'a> Rows<'a> {
    /// Checks the records and the rows for filters of `filter_len` weights; there are as many as `constants`.
    ///
    /// # Errors
    /// [`OperatorError::Param`] `row` for one that is no output channel or does not rise; [`ShapeError::Dim`] `rows` where
    /// there are none; as at [`filters::check`].
    pub fn try_new(
        words: &'a [i32],
        rows: &'a [i16],
        constants: &'a [i8],
        filter_len: usize,
    ) -> Result<Self, OperatorError> {
        if rows.is_empty() {
            return Err(ShapeError::Dim { name: "rows", value: 0 }.into());
        }
        check_list("row", rows, constants.len(), true)?;
        let kept = Self::verified(words, rows, constants, filter_len)?;
        filters::check(&kept.tiles, filter_len)?;
        Ok(kept)
    }

    /// What [`try_new`](Self::try_new) found good once.
    pub(crate) fn verified(
        words: &'a [i32],
        rows: &'a [i16],
        constants: &'a [i8],
        filter_len: usize,
    ) -> Result<Self, ShapeError> {
        let tiles = Tiles::try_new(words, rows.len(), filters::weight_words(filter_len))?;
        Ok(Self { tiles, rows, constants, filter_len })
    }

    /// Output channels whose filters are there.
    pub const fn rows(&self) -> &'a [i16] {
        self.rows
    }

    /// Writes the outputs of one pixel, `compact` those of the filters that are there.
    #[inline]
    pub(crate) fn scatter(&self, compact: &[i8], y: &mut [i8]) {
        if let Some(y) = y.get_mut(..self.constants.len()) {
            y.iter_mut().zip(self.constants).for_each(|(y, &constant)| *y = constant);
            for (&row, &code) in self.rows.iter().zip(compact) {
                if let Some(y) = y.get_mut(row as usize) {
                    *y = code;
                }
            }
        }
    }

    fn place(&self, o: usize) -> Option<(super::Tile<'a>, usize)> {
        let at = self.rows.iter().position(|&row| row as usize == o)?;
        Some((self.tiles.iter().nth(at / FILTERS)?, at % FILTERS))
    }
}

impl Packed for Rows<'_> {
    fn filters(&self) -> usize {
        self.constants.len()
    }

    fn filter_len(&self) -> usize {
        self.filter_len
    }

    fn start(&self, o: usize) -> i32 {
        self.place(o).map_or(0, |(tile, f)| filters::start(&tile, f))
    }

    fn weight(&self, o: usize, k: usize) -> i32 {
        self.place(o).map_or(0, |(tile, f)| filters::weight(&tile, f, k))
    }

    fn finish(&self, numerics: &TiledInt8, o: usize, acc: i32) -> i8 {
        match self.place(o) {
            Some((tile, f)) => numerics.finish(acc, tile.multipliers.get(f).copied().unwrap_or_default()),
            None => self.constants.get(o).copied().unwrap_or_default(),
        }
    }

    fn pair_words(&self) -> usize {
        self.patch_len() + (2 * self.rows.len()).div_ceil(size_of::<i32>())
    }

    fn single_words(&self) -> usize {
        self.rows.len().div_ceil(size_of::<i32>())
    }
}
