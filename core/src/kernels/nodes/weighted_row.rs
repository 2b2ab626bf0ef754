//! One row of weighted sums, over rows that lie in memory or are computed when they are read.

use super::chain::{RowOperator, RowSums, Sums, codes, compute_row_with};
use super::{Attention, Columns, NeighbourWeights, Scoring, Slope, Weighted, degree_weight};

/// The rows that are summed.
struct Rows<'r> {
    below: &'r [RowOperator<'r>],
    /// Where a row is computed that does not lie in memory.
    codes: &'r mut [i8],
    /// What that needs.
    scratch: &'r mut [i32],
    block: &'r mut Sums,
}

impl Rows<'_> {
    fn get<S: RowSums>(&mut self, row: usize) -> &[i8] {
        if let Some(RowOperator::Stored { x, width }) = self.below.first() {
            return x.get(row * width..(row + 1) * width).unwrap_or_default();
        }
        compute_row_with::<S>(self.below, row, self.codes, self.scratch, self.block);
        self.codes
    }

    /// Calls `visit` with the neighbours of `row` that are kept, and the node itself: rows of a matrix and their numbers in
    /// it, many at once where they lie in memory.
    fn for_each<S: RowSums>(&mut self, op: &Weighted<'_>, row: usize, visit: &mut dyn FnMut(&[u16], &[i8])) {
        match (self.below.first(), op.graph.row(row)) {
            (Some(RowOperator::Stored { x, .. }), Columns::Narrow(columns)) if op.kept.is_all() => {
                visit(columns, x);
                visit(&[0], self.get::<S>(row));
            }
            _ => for_each_neighbour(op, row, &mut |other| visit(&[0], self.get::<S>(other))),
        }
    }
}

/// Calls `visit` with the neighbours of `row` that are kept, and with the node itself.
fn for_each_neighbour(op: &Weighted<'_>, row: usize, visit: &mut dyn FnMut(usize)) {
    op.graph.kept_row(op.kept, row).chain([row]).for_each(visit);
}

/// Row `row` of `op`, which reads rows of the first operator of `below`.
///
/// # Shapes
/// `y: [channels]` · `scratch`: `op.scratch_words()`, a row of codes unless the rows below are stored, and what those need
///
/// Never inlined, so that what it needs is not on the stack below other operators of a chain.
#[inline(never)]
pub(super) fn weighted_row<S: RowSums>(
    op: &Weighted<'_>,
    below: &[RowOperator<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let stored = matches!(below.first(), Some(RowOperator::Stored { .. }));
    let (sums, rest) = scratch.split_at_mut_checked(op.channels).unwrap_or_default();
    let (codes, rest) = codes(rest, if stored { 0 } else { op.channels });
    let mut scale = op.scaling.of_row(row);
    match &op.weights {
        NeighbourWeights::ByDegree(factors) => {
            let total = sum_by_degree::<S>(op, factors, row, sums, &mut Rows { below, codes, scratch: rest, block });
            scale.offset = zeros(op, total);
        }
        NeighbourWeights::Attention(attention) => {
            let words = (op.graph.kept_count(op.kept, row) + 2) * attention.heads();
            let (scores, scratch) = rest.split_at_mut_checked(words).unwrap_or_default();
            sum_by_attention::<S>(op, attention, row, sums, scores, &mut Rows { below, codes, scratch, block });
        }
    }
    S::codes(&op.scaling, scale, 0, sums, y);
}

/// What takes the zero point out of the sums of rows that count `total` together.
const fn zeros(op: &Weighted<'_>, total: i32) -> i32 {
    total.wrapping_mul(op.input_zero_point).wrapping_neg()
}

/// Returns what the rows count together.
fn sum_by_degree<S: RowSums>(
    op: &Weighted<'_>,
    factors: &[u16],
    row: usize,
    sums: &mut [i32],
    rows: &mut Rows<'_>,
) -> i32 {
    let factor = |node: usize| factors.get(op.graph.kept_count(op.kept, node)).copied().unwrap_or(0);
    let (own, mut total) = (factor(row), 0_i32);
    sums.fill(0);
    for_each_neighbour(op, row, &mut |other| {
        let weight = degree_weight(own, factor(other));
        total = total.wrapping_add(weight);
        S::add_rows(&[0], rows.get::<S>(other), &[weight], sums);
    });
    total
}

/// `scores: [kept neighbours + 2, heads]`: of the neighbours, of the node itself, and what it adds to them all.
fn sum_by_attention<S: RowSums>(
    op: &Weighted<'_>,
    attention: &Attention<'_>,
    row: usize,
    sums: &mut [i32],
    scores: &mut [i32],
    rows: &mut Rows<'_>,
) {
    let (heads, part) = (attention.heads().max(1), op.head_channels().max(1));
    let (scores, of_target) = scores.split_at_mut_checked(scores.len().saturating_sub(heads)).unwrap_or_default();
    let [source, target] = attention.halves();
    S::dot_rows(&[0], rows.get::<S>(row), op.input_zero_point, target, of_target);
    let mut rest = &mut *scores;
    rows.for_each::<S>(op, row, &mut |columns, x| {
        let (products, after) =
            core::mem::take(&mut rest).split_at_mut_checked(columns.len() * heads).unwrap_or_default();
        rest = after;
        S::dot_rows(columns, x, op.input_zero_point, source, products);
    });
    for (head, (&mut offset, sums)) in of_target.iter_mut().zip(sums.chunks_mut(part)).enumerate() {
        let [rising, falling] = attention.multipliers(head);
        let scoring = Scoring { offset, slopes: [Slope::new(rising), Slope::new(falling)] };
        let total = S::weigh(scores.get_mut(head..).unwrap_or_default(), heads, &scoring);
        sums.iter_mut().for_each(|sum| *sum = zeros(op, total));
    }
    let mut rest = &*scores;
    rows.for_each::<S>(op, row, &mut |columns, x| {
        let (weights, after) = rest.split_at_checked(columns.len() * heads).unwrap_or_default();
        rest = after;
        S::add_rows(columns, x, weights, sums);
    });
}
