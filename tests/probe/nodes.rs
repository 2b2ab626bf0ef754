//! Operators over the nodes of a graph.

use crate::unknown;
use core::hint::black_box;
use niwaki_core::error::ShapeError;
use niwaki_core::kernels::{BackEnd, Best, Portable, nodes, reference};

/// Operators over nodes: constructed, checked and run by every back end of this target, and row by row.
pub fn over_nodes(
    sparse: nodes::Sparse<'_>,
    constants: nodes::RowConstants<'_>,
    gathering: nodes::Gathering,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    let scaling = nodes::RowScaling::new(constants);
    let (channels, input_zero_point) = (unknown(7), unknown(1));
    let bits: &[i8] = unknown(x);
    let kept = unknown(nodes::KeptEdges::of(bits));
    let propagate = nodes::Propagate { graph: sparse, kept, channels, gathering, input_zero_point, scaling };
    let sparse_dense = nodes::SparseDense { features: sparse, values: x, channels, scaling };
    let node_dense = nodes::NodeDense { rows: unknown(5), inputs: unknown(3), channels, input_zero_point, scaling };
    black_box((propagate.is_exact(), sparse_dense.is_exact(), node_dense.is_exact(), sparse.first_asymmetric()));
    let packed = unknown(constants.factors);
    let packed = nodes::CompressedWeights::try_new(packed, unknown(3), channels)
        .unwrap_or(unknown(nodes::CompressedWeights::proved(packed, unknown(3), channels)));
    black_box(packed.entry_count());
    let w = unknown([nodes::LayerWeights::Whole(x), nodes::LayerWeights::Compressed(packed)]);
    let w = &w[usize::from(unknown(true))];
    reference::propagate_int8(&propagate, x, y)?;
    reference::sparse_dense_int8(&sparse_dense, w, y)?;
    reference::node_dense_int8(&node_dense, x, w, y)?;
    Portable::propagate_int8(&propagate, x, y)?;
    Portable::sparse_dense_int8(&sparse_dense, w, y)?;
    Portable::node_dense_int8(&node_dense, x, w, y)?;
    Best::propagate_int8(&propagate, x, y)?;
    Best::sparse_dense_int8(&sparse_dense, w, y)?;
    Best::node_dense_int8(&node_dense, x, w, y)?;
    let attention = nodes::Attention { vectors: x, slopes: unknown(&*scratch) };
    black_box((attention.heads(), attention.multipliers(unknown(1))));
    for weights in [nodes::NeighbourWeights::Attention(attention), nodes::NeighbourWeights::ByDegree(unknown(&[1, 2]))]
    {
        let weighted = nodes::Weighted { graph: sparse, kept, channels, weights, input_zero_point, scaling };
        black_box((weighted.is_exact(), sparse.has_diagonal()));
        reference::weighted_int8(&weighted, x, y)?;
        Portable::weighted_int8(&weighted, x, y, &mut [0; 9])?;
        Best::weighted_int8(&weighted, x, y, &mut [0; 9])?;
        let chain = [nodes::RowOperator::Weighted(weighted), nodes::RowOperator::Propagate(propagate)];
        let chain = chain.map(nodes::Link::new::<Best>);
        nodes::compute_row(unknown(&chain), unknown(1), y, &mut [0; 9]);
    }
    nodes::keep_edges(nodes::Ranks::Narrow(unknown(&[1, 2])), unknown(3), y)?;
    nodes::keep_edges(nodes::Ranks::Wide(unknown(&[1, 2])), unknown(3), y)?;
    let chain = [
        nodes::RowOperator::Propagate(propagate),
        nodes::RowOperator::NodeDense(node_dense, *w),
        nodes::RowOperator::SparseDense(sparse_dense, *w),
    ];
    black_box(nodes::scratch_words(chain.iter()));
    nodes::compute_row(&chain.map(nodes::Link::new::<Portable>), unknown(1), y, scratch);
    nodes::compute_row(unknown(&chain.map(nodes::Link::new::<Best>)), unknown(1), y, scratch);
    Ok(())
}
