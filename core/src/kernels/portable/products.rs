//! Products of weights in every form with two pixels or with one input, in plain arithmetic.

use super::windows::halves;
use crate::kernels::tiles::codebook::{self, CODEBOOK_GROUP_WORDS, VALUES};
use crate::kernels::tiles::filters::{self, GROUP, GROUP_WORDS};
use crate::kernels::tiles::int4::{self, INT4_GROUP_WORDS};
use crate::kernels::tiles::{Blocks, Codebook, FILTERS, Int4, Kept, Taps, Tile, TiledInt8, Tiles};
use crate::num::SmallMultiplier;

/// The accumulators of a record.
type Sums = [i32; FILTERS];
/// What turns them into outputs.
type Multipliers = [SmallMultiplier; FILTERS];

/// The outputs of two pixels: of every record the sums of both and their multipliers.
#[inline(always)]
fn pair<R>(
    numerics: &TiledInt8,
    records: impl Iterator<Item = R>,
    y: &mut [i8],
    sums: impl Fn(R) -> ([Sums; 2], Multipliers),
) {
    let (first, second) = y.split_at_mut_checked(y.len() / 2).unwrap_or_default();
    for ((record, first), second) in records.zip(first.chunks_mut(FILTERS)).zip(second.chunks_mut(FILTERS)) {
        let ([a, b], multipliers) = sums(record);
        finish(numerics, multipliers, a, first);
        finish(numerics, multipliers, b, second);
    }
}

/// The outputs of one input.
#[inline(always)]
fn single<R>(
    numerics: &TiledInt8,
    records: impl Iterator<Item = R>,
    y: &mut [i8],
    sums: impl Fn(R) -> (Sums, Multipliers),
) {
    for (record, y) in records.zip(y.chunks_mut(FILTERS)) {
        let (acc, multipliers) = sums(record);
        finish(numerics, multipliers, acc, y);
    }
}

fn finish(numerics: &TiledInt8, multipliers: Multipliers, acc: Sums, y: &mut [i8]) {
    for ((y, acc), multiplier) in y.iter_mut().zip(acc).zip(multipliers) {
        *y = numerics.finish(acc, multiplier);
    }
}

/// Adds the products of a group of two expanded pixels.
fn pair_group([acc_a, acc_b]: &mut [Sums; 2], &[a02, b02, a13, b13]: &[i32; GROUP_WORDS], w: &[[i32; GROUP]; FILTERS]) {
    multiply_add(acc_a, [a02 << 16 >> 16, a13 << 16 >> 16, a02 >> 16, a13 >> 16], w);
    multiply_add(acc_b, [b02 << 16 >> 16, b13 << 16 >> 16, b02 >> 16, b13 >> 16], w);
}

fn multiply_add(acc: &mut Sums, x: [i32; GROUP], w: &[[i32; GROUP]; FILTERS]) {
    for (acc, w) in acc.iter_mut().zip(w) {
        *acc = x.iter().zip(w).fold(*acc, |acc, (x, w)| acc.wrapping_add(x * w));
    }
}

