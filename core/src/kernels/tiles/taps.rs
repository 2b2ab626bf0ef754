//! Filters that leave weights out wherever the four filters of a record all do: blocks of 4 × 1, N:M sparsity.
//!
//! A record is `[start: 4 | count: 1 | quads | mantissa_q32: 4 | exponents: 1]` in words, its starts and multipliers as at
//! [`filters`]; `count` is the number of bytes of its quads. A quad is four weights of each filter: a word with four
//! distances and four words of weights. A distance is a byte: four times the number of weights from the last one that was
//! kept (of the first: from weight 0), a longer way takes weights of zero on it. The words of weights are those of a
//! group: the first two weights are in the low and the high half of words 0 and 1, the others in those of words 2 and 3.

use super::filters::{self, Filter, GROUP, GROUP_WORDS, MAX_LEN};
use super::packed::{Packed, check_filters, records};
use super::{FILTERS, TiledInt8};
use crate::error::{OperatorError, ShapeError};
use crate::num::SmallMultiplier;
use crate::shape::expect_len;

/// Words of a quad.
pub const QUAD_WORDS: usize = 1 + GROUP_WORDS;
/// Bytes of a quad.
const QUAD_BYTES: usize = QUAD_WORDS * size_of::<i32>();
/// Largest distance in weights.
pub const MAX_DISTANCE: usize = 63;
/// Where the weights of a quad stand in a group.
const ORDER: [usize; GROUP] = [0, 2, 1, 3];

/// Filters of which the weights are kept that any of the four of a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taps<'a> {
    words: &'a [i32],
    filters: usize,
    filter_len: usize,
}

/// One record of [`Taps`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    start: [i32; FILTERS],
    quads: &'a [[i32; QUAD_WORDS]],
    pub(crate) multipliers: [SmallMultiplier; FILTERS],
}

impl<'a> Record<'a> {
    fn split(words: &'a [i32]) -> Option<(Self, &'a [i32])> {
        let (start, rest) = words.split_first_chunk::<FILTERS>()?;
        let (&bytes, rest) = rest.split_first()?;
        let count = usize::try_from(bytes).ok()? / QUAD_BYTES;
        let (quads, rest) = rest.split_at_checked(count.checked_mul(QUAD_WORDS)?)?;
        let (mantissas, rest) = rest.split_first_chunk::<FILTERS>()?;
        let (&exponents, rest) = rest.split_first()?;
        let multipliers = super::multipliers(mantissas, exponents);
        Some((Self { start: *start, quads: quads.as_chunks().0, multipliers }, rest))
    }

    /// The starts by filter.
    pub(crate) fn starts(&self) -> [i32; FILTERS] {
        core::array::from_fn(|f| filters::start_of(&self.start, f))
    }

    /// The position of every weight that is kept, and the weight of each filter.
    #[inline]
    pub(crate) fn taps(&self) -> impl Iterator<Item = (usize, [i32; FILTERS])> + use<'a> {
        let taps = self.quads.iter().flat_map(|[distances, weights @ ..]| {
            distances.to_le_bytes().into_iter().zip(ORDER).map(move |(distance, k)| (distance, k, weights))
        });
        let mut at = 0;
        taps.map(move |(distance, k, weights)| {
            at += usize::from(distance / 4);
            (at, core::array::from_fn(|f| filters::group_weight(weights, f, k)))
        })
    }
}

impl<'a> Taps<'a> {
    /// Checks the records of `filters` filters of `filter_len` weights: once this is `Ok` every kernel computes what the
    /// definition says.
    ///
    /// # Errors
    /// [`ShapeError::Len`] `tiles` where the records are not exactly `words`; [`OperatorError::Param`] `quads` for a count
    /// that is none, `distance` for one that is no multiple of four or leads past the filter, `multiplier`, or `tiles`
    /// with a start whose filter can leave its range.
    pub fn try_new(words: &'a [i32], filters: usize, filter_len: usize) -> Result<Self, OperatorError> {
        if filter_len > MAX_LEN {
            return Err(ShapeError::Dim { name: "weights of a filter", value: filter_len }.into());
        }
        let (taps, mut rest, mut records) = (Self::verified(words, filters, filter_len), words, 0);
        while let Some((record, after)) = Record::split(rest) {
            let bytes = rest.get(FILTERS).copied().unwrap_or_default();
            if record.quads.is_empty() || bytes.cast_unsigned() as usize != record.quads.len() * QUAD_BYTES {
                return Err(OperatorError::Param { name: "quads", value: bytes });
            }
            taps.check(&record)?;
            records += 1;
            rest = after;
        }
        expect_len("tiles", filters.div_ceil(FILTERS), records)?;
        expect_len("tiles", words.len() - rest.len(), words.len())?;
        Ok(taps)
    }

