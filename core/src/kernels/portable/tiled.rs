//! Tiled convolutions and dense layers in plain arithmetic.

use crate::error::ShapeError;
use crate::kernels::tiles::drive::{self, Leaf, Products, Rows};
use crate::kernels::tiles::filters::{self, GROUP, GROUP_WORDS};
use crate::kernels::tiles::{Activations, Conv2dTiled, DenseTiled, FILTERS, Tile, TiledInt8, Tiles};
use crate::num::SmallMultiplier;

/// Convolution with tiled filters; shapes at [`Conv2dTiled`], numerics at [`filters`].
///
/// The output may overlap the input as [`Conv2dTiled::lead`] says; the input is lost then. `scratch` has at least
/// [`Conv2dTiled::scratch_words`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn conv2d_tiled(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    drive::conv2d::<Plain>(op, numerics, tiles, activations, scratch)
}

/// Fully connected layer with tiled rows; shapes at [`DenseTiled`], numerics at [`filters`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_tiled(
    op: &DenseTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    drive::dense::<Plain>(op, numerics, tiles, x, y)
}

/// Plain arithmetic.
#[derive(Debug)]
pub struct Plain;

/// Two elements as the halves of a word.
pub(super) fn halves(low: i8, high: i8) -> i32 {
    i32::from(high) << 16 | (i32::from(low) & 0xFFFF)
}

/// The weights of a group by filter and position.
pub(super) fn weights(group: &[i32; GROUP_WORDS]) -> [[i32; GROUP]; FILTERS] {
    let [a01, a23, b01, b23] = group;
    let two = |a: &i32, b: &i32| {
        let halves = [a << 16 >> 16, b << 16 >> 16, a >> 16, b >> 16];
        let even = halves.map(|half| half << 24 >> 24);
        let [h0, h1, h2, h3] = halves;
        let [e0, e1, e2, e3] = even;
        (even, [(h0 - e0) >> 8, (h1 - e1) >> 8, (h2 - e2) >> 8, (h3 - e3) >> 8])
    };
    let ((w0, w1), (w2, w3)) = (two(a01, b01), two(a23, b23));
    [w0, w1, w2, w3]
}

/// Adds the products of a group of two expanded pixels.
pub(super) fn pair_group(
    [acc_a, acc_b]: &mut [[i32; FILTERS]; 2],
    &[a02, b02, a13, b13]: &[i32; GROUP_WORDS],
    w: &[[i32; GROUP]; FILTERS],
) {
    multiply_add(acc_a, [a02 << 16 >> 16, a13 << 16 >> 16, a02 >> 16, a13 >> 16], w);
    multiply_add(acc_b, [b02 << 16 >> 16, b13 << 16 >> 16, b02 >> 16, b13 >> 16], w);
}

pub(super) fn multiply_add(acc: &mut [i32; FILTERS], x: [i32; GROUP], w: &[[i32; GROUP]; FILTERS]) {
    for (acc, w) in acc.iter_mut().zip(w) {
        *acc = x.iter().zip(w).fold(*acc, |acc, (x, w)| acc.wrapping_add(x * w));
    }
}

fn starts(tile: &Tile<'_>) -> [i32; FILTERS] {
    core::array::from_fn(|f| filters::start(tile, f))
}

pub(super) fn finish(numerics: &TiledInt8, multipliers: [SmallMultiplier; FILTERS], acc: [i32; FILTERS], y: &mut [i8]) {
    for ((y, acc), multiplier) in y.iter_mut().zip(acc).zip(multipliers) {
        *y = numerics.finish(acc, multiplier);
    }
}

impl Leaf for Plain {
    fn expand(x: &[i8], places: [usize; 2], rows: Rows, pairs: &mut [i32]) {
        let mut groups = pairs.as_chunks_mut::<GROUP_WORDS>().0.iter_mut();
        for row in 0..rows.count {
            let [a, b] = places.map(|place| {
                let start = place + row * rows.pitch;
                x.get(start..start + rows.len).unwrap_or_default().as_chunks::<GROUP>().0
            });
            for ((a, b), group) in a.iter().zip(b).zip(&mut groups) {
                let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (*a, *b);
                *group = [halves(a0, a2), halves(b0, b2), halves(a1, a3), halves(b1, b3)];
            }
        }
    }

    fn copy(x: &[i8], rows: Rows, distance: usize, patch: &mut [i8]) {
        for row in 0..rows.count {
            let (from, to) = (row * rows.pitch, row * distance);
            let (x, patch) = (x.get(from..from + rows.len), patch.get_mut(to..to + rows.len));
            patch.into_iter().flatten().zip(x.into_iter().flatten()).for_each(|(to, &from)| *to = from);
        }
    }
}

impl Products<Plain> for Tiles<'_> {
    fn pair(&self, numerics: &TiledInt8, pairs: &mut [i32], y: &mut [i8]) {
        let (first, second) = y.split_at_mut_checked(y.len() / 2).unwrap_or_default();
        for ((tile, first), second) in self.iter().zip(first.chunks_mut(FILTERS)).zip(second.chunks_mut(FILTERS)) {
            let mut acc = [starts(&tile); 2];
            for (x, w) in pairs.as_chunks().0.iter().zip(tile.weights.as_chunks().0) {
                pair_group(&mut acc, x, &weights(w));
            }
            let [a, b] = acc;
            finish(numerics, tile.multipliers, a, first);
            finish(numerics, tile.multipliers, b, second);
        }
    }

    fn single(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        for (tile, y) in self.iter().zip(y.chunks_mut(FILTERS)) {
            let mut acc = starts(&tile);
            for (x, w) in x.as_chunks::<GROUP>().0.iter().zip(tile.weights.as_chunks().0) {
                multiply_add(&mut acc, x.map(i32::from), &weights(w));
            }
            finish(numerics, tile.multipliers, acc, y);
        }
    }
}
