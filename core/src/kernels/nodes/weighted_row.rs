//! One row of weighted sums, over rows that lie in memory or are computed when they are read.

use super::chain::{RowOperator, RowSums, codes, compute_row};
use super::{Attention, NeighbourWeights, Normalizer, Scoring, Weighted, degree_weight, exponential, score};

/// The rows that are summed.
struct Rows<'r> {
    below: &'r [RowOperator<'r>],
    /// Where a row is computed that does not lie in memory.
    codes: &'r mut [i8],
    /// What that needs.
    scratch: &'r mut [i32],
}

impl Rows<'_> {
    fn get<S: RowSums>(&mut self, row: usize) -> &[i8] {
        if let Some(RowOperator::Stored { x, width }) = self.below.first() {
            return x.get(row * width..(row + 1) * width).unwrap_or_default();
        }
        compute_row::<S>(self.below, row, self.codes, self.scratch);
        self.codes
    }
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
) {
    let stored = matches!(below.first(), Some(RowOperator::Stored { .. }));
    let (sums, rest) = scratch.split_at_mut_checked(op.channels).unwrap_or_default();
    let (codes, rest) = codes(rest, if stored { 0 } else { op.channels });
    sums.fill(0);
    match &op.weights {
        NeighbourWeights::ByDegree(factors) => {
            add_by_degree::<S>(op, factors, row, sums, &mut Rows { below, codes, scratch: rest });
        }
        NeighbourWeights::Attention(attention) => {
            let words = (op.graph.kept_count(op.kept, row) + 2) * attention.heads();
            let (scores, scratch) = rest.split_at_mut_checked(words).unwrap_or_default();
            add_by_attention::<S>(op, attention, row, sums, scores, &mut Rows { below, codes, scratch });
        }
    }
    S::codes(&op.scaling, 1, 0, sums, y);
}

/// The neighbours of `row` that are kept, and the node itself.
fn neighbours<'a>(op: &Weighted<'a>, row: usize) -> impl Iterator<Item = usize> + 'a {
    op.graph.kept_row(op.kept, row).chain([row])
}

/// Takes away what the zero point of the rows came to, which count `total` together.
fn take_zeros(op: &Weighted<'_>, sums: &mut [i32], total: i32) {
    let zeros = total.wrapping_mul(op.input_zero_point);
    sums.iter_mut().for_each(|sum| *sum = sum.wrapping_sub(zeros));
}

fn add_by_degree<S: RowSums>(op: &Weighted<'_>, factors: &[u16], row: usize, sums: &mut [i32], rows: &mut Rows<'_>) {
    let factor = |node: usize| factors.get(op.graph.kept_count(op.kept, node)).copied().unwrap_or(0);
    let (own, mut total) = (factor(row), 0_i32);
    for other in neighbours(op, row) {
        let weight = degree_weight(own, factor(other));
        total = total.wrapping_add(weight);
        S::add_heads(sums, &[weight], rows.get::<S>(other));
    }
    take_zeros(op, sums, total);
}

/// `scores: [kept neighbours + 2, heads]`: of the neighbours, of the node itself, and what it adds to them all.
fn add_by_attention<S: RowSums>(
    op: &Weighted<'_>,
    attention: &Attention<'_>,
    row: usize,
    sums: &mut [i32],
    scores: &mut [i32],
    rows: &mut Rows<'_>,
) {
    let (heads, part) = (attention.heads().max(1), op.head_channels().max(1));
    let (scores, of_target) = scores.split_at_mut_checked(scores.len().saturating_sub(heads)).unwrap_or_default();
    let ([source, target], rounding) = (attention.halves(), op.scaling.constants().rounding);
    S::dot_heads(rows.get::<S>(row), target, of_target);
    for (other, products) in neighbours(op, row).zip(scores.chunks_mut(heads)) {
        S::dot_heads(rows.get::<S>(other), source, products);
    }
    let vectors = source.chunks(part).zip(target.chunks(part));
    for (head, (total, (source, target))) in of_target.iter_mut().zip(vectors).enumerate() {
        let ones: i32 = source.iter().chain(target).map(|&code| i32::from(code)).sum();
        let offset = total.wrapping_sub(ones.wrapping_mul(op.input_zero_point));
        let scoring = Scoring { multipliers: attention.multipliers(head), offset, rounding };
        *total = S::weigh(scores.get_mut(head..).unwrap_or_default(), heads, &scoring);
    }
    for (other, weights) in neighbours(op, row).zip(scores.chunks(heads)) {
        S::add_heads(sums, weights, rows.get::<S>(other));
    }
    for (sums, &total) in sums.chunks_mut(part).zip(&*of_target) {
        take_zeros(op, sums, total);
    }
}

/// Turns every `heads`-th product into what it counts in its row; returns their sum.
pub(crate) fn weigh(products: &mut [i32], heads: usize, scoring: &Scoring) -> i32 {
    let slopes = scoring.slopes();
    let mut largest = i32::MIN;
    for product in products.iter_mut().step_by(heads) {
        let q = product.wrapping_add(scoring.offset);
        *product = match slopes {
            Some([rising, falling]) => if q > 0 { rising } else { falling }.apply(q),
            None => score(scoring.multipliers, q, scoring.rounding),
        };
        largest = largest.max(*product);
    }
    let mut sum = 0_u32;
    for score in products.iter_mut().step_by(heads) {
        let exponential = exponential(*score, largest);
        sum = sum.wrapping_add(exponential);
        *score = exponential.cast_signed();
    }
    let normalizer = Normalizer::new(sum);
    let mut total = 0_i32;
    for score in products.iter_mut().step_by(heads) {
        *score = normalizer.weight(score.cast_unsigned());
        total = total.wrapping_add(*score);
    }
    total
}
