//! Operators over the nodes of a graph, whole and row by row.

use super::graphs::{Bits, Constants, Matrix, Weights, compressed_entries, gathering};
use super::{Comparison, Lcg};
use crate::kernels::nodes::{CompressedWeights, LayerWeights, Link, RowOperator, compute_row, scratch_words};
use crate::kernels::{BackEnd, Gathering, KeptEdges, NodeDense, Propagate, SparseDense, Weighted, reference};
use alloc::{vec, vec::Vec};

pub(super) fn propagate<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (nodes, channels) = (1 + rng.below(20), 1 + rng.below(40));
    let graph = Matrix::random(rng, nodes, nodes);
    let gathering = gathering(rng);
    let size = if let Gathering::Sum { fraction_bits: 0, .. } = gathering { 300.0 } else { 60_000.0 };
    let constants = Constants::random(rng, nodes, channels, size);
    let bits = Bits::random(rng, graph.columns.len());
    let op = Propagate {
        graph: graph.view(),
        kept: if rng.below(2) == 0 { KeptEdges::ALL } else { bits.view() },
        channels,
        gathering,
        input_zero_point: rng.zero_point(),
        scaling: constants.view(),
    };
    let (x, mut want, mut got) = (rng.int8s(nodes * channels), vec![1; nodes * channels], vec![2; nodes * channels]);
    reference::propagate_int8(&op, &x, &mut want).unwrap();
    B::propagate_int8(&op, &x, &mut got).unwrap();
    seen.same((nodes, channels, gathering), &want, &got);
}

pub(super) fn sparse_dense<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    // Some rows with more columns than halves of a word can add up.
    let long = rng.below(4) == 0;
    let (nodes, inputs) = if long { (2, 600) } else { (1 + rng.below(20), 1 + rng.below(20)) };
    let channels = 1 + rng.below(40);
    let features = Matrix::random(rng, nodes, inputs);
    let mut w = rng.int8s(inputs * channels);
    let mut size = 400.0;
    if long && rng.below(2) == 0 {
        // The sums with the largest magnitude.
        w.fill(-128);
        size = 80_000.0;
    }
    let constants = Constants::random(rng, nodes, channels, size);
    let values = if rng.below(2) == 0 && !long { rng.int8s(features.columns.len()) } else { Vec::new() };
    let op = SparseDense { features: features.view(), values: &values, channels, scaling: constants.view() };
    let (mut want, mut got) = (vec![1; nodes * channels], vec![2; nodes * channels]);
    reference::sparse_dense_int8(&op, &LayerWeights::Whole(&w), &mut want).unwrap();
    B::sparse_dense_int8(&op, &LayerWeights::Whole(&w), &mut got).unwrap();
    seen.same((nodes, inputs, channels, values.len()), &want, &got);
}

pub(super) fn node_dense<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (rows, channels, inputs) = (1 + rng.below(20), 1 + rng.below(40), 1 + rng.below(20));
    let (x, w) = (rng.int8s(rows * inputs), rng.int8s(inputs * channels));
    let constants = Constants::random(rng, rows, channels, 20_000.0);
    let op = NodeDense { rows, inputs, channels, input_zero_point: rng.zero_point(), scaling: constants.view() };
    let (mut want, mut got) = (vec![1; rows * channels], vec![2; rows * channels]);
    reference::node_dense_int8(&op, &x, &LayerWeights::Whole(&w), &mut want).unwrap();
    B::node_dense_int8(&op, &x, &LayerWeights::Whole(&w), &mut got).unwrap();
    seen.same((rows, inputs, channels), &want, &got);
}

