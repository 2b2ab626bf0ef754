//! Edges that are left out at run time: a bit an edge, made of ranks and of how many edges go.

use crate::error::ShapeError;
use crate::shape::expect_len;
use core::ops::Range;

/// Which entries of a sparse matrix count: all, or those whose bit is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptEdges<'a>(Option<&'a [i8]>);

impl<'a> KeptEdges<'a> {
    /// Every entry.
    pub const ALL: Self = Self(None);

    /// The entries whose bit is set: entry `e` has bit `e % 8` of byte `e / 8`. A byte that is not there has none set.
    pub const fn of(bits: &'a [i8]) -> Self {
        Self(Some(bits))
    }

    /// Whether no entry can be left out.
    #[inline]
    pub const fn is_all(self) -> bool {
        self.0.is_none()
    }

    /// Bytes of the bits of `entries` entries.
    pub const fn bytes(entries: usize) -> usize {
        entries.div_ceil(8)
    }

    /// Whether entry `entry` counts.
    #[inline]
    pub fn has(self, entry: usize) -> bool {
        self.0.is_none_or(|bits| bits.get(entry / 8).is_some_and(|&byte| byte >> (entry % 8) & 1 == 1))
    }

    /// How many of these entries count.
    #[inline]
    pub fn count(self, entries: Range<usize>) -> usize {
        let Some(bits) = self.0 else { return entries.len() };
        let (mut count, mut at) = (0, entries.start);
        while at < entries.end {
            let len = (8 - at % 8).min(entries.end - at);
            let byte = bits.get(at / 8).map_or(0, |&byte| byte.cast_unsigned());
            let part = u32::from(byte >> (at % 8)) & ((1 << len) - 1);
            count += part.count_ones() as usize;
            at += len;
        }
        count
    }
}

/// One rank an edge, in the width that files have: the smallest go first, and the largest number of the width stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranks<'a> {
    /// 16 bits.
    Narrow(&'a [u16]),
    /// 32 bits.
    Wide(&'a [u32]),
}

impl Ranks<'_> {
    /// Number of edges.
    pub const fn len(&self) -> usize {
        match self {
            Self::Narrow(ranks) => ranks.len(),
            Self::Wide(ranks) => ranks.len(),
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Sets the bit of each edge that stays when `drop` ranks go: `rank >= drop`, and always the largest number of the width.
/// A `drop` below 0 stands for 0. Bits past the last edge are 0.
///
/// # Shapes
/// `bits: [`[`KeptEdges::bytes`]` of the edges]`
/// # Errors
/// [`ShapeError`]; `bits` is untouched then.
pub fn keep_edges(ranks: Ranks<'_>, drop: i32, bits: &mut [i8]) -> Result<(), ShapeError> {
    expect_len("bits", KeptEdges::bytes(ranks.len()), bits.len())?;
    let drop = u32::try_from(drop).unwrap_or(0);
    match ranks {
        Ranks::Narrow(ranks) => {
            let drop = u16::try_from(drop).unwrap_or(u16::MAX);
            fill(ranks, |&rank| rank >= drop, bits);
        }
        Ranks::Wide(ranks) => fill(ranks, |&rank| rank >= drop, bits),
    }
    Ok(())
}

fn fill<T>(ranks: &[T], stays: impl Fn(&T) -> bool, bits: &mut [i8]) {
    for (byte, ranks) in bits.iter_mut().zip(ranks.chunks(8)) {
        let set = ranks.iter().rev().fold(0_u8, |byte, rank| byte << 1 | u8::from(stays(rank)));
        *byte = set.cast_signed();
    }
}
