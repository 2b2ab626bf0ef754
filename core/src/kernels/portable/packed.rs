//! Convolutions and dense layers in every packing of weights, in plain arithmetic.

use super::tiled::{Plain, finish, halves, multiply_add, pair_group, weights};
use crate::error::ShapeError;
use crate::kernels::tiles::codebook::{self, CODEBOOK_GROUP_WORDS, VALUES};
use crate::kernels::tiles::drive::{self, Products, Rows as Span};
use crate::kernels::tiles::filters::{GROUP, GROUP_WORDS};
use crate::kernels::tiles::int4::{self, INT4_GROUP_WORDS};
use crate::kernels::tiles::{
    Activations, Blocks, Codebook, CompressedRows, Conv2dTiled, FILTERS, Int4, Kept, Packed, Rows, Taps, Tile,
    TiledInt8, Tiles,
};

/// Convolution; weights and numerics at [`Packed`].
///
/// The output may overlap the input as [`Conv2dTiled::lead`] says; the input is lost then. `scratch` has at least
/// [`Packed::conv2d_scratch_words`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn conv2d_packed<P: Packed + Products<Plain>>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    packed: &P,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    drive::conv2d_packed(op, numerics, packed, activations, scratch)
}

/// Fully connected layer; weights and numerics at [`Packed`]. `scratch` has at least [`Packed::dense_scratch_words`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_packed<P: Packed + Products<Plain>>(
    numerics: &TiledInt8,
    packed: &P,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    drive::dense_packed(numerics, packed, x, y, scratch)
}

/// Fully connected layer in compressed rows; shapes and numerics at [`CompressedRows`]. `scratch` has at least
/// [`CompressedRows::scratch_words`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_compressed(
    numerics: &TiledInt8,
    compressed: &CompressedRows<'_>,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    compressed.check_lens(x.len(), y.len(), scratch.len())?;
    let lost = ShapeError::Len { operand: "scratch", expected: compressed.scratch_words(), got: scratch.len() };
    let expanded: &mut [i16] = bytemuck::try_cast_slice_mut(scratch).map_err(|_| lost)?;
    expanded.fill(0);
    for (to, &column) in expanded.iter_mut().zip(compressed.columns()) {
        *to = x.get(column as usize).copied().unwrap_or_default().into();
    }
    for (y, row) in y.iter_mut().zip(compressed.rows()) {
        let acc = row.units().fold(row.start, |acc, (column, [first, second])| {
            let [a, b] = expanded.get(column..).and_then(|x| x.first_chunk()).copied().unwrap_or_default();
            acc.wrapping_add(i32::from(a) * i32::from(first) + i32::from(b) * i32::from(second))
        });
        *y = CompressedRows::finish(numerics, &row, acc);
    }
    Ok(())
}

impl Products<Plain> for Blocks<'_> {
    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        let pairs = memory.as_chunks::<GROUP_WORDS>().0;
        let (first, second) = y.split_at_mut_checked(y.len() / 2).unwrap_or_default();
        for ((record, first), second) in self.records().zip(first.chunks_mut(FILTERS)).zip(second.chunks_mut(FILTERS)) {
            let mut acc = [record.starts(); 2];
            for (at, group) in record.groups() {
                if let Some(x) = pairs.get(at) {
                    pair_group(&mut acc, x, &weights(group));
                }
            }
            let [a, b] = acc;
            finish(numerics, record.multipliers, a, first);
            finish(numerics, record.multipliers, b, second);
        }
    }

    fn single(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        let x = x.as_chunks::<GROUP>().0;
        for (record, y) in self.records().zip(y.chunks_mut(FILTERS)) {
            let mut acc = record.starts();
            for (at, group) in record.groups() {
                if let Some(x) = x.get(at) {
                    multiply_add(&mut acc, x.map(i32::from), &weights(group));
                }
            }
            finish(numerics, record.multipliers, acc, y);
        }
    }
}

impl Products<Plain> for Taps<'_> {
    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        let (first, second) = y.split_at_mut_checked(y.len() / 2).unwrap_or_default();
        for ((record, first), second) in self.records().zip(first.chunks_mut(FILTERS)).zip(second.chunks_mut(FILTERS)) {
            let [mut a, mut b] = [record.starts(); 2];
            for (at, weights) in record.taps() {
                // Inputs 0 and 2 of a group of the first pixel are in its first word, 1 and 3 in its third.
                let word = |second: usize| {
                    let word = memory.get(at / GROUP * GROUP_WORDS + at % 2 * 2 + second).copied().unwrap_or_default();
                    if at % GROUP < 2 { word << 16 >> 16 } else { word >> 16 }
                };
                add_products(&mut a, word(0), weights);
                add_products(&mut b, word(1), weights);
            }
            finish(numerics, record.multipliers, a, first);
            finish(numerics, record.multipliers, b, second);
        }
    }

    fn single(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        for (record, y) in self.records().zip(y.chunks_mut(FILTERS)) {
            let mut acc = record.starts();
            for (at, weights) in record.taps() {
                add_products(&mut acc, x.get(at).copied().unwrap_or_default().into(), weights);
            }
            finish(numerics, record.multipliers, acc, y);
        }
    }
}

/// Adds the products of one input.
fn add_products(acc: &mut [i32; FILTERS], x: i32, weights: [i32; FILTERS]) {
    acc.iter_mut().zip(weights).for_each(|(acc, w)| *acc = acc.wrapping_add(x * w));
}

