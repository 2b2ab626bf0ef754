//! The inner loops that an instruction set may have faster: what operators in tiles and operators over nodes spend their
//! time in. What a back end does not write is [`portable`]'s.
//!
//! With operands that do not fit together a loop does nothing; the operators hand in none.

use super::nodes::{Block, Columns, CompressedWeights, RowScale, RowScaling, Scoring, Sums};
use super::portable;
use super::tiles::depthwise_drive::DepthwiseTile;
use super::tiles::drive::ByteRows;
use super::tiles::{Activations, Blocks, Codebook, Int4, Kept, Packed, Taps, TiledInt8, Tiles};

/// Inner loops of one back end.
///
/// A `pair` takes two pixels in `memory` as the `expand` of its packing left them and writes `y: [2, filters]`; a `single`
/// takes one input in whole groups and writes `y: [filters]`. A back end that leaves something else in `memory` writes both.
pub trait InnerLoops: Sized {
    /// Expands `rows` from two places of `x` on to 16 bits, every group into four words: elements 0, 2 of the first
    /// place, the same of the second, elements 1, 3 of the first, the same of the second.
    #[inline]
    fn expand(x: &[i8], places: [usize; 2], rows: ByteRows, pairs: &mut [i32]) {
        portable::windows::expand(x, places, rows, pairs);
    }

    /// Copies `rows` from the start of `x`, each `distance` bytes after the one before; where that is less than their
    /// length, the next one overwrites the end.
    #[inline]
    fn copy(x: &[i8], rows: ByteRows, distance: usize, patch: &mut [i8]) {
        portable::windows::copy(x, rows, distance, patch);
    }

    /// Dense tiles, two pixels.
    #[inline]
    fn tiles_pair(w: &Tiles<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        portable::products::tiles_pair(w, numerics, memory, y);
    }

    /// Dense tiles, one input.
    #[inline]
    fn tiles_single(w: &Tiles<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
        portable::products::tiles_single(w, numerics, x, y);
    }

    /// Blocks, two pixels.
    #[inline]
    fn blocks_pair(w: &Blocks<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        portable::products::blocks_pair(w, numerics, memory, y);
    }

    /// Blocks, one input.
    #[inline]
    fn blocks_single(w: &Blocks<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
        portable::products::blocks_single(w, numerics, x, y);
    }

    /// Puts two windows into `memory` for single weights.
    #[inline]
    fn taps_expand(_: &Taps<'_>, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        Self::expand(x, places, rows, memory);
    }

    /// Single weights, two pixels.
    #[inline]
    fn taps_pair(w: &Taps<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        portable::products::taps_pair(w, numerics, memory, y);
    }

    /// Single weights, one input, with [`single_words`](Packed::single_words) to work in.
    #[inline]
    fn taps_single(w: &Taps<'_>, numerics: &TiledInt8, x: &[i8], _memory: &mut [i32], y: &mut [i8]) {
        portable::products::taps_single(w, numerics, x, y);
    }

    /// Gathers the inputs of two windows at the positions that are kept; [`tiles_pair`](Self::tiles_pair) comes next.
    #[inline]
    fn kept_expand(w: &Kept<'_>, x: &[i8], places: [usize; 2], memory: &mut [i32]) {
        portable::products::kept_expand(w, x, places, memory);
    }

    /// Puts two windows into the start of `memory` for weights of four bits.
    #[inline]
    fn int4_expand(w: &Int4<'_>, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        Self::expand(x, places, rows, memory.get_mut(..w.patch_len()).unwrap_or_default());
    }

    /// Weights of four bits, two pixels.
    #[inline]
    fn int4_pair(w: &Int4<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        portable::products::int4_pair(w, numerics, memory, y);
    }

    /// Weights of four bits, one input.
    #[inline]
    fn int4_single(w: &Int4<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
        portable::products::int4_single(w, numerics, x, y);
    }