/// Two pixels with records whose groups are words that `weights` takes apart.
#[inline(always)]
fn pair_of_tiles<const WORDS: usize>(
    tiles: Tiles<'_>,
    start: impl Fn(&Tile<'_>) -> Sums,
    weights: impl Fn(&[i32; WORDS]) -> [[i32; GROUP]; FILTERS],
    numerics: &TiledInt8,
    memory: &[i32],
    y: &mut [i8],
) {
    pair(numerics, tiles.iter(), y, |tile| {
        let mut acc = [start(&tile); 2];
        for (x, w) in memory.as_chunks().0.iter().zip(tile.weights.as_chunks().0) {
            pair_group(&mut acc, x, &weights(w));
        }
        (acc, tile.multipliers)
    });
}

/// One input with the same records.
#[inline(always)]
fn single_of_tiles<const WORDS: usize>(
    tiles: Tiles<'_>,
    start: impl Fn(&Tile<'_>) -> Sums,
    weights: impl Fn(&[i32; WORDS]) -> [[i32; GROUP]; FILTERS],
    numerics: &TiledInt8,
    x: &[i8],
    y: &mut [i8],
) {
    single(numerics, tiles.iter(), y, |tile| {
        let mut acc = start(&tile);
        for (x, w) in x.as_chunks::<GROUP>().0.iter().zip(tile.weights.as_chunks().0) {
            multiply_add(&mut acc, x.map(i32::from), &weights(w));
        }
        (acc, tile.multipliers)
    });
}

fn starts(tile: &Tile<'_>) -> Sums {
    core::array::from_fn(|f| filters::start(tile, f))
}

/// The weights of a group of int8 by filter and position.
fn weights(group: &[i32; GROUP_WORDS]) -> [[i32; GROUP]; FILTERS] {
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

pub(crate) fn tiles_pair(w: &Tiles<'_>, numerics: &TiledInt8, memory: &[i32], y: &mut [i8]) {
    pair_of_tiles(*w, starts, weights, numerics, memory, y);
}

pub(crate) fn tiles_single(w: &Tiles<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    single_of_tiles(*w, starts, weights, numerics, x, y);
}

pub(crate) fn blocks_pair(w: &Blocks<'_>, numerics: &TiledInt8, memory: &[i32], y: &mut [i8]) {
    let pairs = memory.as_chunks::<GROUP_WORDS>().0;
    pair(numerics, w.records(), y, |record| {
        let mut acc = [record.starts(); 2];
        for (at, group) in record.groups() {
            if let Some(x) = pairs.get(at) {
                pair_group(&mut acc, x, &weights(group));
            }
        }
        (acc, record.multipliers)
    });
}

pub(crate) fn blocks_single(w: &Blocks<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    let x = x.as_chunks::<GROUP>().0;
    single(numerics, w.records(), y, |record| {
        let mut acc = record.starts();
        for (at, group) in record.groups() {
            if let Some(x) = x.get(at) {
                multiply_add(&mut acc, x.map(i32::from), &weights(group));
            }
        }
        (acc, record.multipliers)
    });
}

/// Adds the products of one input.
fn add_products(acc: &mut Sums, x: i32, weights: [i32; FILTERS]) {
    acc.iter_mut().zip(weights).for_each(|(acc, w)| *acc = acc.wrapping_add(x * w));
}

pub(crate) fn taps_pair(w: &Taps<'_>, numerics: &TiledInt8, memory: &[i32], y: &mut [i8]) {
    pair(numerics, w.records(), y, |record| {
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
        ([a, b], record.multipliers)
    });
}

pub(crate) fn taps_single(w: &Taps<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    single(numerics, w.records(), y, |record| {
        let mut acc = record.starts();
        for (at, weights) in record.taps() {
            add_products(&mut acc, x.get(at).copied().unwrap_or_default().into(), weights);
        }
        (acc, record.multipliers)
    });
}

pub(crate) fn kept_expand(w: &Kept<'_>, x: &[i8], places: [usize; 2], memory: &mut [i32]) {
    let [a, b] = places.map(|place| x.get(place..).unwrap_or_default());
    let at = |x: &[i8], position: i16| x.get(position as usize).copied().unwrap_or_default();
    for (positions, group) in w.positions().as_chunks::<GROUP>().0.iter().zip(memory.as_chunks_mut::<GROUP_WORDS>().0) {
        let [a0, a1, a2, a3] = positions.map(|position| at(a, position));
        let [b0, b1, b2, b3] = positions.map(|position| at(b, position));
        *group = [halves(a0, a2), halves(b0, b2), halves(a1, a3), halves(b1, b3)];
    }
}

/// The weights of a group of four bits by filter and position.
fn int4_weights(&[even, odd]: &[i32; INT4_GROUP_WORDS]) -> [[i32; GROUP]; FILTERS] {
    let [w0, w1, w2, w3] = [even << 16 >> 16, odd << 16 >> 16, even >> 16, odd >> 16].map(int4::half_weights);
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (w0, w1);
    let ([c0, c1, c2, c3], [d0, d1, d2, d3]) = (w2, w3);
    [[a0, b0, c0, d0], [a1, b1, c1, d1], [a2, b2, c2, d2], [a3, b3, c3, d3]]
}

pub(crate) fn int4_pair(w: &Int4<'_>, numerics: &TiledInt8, memory: &[i32], y: &mut [i8]) {
    pair_of_tiles(w.tiles, int4::starts, int4_weights, numerics, memory, y);
}

pub(crate) fn int4_single(w: &Int4<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    single_of_tiles(w.tiles, int4::starts, int4_weights, numerics, x, y);
}

/// The weights of a group of indices by filter and position.
fn codebook_weights(values: &[i8; VALUES], &[even, odd]: &[i32; CODEBOOK_GROUP_WORDS]) -> [[i32; GROUP]; FILTERS] {
    let of = |byte: u32| {
        let (even, odd) = (even >> (8 * byte), odd >> (8 * byte));
        [even, odd, even >> 4, odd >> 4].map(|index| codebook::value(values, index))
    };
    [of(0), of(1), of(2), of(3)]
}

pub(crate) fn codebook_pair(w: &Codebook<'_>, numerics: &TiledInt8, memory: &[i32], y: &mut [i8]) {
    pair_of_tiles(w.tiles, |tile| tile.start, |words| codebook_weights(w.values, words), numerics, memory, y);
}

pub(crate) fn codebook_single(w: &Codebook<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    single_of_tiles(w.tiles, |tile| tile.start, |words| codebook_weights(w.values, words), numerics, x, y);
}
