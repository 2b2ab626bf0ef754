//! Rows on demand: an operator computes the rows of its operand when it needs them, through as many operators as are
//! not stored.

use super::rows::{node_compressed, node_dense, propagate, sparse_compressed, sparse_dense, stored};
use super::sums::{BLOCK, Sums};
use super::weighted_row::{attention, by_degree};
use super::{CompressedWeights, LayerWeights, NeighbourWeights, NodeDense, Propagate, SparseDense, Weighted};
use crate::kernels::InnerLoops;

/// One operator of a chain, with its weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowOperator<'a> {
    /// Rows that lie in memory, `width` elements each.
    Stored {
        /// `[rows, width]`
        x: &'a [i8],
        /// Elements of a row.
        width: usize,
    },
    /// Sums over neighbours of the rows below.
    Propagate(Propagate<'a>),
    /// Weighted sums over neighbours of the rows below.
    Weighted(Weighted<'a>),
    /// Features times weights.
    SparseDense(SparseDense<'a>, LayerWeights<'a>),
    /// A layer of the row below.
    NodeDense(NodeDense<'a>, LayerWeights<'a>),
}

impl RowOperator<'_> {
    /// Words of working memory of this operator alone if `stored` says whether the rows below it lie in memory.
    pub fn scratch_words(&self, stored: bool) -> usize {
        match self {
            // Sums, and the row that is added to them.
            Self::Propagate(op) if !stored => op.channels + op.channels.div_ceil(4),
            Self::Weighted(op) if stored => op.scratch_words(),
            Self::Weighted(op) => op.scratch_words() + op.channels.div_ceil(4),
            Self::NodeDense(op, _) if !stored => op.inputs.div_ceil(4),
            _ => 0,
        }
    }
}

/// Computes a row of the first link of a chain: `chain, row, y, scratch, block`, as [`compute_row_with`].
type Compute = fn(&[Link<'_>], usize, &mut [i8], &mut [i32], &mut Sums);

/// An operator of a chain with what computes its rows: only the operators that a chain may have are linked.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    operator: RowOperator<'a>,
    compute: Compute,
}

impl<'a> Link<'a> {
    /// Rows that lie in memory, `width` elements each.
    pub const fn stored(x: &'a [i8], width: usize) -> Self {
        Self { operator: RowOperator::Stored { x, width }, compute: stored }
    }

    /// Sums over neighbours.
    pub const fn propagate<B: InnerLoops>(op: Propagate<'a>) -> Self {
        Self { operator: RowOperator::Propagate(op), compute: propagate::<B> }
    }

    /// Sums weighted by degree.
    pub const fn by_degree<B: InnerLoops>(op: Weighted<'a>) -> Self {
        Self { operator: RowOperator::Weighted(op), compute: by_degree::<B> }
    }

    /// Sums weighted by attention.
    pub const fn attention<B: InnerLoops>(op: Weighted<'a>) -> Self {
        Self { operator: RowOperator::Weighted(op), compute: attention::<B> }
    }

    /// Features times all weights.
    pub const fn sparse_dense<B: InnerLoops>(op: SparseDense<'a>, w: &'a [i8]) -> Self {
        Self { operator: RowOperator::SparseDense(op, LayerWeights::Whole(w)), compute: sparse_dense::<B> }
    }

    /// Features times the weights that are not zero.
    pub const fn sparse_compressed<B: InnerLoops>(op: SparseDense<'a>, w: CompressedWeights<'a>) -> Self {
        Self { operator: RowOperator::SparseDense(op, LayerWeights::Compressed(w)), compute: sparse_compressed::<B> }
    }

    /// A layer with all weights.
    pub const fn node_dense<B: InnerLoops>(op: NodeDense<'a>, w: &'a [i8]) -> Self {
        Self { operator: RowOperator::NodeDense(op, LayerWeights::Whole(w)), compute: node_dense::<B> }
    }

    /// A layer with the weights that are not zero.
    pub const fn node_compressed<B: InnerLoops>(op: NodeDense<'a>, w: CompressedWeights<'a>) -> Self {
        Self { operator: RowOperator::NodeDense(op, LayerWeights::Compressed(w)), compute: node_compressed::<B> }
    }

    /// Any of them, where it does not matter that all are linked.
    pub const fn new<B: InnerLoops>(operator: RowOperator<'a>) -> Self {
        match operator {
            RowOperator::Stored { x, width } => Self::stored(x, width),
            RowOperator::Propagate(op) => Self::propagate::<B>(op),
            RowOperator::Weighted(op) => match op.weights {
                NeighbourWeights::ByDegree(_) => Self::by_degree::<B>(op),
                NeighbourWeights::Attention(_) => Self::attention::<B>(op),
            },
            RowOperator::SparseDense(op, LayerWeights::Whole(w)) => Self::sparse_dense::<B>(op, w),
            RowOperator::SparseDense(op, LayerWeights::Compressed(w)) => Self::sparse_compressed::<B>(op, w),
            RowOperator::NodeDense(op, LayerWeights::Whole(w)) => Self::node_dense::<B>(op, w),
            RowOperator::NodeDense(op, LayerWeights::Compressed(w)) => Self::node_compressed::<B>(op, w),
        }
    }

    /// The operator.
    pub const fn operator(&self) -> &RowOperator<'a> {
        &self.operator
    }

    /// The rows, if they lie in memory.
    #[inline]
    pub(super) const fn rows(&self) -> Option<(&'a [i8], usize)> {
        if let RowOperator::Stored { x, width } = self.operator { Some((x, width)) } else { None }
    }
}

/// Words of working memory that [`compute_row`] needs for a chain of these operators.
pub fn scratch_words<'c, 'a: 'c>(chain: impl Iterator<Item = &'c RowOperator<'a>> + Clone) -> usize {
    let below = chain.clone().skip(1).map(|below| matches!(below, RowOperator::Stored { .. })).chain([false]);
    chain.zip(below).map(|(operator, stored)| operator.scratch_words(stored)).sum()
}

/// Computes row `row` of the first operator of `chain`, which reads rows of the second, and so on; the last one is
/// stored or reads features.
///
/// # Shapes
/// `y: [channels]` of the first operator · `scratch` at least [`scratch_words`]
pub fn compute_row(chain: &[Link<'_>], row: usize, y: &mut [i8], scratch: &mut [i32]) {
    compute_row_with(chain, row, y, scratch, &mut [0; BLOCK]);
}

/// [`compute_row`] with memory for the sums of every operator in turn: one block for all rows and the whole chain.
#[inline]
pub(crate) fn compute_row_with(chain: &[Link<'_>], row: usize, y: &mut [i8], scratch: &mut [i32], block: &mut Sums) {
    if let Some(first) = chain.first() {
        (first.compute)(chain, row, y, scratch, block);
    }
}

/// Every row of the first operator of `chain`.
pub(crate) fn compute_rows(chain: &[Link<'_>], channels: usize, y: &mut [i8], scratch: &mut [i32]) {
    let mut block = [0; BLOCK];
    for (row, y) in y.chunks_mut(channels.max(1)).enumerate() {
        compute_row_with(chain, row, y, scratch, &mut block);
    }
}

/// `len` codes at the start of `words`, and the words after them.
pub(super) fn codes(words: &mut [i32], len: usize) -> (&mut [i8], &mut [i32]) {
    let (head, rest) = words.split_at_mut_checked(len.div_ceil(4)).unwrap_or_default();
    let codes: &mut [i8] = bytemuck::try_cast_slice_mut(head).unwrap_or_default();
    (codes.get_mut(..len).unwrap_or_default(), rest)
}
