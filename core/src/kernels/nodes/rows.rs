//! One row of each operator but the weighted sums: sums over neighbours, features times weights, a layer of the row below.

use super::chain::{Link, RowOperator, codes, compute_row_with};
use super::sums::{BLOCK, Block, Sums};
use super::{Columns, KeptEdges, LayerWeights, NodeDense, Propagate, RowScale, RowScaling};
use crate::graph::Index;
use crate::kernels::InnerLoops;

pub(super) fn stored(chain: &[Link<'_>], row: usize, y: &mut [i8], _: &mut [i32], _: &mut Sums) {
    let Some((x, width)) = chain.first().and_then(Link::rows) else { return };
    y.iter_mut().zip(x.get(row * width..).unwrap_or_default()).for_each(|(y, &x)| *y = x);
}

/// The operator of the first link, if it is of this kind, and the links below.
macro_rules! first {
    ($chain:expr, $operator:pat => $value:expr) => {
        match $chain.split_first() {
            Some((first, below)) if let $operator = first.operator() => ($value, below),
            _ => return,
        }
    };
}

pub(super) fn propagate<B: InnerLoops>(
    chain: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let (op, below) = first!(chain, RowOperator::Propagate(op) => op);
    match below.first().and_then(Link::rows) {
        Some((x, _)) => propagate_stored::<B>(op, x, row, y, block),
        None => propagate_on_demand::<B>(op, below, row, y, scratch, block),
    }
}

fn propagate_on_demand<B: InnerLoops>(
    op: &Propagate<'_>,
    below: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let (sums, rest) = scratch.split_at_mut_checked(op.channels).unwrap_or_default();
    let (x, rest) = codes(rest, op.channels);
    sums.fill(0);
    for neighbour in op.graph.kept_row(op.kept, row) {
        compute_row_with(below, neighbour, x, rest, block);
        sums.iter_mut().zip(&*x).for_each(|(sum, &x)| *sum = sum.wrapping_add(x.into()));
    }
    if op.gathering.counts_own() {
        compute_row_with(below, row, x, rest, block);
    }
    op.gathering.finish_row(sums, x, op.input_zero_point, op.graph.kept_count(op.kept, row));
    B::codes(&op.scaling, op.scaling.of_row(row), 0, sums, y);
}

fn propagate_stored<B: InnerLoops>(op: &Propagate<'_>, x: &[i8], row: usize, y: &mut [i8], block: &mut Sums) {
    let neighbours = op.graph.row(row);
    let (degree, own) = (op.graph.kept_count(op.kept, row), op.gathering.is_plain().then_some(row));
    let mut scale = op.scaling.of_row(row);
    if own.is_some() {
        scale.offset = op.gathering.finish(0, 0, op.input_zero_point, degree);
    }
    for_each_block::<B>(&op.scaling, scale, y, block, |first, sums| {
        let at = Block { width: op.channels, first };
        if op.kept.is_all() {
            B::sum_rows(neighbours, own, x, at, sums);
        } else {
            sum_kept_rows::<B>(op, row, own, x, at, sums);
        }
        if own.is_none() {
            let codes = x.get(row * op.channels + first..).unwrap_or_default();
            op.gathering.finish_row(sums, codes, op.input_zero_point, degree);
        }
    });
}

/// Columns of a row that are looked through before those that are kept are summed.
const KEPT_COLUMNS: usize = 64;

/// The sums over the neighbours of a node whose edges are kept. Never inlined: its columns are not on the stack where every
/// edge counts.
#[inline(never)]
fn sum_kept_rows<B: InnerLoops>(
    op: &Propagate<'_>,
    row: usize,
    own: Option<usize>,
    x: &[i8],
    at: Block,
    sums: &mut Sums,
) {
    let (kept, entry) = (op.kept, op.graph.span(row).unwrap_or_default().start);
    let sum = |columns: Columns<'_>, own, of_chunk: &mut Sums| B::sum_rows(columns, own, x, at, of_chunk);
    sum(Columns::Narrow(&[]), own, sums);
    match op.graph.row(row) {
        Columns::Narrow(columns) => {
            sum_kept(kept, columns, entry, sums, |columns, of_chunk| sum(Columns::Narrow(columns), None, of_chunk));
        }
        Columns::Wide(columns) => {
            sum_kept(kept, columns, entry, sums, |columns, of_chunk| sum(Columns::Wide(columns), None, of_chunk));
        }
    }
}

fn sum_kept<I: Index + Default>(
    kept: KeptEdges<'_>,
    columns: &[I],
    mut entry: usize,
    sums: &mut Sums,
    sum: impl Fn(&[I], &mut Sums),
) {
    let mut of_chunk = [0; BLOCK];
    for columns in columns.chunks(KEPT_COLUMNS) {
        let (mut stay, mut count) = ([I::default(); KEPT_COLUMNS], 0);
        for &column in columns {
            if kept.has(entry)
                && let Some(slot) = stay.get_mut(count)
            {
                *slot = column;
                count += 1;
            }
            entry += 1;
        }
        sum(stay.get(..count).unwrap_or_default(), &mut of_chunk);
        sums.iter_mut().zip(of_chunk).for_each(|(sum, part)| *sum = sum.wrapping_add(part));
    }
}

pub(super) fn sparse_dense<B: InnerLoops>(
    chain: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    _: &mut [i32],
    block: &mut Sums,
) {
    let ((op, w), _) = first!(chain, RowOperator::SparseDense(op, LayerWeights::Whole(w)) => (op, w));
    let (columns, values) = (op.features.row(row), op.row_values(row));
    for_each_block::<B>(&op.scaling, op.scaling.of_row(row), y, block, |first, sums| {
        let at = Block { width: op.channels, first };
        match values {
            [] => B::sum_rows(columns, None, w, at, sums),
            values => B::sum_weighted_rows(columns, values, w, at, sums),
        }
    });
}

pub(super) fn sparse_compressed<B: InnerLoops>(
    chain: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    _: &mut [i32],
    block: &mut Sums,
) {
    let ((op, w), _) = first!(chain, RowOperator::SparseDense(op, LayerWeights::Compressed(w)) => (op, w));
    let (columns, values) = (op.features.row(row), op.row_values(row));
    for_each_block::<B>(&op.scaling, op.scaling.of_row(row), y, block, |first, sums| {
        B::sum_compressed_rows(columns, values, w, first, sums);
    });
}

pub(super) fn node_dense<B: InnerLoops>(
    chain: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let ((op, w), below) = first!(chain, RowOperator::NodeDense(op, LayerWeights::Whole(w)) => (op, w));
    let x = row_below(op, below, row, scratch, block);
    for_each_block::<B>(&op.scaling, op.scaling.of_row(row), y, block, |first, sums| {
        B::sum_all_rows(x, op.input_zero_point, w, Block { width: op.channels, first }, sums);
    });
}

pub(super) fn node_compressed<B: InnerLoops>(
    chain: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let ((op, w), below) = first!(chain, RowOperator::NodeDense(op, LayerWeights::Compressed(w)) => (op, w));
    let x = row_below(op, below, row, scratch, block);
    for_each_block::<B>(&op.scaling, op.scaling.of_row(row), y, block, |first, sums| {
        B::sum_all_compressed(x, op.input_zero_point, w, first, sums);
    });
}

/// The row that a layer reads, from memory or computed.
fn row_below<'x>(
    op: &NodeDense<'_>,
    below: &[Link<'x>],
    row: usize,
    scratch: &'x mut [i32],
    block: &mut Sums,
) -> &'x [i8] {
    if let Some((x, width)) = below.first().and_then(Link::rows) {
        return x.get(row * width..(row + 1) * width).unwrap_or_default();
    }
    let (x, rest) = codes(scratch, op.inputs);
    compute_row_with(below, row, x, rest, block);
    x
}

/// Fills a row with the codes of the sums that `sum` gives for the block from each channel on.
#[inline(always)]
fn for_each_block<B: InnerLoops>(
    scaling: &RowScaling<'_>,
    row: RowScale,
    y: &mut [i8],
    block: &mut Sums,
    mut sum: impl FnMut(usize, &mut Sums),
) {
    let mut first = 0;
    for y in y.chunks_mut(BLOCK) {
        sum(first, block);
        B::codes(scaling, row, first, block, y);
        first += BLOCK;
    }
}
