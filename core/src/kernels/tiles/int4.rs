//! Four-bit weights of four filters in tiles: the same record as int8's with half the words of weights.
//!
//! A half of a word holds the weights of all four filters for one input, in four bits each: from the highest, filter 3
//! as it is, filter 2 plus 8, filter 1, filter 0 plus 8. A group of four inputs is two words: inputs k and k + 2 in the
//! low and the high half of the first, k + 1 and k + 3 in the second. Where filter 1 is negative the bits of filter 2
//! are one less: then the low byte, sign-extended, is `16 * f1 + f0 + 8`, and the half `4096 * f3 + 256 * (f2 + 8)`
//! more. So three operations on a word make four pairs of factors: the word, its highest four bits, its low bytes with
//! their signs, and those without their low four bits. Sums of their products give all four accumulators by
//! subtraction; the two 8s cost `8 * Σ x`, which is computed once for an input.
//!
//! The words of the starts `s` are therefore `16 * s1 + s0`, `16 * s1`, `4096 * s3 + 256 * s2 + 16 * s1 + s0` and
//! `4096 * s3`, each wrapped.

use super::filters::{self, Filter, GROUP};
use super::packed::{Packed, check_multiplier};
use super::{FILTERS, Tile, TiledInt8, Tiles};
use crate::error::{OperatorError, ShapeError};
use crate::num::SmallMultiplier;

/// Words of a group of all four filters.
pub const INT4_GROUP_WORDS: usize = 2;
/// The half of four weights that are zero.
const ZEROS: i32 = 0x0808;
/// What the magnitude of the accumulator of each filter of a record stays below.
pub const MAX_INT4_ACC: [i32; FILTERS] = [SmallMultiplier::MAX_ACC, 1 << 27, 1 << 23, 1 << 19];

/// Filters of four-bit weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int4<'a> {
    pub(crate) tiles: Tiles<'a>,
    filters: usize,
    filter_len: usize,
}

/// Words of a record's weights for filters of `len` weights.
pub const fn int4_weight_words(len: usize) -> usize {
    len.div_ceil(GROUP) * INT4_GROUP_WORDS
}

/// The weights of a half by filter.
#[inline]
pub(crate) fn half_weights(half: i32) -> [i32; FILTERS] {
    let low = half << 24 >> 24;
    let third = half >> 12;
    [(low & 15) - 8, low >> 4, ((half - low) >> 8) - 16 * third - 8, third]
}

/// The starts of a record by filter.
pub(crate) fn starts(tile: &Tile<'_>) -> [i32; FILTERS] {
    let [low, first, all, third] = tile.start;
    [low.wrapping_sub(first), first >> 4, all.wrapping_sub(third).wrapping_sub(low) >> 8, third >> 12]
}

fn weight(tile: &Tile<'_>, f: usize, k: usize) -> i32 {
    let word = tile.weights.get(k / GROUP * INT4_GROUP_WORDS + k % 2).copied().unwrap_or(ZEROS << 16 | ZEROS);
    let half = if k % GROUP < 2 { word << 16 >> 16 } else { word >> 16 };
    half_weights(half).get(f).copied().unwrap_or_default()
}

impl<'a> Int4<'a> {
    /// Checks the records of `filters` filters of `filter_len` weights: once this is `Ok` every kernel computes what the
    /// definition says.
    ///
    /// # Errors
    /// [`ShapeError::Len`] `tiles`; [`OperatorError::Param`] `multiplier`, or `tiles` with a start whose filter can leave
    /// its range ([`MAX_INT4_ACC`]); [`ShapeError::Dim`] for weights past a filter.
    pub fn try_new(words: &'a [i32], filters: usize, filter_len: usize) -> Result<Self, OperatorError> {
        if filter_len > filters::MAX_LEN {
            return Err(ShapeError::Dim { name: "weights of a filter", value: filter_len }.into());
        }
        let int4 = Self::verified(words, filters, filter_len)?;
        for tile in int4.tiles.iter() {
            let all = starts(&tile).into_iter().zip(tile.multipliers).zip(MAX_INT4_ACC).enumerate();
            for (f, ((start, multiplier), end)) in all {
                check_multiplier(multiplier)?;
                let mut sum = 0;
                for k in 0..int4.patch_len() {
                    let magnitude = weight(&tile, f, k).abs();
                    if k >= filter_len && magnitude != 0 {
                        return Err(ShapeError::Dim { name: "weights past a filter", value: filter_len }.into());
                    }
                    sum += magnitude;
                }
                if start.unsigned_abs() >= (end - 128 * sum).max(0).unsigned_abs() {
                    return Err(OperatorError::Param { name: "tiles", value: start });
                }
            }
        }
        Ok(int4)
    }

