//! Rows on demand: an operator computes the rows of its operand when it needs them, through as many operators as are
//! not stored.

use super::weighted_row::weighted_row;
use super::{
    Columns, CompressedWeights, Kept, LayerWeights, NodeDense, Normalizer, Propagate, RowScale, RowScaling, Scoring,
    SparseDense, Weighted, exponential,
};
use crate::graph::Index;

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

/// How a back end adds up rows of a matrix of `width` channels, from channel `first` on. What `sums` held before does not
/// matter. Channels past the width have any value, and rows past the last one count nothing.
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

/// Words of working memory that [`compute_row`] needs for `chain`.
pub fn scratch_words(chain: &[RowOperator<'_>]) -> usize {
    let below = chain.iter().skip(1).map(|below| matches!(below, RowOperator::Stored { .. })).chain([false]);
    chain.iter().zip(below).map(|(operator, stored)| operator.scratch_words(stored)).sum()
}

/// Computes row `row` of the first operator of `chain`, which reads rows of the second, and so on; the last one is
/// stored or reads features.
///
/// # Shapes
/// `y: [channels]` of the first operator · `scratch` at least [`scratch_words`]
pub fn compute_row<S: RowSums>(chain: &[RowOperator<'_>], row: usize, y: &mut [i8], scratch: &mut [i32]) {
    compute_row_with::<S>(chain, row, y, scratch, &mut [0; BLOCK]);
}

/// [`compute_row`] with memory for the sums of every operator in turn: one block for all rows and the whole chain.
pub(crate) fn compute_row_with<S: RowSums>(
    chain: &[RowOperator<'_>],
    row: usize,
    y: &mut [i8],
    scratch: &mut [i32],
    block: &mut Sums,
) {
    let Some((first, below)) = chain.split_first() else { return };
    match (first, below) {
        (RowOperator::Stored { x, width }, _) => {
            let stored = x.get(row * width..).unwrap_or_default();
            y.iter_mut().zip(stored).for_each(|(y, &x)| *y = x);
        }
        (RowOperator::SparseDense(op, w), _) => sparse_dense_row::<S>(op, w, row, y, block),
        (RowOperator::NodeDense(op, w), [RowOperator::Stored { x, width }, ..]) => {
            let x = x.get(row * width..(row + 1) * width).unwrap_or_default();
            node_dense_row::<S>(op, w, row, x, y, block);
        }
        (RowOperator::NodeDense(op, w), _) => {
            let (x, rest) = codes(scratch, op.inputs);
            compute_row_with::<S>(below, row, x, rest, block);
            node_dense_row::<S>(op, w, row, x, y, block);
        }
        (RowOperator::Propagate(op), [RowOperator::Stored { x, .. }, ..]) => propagate_row::<S>(op, x, row, y, block),
        (RowOperator::Propagate(op), _) => {
            let (sums, rest) = scratch.split_at_mut_checked(op.channels).unwrap_or_default();
            let (x, rest) = codes(rest, op.channels);
            sums.fill(0);
            for neighbour in op.graph.kept_row(op.kept, row) {
                compute_row_with::<S>(below, neighbour, x, rest, block);
                sums.iter_mut().zip(&*x).for_each(|(sum, &x)| *sum = sum.wrapping_add(x.into()));
            }
            if op.gathering.counts_own() {
                compute_row_with::<S>(below, row, x, rest, block);
            }
            op.gathering.finish_row(sums, x, op.input_zero_point, op.graph.kept_count(op.kept, row));
            S::codes(&op.scaling, op.scaling.of_row(row), 0, sums, y);
        }
        (RowOperator::Weighted(op), below) => weighted_row::<S>(op, below, row, y, scratch, block),
    }
}

/// `len` codes at the start of `words`, and the words behind them.
pub(super) fn codes(words: &mut [i32], len: usize) -> (&mut [i8], &mut [i32]) {
    let (head, rest) = words.split_at_mut_checked(len.div_ceil(4)).unwrap_or_default();
    let codes: &mut [i8] = bytemuck::try_cast_slice_mut(head).unwrap_or_default();
    (codes.get_mut(..len).unwrap_or_default(), rest)
}

fn propagate_row<S: RowSums>(op: &Propagate<'_>, x: &[i8], row: usize, y: &mut [i8], block: &mut Sums) {
    let neighbours = op.graph.row(row);
    let (degree, own) = (op.graph.kept_count(op.kept, row), op.gathering.is_plain().then_some(row));
    let mut scale = op.scaling.of_row(row);
    if own.is_some() {
        scale.offset = op.gathering.finish(0, 0, op.input_zero_point, degree);
    }
    let mut rest = x.get(row * op.channels..).unwrap_or_default().chunks(BLOCK);
    for_each_block::<S>(&op.scaling, scale, y, block, |first, sums| {
        let at = Block { width: op.channels, first };
        if op.kept.is_all() {
            S::sum_rows(neighbours, own, x, at, sums);
        } else {
            sum_kept_rows::<S>(op, row, own, x, at, sums);
        }
        let codes = rest.next().unwrap_or_default();
        if own.is_none() {
            op.gathering.finish_row(sums, codes, op.input_zero_point, degree);
        }
    });
}

/// Columns of a row that are looked through before those that are kept are summed.
const KEPT_COLUMNS: usize = 64;

/// The sums over the neighbours of a node whose edges are kept. Never inlined: its columns are not on the stack where every
/// edge counts.
#[inline(never)]
fn sum_kept_rows<S: RowSums>(op: &Propagate<'_>, row: usize, own: Option<usize>, x: &[i8], at: Block, sums: &mut Sums) {
    let (kept, entry) = (op.kept, op.graph.span(row).unwrap_or_default().start);
    let sum = |columns: Columns<'_>, own, of_chunk: &mut Sums| S::sum_rows(columns, own, x, at, of_chunk);
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
    kept: Kept<'_>,
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

fn sparse_dense_row<S: RowSums>(
    op: &SparseDense<'_>,
    w: &LayerWeights<'_>,
    row: usize,
    y: &mut [i8],
    block: &mut Sums,
) {
    let (columns, values) = (op.features.row(row), op.row_values(row));
    for_each_block::<S>(&op.scaling, op.scaling.of_row(row), y, block, |first, sums| {
        let at = Block { width: op.channels, first };
        match (w, values) {
            (LayerWeights::Whole(w), []) => S::sum_rows(columns, None, w, at, sums),
            (LayerWeights::Whole(w), values) => S::sum_weighted_rows(columns, values, w, at, sums),
            (LayerWeights::Compressed(w), values) => S::sum_compressed_rows(columns, values, w, first, sums),
        }
    });
}

fn node_dense_row<S: RowSums>(
    op: &NodeDense<'_>,
    w: &LayerWeights<'_>,
    row: usize,
    x: &[i8],
    y: &mut [i8],
    block: &mut Sums,
) {
    let zero_point = op.input_zero_point;
    for_each_block::<S>(&op.scaling, op.scaling.of_row(row), y, block, |first, sums| match w {
        LayerWeights::Whole(w) => S::sum_all_rows(x, zero_point, w, Block { width: op.channels, first }, sums),
        LayerWeights::Compressed(w) => S::sum_all_compressed(x, zero_point, w, first, sums),
    });
}

/// Fills a row with the codes of the sums that `sum` gives for the block from each channel on.
#[inline(always)]
fn for_each_block<S: RowSums>(
    scaling: &RowScaling<'_>,
    row: RowScale,
    y: &mut [i8],
    block: &mut Sums,
    mut sum: impl FnMut(usize, &mut Sums),
) {
    let mut first = 0;
    for y in y.chunks_mut(BLOCK) {
        sum(first, block);
        S::codes(scaling, row, first, block, y);
        first += BLOCK;
    }
}
