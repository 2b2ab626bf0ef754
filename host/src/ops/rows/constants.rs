//! The constants of operators over node sets: owners of what core borrows.

use niwaki_core::format::DType;
use niwaki_core::graph::Csr;
use niwaki_core::kernels::nodes::{Attention, NeighbourWeights, Ranks};
use niwaki_core::kernels::{Clamp, RowConstants, RowScaling, Sparse};
use niwaki_core::num::Rounding;
use niwaki_core::teddy::NEVER;

/// Indices of a sparse matrix in the width that a file has them in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indices {
    /// 16 bits.
    Narrow(Vec<u16>),
    /// 32 bits.
    Wide(Vec<u32>),
}

impl Indices {
    /// In 16 bits if no index is larger than these hold.
    fn new(indices: &[u32]) -> Self {
        let narrow: Result<Vec<u16>, _> = indices.iter().map(|&index| index.try_into()).collect();
        narrow.map_or_else(|_| Self::Wide(indices.to_vec()), Self::Narrow)
    }

    /// Ranks in 16 bits where they fit; those that stay whatever happens are the largest number of either width.
    pub(in crate::ops) fn of_ranks(ranks: &[u32]) -> Self {
        let narrow = |&rank: &u32| match u16::try_from(rank) {
            Ok(rank) if rank < u16::MAX => Some(rank),
            _ => (rank == NEVER).then_some(u16::MAX),
        };
        let all: Option<Vec<u16>> = ranks.iter().map(narrow).collect();
        all.map_or_else(|| Self::Wide(ranks.to_vec()), Self::Narrow)
    }

    /// The view of ranks that core computes with.
    pub fn ranks(&self) -> Ranks<'_> {
        match self {
            Self::Narrow(ranks) => Ranks::Narrow(ranks),
            Self::Wide(ranks) => Ranks::Wide(ranks),
        }
    }

    /// Element type in files and the bytes.
    pub fn stored(&self) -> (DType, &[u8]) {
        match self {
            Self::Narrow(indices) => (DType::I16, bytemuck::cast_slice(indices)),
            Self::Wide(indices) => (DType::I32, bytemuck::cast_slice(indices)),
        }
    }

    /// Number of indices.
    pub fn len(&self) -> usize {
        match self {
            Self::Narrow(indices) => indices.len(),
            Self::Wide(indices) => indices.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A sparse matrix of ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// One a row, and the end.
    pub offsets: Indices,
    /// One an entry.
    pub columns: Indices,
    width: usize,
}

impl Pattern {
    pub(in crate::ops) fn new(offsets: &[u32], columns: &[u32], width: usize) -> Self {
        let columns = Indices::new(columns);
        let offsets = match columns {
            Indices::Narrow(_) => Indices::new(offsets),
            Indices::Wide(_) => Indices::Wide(offsets.to_vec()),
        };
        Self { offsets, columns, width }
    }

    /// The view that core computes with.
    pub fn view(&self) -> Sparse<'_> {
        match (&self.offsets, &self.columns) {
            (Indices::Narrow(o), Indices::Narrow(c)) => Sparse::Narrow(Csr::proved(o, c, self.width)),
            (Indices::Wide(o), Indices::Narrow(c)) => Sparse::Long(Csr::proved(o, c, self.width)),
            (Indices::Wide(o), Indices::Wide(c)) => Sparse::Wide(Csr::proved(o, c, self.width)),
            (Indices::Narrow(_), Indices::Wide(_)) => unreachable!("offsets are as wide as columns"),
        }
    }
}

/// How sums become quantised values; the owner of a [`RowScaling`].
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Q1.15, one a row, or none.
    pub factors: Vec<u16>,
    /// One a channel.
    pub bias: Vec<i32>,
    /// One a channel.
    pub multipliers_q31: Vec<i32>,
    /// One a channel.
    pub shifts: Vec<i32>,
    /// Quantised value of zero in the output.
    pub output_zero_point: i32,
    /// Fused activation in quantised values of the output.
    pub clamp: Clamp<i32>,
    /// How multipliers round.
    pub rounding: Rounding,
}

impl Scale {
    pub(super) fn view(&self) -> RowScaling<'_> {
        RowScaling::new(RowConstants {
            factors: &self.factors,
            bias: &self.bias,
            multipliers_q31: &self.multipliers_q31,
            shifts: &self.shifts,
            output_zero_point: self.output_zero_point,
            clamp: self.clamp,
            rounding: self.rounding,
        })
    }

    /// Biases, mantissas and shifts as a file has them.
    pub fn table(&self) -> Vec<i32> {
        [&self.bias, &self.multipliers_q31, &self.shifts].into_iter().flatten().copied().collect()
    }
}

/// What neighbours count in a weighted sum; the owner of a [`NeighbourWeights`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counts {
    /// One factor for each number of neighbours.
    ByDegree(Vec<u16>),
    /// GAT.
    Attention {
        /// `[2, channels]`
        vectors: Vec<i8>,
        /// `[4, heads]`
        slopes: Vec<i32>,
    },
}

impl Counts {
    pub(super) fn view(&self) -> NeighbourWeights<'_> {
        match self {
            Self::ByDegree(factors) => NeighbourWeights::ByDegree(factors),
            Self::Attention { vectors, slopes } => NeighbourWeights::Attention(Attention { vectors, slopes }),
        }
    }
}
