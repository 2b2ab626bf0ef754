//! Filters most of whose groups are zero for all four filters of a record: only the other groups are stored.
//!
//! A record is `[start: 4 | groups | mantissa_q32: 4 | exponents: 1]` in words, its starts and multipliers as at
//! [`filters`]. A group is an index and four words of weights. Bits 5 and up of the index are the number of groups that
//! are left out before this one, bit 0 says that it is the last group of the record; the other bits are 0. A record has
//! one group at least.

use super::filters::{self, Filter, GROUP, GROUP_WORDS, MAX_LEN};
use super::packed::{Packed, check_filters, records, split_record};
use super::{FILTERS, TiledInt8};
use crate::error::{OperatorError, ShapeError};
use crate::num::SmallMultiplier;
use crate::shape::expect_len;

/// Words of a group with its index.
pub const INDEXED_GROUP_WORDS: usize = 1 + GROUP_WORDS;
/// Bits of an index below the number of groups.
const FLAGS: u32 = 5;
/// The index of a record's last group has it.
const LAST: i32 = 1;

/// Filters in blocks of four filters by four weights, of which only some are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks<'a> {
    words: &'a [i32],
    filters: usize,
    filter_len: usize,
}

/// One record of [`Blocks`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    start: [i32; FILTERS],
    groups: &'a [[i32; INDEXED_GROUP_WORDS]],
    pub(crate) multipliers: [SmallMultiplier; FILTERS],
}

impl<'a> Record<'a> {
    fn split(words: &'a [i32]) -> Option<(Self, &'a [i32])> {
        let all = words.get(FILTERS..)?.as_chunks::<INDEXED_GROUP_WORDS>().0;
        let count = all.iter().position(|[index, ..]| index & LAST != 0)? + 1;
        let (start, groups, multipliers, rest) = split_record(words, count * INDEXED_GROUP_WORDS)?;
        Some((Self { start, groups: groups.as_chunks().0, multipliers }, rest))
    }

    /// The starts by filter.
    pub(crate) fn starts(&self) -> [i32; FILTERS] {
        core::array::from_fn(|f| filters::start_of(&self.start, f))
    }

    /// Which group of a filter, and its weights.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, &'a [i32; GROUP_WORDS])> + use<'a> {
        let mut next = 0;
        self.groups.iter().filter_map(move |group| {
            let (index, weights) = group.split_first()?;
            let at = next + (index.cast_unsigned() >> FLAGS) as usize;
            next = at + 1;
            Some((at, weights.try_into().ok()?))
        })
    }

    fn weight(&self, f: usize, k: usize) -> i32 {
        let group = self.groups().find(|&(at, _)| at == k / GROUP);
        group.map_or(0, |(_, group)| filters::group_weight(group, f, k % GROUP))
    }
}

impl<'a> Blocks<'a> {
    /// Checks the records of `filters` filters of `filter_len` weights: once this is `Ok` every kernel computes what the
    /// definition says.
    ///
    /// # Errors
    /// [`ShapeError::Len`] `tiles` where the records are not exactly `words`; [`OperatorError::Param`] `group index` for
    /// one that leads past the filter or has other bits, `multiplier`, or `tiles` with a start whose filter can leave
    /// its range; [`ShapeError::Dim`] for weights past a filter.
    pub fn try_new(words: &'a [i32], filters: usize, filter_len: usize) -> Result<Self, OperatorError> {
        if filter_len > MAX_LEN {
            return Err(ShapeError::Dim { name: "weights of a filter", value: filter_len }.into());
        }
        let blocks = Self::verified(words, filters, filter_len);
        let (mut records, mut taken) = (0, 0);
        for record in blocks.records() {
            blocks.check(&record)?;
            records += 1;
            taken += FILTERS + record.groups.len() * INDEXED_GROUP_WORDS + FILTERS + 1;
        }
        expect_len("tiles", filters.div_ceil(FILTERS), records)?;
        expect_len("tiles", taken, words.len())?;
        Ok(blocks)
    }

    /// What [`try_new`](Self::try_new) found good once: the kernels trust the indices.
    pub(crate) const fn verified(words: &'a [i32], filters: usize, filter_len: usize) -> Self {
        Self { words, filters, filter_len }
    }

    fn check(&self, record: &Record<'_>) -> Result<(), OperatorError> {
        let count = self.patch_len() / GROUP;
        for [index, ..] in record.groups {
            let other = index & ((1 << FLAGS) - 1) & !LAST;
            if *index < 0 || other != 0 || (index >> FLAGS).cast_unsigned() as usize >= count {
                return Err(OperatorError::Param { name: "group index", value: *index });
            }
        }
        let mut sums = [0; FILTERS];
        for (at, weights) in record.groups() {
            if at >= count {
                return Err(OperatorError::Param { name: "group index", value: at as i32 });
            }
            for (f, sum) in sums.iter_mut().enumerate() {
                for k in 0..GROUP {
                    let magnitude = filters::group_weight(weights, f, k).abs();
                    if at * GROUP + k >= self.filter_len && magnitude != 0 {
                        let name = "weights past a filter";
                        return Err(ShapeError::Dim { name, value: self.filter_len }.into());
                    }
                    *sum += magnitude;
                }
            }
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

impl Packed for Blocks<'_> {
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
        self.records().nth(o / FILTERS).map_or(0, |record| record.weight(o % FILTERS, k))
    }

    fn finish(&self, numerics: &TiledInt8, o: usize, acc: i32) -> i8 {
        let multiplier = self.records().nth(o / FILTERS).and_then(|r| r.multipliers.get(o % FILTERS).copied());
        numerics.finish(acc, multiplier.unwrap_or_default())
    }
}

/// Hands the words of a record of filters of `len` weights to `put`, one after the other; `None` where two weights do
/// not fit into a half.
pub fn pack(filters: &[Filter<'_>; FILTERS], len: usize, put: &mut impl FnMut(i32)) -> Option<()> {
    let present = |at: usize| {
        let group = at * GROUP..(at + 1) * GROUP;
        filters.iter().any(|f| group.clone().any(|k| f.weights.get(k).is_some_and(|&w| w != 0)))
    };
    let count = len.div_ceil(GROUP);
    let last = (0..count).rev().find(|&at| present(at)).unwrap_or(0);
    filters::pack_starts(filters).into_iter().for_each(&mut *put);
    let mut next = 0;
    for at in (0..count).filter(|&at| at == last || present(at)) {
        put(((at - next) as i32) << FLAGS | if at == last { LAST } else { 0 });
        filters::pack_group(filters, at * GROUP)?.into_iter().for_each(&mut *put);
        next = at + 1;
    }
    filters.iter().for_each(|f| put(f.multiplier.mantissa_q32.cast_signed()));
    put(i32::from_le_bytes(filters.map(|f| f.multiplier.exponent)));
    Some(())
}
