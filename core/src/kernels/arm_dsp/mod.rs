//! Kernels with the DSP instructions of Armv7E-M and Armv8-M: two 16-bit products an instruction.

mod add;
mod attention;
#[macro_use]
mod record;
#[macro_use]
mod record_end;
mod blocks;
mod codebook;
mod compressed;
mod depthwise_conv2d_tiled;
mod int4;
mod kept;
mod nodes;
mod pool2d;
mod taps;
mod tiles;
mod windows;

use super::nodes::{Block, Columns, RowScale, RowScaling, Scoring, Sums};
use super::tiles::depthwise_drive::DepthwiseTile;
use super::tiles::drive::ByteRows;
use super::tiles::{Activations, Blocks, Codebook, CompressedRows, Int4, Kept, Taps, TiledInt8, Tiles};
use super::{AddInt, BackEnd, Clamp, InnerLoops, Pool2d, Side};
use crate::error::ShapeError;

/// Armv7E-M's DSP instructions.
#[derive(Debug, Clone, Copy)]
pub struct ArmDsp;

impl InnerLoops for ArmDsp {
    #[inline]
    fn expand(x: &[i8], places: [usize; 2], rows: ByteRows, pairs: &mut [i32]) {
        windows::expand(x, places, rows, pairs);
    }

    #[inline]
    fn copy(x: &[i8], rows: ByteRows, distance: usize, patch: &mut [i8]) {
        windows::copy(x, rows, distance, patch);
    }

    #[inline]
    fn tiles_pair(w: &Tiles<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        tiles::pair_of_pixels(w, numerics, memory, y);
    }

    #[inline]
    fn tiles_single(w: &Tiles<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
        tiles::single_input(w, numerics, x, y);
    }

    #[inline]
    fn blocks_pair(w: &Blocks<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        blocks::pair_of_pixels(w, numerics, memory, y);
    }

    #[inline]
    fn blocks_single(w: &Blocks<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
        blocks::single_input(w, numerics, x, y);
    }

    #[inline]
    fn taps_expand(_: &Taps<'_>, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        taps::expand(x, places, rows, memory);
    }

    #[inline]
    fn taps_pair(w: &Taps<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        taps::pair_of_pixels(w, numerics, memory, y);
    }

    #[inline]
    fn taps_single(w: &Taps<'_>, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        taps::single_input(w, numerics, x, memory, y);
    }

    #[inline]
    fn kept_expand(w: &Kept<'_>, x: &[i8], places: [usize; 2], memory: &mut [i32]) {
        kept::expand(w, x, places, memory);
    }

    #[inline]
    fn int4_expand(w: &Int4<'_>, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        int4::expand(w, x, places, rows, memory);
    }

    #[inline]
    fn int4_pair(w: &Int4<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        int4::pair_of_pixels(w, numerics, memory, y);
    }

    #[inline]
    fn int4_single(w: &Int4<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
        int4::single_input(w, numerics, x, y);
    }

    #[inline]
    fn codebook_prepare(w: &Codebook<'_>, memory: &mut [i32]) {
        codebook::prepare(w, memory);
    }

    #[inline]
    fn codebook_pair(w: &Codebook<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        codebook::pair_of_pixels(w, numerics, memory, y);
    }

    #[inline]
    fn codebook_single(w: &Codebook<'_>, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        codebook::single_input(w, numerics, x, memory, y);
    }

    #[inline]
    fn depthwise_tile(
        tile: &DepthwiseTile<'_>,
        stride: usize,
        blocks: &mut [i32],
        rings: [&mut [i32]; 2],
        memory: &mut Activations<'_>,
    ) -> Option<()> {
        depthwise_conv2d_tiled::tile(tile, stride, blocks, rings, memory)
    }

    #[inline]
    fn sum_rows(columns: Columns<'_>, own: Option<usize>, x: &[i8], at: Block, sums: &mut Sums) {
        nodes::sum_rows(columns, own, x, at, sums);
    }

    #[inline]
    fn sum_all_rows(values: &[i8], zero_point: i32, x: &[i8], at: Block, sums: &mut Sums) {
        nodes::sum_all_rows(values, zero_point, x, at, sums);
    }

    #[inline]
    fn dot_rows(columns: &[u16], x: &[i8], zero_point: i32, v: &[i8], products: &mut [i32]) {
        attention::dot_rows(columns, x, zero_point, v, products);
    }

    #[inline]
    fn add_rows(columns: &[u16], x: &[i8], weights: &[i32], sums: &mut [i32]) {
        attention::add_rows(columns, x, weights, sums);
    }

    #[inline]
    fn weigh(products: &mut [i32], heads: usize, scoring: &Scoring) -> i32 {
        attention::weigh(products, heads, scoring)
    }

    #[inline]
    fn codes(scaling: &RowScaling<'_>, row: RowScale, first: usize, sums: &[i32], y: &mut [i8]) {
        nodes::codes(scaling, row, first, sums, y);
    }
}

impl BackEnd for ArmDsp {
    fn dense_compressed(
        numerics: &TiledInt8,
        compressed: &CompressedRows<'_>,
        x: &[i8],
        y: &mut [i8],
        scratch: &mut [i32],
    ) -> Result<(), ShapeError> {
        compressed::dense_compressed(numerics, compressed, x, y, scratch)
    }

    #[inline(never)] // its frame and that of finding the operands are not needed at one time
    fn max_pool2d_int8(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        pool2d::max_pool2d(op, clamp, x, y)
    }

    #[inline(never)] // its frame and that of finding the operands are not needed at one time
    fn average_pool2d_int8(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        pool2d::average_pool2d(op, clamp, x, y)
    }

    fn add_int8(op: &AddInt, a: &[i8], b: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        add::add(op, a, b, y)
    }

    fn add_int8_in_place(op: &AddInt, side: Side, other: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        add::add_in_place(op, side, other, y)
    }
}
