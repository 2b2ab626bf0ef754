//! Weights of few values in tiles: four bits say which of the sixteen values of the layer's codebook a weight has.
//!
//! The record is that of int8 with half the words of weights and with plain starts. A group of four inputs is two words:
//! byte `f` of the first is filter `f` at inputs k (low four bits) and k + 2 (high four bits), byte `f` of the second at
//! k + 1 and k + 3. So a byte is a pair of weights of one filter as one multiplication of two halves takes it, and a
//! table of 256 words, made once for a layer from the codebook, turns the one into the other.
//!
//! What is past the last weight of a filter has the value 0, which the codebook has then. Entries that nothing uses
//! are 0.

use super::filters::{self, Filter, GROUP, check_sum};
use super::packed::{Packed, check_multiplier};
use super::{FILTERS, Tile, TiledInt8, Tiles};
use crate::error::{OperatorError, ShapeError};

/// Values of a codebook.
pub const VALUES: usize = 16;
/// Words of a group of all four filters.
pub const CODEBOOK_GROUP_WORDS: usize = 2;
/// Words of the table that kernels look pairs of weights up in: one for every byte.
pub const TABLE_WORDS: usize = VALUES * VALUES;

/// Filters whose weights are indices into a codebook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codebook<'a> {
    pub(crate) tiles: Tiles<'a>,
    pub(crate) values: &'a [i8; VALUES],
    filters: usize,
    filter_len: usize,
}

/// Words of a record's weights for filters of `len` weights.
pub const fn codebook_weight_words(len: usize) -> usize {
    len.div_ceil(GROUP) * CODEBOOK_GROUP_WORDS
}

/// The value of the low four bits of `index`.
#[inline]
pub(crate) fn value(values: &[i8; VALUES], index: i32) -> i32 {
    values.get(index as usize % VALUES).copied().unwrap_or_default().into()
}

fn weight(tile: &Tile<'_>, values: &[i8; VALUES], f: usize, k: usize) -> i32 {
    let word = tile.weights.get(k / GROUP * CODEBOOK_GROUP_WORDS + k % 2).copied().unwrap_or_default();
    value(values, word >> (8 * (f % FILTERS) + k % GROUP / 2 * 4))
}

impl<'a> Codebook<'a> {
    /// Checks the records of `filters` filters of `filter_len` weights: once this is `Ok` every kernel computes what the
    /// definition says.
    ///
    /// # Errors
    /// [`ShapeError::Len`] `tiles` or `codebook`; [`OperatorError::Param`] `multiplier`, or `tiles` with a start whose
    /// filter can leave its range; [`ShapeError::Dim`] for weights past a filter.
    pub fn try_new(
        words: &'a [i32],
        values: &'a [i8],
        filters: usize,
        filter_len: usize,
    ) -> Result<Self, OperatorError> {
        if filter_len > filters::MAX_LEN {
            return Err(ShapeError::Dim { name: "weights of a filter", value: filter_len }.into());
        }
        let codebook = Self::verified(words, values, filters, filter_len)?;
        for tile in codebook.tiles.iter() {
            for (f, (start, multiplier)) in tile.start.into_iter().zip(tile.multipliers).enumerate() {
                check_multiplier(multiplier)?;
                let mut sum = 0;
                for k in 0..codebook.patch_len() {
                    let magnitude = weight(&tile, codebook.values, f, k).abs();
                    if k >= filter_len && magnitude != 0 {
                        return Err(ShapeError::Dim { name: "weights past a filter", value: filter_len }.into());
                    }
                    sum += magnitude;
                }
                // Every accumulator has a whole word.
                check_sum(0, start, sum)?;
            }
        }
        Ok(codebook)
    }

    /// What [`try_new`](Self::try_new) found good once.
    pub(crate) fn verified(
        words: &'a [i32],
        values: &'a [i8],
        filters: usize,
        filter_len: usize,
    ) -> Result<Self, ShapeError> {
        let lost = ShapeError::Len { operand: "codebook", expected: VALUES, got: values.len() };
        let values = values.try_into().map_err(|_| lost)?;
        let tiles = Tiles::try_new(words, filters, codebook_weight_words(filter_len))?;
        Ok(Self { tiles, values, filters, filter_len })
    }
}

impl Packed for Codebook<'_> {
    fn filters(&self) -> usize {
        self.filters
    }

    fn filter_len(&self) -> usize {
        self.filter_len
    }

    fn start(&self, o: usize) -> i32 {
        let start = self.tiles.iter().nth(o / FILTERS).and_then(|tile| tile.start.get(o % FILTERS).copied());
        start.unwrap_or_default()
    }

    fn weight(&self, o: usize, k: usize) -> i32 {
        self.tiles.iter().nth(o / FILTERS).map_or(0, |tile| weight(&tile, self.values, o % FILTERS, k))
    }

    fn finish(&self, numerics: &TiledInt8, o: usize, acc: i32) -> i8 {
        let multiplier = self.tiles.iter().nth(o / FILTERS).and_then(|t| t.multipliers.get(o % FILTERS).copied());
        numerics.finish(acc, multiplier.unwrap_or_default())
    }

    /// Two expanded pixels, followed by the table.
    fn pair_words(&self) -> usize {
        self.patch_len() + TABLE_WORDS
    }

    /// One expanded input, followed by the table. Beside an input that is not expanded, this is at most what a pair
    /// takes: the table of a convolution is at the end of the windows' memory for pairs and for the last pixel.
    fn single_words(&self) -> usize {
        self.patch_len() / 2 + TABLE_WORDS
    }
}

/// The values that the weights of `filters` of `len` weights have, in order; `None` where they are more than a codebook
/// holds.
pub fn values(filters: &[Filter<'_>], len: usize) -> Option<[i8; VALUES]> {
    let whole = len.is_multiple_of(GROUP) && filters.len().is_multiple_of(FILTERS);
    let filled = !whole || filters.iter().any(|filter| filter.weights.len() < len);
    let used = |value: i8| value == 0 && filled || filters.iter().any(|filter| filter.weights.contains(&value));
    let mut values = [0; VALUES];
    let mut free = values.iter_mut();
    for value in (i8::MIN..=i8::MAX).filter(|&value| used(value)) {
        *free.next()? = value;
    }
    Some(values)
}

/// Writes the record of four filters; `None` where a weight has none of `values`, or where the record is too short. What
/// else a kernel needs is checked when it is read.
pub fn pack(filters: &[Filter<'_>; FILTERS], values: &[i8; VALUES], record: &mut [i32]) -> Option<()> {
    let (start, rest) = record.split_first_chunk_mut::<FILTERS>()?;
    let (exponents, rest) = rest.split_last_mut()?;
    let (weights, mantissas) = rest.split_last_chunk_mut::<FILTERS>()?;
    *start = filters.map(|f| f.start);
    *mantissas = filters.map(|f| f.multiplier.mantissa_q32.cast_signed());
    *exponents = i32::from_le_bytes(filters.map(|f| f.multiplier.exponent));
    for (n, word) in weights.iter_mut().enumerate() {
        let k = n / CODEBOOK_GROUP_WORDS * GROUP + n % CODEBOOK_GROUP_WORDS;
        let mut bytes = [0; FILTERS];
        for (byte, filter) in bytes.iter_mut().zip(filters) {
            let index = |k: usize| {
                let weight = filter.weights.get(k).copied().unwrap_or_default();
                values.iter().zip(0_u8..).find(|&(&value, _)| value == weight).map(|(_, index)| index)
            };
            *byte = index(k + 2)? << 4 | index(k)?;
        }
        *word = i32::from_le_bytes(bytes);
    }
    Some(())
}
