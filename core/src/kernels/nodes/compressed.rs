//! Weights of a layer over nodes of which most are zero: those that are not, by row, in blocks of channels.

use super::BLOCK;
use crate::error::GraphError;
use core::ops::Range;

/// The weights other than zero of a matrix `[inputs, channels]`.
///
/// # Shapes
/// Channels are cut into blocks of [`BLOCK`]. Row r of block b is span `b * inputs + r`: the packed form begins with
/// where each span starts among the entries, and where the last one ends; after those offsets come the entries, the
/// channel within its block in the low byte, the weight in the high one. The channels of a span rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedWeights<'a> {
    offsets: &'a [u16],
    entries: &'a [u16],
    inputs: usize,
    channels: usize,
}

impl<'a> CompressedWeights<'a> {
    /// Proves `packed`.
    ///
    /// # Errors
    /// [`GraphError`] names the offset that is wrong, or the span whose channels are.
    pub fn try_new(packed: &'a [u16], inputs: usize, channels: usize) -> Result<Self, GraphError> {
        let spans = inputs.checked_mul(channels.div_ceil(BLOCK)).filter(|&spans| spans > 0);
        let spans = spans.ok_or(GraphError::Empty { what: "weights" })?;
        let short = GraphError::Offsets { position: packed.len() };
        if packed.len() <= spans {
            return Err(short);
        }
        let weights = Self::proved(packed, inputs, channels);
        let mut last = 0;
        for (position, &offset) in weights.offsets.iter().enumerate() {
            if offset < last || (position == 0 && offset != 0) {
                return Err(GraphError::Offsets { position });
            }
            last = offset;
        }
        if usize::from(last) != weights.entries.len() {
            return Err(GraphError::Offsets { position: spans });
        }
        for row in 0..spans {
            let columns = channels.saturating_sub(row.checked_div(inputs).unwrap_or(0) * BLOCK).min(BLOCK);
            let mut next = 0;
            for &entry in weights.span(row) {
                let index = usize::from(entry & 0xFF);
                if index >= columns {
                    return Err(GraphError::Range { row, index, columns });
                }
                if index < next {
                    return Err(GraphError::Order { row });
                }
                next = index + 1;
            }
        }
        Ok(weights)
    }

    /// What [`try_new`](Self::try_new) proved before. Other weights give other sums, and never a fault.
    pub fn proved(packed: &'a [u16], inputs: usize, channels: usize) -> Self {
        let offsets_len = inputs.saturating_mul(channels.div_ceil(BLOCK)).saturating_add(1);
        let (offsets, entries) = packed.split_at_checked(offsets_len).unwrap_or_default();
        Self { offsets, entries, inputs, channels }
    }

    /// Elements of the matrix, zeros included.
    pub const fn matrix_len(&self) -> usize {
        self.inputs.saturating_mul(self.channels)
    }

    /// Weights that are stored.
    pub const fn entry_count(&self) -> usize {
        self.entries.len()
    }

    /// Weight `[row, channel]`.
    pub fn weight(&self, row: usize, channel: usize) -> i8 {
        let of_channel = |entry: &&u16| usize::from(*entry & 0xFF) == channel % BLOCK;
        let entry = self.span(channel / BLOCK * self.inputs + row).iter().find(of_channel);
        entry.map_or(0, |&entry| weight(entry))
    }

    /// Adds row `row` from channel `first` on, `factor` times; `first` is a multiple of [`BLOCK`].
    #[inline(always)]
    pub fn add_row(&self, sums: &mut [i32; BLOCK], factor: i32, row: usize, first: usize) {
        for &entry in self.span(first / BLOCK * self.inputs + row) {
            // The mask spares a comparison: proved channels are below BLOCK.
            if let Some(sum) = sums.get_mut(usize::from(entry) % BLOCK) {
                *sum = sum.wrapping_add(factor * i32::from(weight(entry)));
            }
        }
    }

    #[inline(always)]
    fn span(&self, at: usize) -> &'a [u16] {
        let ends = |ends: &[u16; 2]| Range { start: ends[0].into(), end: ends[1].into() };
        let range = self.offsets.get(at..).and_then(<[u16]>::first_chunk).map(ends);
        range.and_then(|range| self.entries.get(range)).unwrap_or_default()
    }
}

/// The weights of a layer over nodes, `[inputs, channels]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerWeights<'a> {
    /// All of them, row-major.
    Whole(&'a [i8]),
    /// Those that are not zero.
    Compressed(CompressedWeights<'a>),
}

impl LayerWeights<'_> {
    /// Elements of the matrix, zeros included.
    pub const fn matrix_len(&self) -> usize {
        match self {
            Self::Whole(w) => w.len(),
            Self::Compressed(w) => w.matrix_len(),
        }
    }

    /// Weight `[row, channel]` of a matrix of so many channels.
    pub fn weight(&self, row: usize, channel: usize, channels: usize) -> i8 {
        match self {
            Self::Whole(w) => w.get(row * channels + channel).copied().unwrap_or(0),
            Self::Compressed(w) => w.weight(row, channel),
        }
    }
}

#[inline(always)]
fn weight(entry: u16) -> i8 {
    let [_, weight] = entry.to_le_bytes();
    weight.cast_signed()
}
