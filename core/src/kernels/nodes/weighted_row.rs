//! One row of weighted sums, over rows that lie in memory or are computed when they are read.

use super::chain::{Link, RowOperator, codes, compute_row_with};
use super::sums::Sums;
use super::{Attention, Columns, NeighbourWeights, RowScale, Scoring, Slope, Weighted, degree_weight};
use crate::kernels::InnerLoops;

/// The rows that are summed.
struct Rows<'r, 'a> {
    below: &'r [Link<'a>],
    /// Where a row is computed that does not lie in memory.
    codes: &'r mut [i8],
    /// What that needs.
    scratch: &'r mut [i32],
    block: &'r mut Sums,
}

impl Rows<'_, '_> {
    fn get(&mut self, row: usize) -> &[i8] {
        if let Some((x, width)) = self.below.first().and_then(Link::rows) {
            return x.get(row * width..(row + 1) * width).unwrap_or_default();
        }
        compute_row_with(self.below, row, self.codes, self.scratch, self.block);
        self.codes
    }

    /// Calls `visit` with the neighbours of `row` that are kept, and the node itself: rows of a matrix and their numbers in
    /// it, many at once where they lie in memory.
    fn for_each(&mut self, op: &Weighted<'_>, row: usize, visit: &mut dyn FnMut(&[u16], &[i8])) {
        match (self.below.first().and_then(Link::rows), op.graph.row(row)) {
            (Some((x, _)), Columns::Narrow(columns)) if op.kept.is_all() => {
                visit(columns, x);
                visit(&[0], self.get(row));
            }
            _ => for_each_neighbour(op, row, &mut |other| visit(&[0], self.get(other))),
        }
    }
}

/// Calls `visit` with the neighbours of `row` that are kept, and with the node itself.
fn for_each_neighbour(op: &Weighted<'_>, row: usize, visit: &mut dyn FnMut(usize)) {
    op.graph.kept_row(op.kept, row).chain([row]).for_each(visit);
}

/// What a link is, and the parts of its working memory: sums, and what the rows below are read with.
fn parts<'c, 'a>(
    chain: &'c [Link<'a>],
    scratch: &'c mut [i32],
    block: &'c mut Sums,
) -> Option<(&'c Weighted<'a>, &'c mut [i32], Rows<'c, 'a>)> {
    let (first, below) = chain.split_first()?;
    let RowOperator::Weighted(op) = first.operator() else { return None };
    let (sums, rest) = scratch.split_at_mut_checked(op.channels)?;
    let stored = below.first().is_some_and(|below| below.rows().is_some());
    let (codes, scratch) = codes(rest, if stored { 0 } else { op.channels });
    Some((op, sums, Rows { below, codes, scratch, block }))
}

pub(super) fn by_degree<B: InnerLoops>(
    chain: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let Some((op, sums, mut rows)) = parts(chain, scratch, block) else { return };
    let NeighbourWeights::ByDegree(factors) = op.weights else { return };
    let factor = |node: usize| factors.get(op.graph.kept_count(op.kept, node)).copied().unwrap_or(0);
    let (own, mut total) = (factor(row), 0_i32);
    sums.fill(0);
    for_each_neighbour(op, row, &mut |other| {
        let weight = degree_weight(own, factor(other));
        total = total.wrapping_add(weight);
        B::add_rows(&[0], rows.get(other), &[weight], sums);
    });
    B::codes(&op.scaling, RowScale { offset: zeros(op, total), ..op.scaling.of_row(row) }, 0, sums, y);
}

pub(super) fn attention<B: InnerLoops>(
    chain: &[Link<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let Some((op, sums, mut rows)) = parts(chain, scratch, block) else { return };
    let NeighbourWeights::Attention(attention) = &op.weights else { return };
    let words = (op.graph.kept_count(op.kept, row) + 2) * attention.heads();
    let (scores, scratch) = core::mem::take(&mut rows.scratch).split_at_mut_checked(words).unwrap_or_default();
    rows.scratch = scratch;
    sum_by_attention::<B>(op, attention, row, sums, scores, &mut rows);
    B::codes(&op.scaling, op.scaling.of_row(row), 0, sums, y);
}

/// What takes the zero point out of the sums of rows that count `total` together.
const fn zeros(op: &Weighted<'_>, total: i32) -> i32 {
    total.wrapping_mul(op.input_zero_point).wrapping_neg()
}

/// `scores: [kept neighbours + 2, heads]`: of the neighbours, of the node itself, and what it adds to them all.
fn sum_by_attention<B: InnerLoops>(
    op: &Weighted<'_>,
    attention: &Attention<'_>,
    row: usize,
    sums: &mut [i32],
    scores: &mut [i32],
    rows: &mut Rows<'_, '_>,
) {
    let (heads, part) = (attention.heads().max(1), op.head_channels().max(1));
    let (scores, of_target) = scores.split_at_mut_checked(scores.len().saturating_sub(heads)).unwrap_or_default();
    let [source, target] = attention.halves();
    B::dot_rows(&[0], rows.get(row), op.input_zero_point, target, of_target);
    let mut rest = &mut *scores;
    rows.for_each(op, row, &mut |columns, x| {
        let (products, after) =
            core::mem::take(&mut rest).split_at_mut_checked(columns.len() * heads).unwrap_or_default();
        rest = after;
        B::dot_rows(columns, x, op.input_zero_point, source, products);
    });
    for (head, (&mut offset, sums)) in of_target.iter_mut().zip(sums.chunks_mut(part)).enumerate() {
        let [rising, falling] = attention.multipliers(head);
        let scoring = Scoring { offset, slopes: [Slope::new(rising), Slope::new(falling)] };
        let total = B::weigh(scores.get_mut(head..).unwrap_or_default(), heads, &scoring);
        sums.fill(zeros(op, total));
    }
    let mut rest = &*scores;
    rows.for_each(op, row, &mut |columns, x| {
        let (weights, after) = rest.split_at_checked(columns.len() * heads).unwrap_or_default();
        rest = after;
        B::add_rows(columns, x, weights, sums);
    });
}