    /// What [`try_new`](Self::try_new) found good once.
    pub(crate) fn verified(words: &'a [i32], filters: usize, filter_len: usize) -> Result<Self, ShapeError> {
        let tiles = Tiles::try_new(words, filters, int4_weight_words(filter_len))?;
        Ok(Self { tiles, filters, filter_len })
    }
}

impl Packed for Int4<'_> {
    fn filters(&self) -> usize {
        self.filters
    }

    fn filter_len(&self) -> usize {
        self.filter_len
    }

    fn start(&self, o: usize) -> i32 {
        let starts = self.tiles.iter().nth(o / FILTERS).map(|tile| starts(&tile));
        starts.and_then(|starts| starts.get(o % FILTERS).copied()).unwrap_or_default()
    }

    fn weight(&self, o: usize, k: usize) -> i32 {
        self.tiles.iter().nth(o / FILTERS).map_or(0, |tile| weight(&tile, o % FILTERS, k))
    }

    fn finish(&self, numerics: &TiledInt8, o: usize, acc: i32) -> i8 {
        let multiplier = self.tiles.iter().nth(o / FILTERS).and_then(|t| t.multipliers.get(o % FILTERS).copied());
        numerics.finish(acc, multiplier.unwrap_or_default())
    }

    /// Two expanded pixels, followed by `8 * Σ x` of each.
    fn pair_words(&self) -> usize {
        self.patch_len() + 2
    }
}

/// Writes the record of four filters; `None` where a weight is not in `-8..=7`, where filter 2 has a -8 beside a
/// negative weight of filter 1, or where the record is too short. What else a kernel needs is checked when it is read.
pub fn pack(filters: &[Filter<'_>; FILTERS], record: &mut [i32]) -> Option<()> {
    let (start, rest) = record.split_first_chunk_mut::<FILTERS>()?;
    let (exponents, rest) = rest.split_last_mut()?;
    let (weights, mantissas) = rest.split_last_chunk_mut::<FILTERS>()?;
    let [s0, s1, s2, s3] = filters.map(|f| f.start);
    let (first, third) = (s1.wrapping_mul(16), s3.wrapping_mul(4096));
    let low = first.wrapping_add(s0);
    *start = [low, first, third.wrapping_add(low).wrapping_add(s2.wrapping_mul(256)), third];
    *mantissas = filters.map(|f| f.multiplier.mantissa_q32.cast_signed());
    *exponents = i32::from_le_bytes(filters.map(|f| f.multiplier.exponent));
    let half = |k: usize| {
        let [f0, f1, f2, f3] = filters.map(|f| f.weights.get(k).copied().map_or(0, i32::from));
        let half = 4096 * f3 + 256 * (f2 + 8) + 16 * f1 + f0 + 8;
        (half_weights(half) == [f0, f1, f2, f3] && [f0, f1, f2, f3].iter().all(|f| (-8..8).contains(f)))
            .then_some(half & 0xFFFF)
    };
    for (n, word) in weights.iter_mut().enumerate() {
        let k = n / INT4_GROUP_WORDS * GROUP + n % INT4_GROUP_WORDS;
        *word = half(k + 2)? << 16 | half(k)?;
    }
    Some(())
}
