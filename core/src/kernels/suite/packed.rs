//! Every packing of weights against the plain definition on the expanded weights.

use super::tiled::{Layer, records, run_shared, whole};
use super::{Comparison, Lcg};
use crate::kernels::tiles::compressed::{self, Unit};
use crate::kernels::tiles::filters::{self, Filter, GROUP};
use crate::kernels::tiles::{
    Activations, Blocks, Codebook, CompressedRows, Conv2dTiled, FILTERS, Int4, Kept, Packed, Rows, Taps, Tiles, blocks,
    codebook, int4, taps,
};
use crate::kernels::{BackEnd, Conv2d, Dense, reference};
use alloc::{vec, vec::Vec};

/// Weights of `outputs` filters of `len` that are zero where `zero(filter, position)` says so.
fn weights(rng: &mut Lcg, [outputs, len]: [usize; 2], zero: impl Fn(usize, usize) -> bool) -> Vec<i8> {
    let at = |i: usize, w: i8| if zero(i / len, i % len) { 0 } else { w.max(-127) };
    rng.int8s(outputs * len).into_iter().enumerate().map(|(i, w)| at(i, w)).collect()
}

/// Which of `count` things are left out, most of them.
fn left_out(rng: &mut Lcg, count: usize) -> Vec<bool> {
    let share = 1 + rng.below(9);
    (0..count).map(|_| rng.below(10) < share).collect()
}

/// What a layer is packed into.
struct Words {
    words: Vec<i32>,
    list: Vec<i16>,
    constants: Vec<i8>,
}

impl Words {
    fn new(words: Vec<i32>) -> Self {
        Self { words, list: Vec::new(), constants: Vec::new() }
    }
}

fn in_blocks(layer: &Layer, len: usize) -> Words {
    let mut words = Vec::new();
    for four in layer.filters().chunks(FILTERS) {
        blocks::pack(&whole(four), len, &mut |word| words.push(word)).unwrap();
    }
    Words::new(words)
}

fn in_taps(layer: &Layer, len: usize) -> Words {
    let mut words = Vec::new();
    for four in layer.filters().chunks(FILTERS) {
        taps::pack(&whole(four), len, &mut |word| words.push(word)).unwrap();
    }
    Words::new(words)
}

fn kept(layer: &Layer, len: usize) -> Words {
    let filters = layer.filters();
    let mut list: Vec<i16> =
        (0..len).filter(|&k| filters.iter().any(|f| f.weights[k] != 0)).map(|k| k as i16).collect();
    if list.is_empty() {
        list.push(len as i16 - 1);
    }
    let weights: Vec<Vec<i8>> = filters.iter().map(|f| list.iter().map(|&k| f.weights[k as usize]).collect()).collect();
    let shorter: Vec<Filter<'_>> = filters.iter().zip(&weights).map(|(f, weights)| Filter { weights, ..*f }).collect();
    list.resize(list.len().next_multiple_of(GROUP), list[list.len() - 1]);
    let words = records(&shorter, Tiles::words_of(FILTERS, filters::weight_words(list.len())), filters::pack);
    Words { words, list, constants: Vec::new() }
}

fn rows(layer: &Layer, len: usize) -> Words {
    let filters = layer.filters();
    let constants = filters.iter().map(|f| layer.numerics.finish(f.start, f.multiplier)).collect();
    let mut list: Vec<i16> =
        (0..filters.len()).filter(|&o| filters[o].weights.iter().any(|&w| w != 0)).map(|o| o as i16).collect();
    if list.is_empty() {
        list.push(0);
    }
    let there: Vec<Filter<'_>> = list.iter().map(|&o| filters[o as usize]).collect();
    let words = records(&there, Tiles::words_of(FILTERS, filters::weight_words(len)), filters::pack);
    Words { words, list, constants }
}

fn in_int4(layer: &Layer, len: usize) -> Words {
    Words::new(records(&layer.filters(), Tiles::words_of(FILTERS, int4::int4_weight_words(len)), int4::pack))
}

fn in_codebook(layer: &Layer, len: usize) -> Words {
    let values = codebook::values(&layer.filters(), len).unwrap();
    let record_words = Tiles::words_of(FILTERS, codebook::codebook_weight_words(len));
    let words = records(&layer.filters(), record_words, |four, record| codebook::pack(four, &values, record));
    Words { words, list: Vec::new(), constants: values.to_vec() }
}

fn read_blocks(words: &Words, [filters, len]: [usize; 2]) -> Blocks<'_> {
    Blocks::try_new(&words.words, filters, len).unwrap()
}

fn read_taps(words: &Words, [filters, len]: [usize; 2]) -> Taps<'_> {
    Taps::try_new(&words.words, filters, len).unwrap()
}

