//! What a graph must be, and that its operators are what their dense spellings are.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

use super::propagate::{self, AttentionVectors};
use super::{Csr, Undirected};
use crate::error::GraphError;

/// Edges 0-1, 0-2, 1-2, 2-3, a self loop on 3, and node 4 alone.
const OFFSETS: &[u16] = &[0, 2, 4, 7, 9, 9];
const NEIGHBOURS: &[u16] = &[1, 2, 0, 2, 0, 1, 3, 2, 3];
const NODES: usize = 5;
const CHANNELS: usize = 4;
/// Sums of at most a dozen products of values near 1, in another order.
const TOLERANCE: f64 = 1e-14;

fn graph() -> Csr<'static, u16, u16> {
    Csr::try_new(OFFSETS, NEIGHBOURS, NODES).expect("rows rise")
}

fn values(len: usize, seed: f64) -> Vec<f64> {
    (0..len).map(|i| ((i as f64 + 1.0) * seed).sin()).collect()
}

/// `a x` with `a: [NODES, NODES]`.
fn dense(a: impl Fn(usize, usize) -> f64, x: &[f64]) -> Vec<f64> {
    let y = |at: usize| (0..NODES).map(|j| a(at / CHANNELS, j) * x[j * CHANNELS + at % CHANNELS]).sum();
    (0..NODES * CHANNELS).map(y).collect()
}

fn assert_close(got: &[f64], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= TOLERANCE, "[{at}]: {got} instead of {expected}");
    }
}

#[test]
fn damaged_rows_are_refused_with_their_place() {
    let refused = |offsets: &[u32], indices: &[u16], columns| Csr::try_new(offsets, indices, columns).unwrap_err();
    assert_eq!(refused(&[], &[], 3), GraphError::Empty { what: "rows" });
    assert_eq!(refused(&[0], &[], 3), GraphError::Empty { what: "rows" });
    assert_eq!(refused(&[0, 0], &[], 0), GraphError::Empty { what: "columns" });
    assert_eq!(refused(&[1, 1], &[0], 3), GraphError::Offsets { position: 0 });
    assert_eq!(refused(&[0, 2, 1], &[0, 1], 3), GraphError::Offsets { position: 2 });
    assert_eq!(refused(&[0, 1, 3], &[0, 1], 3), GraphError::Offsets { position: 2 });
    assert_eq!(refused(&[0, 9, 2], &[0, 1], 3), GraphError::Offsets { position: 2 });
    assert_eq!(refused(&[0, 1, 2], &[0, 3], 3), GraphError::Range { row: 1, index: 3, columns: 3 });
    assert_eq!(refused(&[0, 2], &[1, 0], 3), GraphError::Order { row: 0 });
    assert_eq!(refused(&[0, 2], &[1, 1], 3), GraphError::Order { row: 0 });
}

#[test]
fn a_graph_without_edges_and_one_of_self_loops_alone_are_graphs() {
    let alone = Csr::try_new(&[0_u16, 0, 0], &[] as &[u32], 2).expect("no entries");
    assert_eq!((alone.entry_count(), Undirected::try_new(alone).is_ok()), (0, true));
    let loops = Csr::try_new(&[0_u32, 1, 2], &[0_u16, 1], 2).expect("the diagonal");
    let loops = Undirected::try_new(loops).expect("each its own mirror image");
    assert_eq!((loops.csr().self_loops(), loops.pairs().count()), (2, 0));
}

#[test]
fn the_first_edge_without_its_mirror_image_is_named() {
    let one_way = Csr::try_new(&[0_u16, 1, 3, 3], &[1_u16, 0, 2], 3).expect("rows rise");
    assert_eq!(Undirected::try_new(one_way), Err(GraphError::Asymmetric { from: 1, to: 2 }));
    let wide = Csr::try_new(&[0_u16, 1], &[1_u16], 2).expect("rows rise");
    assert_eq!(Undirected::try_new(wide), Err(GraphError::Square { rows: 1, columns: 2 }));
}

#[test]
fn rows_entries_and_pairs_are_those_of_the_slices() {
    let undirected = Undirected::try_new(graph()).expect("symmetric");
    assert_eq!((graph().row(2), graph().row(4), graph().row(99)), (&[0, 1, 3][..], &[][..], &[][..]));
    assert_eq!(graph().entries().nth(4), Some((2, 0)));
    assert_eq!(undirected.pairs().collect::<Vec<_>>(), [(0, 1), (0, 2), (1, 2), (2, 3)]);
}

