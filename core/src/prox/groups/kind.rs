//! Names for the groups of a layer's weights.

use super::layout::{GroupLayout, LayoutSpec, Loop};
use crate::error::GroupError;

/// A way to group the weights `[o, h, w, i]` of a layer (OHWI; a dense layer is `[o, 1, 1, i]`, a depthwise one
/// `[1, h, w, channels]`).
///
/// A filter's bias and the scale of its normalisation belong to its group: they are parts of their own, with
/// [`GroupLayout::elements`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// Each weight: `o·h·w·i` groups.
    Weight,
    /// The weights that produce one output channel, `[f, :, :, :]`: `o` groups; a row of a dense layer.
    Filter,
    /// The weights that read one input channel, `[:, :, :, c]`: `i` groups; a column of a dense layer, a filter of a
    /// depthwise one.
    InputChannel,
    /// One position of all filters, `[:, u, v, c]`: `h·w·i` groups; a column of the layer as a matrix product.
    FilterShape,
    /// One row of all kernels, `[:, u, :, :]`: `h` groups; without its first or last row a kernel is smaller.
    KernelRow,
    /// One column of all kernels, `[:, :, v, :]`: `w` groups.
    KernelColumn,
    /// Blocks of the matrix `[o, h·w·i]`, row by row: `(o / rows)·(h·w·i / cols)` groups; `4 × 1` is four filters at one
    /// position, as kernels with four accumulators read them.
    Block {
        /// Filters a block; divides `o`.
        rows: usize,
        /// Consecutive weights of a filter a block; divides `h·w·i`.
        cols: usize,
    },
    /// The whole layer: one group. Only for layers that a skip connection bypasses.
    Layer,
}

impl GroupLayout {
    /// The groups of this kind in an `[o, h, w, i]` tensor.
    ///
    /// # Errors
    /// [`GroupError::Empty`] for a size of 0, [`GroupError::Ragged`] for blocks that do not divide the matrix,
    /// [`GroupError::Part`] when the size of the tensor does not fit into `usize`.
    pub fn of(kind: GroupKind, [o, h, w, i]: [usize; 4]) -> Result<Self, GroupError> {
        let too_long = GroupError::Part { span: usize::MAX, got: 0 };
        let times = |a: usize, b: usize| a.checked_mul(b).ok_or(too_long);
        let row = times(w, i)?;
        let filter = times(h, row)?;
        let all = times(o, filter)?;
        let filters = Loop { len: o, stride: filter };
        match kind {
            GroupKind::Weight => Self::elements(all),
            GroupKind::Filter => Self::rows(o, filter),
            GroupKind::InputChannel => Self::columns(i, times(times(o, h)?, w)?),
            GroupKind::FilterShape => Self::columns(filter, o),
            GroupKind::KernelRow => Self::try_new(LayoutSpec {
                groups: [Loop::ONCE, Loop { len: h, stride: row }],
                members: [Loop::ONCE, filters, Loop { len: row, stride: 1 }],
            }),
            GroupKind::KernelColumn => Self::try_new(LayoutSpec {
                groups: [Loop::ONCE, Loop { len: w, stride: i }],
                members: [filters, Loop { len: h, stride: row }, Loop { len: i, stride: 1 }],
            }),
            GroupKind::Block { rows, cols } => Self::blocks([o, filter], [rows, cols]),
            GroupKind::Layer => Self::rows(1, all),
        }
    }

    /// Blocks of `rows × cols` of a row-major matrix, row by row.
    ///
    /// All groups of a layout have the same size. Where blocks do not divide the matrix, pad it, or list all blocks as
    /// [`IndexSets`](super::IndexSets).
    ///
    /// # Errors
    /// [`GroupError::Ragged`]; else as [`GroupLayout::try_new`].
    pub fn blocks([rows, cols]: [usize; 2], block: [usize; 2]) -> Result<Self, GroupError> {
        let [down, across] = block;
        let count = |size: usize, block: usize| match (size.checked_div(block), size.checked_rem(block)) {
            (Some(count), Some(0)) => Ok(count),
            (Some(_), _) => Err(GroupError::Ragged { size, block }),
            (None, _) => Err(GroupError::Empty),
        };
        let (high, wide) = (count(rows, down)?, count(cols, across)?);
        let below = down.checked_mul(cols).ok_or(GroupError::Part { span: usize::MAX, got: 0 })?;
        Self::try_new(LayoutSpec {
            groups: [Loop { len: high, stride: below }, Loop { len: wide, stride: across }],
            members: [Loop::ONCE, Loop { len: down, stride: cols }, Loop { len: across, stride: 1 }],
        })
    }
}