    /// Puts what all products with a codebook need into the end of a layer's `memory`, before the first of them.
    #[inline]
    fn codebook_prepare(_: &Codebook<'_>, _memory: &mut [i32]) {}

    /// Weights of a codebook, two pixels at the start of `memory`.
    #[inline]
    fn codebook_pair(w: &Codebook<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        portable::products::codebook_pair(w, numerics, memory, y);
    }

    /// Weights of a codebook, one input, with `memory` as [`codebook_prepare`](Self::codebook_prepare) left it.
    #[inline]
    fn codebook_single(w: &Codebook<'_>, numerics: &TiledInt8, x: &[i8], _memory: &mut [i32], y: &mut [i8]) {
        portable::products::codebook_single(w, numerics, x, y);
    }

    /// A tile of a 3 × 3 depthwise convolution with equal strides of 1 or 2, over pairs of rows; `None` without a byte
    /// written where this loop does not apply to it.
    ///
    /// `blocks` are `BLOCK_WORDS` words a channel: the start, three pairs of weights of the
    /// rows 0 and 1, three of the rows 1 and 2, mantissa, addend, exponent, and four words that are the loop's own; starts
    /// and weights are doubled. `rings` are two pairs of rows, `[channel: 4][column: seen_columns]` words each with the
    /// upper row in the low half; their padding columns are filled.
    #[inline]
    fn depthwise_tile(
        tile: &DepthwiseTile<'_>,
        stride: usize,
        blocks: &mut [i32],
        rings: [&mut [i32]; 2],
        memory: &mut Activations<'_>,
    ) -> Option<()> {
        portable::depthwise_conv2d_tiled::tile(tile, stride, blocks, rings, memory)
    }

    /// `Σ_k x[columns[k]]`, columns rising, and row `own` once more.
    ///
    /// Where a [`Block`] is summed, what `sums` held before does not matter; channels past the width have any value, and
    /// rows past the last one count nothing.
    #[inline]
    fn sum_rows(columns: Columns<'_>, own: Option<usize>, x: &[i8], at: Block, sums: &mut Sums) {
        portable::nodes::sum_rows(columns, own, x, at, sums);
    }

    /// `Σ_k values[k] * x[columns[k]]`; a row without a value counts once.
    #[inline]
    fn sum_weighted_rows(columns: Columns<'_>, values: &[i8], x: &[i8], at: Block, sums: &mut Sums) {
        portable::nodes::sum_weighted_rows(columns, values, x, at, sums);
    }

    /// `Σ_k (values[k] - zero_point) * x[k]`: rows one after the other.
    #[inline]
    fn sum_all_rows(values: &[i8], zero_point: i32, x: &[i8], at: Block, sums: &mut Sums) {
        portable::nodes::sum_all_rows(values, zero_point, x, at, sums);
    }

    /// [`sum_weighted_rows`](Self::sum_weighted_rows) of compressed weights from channel `first` on.
    #[inline]
    fn sum_compressed_rows(
        columns: Columns<'_>,
        values: &[i8],
        w: &CompressedWeights<'_>,
        first: usize,
        sums: &mut Sums,
    ) {
        portable::nodes::sum_compressed_rows(columns, values, w, first, sums);
    }

    /// [`sum_all_rows`](Self::sum_all_rows) of compressed weights from channel `first` on.
    #[inline]
    fn sum_all_compressed(values: &[i8], zero_point: i32, w: &CompressedWeights<'_>, first: usize, sums: &mut Sums) {
        portable::nodes::sum_all_compressed(values, zero_point, w, first, sums);
    }

    /// `products[k, head] = Σ_c v[c] (x[columns[k], c] - zero_point)` over the channels of each head.
    ///
    /// # Shapes
    /// `x: [rows, v.len()]` · `products: [columns, heads]`
    #[inline]
    fn dot_rows(columns: &[u16], x: &[i8], zero_point: i32, v: &[i8], products: &mut [i32]) {
        portable::attention::dot_rows(columns, x, zero_point, v, products);
    }

    /// `sums[c] += Σ_k weights[k, head of c] * x[columns[k], c]`
    ///
    /// # Shapes
    /// `x: [rows, sums.len()]` · `weights: [columns, heads]`
    #[inline]
    fn add_rows(columns: &[u16], x: &[i8], weights: &[i32], sums: &mut [i32]) {
        portable::attention::add_rows(columns, x, weights, sums);
    }

    /// Turns every `heads`-th product, from the first one on, into what it counts in its row; returns their sum.
    #[inline]
    fn weigh(products: &mut [i32], heads: usize, scoring: &Scoring) -> i32 {
        portable::attention::weigh(products, heads, scoring)
    }

    /// [`RowScaling::codes`].
    #[inline]
    fn codes(scaling: &RowScaling<'_>, row: RowScale, first: usize, sums: &[i32], y: &mut [i8]) {
        scaling.codes(row, first, sums, y);
    }
}
