//! How the weights of four convolution filters, or rows of a dense layer, lie in a record of [`Tiles`].
//!
//! A filter's weights in the order row, column, channel are `w[k]`, followed by zeros up to a multiple of four.
//! Every four of them, of all four filters, are four words of two halves, and each half holds two filters' weights:
//!
//! | word | low half | high half |
//! | ---: | --- | --- |
//! | 0 | filters 0, 1 at k | filters 0, 1 at k + 2 |
//! | 1 | filters 2, 3 at k | filters 2, 3 at k + 2 |
//! | 2 | filters 0, 1 at k + 1 | filters 0, 1 at k + 3 |
//! | 3 | filters 2, 3 at k + 1 | filters 2, 3 at k + 3 |
//!
//! A half is `256 * odd + even` as an i16, and the start of an odd filter is stored as `256 * odd + even` too, as a
//! wrapping i32. So a word is multiplied as it is into an accumulator that is `256 * odd + even` throughout, and its
//! low bytes, sign-extended, into one that is `even`; at the end the difference of the two is `256 * odd`.

use super::{FILTERS, Tile, Tiles};
use crate::error::{OperatorError, ShapeError};
use crate::num::SmallMultiplier;

/// Weights of one filter that lie together.
pub const GROUP: usize = 4;
/// Words of a group's weights of all four filters.
pub const GROUP_WORDS: usize = 4;
/// Largest number of weights of a filter.
pub const MAX_LEN: usize = 1 << 15;
/// Magnitude that the accumulator of an odd filter stays below: 256 times it fits into an i32.
pub const MAX_ODD_ACC: i32 = 1 << 23;

/// Words of the weights of a record for filters of `len` weights.
pub const fn weight_words(len: usize) -> usize {
    len.div_ceil(GROUP) * GROUP_WORDS
}

/// One filter before it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter<'a> {
    /// In the order row, column, channel.
    pub weights: &'a [i8],
    /// The bias less the input's zero point times the sum of the weights.
    pub start: i32,
    /// Scale of the accumulator over that of the output.
    pub multiplier: SmallMultiplier,
}

impl Filter<'_> {
    /// What takes the place of a missing filter.
    pub const MISSING: Self = Self::constant(0);

    /// A filter without weights whose outputs are all `code` above the output's zero point.
    pub const fn constant(code: i32) -> Self {
        // One quarter of the start.
        let multiplier = SmallMultiplier { mantissa_q32: 1 << 31, exponent: 0 };
        Self { weights: &[], start: 4 * code, multiplier }
    }
}

/// Writes a record; `None` where two weights do not fit into a half, or the record is too short. What else a kernel
/// needs is [`check`]ed when the record is read.
pub fn pack(filters: &[Filter<'_>; FILTERS], record: &mut [i32]) -> Option<()> {
    let (start, rest) = record.split_first_chunk_mut::<FILTERS>()?;
    let (exponents, rest) = rest.split_last_mut()?;
    let (weights, mantissas) = rest.split_last_chunk_mut::<FILTERS>()?;
    *start = pack_starts(filters);
    *mantissas = filters.map(|f| f.multiplier.mantissa_q32.cast_signed());
    *exponents = i32::from_le_bytes(filters.map(|f| f.multiplier.exponent));
    let mut k = 0;
    for group in weights.as_chunks_mut().0 {
        *group = pack_group(filters, k)?;
        k += GROUP;
    }
    Some(())
}

/// The words of a record's starts.
pub fn pack_starts(filters: &[Filter<'_>; FILTERS]) -> [i32; FILTERS] {
    let [f0, f1, f2, f3] = filters;
    let both = |even: &Filter<'_>, odd: &Filter<'_>| odd.start.wrapping_mul(256).wrapping_add(even.start);
    [f0.start, both(f0, f1), f2.start, both(f2, f3)]
}

/// The words of the group from weight `k` on; `None` where two weights do not fit into a half.
pub fn pack_group(filters: &[Filter<'_>; FILTERS], k: usize) -> Option<[i32; GROUP_WORDS]> {
    let [f0, f1, f2, f3] = filters;
    let half = |even: &Filter<'_>, odd: &Filter<'_>, k: usize| {
        let at = |f: &Filter<'_>| f.weights.get(k).copied().map_or(0, i32::from);
        i16::try_from(256 * at(odd) + at(even)).ok().map(|half| i32::from(half) & 0xFFFF)
    };
    let word = |even, odd, k: usize| Some(half(even, odd, k + 2)? << 16 | half(even, odd, k)?);
    Some([word(f0, f1, k)?, word(f2, f3, k)?, word(f0, f1, k + 1)?, word(f2, f3, k + 1)?])
}

/// The start of filter `f` of a record.
pub fn start(tile: &Tile<'_>, f: usize) -> i32 {
    start_of(&tile.start, f)
}

/// The start of filter `f` whose record has the words `words`.
pub(super) fn start_of(words: &[i32; FILTERS], f: usize) -> i32 {
    let at = |f: usize| words.get(f).copied().unwrap_or_default();
    if f.is_multiple_of(2) { at(f) } else { at(f).wrapping_sub(at(f - 1)) >> 8 }
}

/// Weight `k` of filter `f` of a record, in `-128..=128`.
pub fn weight(tile: &Tile<'_>, f: usize, k: usize) -> i32 {
    tile.weights.as_chunks().0.get(k / GROUP).map_or(0, |group| group_weight(group, f, k % GROUP))
}

/// Weight `k` of filter `f` of a group.
pub(super) fn group_weight(group: &[i32; GROUP_WORDS], f: usize, k: usize) -> i32 {
    let word = group.get(k % 2 * 2 + f / 2).copied().unwrap_or_default();
    let half = if k < 2 { word << 16 >> 16 } else { word >> 16 };
    let even = half << 24 >> 24;
    if f.is_multiple_of(2) { even } else { (half - even) >> 8 }
}

/// Checks what the kernels of filters of `len` weights rely on: no accumulator leaves its range, whatever the input
/// is, and what is read past the end of an input meets zeros.
///
/// # Errors
/// [`OperatorError::Param`] `tiles` with the start that is too large, [`ShapeError::Dim`] for a filter that is too long.
pub fn check(tiles: &Tiles<'_>, len: usize) -> Result<(), OperatorError> {
    if len > MAX_LEN {
        return Err(ShapeError::Dim { name: "weights of a filter", value: len }.into());
    }
    for tile in tiles.iter() {
        for (f, multiplier) in tile.multipliers.iter().enumerate() {
            if !multiplier.is_valid() {
                return Err(OperatorError::Param { name: "tiles", value: 0 });
            }
            let start = start(&tile, f);
            let mut sum = 0;
            for k in 0..tile.weights.len() {
                let magnitude = weight(&tile, f, k).abs();
                if k >= len && magnitude != 0 {
                    return Err(ShapeError::Dim { name: "weights past a filter", value: len }.into());
                }
                sum += magnitude;
            }
            check_sum(f, start, sum)?;
        }
    }
    Ok(())
}

/// Checks that filter `f` of a record with the sum `sum` of its weights' magnitudes stays in its range.
pub(super) fn check_sum(f: usize, start: i32, sum: i32) -> Result<(), OperatorError> {
    let room = if f.is_multiple_of(2) { SmallMultiplier::MAX_ACC } else { MAX_ODD_ACC - 1 };
    if start.unsigned_abs() > room.saturating_sub(sum.saturating_mul(128)).unsigned_abs() || sum > room / 128 {
        return Err(OperatorError::Param { name: "tiles", value: start });
    }
    Ok(())
}