    /// What [`try_new`](Self::try_new) found good once: the kernels trust counts and distances.
    pub(crate) const fn verified(words: &'a [i32], filters: usize, filter_len: usize) -> Self {
        Self { words, filters, filter_len }
    }

    fn check(&self, record: &Record<'_>) -> Result<(), OperatorError> {
        for [distances, ..] in record.quads {
            if distances & 0x0303_0303 != 0 {
                return Err(OperatorError::Param { name: "distance", value: *distances });
            }
        }
        let mut sums = [0_i32; FILTERS];
        for (at, weights) in record.taps() {
            if at >= self.filter_len {
                return Err(OperatorError::Param { name: "distance", value: at as i32 });
            }
            sums.iter_mut().zip(weights).for_each(|(sum, w)| *sum = sum.saturating_add(w.abs()));
        }
        check_filters(record.starts(), sums, record.multipliers)
    }

    /// All words.
    pub const fn words(&self) -> &'a [i32] {
        self.words
    }

    /// The records.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        records(self.words, Record::split)
    }
}

impl Packed for Taps<'_> {
    fn filters(&self) -> usize {
        self.filters
    }

    fn filter_len(&self) -> usize {
        self.filter_len
    }

    fn start(&self, o: usize) -> i32 {
        self.records().nth(o / FILTERS).map_or(0, |record| filters::start_of(&record.start, o % FILTERS))
    }

    fn weight(&self, o: usize, k: usize) -> i32 {
        let Some(record) = self.records().nth(o / FILTERS) else { return 0 };
        let here = record.taps().filter(|&(at, _)| at == k);
        here.map(|(_, weights)| weights.get(o % FILTERS).copied().unwrap_or_default()).sum()
    }

    fn finish(&self, numerics: &TiledInt8, o: usize, acc: i32) -> i8 {
        let multiplier = self.records().nth(o / FILTERS).and_then(|r| r.multipliers.get(o % FILTERS).copied());
        numerics.finish(acc, multiplier.unwrap_or_default())
    }

    /// The input as words.
    fn single_words(&self) -> usize {
        self.patch_len()
    }
}

/// Hands the words of a record of four filters of `len` weights to `put`, one after the other; `None` where two weights
/// do not fit into a half.
pub fn pack(filters: &[Filter<'_>; FILTERS], len: usize, put: &mut impl FnMut(i32)) -> Option<()> {
    let any = |k: usize| filters.iter().any(|f| f.weights.get(k).is_some_and(|&w| w != 0));
    // A distance that would become too long takes weights of zero on its way.
    let end = (0..len).rev().find(|&k| any(k)).map_or(1, |k| k + 1);
    let next = |last: Option<usize>| {
        let (first, from) = last.map_or((0, 0), |last| (last + 1, last));
        (first..end).find(|&k| any(k) || k - from == MAX_DISTANCE || end == 1)
    };
    let mut kept = core::iter::successors(next(None), |&last| next(Some(last)));
    let count = core::iter::successors(next(None), |&last| next(Some(last))).count();
    filters::pack_starts(filters).into_iter().for_each(&mut *put);
    put((count.div_ceil(GROUP) * QUAD_BYTES) as i32);
    let mut before = 0;
    for _ in 0..count.div_ceil(GROUP) {
        // What is missing in the last quad repeats the last position, with weights of zero.
        let (mut distances, mut weights) = ([0; GROUP], [[0; GROUP]; FILTERS]);
        for (distance, place) in distances.iter_mut().zip(ORDER) {
            let Some(tap) = kept.next() else { break };
            *distance = u8::try_from(4 * (tap - before)).ok()?;
            before = tap;
            for (weights, filter) in weights.iter_mut().zip(filters) {
                if let (Some(to), Some(&from)) = (weights.get_mut(place), filter.weights.get(tap)) {
                    *to = from;
                }
            }
        }
        let [w0, w1, w2, w3] = &weights;
        let four = [w0, w1, w2, w3].map(|weights| Filter { weights, ..Filter::MISSING });
        put(i32::from_le_bytes(distances));
        filters::pack_group(&four, 0)?.into_iter().for_each(&mut *put);
    }
    filters.iter().for_each(|f| put(f.multiplier.mantissa_q32.cast_signed()));
    put(i32::from_le_bytes(filters.map(|f| f.multiplier.exponent)));
    Some(())
}