fn read_kept(words: &Words, [filters, len]: [usize; 2]) -> Kept<'_> {
    Kept::try_new(&words.words, &words.list, filters, len).unwrap()
}

fn read_rows(words: &Words, [_, len]: [usize; 2]) -> Rows<'_> {
    Rows::try_new(&words.words, &words.list, &words.constants, len).unwrap()
}

fn read_int4(words: &Words, [filters, len]: [usize; 2]) -> Int4<'_> {
    Int4::try_new(&words.words, filters, len).unwrap()
}

fn read_codebook(words: &Words, [filters, len]: [usize; 2]) -> Codebook<'_> {
    Codebook::try_new(&words.words, &words.constants, filters, len).unwrap()
}

/// A packing against the plain convolution, with outputs that lie apart from the inputs and over them.
fn same_convolution<B: BackEnd>(
    rng: &mut Lcg,
    op: &Conv2dTiled,
    layer: &Layer,
    packed: &impl Packed,
    seen: &mut Comparison,
) {
    let (window, in_c) = (op.conv.window, op.conv.in_channels().get());
    let x = rng.int8s(window.input_area() * in_c);
    let mut want = vec![0; window.output_area() * op.conv.out_channels().get()];
    reference::conv2d(&op.conv, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();

    // Weights are looked up one by one.
    let mut got = vec![0; want.len()];
    if want.len() < 200 {
        reference::conv2d_packed(&op.conv, &layer.numerics, packed, &x, &mut got).unwrap();
        seen.same(("reference", op), &want, &got);
    }

    let mut scratch = rng.words(packed.conv2d_scratch_words(op));
    got.fill(0);
    let mut apart = Activations::Apart { x: &x, y: &mut got };
    B::conv2d_packed(op, &layer.numerics, packed, &mut apart, &mut scratch).unwrap();
    seen.same(op, &want, &got);

    // As close after the output as is allowed.
    let distance = op.lead().max(-(x.len() as isize));
    let got = run_shared(rng, (&x, want.len()), distance, |shared| {
        B::conv2d_packed(op, &layer.numerics, packed, shared, &mut scratch).unwrap();
    });
    seen.same((op, "at", distance), &want, &got);
}

/// A packing against the plain dense layer.
fn same_dense<B: BackEnd>(rng: &mut Lcg, dense: &Dense, layer: &Layer, packed: &impl Packed, seen: &mut Comparison) {
    let (x, outputs) = (rng.int8s(dense.inputs().get()), dense.outputs().get());
    let (mut want, mut got) = (vec![0; outputs], vec![0; outputs]);
    reference::dense(dense, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();
    reference::dense_packed(&layer.numerics, packed, &x, &mut got).unwrap();
    seen.same(("reference", dense), &want, &got);
    got.fill(0);
    let mut scratch = rng.words(packed.dense_scratch_words());
    B::dense_packed(&layer.numerics, packed, &x, &mut got, &mut scratch).unwrap();
    seen.same(dense, &want, &got);
}

/// The cases of both kinds of layer in one packing: how their weights are drawn, packed and read.
macro_rules! packing {
    ($conv2d:ident, $dense:ident, $draw:expr, $pack:expr, $read:expr) => {
        pub(super) fn $conv2d<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
            let window = rng.window(true);
            let op = Conv2dTiled { conv: Conv2d::try_new(window, 1 + rng.below(9), 1 + rng.below(11)).unwrap() };
            let dims = [op.conv.out_channels().get(), op.conv.filter_len()];
            let weights = $draw(rng, dims);
            let layer = Layer::with(rng, dims[0], weights);
            let words: Words = $pack(&layer, dims[1]);
            same_convolution::<B>(rng, &op, &layer, &$read(&words, dims), seen);
        }

        pub(super) fn $dense<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
            let dense = Dense::try_new(1 + rng.below(70), 1 + rng.below(40)).unwrap();
            let dims = [dense.outputs().get(), dense.inputs().get()];
            let weights = $draw(rng, dims);
            let layer = Layer::with(rng, dims[0], weights);
            let words: Words = $pack(&layer, dims[1]);
            same_dense::<B>(rng, &dense, &layer, &$read(&words, dims), seen);
        }
    };
}

packing!(
    conv2d_blocks,
    dense_blocks,
    |rng: &mut Lcg, dims: [usize; 2]| {
        // Blocks of any size, of which the groups of four by four cover some.
        let [rows, columns] = [1 + rng.below(8), 1 + rng.below(8)];
        let across = dims[1].div_ceil(columns);
        let out = left_out(rng, dims[0].div_ceil(rows) * across);
        weights(rng, dims, |o, k| out[o / rows * across + k / columns])
    },
    in_blocks,
    read_blocks
);