#[test]
fn gcn_is_the_normalised_matrix_with_one_self_loop_each() {
    let a = |i: usize, j: usize| f64::from(u8::from(i == j || graph().contains(i, j)));
    let degree = |i: usize| (0..NODES).map(|j| a(i, j)).sum::<f64>();
    let (x, mut factors, mut y) = (values(20, 0.7), [0.0; NODES], [9.0; 20]);
    propagate::gcn_factors(&graph(), &mut factors).expect("fits");
    propagate::gcn(&graph(), &factors, &x, &mut y).expect("fits");
    assert_close(&y, &dense(|i, j| a(i, j) / (degree(i) * degree(j)).sqrt(), &x));
}

#[test]
fn sum_and_mean_are_those_of_the_neighbours() {
    let a = |i: usize, j: usize| f64::from(u8::from(graph().contains(i, j)));
    let (x, mut y) = (values(20, 1.3), [9.0; 20]);
    propagate::sum(&graph(), 0.25, &x, &mut y).expect("fits");
    assert_close(&y, &dense(|i, j| a(i, j) + if i == j { 1.25 } else { 0.0 }, &x));
    propagate::mean(&graph(), &x, &mut y).expect("fits");
    assert_close(&y, &dense(|i, j| a(i, j) / (graph().row(i).len().max(1) as f64), &x));
    assert_eq!(y[16..], [0.0; 4], "a node without neighbours");
}

#[test]
fn attention_is_a_softmax_over_the_neighbours_and_the_node() {
    let (x, source, target) = (values(20, 0.9), values(4, 2.1), values(4, 3.3));
    let mut y = [9.0; 20];
    let by = AttentionVectors { heads: 2, slope: 0.2, source: &source, target: &target };
    propagate::attention(&graph(), &by, &x, &mut y).expect("fits");
    for head in 0..2 {
        let score = |v: &[f64], i: usize| (0..2).map(|c| v[2 * head + c] * x[4 * i + 2 * head + c]).sum::<f64>();
        let weight = |i: usize, j: usize| {
            let sum = score(&source, j) + score(&target, i);
            if i == j || graph().contains(i, j) { (if sum > 0.0 { sum } else { 0.2 * sum }).exp() } else { 0.0 }
        };
        let total = |i: usize| (0..NODES).map(|j| weight(i, j)).sum::<f64>();
        let expected = dense(|i, j| weight(i, j) / total(i), &x);
        let part = |y: &[f64]| y.chunks(4).flat_map(|row| row[2 * head..2 * head + 2].to_vec()).collect::<Vec<_>>();
        assert_close(&part(&y), &part(&expected));
    }
    let uneven = AttentionVectors { heads: 3, ..by };
    assert_eq!(propagate::attention(&graph(), &uneven, &x, &mut y), Err(GraphError::Heads { heads: 3, channels: 4 }));
}

#[test]
fn sparse_rows_times_a_matrix_is_the_dense_product() {
    let features = Csr::try_new(&[0_u16, 2, 2, 3], &[0_u16, 4, 2], 5).expect("rows rise");
    let (w, mut y) = (values(15, 0.3), [9.0; 9]);
    propagate::sparse_dense(&features, None, &w, &mut y).expect("fits");
    let expected: Vec<f64> = (0..3).map(|c| w[c] + w[12 + c]).chain([0.0; 3]).chain((0..3).map(|c| w[6 + c])).collect();
    assert_close(&y, &expected);
    propagate::sparse_dense(&features, Some(&[2.0, 3.0, -1.0]), &w, &mut y).expect("fits");
    let weighted: Vec<f64> = (0..3).map(|c| 2.0 * w[c] + 3.0 * w[12 + c]).collect();
    assert_close(&y[..3], &weighted);
    let short = propagate::sparse_dense(&features, None, &w[1..], &mut y);
    assert_eq!(short, Err(GraphError::Len { operand: "w", expected: 15, got: 14 }));
}

#[test]
fn operands_that_do_not_fit_leave_the_output_alone() {
    let mut y = [7.0; 20];
    let x = [1.0; 19];
    assert!(propagate::mean(&graph(), &x, &mut y).is_err());
    assert!(propagate::gcn(&graph(), &[1.0; 4], &[1.0; 20], &mut y).is_err());
    assert_eq!(y, [7.0; 20]);
}