/// Both layers with weights of which most are zero, and one over rows of the other that are on demand.
pub(super) fn compressed<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (nodes, channels, inputs) = (1 + rng.below(12), 1 + rng.below(50), 1 + rng.below(20));
    // All weights, some, or none.
    let keep = rng.below(5);
    let mut sparse = |len| -> Vec<i8> {
        let weights = rng.int8s(len);
        weights.into_iter().map(|w| if rng.below(4) < keep { w } else { 0 }).collect()
    };
    let (w, w2) = (sparse(inputs * channels), sparse(channels * 3));
    let (entries, entries2) = (compressed_entries(&w, channels), compressed_entries(&w2, 3));
    let packed = LayerWeights::Compressed(CompressedWeights::try_new(&entries, inputs, channels).unwrap());
    let packed2 = LayerWeights::Compressed(CompressedWeights::try_new(&entries2, channels, 3).unwrap());
    let shape = (nodes, inputs, channels, keep);

    let (x, constants) = (rng.int8s(nodes * inputs), Constants::random(rng, nodes, channels, 2_000.0));
    let input_zero_point = rng.zero_point();
    let layer = NodeDense { rows: nodes, inputs, channels, input_zero_point, scaling: constants.view() };
    let (mut want, mut got) = (vec![1; nodes * channels], vec![2; nodes * channels]);
    reference::node_dense_int8(&layer, &x, &LayerWeights::Whole(&w), &mut want).unwrap();
    reference::node_dense_int8(&layer, &x, &packed, &mut got).unwrap();
    seen.same(("reference", "layer", shape), &want, &got);
    B::node_dense_int8(&layer, &x, &packed, &mut got).unwrap();
    seen.same(("layer", shape), &want, &got);

    let features = Matrix::random(rng, nodes, inputs);
    let values = if rng.below(2) == 0 { rng.int8s(features.columns.len()) } else { Vec::new() };
    let first = SparseDense { features: features.view(), values: &values, channels, scaling: constants.view() };
    reference::sparse_dense_int8(&first, &LayerWeights::Whole(&w), &mut want).unwrap();
    reference::sparse_dense_int8(&first, &packed, &mut got).unwrap();
    seen.same(("reference", "features", shape), &want, &got);
    B::sparse_dense_int8(&first, &packed, &mut got).unwrap();
    seen.same(("features", shape), &want, &got);

    let constants = Constants::random(rng, nodes, 3, 2_000.0);
    let second = NodeDense { inputs: channels, channels: 3, scaling: constants.view(), ..layer };
    let mut rows = vec![0; nodes * 3];
    reference::node_dense_int8(&second, &want, &LayerWeights::Whole(&w2), &mut rows).unwrap();
    let chain = [RowOperator::NodeDense(second, packed2), RowOperator::SparseDense(first, packed)];
    same_rows::<B>(&chain, 3, &rows, ("on demand", shape), seen);
}

/// Every row of a chain, the last one first, with working memory of just the length and something in it.
fn same_rows<B: BackEnd>(
    chain: &[RowOperator<'_>],
    channels: usize,
    want: &[i8],
    shape: impl core::fmt::Debug + Copy,
    seen: &mut Comparison,
) {
    let words = scratch_words(chain.iter());
    let links: Vec<_> = chain.iter().copied().map(Link::new::<B>).collect();
    for (row, want) in want.chunks(channels).enumerate().rev() {
        let (mut scratch, mut y) = (vec![-1; words], vec![9; channels]);
        compute_row(&links, row, &mut y, &mut scratch);
        seen.same((shape, "row", row), want, &y);
    }
}

pub(super) fn weighted<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (nodes, heads) = (1 + rng.below(14), rng.below(4));
    let channels = heads.max(1) * (1 + rng.below(9));
    let graph = Matrix::random(rng, nodes, nodes).without_loops(rng);
    let bits = Bits::random(rng, graph.columns.len());
    let size = if heads == 0 { 1e6 } else { 4e8 };
    let mut constants = Constants::random(rng, nodes, channels, size);
    while !constants.factors.is_empty() {
        constants = Constants::random(rng, nodes, channels, size);
    }
    let unit = [3e-14, 1e-6, 1e-4, 2e-3][rng.below(4)];
    let weights = Weights::new(rng, graph.view(), channels, heads, unit);
    let op = Weighted {
        graph: graph.view(),
        kept: if rng.below(2) == 0 { KeptEdges::ALL } else { bits.view() },
        channels,
        weights: weights.view(),
        input_zero_point: rng.zero_point(),
        scaling: constants.view(),
    };
    assert!(op.is_exact());
    let inputs = 1 + rng.below(9);
    let (z, w) = (rng.int8s(nodes * inputs), rng.int8s(inputs * channels));
    let below = Constants::random(rng, nodes, channels, 20_000.0);
    let dense = NodeDense { rows: nodes, inputs, channels, input_zero_point: 5, scaling: below.view() };
    let (mut x, mut want, mut got) = (vec![0; nodes * channels], vec![1; nodes * channels], vec![2; nodes * channels]);
    reference::node_dense_int8(&dense, &z, &LayerWeights::Whole(&w), &mut x).unwrap();
    reference::weighted_int8(&op, &x, &mut want).unwrap();
    B::weighted_int8(&op, &x, &mut got, &mut vec![-1; op.scratch_words()]).unwrap();
    let shape = (nodes, heads, channels);
    seen.same(shape, &want, &got);
    let chain = [
        RowOperator::Weighted(op),
        RowOperator::NodeDense(dense, LayerWeights::Whole(&w)),
        RowOperator::Stored { x: &z, width: inputs },
    ];
    same_rows::<B>(&chain, channels, &want, shape, seen);
}