packing!(
    conv2d_taps,
    dense_taps,
    |rng: &mut Lcg, dims: [usize; 2]| {
        // Few enough that some distances are too long for a byte.
        let few = if rng.below(3) == 0 { 60 } else { 3 };
        let out: Vec<bool> = (0..dims[0].div_ceil(FILTERS) * dims[1]).map(|_| rng.below(few) > 0).collect();
        weights(rng, dims, |o, k| out[o / FILTERS * dims[1] + k])
    },
    in_taps,
    read_taps
);

packing!(
    conv2d_kept,
    dense_kept,
    |rng: &mut Lcg, dims: [usize; 2]| {
        let out = left_out(rng, dims[1]);
        weights(rng, dims, |_, k| out[k])
    },
    kept,
    read_kept
);

packing!(
    conv2d_rows,
    dense_rows,
    |rng: &mut Lcg, dims: [usize; 2]| {
        let out = left_out(rng, dims[0]);
        weights(rng, dims, |o, _| out[o])
    },
    rows,
    read_rows
);

packing!(
    conv2d_int4,
    dense_int4,
    |rng: &mut Lcg, [outputs, len]: [usize; 2]| {
        // -8 is everywhere but in the third filter of a tile.
        let least = |i: usize| if i / len % FILTERS == 2 { -7 } else { -8 };
        let codes = rng.int8s(outputs * len).into_iter().map(|w| w >> 4).enumerate();
        codes.map(|(i, w)| w.max(least(i))).collect::<Vec<i8>>()
    },
    in_int4,
    read_int4
);

packing!(
    conv2d_codebook,
    dense_codebook,
    |rng: &mut Lcg, [outputs, len]: [usize; 2]| {
        // 0 is among the values where something is filled up, and perhaps where nothing is.
        let count = 1 + rng.below(codebook::VALUES);
        let mut values = rng.int8s(count);
        if outputs % FILTERS + len % GROUP > 0 {
            values[0] = 0;
        }
        (0..outputs * len).map(|_| values[rng.below(values.len())].max(-127)).collect::<Vec<i8>>()
    },
    in_codebook,
    read_codebook
);

/// Units of a row, not always the fewest.
fn units(rng: &mut Lcg, weights: &[i8]) -> Vec<Unit> {
    let (mut units, mut at, mut column) = (Vec::new(), 0, 0);
    while column < weights.len() {
        let both = column + 1 < weights.len() && rng.below(2) == 0;
        if weights[column] == 0 && rng.below(8) > 0 {
            column += 1;
            continue;
        }
        while column - at > 255 {
            units.push(Unit { distance: 255, weights: [0; 2] });
            at += 255;
        }
        let second = if both { weights[column + 1].into() } else { 0 };
        units.push(Unit { distance: (column - at) as u8, weights: [weights[column].into(), second] });
        (at, column) = (column, column + 1 + usize::from(both));
    }
    units
}

pub(super) fn dense_compressed<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    // Some with more than 255 columns between two weights, some with more than 32 units.
    let inputs = if rng.below(4) == 0 { 1 + rng.below(900) } else { 1 + rng.below(70) };
    let dense = Dense::try_new(inputs, 1 + rng.below(40)).unwrap();
    let outputs = dense.outputs().get();
    let share = [2, 10, 50, 400][rng.below(4)];
    let zeros: Vec<bool> = (0..outputs * inputs).map(|_| rng.below(share) > 0).collect();
    let weights = weights(rng, [outputs, inputs], |o, k| zeros[o * inputs + k]);
    let layer = Layer::with(rng, outputs, weights);
    let mut columns: Vec<i16> = (0..inputs as i16).collect();
    (0..inputs).for_each(|i| columns.swap(i, i + rng.below(inputs - i)));
    let mut words = Vec::new();
    for filter in layer.filters() {
        let row: Vec<i8> = columns.iter().map(|&input| filter.weights[input as usize]).collect();
        compressed::pack(filter.start, filter.multiplier, &units(rng, &row), &mut |word| words.push(word));
    }
    let rows = CompressedRows::try_new(&words, &columns, dense).unwrap();
    let x = rng.int8s(inputs);
    let (mut want, mut got) = (vec![0; outputs], vec![0; outputs]);
    reference::dense(&dense, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();
    let mut scratch = rng.words(rows.scratch_words());
    B::dense_compressed(&layer.numerics, &rows, &x, &mut got, &mut scratch).unwrap();
    seen.same(dense, &want, &got);
    // Its weights are looked up one by one: only for small layers.
    if inputs < 50 {
        reference::dense_compressed(&layer.numerics, &rows, &x, &mut got).unwrap();
        seen.same(("reference", dense), &want, &got);
    }
}