impl Products<Plain> for Kept<'_> {
    fn expand(&self, x: &[i8], places: [usize; 2], _: Span, memory: &mut [i32]) {
        let [a, b] = places.map(|place| x.get(place..).unwrap_or_default());
        let at = |x: &[i8], position: i16| x.get(position as usize).copied().unwrap_or_default();
        for (positions, group) in
            self.positions().as_chunks::<GROUP>().0.iter().zip(memory.as_chunks_mut::<GROUP_WORDS>().0)
        {
            let [a0, a1, a2, a3] = positions.map(|position| at(a, position));
            let [b0, b1, b2, b3] = positions.map(|position| at(b, position));
            *group = [halves(a0, a2), halves(b0, b2), halves(a1, a3), halves(b1, b3)];
        }
    }

    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        Products::<Plain>::pair(&self.tiles, numerics, memory, y);
    }

    fn single(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        let Ok(kept) = bytemuck::try_cast_slice_mut::<i32, i8>(memory) else { return };
        let Some(kept) = kept.get_mut(..self.positions().len()) else { return };
        for (to, &position) in kept.iter_mut().zip(self.positions()) {
            *to = x.get(position as usize).copied().unwrap_or_default();
        }
        Products::<Plain>::single(&self.tiles, numerics, kept, &mut [], y);
    }
}

impl Products<Plain> for Rows<'_> {
    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        drive::pair_rows::<Plain>(self, numerics, memory, y);
    }

    fn single(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        drive::single_rows::<Plain>(self, numerics, x, memory, y);
    }
}

/// Two expanded pixels with records whose groups are words that `weights` takes apart.
#[inline]
fn pair_of_records<const WORDS: usize>(
    tiles: Tiles<'_>,
    start: impl Fn(&Tile<'_>) -> [i32; FILTERS],
    weights: impl Fn(&[i32; WORDS]) -> [[i32; GROUP]; FILTERS],
    numerics: &TiledInt8,
    memory: &[i32],
    y: &mut [i8],
) {
    let (first, second) = y.split_at_mut_checked(y.len() / 2).unwrap_or_default();
    for ((tile, first), second) in tiles.iter().zip(first.chunks_mut(FILTERS)).zip(second.chunks_mut(FILTERS)) {
        let mut acc = [start(&tile); 2];
        for (x, w) in memory.as_chunks().0.iter().zip(tile.weights.as_chunks().0) {
            pair_group(&mut acc, x, &weights(w));
        }
        let [a, b] = acc;
        finish(numerics, tile.multipliers, a, first);
        finish(numerics, tile.multipliers, b, second);
    }
}

/// One input with the same records.
#[inline]
fn single_of_records<const WORDS: usize>(
    tiles: Tiles<'_>,
    start: impl Fn(&Tile<'_>) -> [i32; FILTERS],
    weights: impl Fn(&[i32; WORDS]) -> [[i32; GROUP]; FILTERS],
    numerics: &TiledInt8,
    x: &[i8],
    y: &mut [i8],
) {
    for (tile, y) in tiles.iter().zip(y.chunks_mut(FILTERS)) {
        let mut acc = start(&tile);
        for (x, w) in x.as_chunks::<GROUP>().0.iter().zip(tile.weights.as_chunks().0) {
            multiply_add(&mut acc, x.map(i32::from), &weights(w));
        }
        finish(numerics, tile.multipliers, acc, y);
    }
}

/// The weights of a group by filter and position.
fn int4_weights(&[even, odd]: &[i32; INT4_GROUP_WORDS]) -> [[i32; GROUP]; FILTERS] {
    let [w0, w1, w2, w3] = [even << 16 >> 16, odd << 16 >> 16, even >> 16, odd >> 16].map(int4::half_weights);
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (w0, w1);
    let ([c0, c1, c2, c3], [d0, d1, d2, d3]) = (w2, w3);
    [[a0, b0, c0, d0], [a1, b1, c1, d1], [a2, b2, c2, d2], [a3, b3, c3, d3]]
}

impl Products<Plain> for Int4<'_> {
    /// What DSP instructions need behind the pixels is not needed here.
    fn expand(&self, x: &[i8], places: [usize; 2], rows: Span, memory: &mut [i32]) {
        let pairs = memory.get_mut(..self.patch_len()).unwrap_or_default();
        <Plain as drive::Leaf>::expand(x, places, rows, pairs);
    }

    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        pair_of_records(self.tiles, int4::starts, int4_weights, numerics, memory, y);
    }

    fn single(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        single_of_records(self.tiles, int4::starts, int4_weights, numerics, x, y);
    }
}

/// The weights of a group by filter and position.
fn codebook_weights(values: &[i8; VALUES], &[even, odd]: &[i32; CODEBOOK_GROUP_WORDS]) -> [[i32; GROUP]; FILTERS] {
    let of = |byte: u32| {
        let (even, odd) = (even >> (8 * byte), odd >> (8 * byte));
        [even, odd, even >> 4, odd >> 4].map(|index| codebook::value(values, index))
    };
    [of(0), of(1), of(2), of(3)]
}

impl Products<Plain> for Codebook<'_> {
    /// What DSP instructions need behind the pixels is not needed here.
    fn expand(&self, x: &[i8], places: [usize; 2], rows: Span, memory: &mut [i32]) {
        let pairs = memory.get_mut(..self.patch_len()).unwrap_or_default();
        <Plain as drive::Leaf>::expand(x, places, rows, pairs);
    }

    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        let weights = |words: &_| codebook_weights(self.values, words);
        pair_of_records(self.tiles, |tile| tile.start, weights, numerics, memory, y);
    }

    fn single(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        let weights = |words: &_| codebook_weights(self.values, words);
        single_of_records(self.tiles, |tile| tile.start, weights, numerics, x, y);
    }
}
