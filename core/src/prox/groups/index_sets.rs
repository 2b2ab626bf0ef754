//! Groups as lists of elements.

use super::{Groups, Run};
use crate::error::GroupError;

/// Disjoint sets of elements of a part, of any sizes. Elements in no set belong to no group and do not change.
///
/// Set `j` is `indices[starts[j]..starts[j + 1]]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSets<'a> {
    starts: &'a [u32],
    indices: &'a [u32],
    span: usize,
}

impl<'a> IndexSets<'a> {
    /// Checks sets of elements of a part with `part_len` elements.
    ///
    /// # Shapes
    /// `starts: [groups + 1]` · `indices: [starts[groups]]` · `seen`: at least [`IndexSets::seen_len`] words of scratch
    /// # Errors
    /// [`GroupError::Starts`] unless `starts` begins with 0, rises at every entry (no set is empty) and ends with the
    /// number of indices; [`GroupError::Empty`] for less than one set; [`GroupError::Order`] unless the indices of each set
    /// rise, so that members are met in memory order; [`GroupError::Range`] for an index outside the part;
    /// [`GroupError::Shared`] for one in two sets; [`GroupError::Scratch`] when `seen` is too short.
    pub fn try_new(
        starts: &'a [u32],
        indices: &'a [u32],
        part_len: usize,
        seen: &mut [u32],
    ) -> Result<Self, GroupError> {
        let needed = Self::seen_len(part_len);
        let got = seen.len();
        let seen = seen.get_mut(..needed).ok_or(GroupError::Scratch { expected: needed, got })?;
        let (Some(first), Some(last)) = (starts.first(), starts.get(1..).and_then(<[u32]>::last)) else {
            return Err(GroupError::Empty);
        };
        let falls = || starts.windows(2).position(|pair| pair.first() >= pair.last()).map(|before| before + 1);
        let ends_wrong = || (*last as usize != indices.len()).then_some(starts.len() - 1);
        if let Some(position) = (*first != 0).then_some(0).or_else(falls).or_else(ends_wrong) {
            return Err(GroupError::Starts { position });
        }
        seen.fill(0);
        let mut span = 0;
        for (set, members) in sets(starts, indices).enumerate() {
            if members.windows(2).any(|pair| pair.first() >= pair.last()) {
                return Err(GroupError::Order { set });
            }
            for index in members.iter().map(|index| *index as usize) {
                let (Some(word), true) = (seen.get_mut(index / 32), index < part_len) else {
                    return Err(GroupError::Range { index, len: part_len });
                };
                let bit = 1 << (index % 32);
                if *word & bit != 0 {
                    return Err(GroupError::Shared { index });
                }
                *word |= bit;
                span = span.max(index + 1);
            }
        }
        Ok(Self { starts, indices, span })
    }

    /// Words of scratch that [`IndexSets::try_new`] needs for a part with so many elements.
    pub const fn seen_len(part_len: usize) -> usize {
        part_len.div_ceil(32)
    }
}

fn sets<'a>(starts: &'a [u32], indices: &'a [u32]) -> impl Iterator<Item = &'a [u32]> {
    let ends = starts.iter().skip(1);
    starts.iter().zip(ends).map(|(start, end)| indices.get(*start as usize..*end as usize).unwrap_or_default())
}

impl Groups for IndexSets<'_> {
    fn groups(&self) -> usize {
        self.starts.len() - 1
    }

    fn span(&self) -> usize {
        self.span
    }

    #[inline]
    fn walk(&self, mut visit: impl FnMut(Run<'_>)) {
        sets(self.starts, self.indices)
            .enumerate()
            .for_each(|(group, elements)| visit(Run::Listed { group, elements }));
    }
}