/// Four operators, of which more and more are computed when their rows are read.
pub(super) fn rows_on_demand<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (nodes, hidden, classes, inputs) = (1 + rng.below(8), 1 + rng.below(20), 1 + rng.below(9), 1 + rng.below(30));
    let (graph, features) = (Matrix::random(rng, nodes, nodes), Matrix::random(rng, nodes, inputs));
    let (w, w2) = (rng.int8s(inputs * hidden), rng.int8s(hidden * classes));
    let [a, b, c, d] = [(hidden, 400.0), (hidden, 60_000.0), (classes, 20_000.0), (classes, 60_000.0)]
        .map(|(channels, size)| Constants::random(rng, nodes, channels, size));
    let first = SparseDense { features: features.view(), values: &[], channels: hidden, scaling: a.view() };
    let bits = Bits::random(rng, graph.columns.len());
    let second = Propagate {
        graph: graph.view(),
        kept: if rng.below(2) == 0 { KeptEdges::ALL } else { bits.view() },
        channels: hidden,
        gathering: gathering(rng),
        input_zero_point: rng.zero_point(),
        scaling: b.view(),
    };
    let third = NodeDense { rows: nodes, inputs: hidden, channels: classes, input_zero_point: 3, scaling: c.view() };
    let fourth = Propagate { channels: classes, gathering: gathering(rng), scaling: d.view(), ..second };
    let (mut x1, mut x2) = (vec![0; nodes * hidden], vec![0; nodes * hidden]);
    let (mut x3, mut want) = (vec![0; nodes * classes], vec![0; nodes * classes]);
    reference::sparse_dense_int8(&first, &LayerWeights::Whole(&w), &mut x1).unwrap();
    reference::propagate_int8(&second, &x1, &mut x2).unwrap();
    reference::node_dense_int8(&third, &x2, &LayerWeights::Whole(&w2), &mut x3).unwrap();
    reference::propagate_int8(&fourth, &x3, &mut want).unwrap();
    let on_demand = [
        RowOperator::Propagate(fourth),
        RowOperator::NodeDense(third, LayerWeights::Whole(&w2)),
        RowOperator::Propagate(second),
        RowOperator::SparseDense(first, LayerWeights::Whole(&w)),
    ];
    let stored = [(&x3, classes), (&x2, hidden), (&x1, hidden)].map(|(x, width)| RowOperator::Stored { x, width });
    for (below, depth) in stored.into_iter().zip(1..) {
        let chain: Vec<_> = on_demand[..depth].iter().copied().chain([below]).collect();
        same_rows::<B>(&chain, classes, &want, (nodes, hidden, classes, depth), seen);
    }
    same_rows::<B>(&on_demand, classes, &want, (nodes, hidden, classes, "all"), seen);
}
