//! What a back end adds up and turns into codes: blocks of channels of a row.

use super::{Columns, CompressedWeights, Normalizer, RowScale, RowScaling, Scoring, exponential};

/// Channels that are summed in one pass over the rows.
pub const BLOCK: usize = 16;

/// The channels of a block in a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Channels of the matrix.
    pub width: usize,
    /// The first channel of the block.
    pub first: usize,
}

/// Sums of a block of channels.
pub type Sums = [i32; BLOCK];

/// How a back end adds up rows of a matrix and turns sums into codes.
///
/// Where a [`Block`] is summed, what `sums` held before does not matter; channels past the width have any value, and rows
/// past the last one count nothing.
pub trait RowSums {
    /// `Σ_k x[columns[k]]`, columns rising, and row `own` once more.
    fn sum_rows(columns: Columns<'_>, own: Option<usize>, x: &[i8], at: Block, sums: &mut Sums);

    /// `Σ_k values[k] * x[columns[k]]`; a row without a value counts once.
    fn sum_weighted_rows(columns: Columns<'_>, values: &[i8], x: &[i8], at: Block, sums: &mut Sums);

    /// `Σ_k (values[k] - zero_point) * x[k]`: rows one after the other.
    fn sum_all_rows(values: &[i8], zero_point: i32, x: &[i8], at: Block, sums: &mut Sums);

    /// `products[k, head] = Σ_c v[c] (x[columns[k], c] - zero_point)` over the channels of each head.
    ///
    /// # Shapes
    /// `x: [rows, v.len()]` · `products: [columns, heads]`
    fn dot_rows(columns: &[u16], x: &[i8], zero_point: i32, v: &[i8], products: &mut [i32]) {
        let Some([heads, part]) = heads(columns.len(), v.len(), products.len()) else { return };
        for (&column, products) in columns.iter().zip(products.chunks_mut(heads)) {
            for ((x, v), product) in row_of(x, v.len(), column).chunks(part).zip(v.chunks(part)).zip(products) {
                let terms = x.iter().zip(v).map(|(&x, &v)| (i32::from(x) - zero_point) * i32::from(v));
                *product = terms.fold(0, i32::wrapping_add);
            }
        }
    }

    /// `sums[c] += Σ_k weights[k, head of c] * x[columns[k], c]`
    ///
    /// # Shapes
    /// `x: [rows, sums.len()]` · `weights: [columns, heads]`
    fn add_rows(columns: &[u16], x: &[i8], weights: &[i32], sums: &mut [i32]) {
        let Some([heads, part]) = heads(columns.len(), sums.len(), weights.len()) else { return };
        for (&column, weights) in columns.iter().zip(weights.chunks(heads)) {
            let x = row_of(x, sums.len(), column).chunks(part);
            for ((sums, x), &weight) in sums.chunks_mut(part).zip(x).zip(weights) {
                sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = sum.wrapping_add(weight.wrapping_mul(x.into())));
            }
        }
    }

    /// Turns every `heads`-th product, from the first one on, into what it counts in its row; returns their sum.
    fn weigh(products: &mut [i32], heads: usize, scoring: &Scoring) -> i32 {
        let (mut largest, [rising, falling]) = (i32::MIN, scoring.slopes);
        for product in products.iter_mut().step_by(heads) {
            let q = product.wrapping_add(scoring.offset);
            *product = if q > 0 { rising } else { falling }.apply(q);
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

    /// [`sum_weighted_rows`](Self::sum_weighted_rows) of compressed weights from channel `first` on.
    fn sum_compressed_rows(
        columns: Columns<'_>,
        values: &[i8],
        w: &CompressedWeights<'_>,
        first: usize,
        sums: &mut Sums,
    ) {
        sums.fill(0);
        let mut values = values.iter();
        for column in (0..columns.len()).filter_map(|at| columns.get(at)) {
            let value = values.next().map_or(1, |&value| value.into());
            w.add_row(sums, value, column, first);
        }
    }

    /// [`sum_all_rows`](Self::sum_all_rows) of compressed weights from channel `first` on.
    fn sum_all_compressed(values: &[i8], zero_point: i32, w: &CompressedWeights<'_>, first: usize, sums: &mut Sums) {
        sums.fill(0);
        for (row, &value) in values.iter().enumerate() {
            // Behind a ReLU most codes are the zero point.
            let value = i32::from(value) - zero_point;
            if value != 0 {
                w.add_row(sums, value, row, first);
            }
        }
    }

    /// [`RowScaling::codes`].
    fn codes(scaling: &RowScaling<'_>, row: RowScale, first: usize, sums: &[i32], y: &mut [i8]) {
        scaling.codes(row, first, sums, y);
    }
}

/// The number of heads, and the channels of each, where `columns` rows of `channels` channels have `products` products;
/// none if either is zero.
pub(crate) fn heads(columns: usize, channels: usize, products: usize) -> Option<[usize; 2]> {
    let heads = products.checked_div(columns).filter(|&heads| heads > 0)?;
    Some([heads, channels / heads]).filter(|&[_, part]| part > 0)
}

fn row_of(x: &[i8], width: usize, row: u16) -> &[i8] {
    let start = usize::from(row) * width;
    x.get(start..start + width).unwrap_or_default()
}
