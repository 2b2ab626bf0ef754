//! Every packing of weights against the plain definition on the expanded weights, bit for bit.

use super::tiled::{Layer, records, whole};
use super::*;
use crate::kernels::tiles::compressed::{self, Unit};
use crate::kernels::tiles::filters::{self, Filter, GROUP};
use crate::kernels::tiles::{
    Activations, Blocks, Codebook, CompressedRows, Conv2dTiled, FILTERS, Int4, Kept, Packed, Rows, Taps, Tiles, blocks,
    codebook, int4, taps,
};

/// Outputs that are compared of each packing and kind of layer.
const OUTPUTS: usize = 20_000;

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

/// Compares a packing with the plain convolution, with outputs that lie apart from the inputs and over them.
fn same_convolution<P: Packed>(rng: &mut Lcg, op: &Conv2dTiled, layer: &Layer, packed: &P) -> usize {
    let (window, in_c) = (op.conv.window, op.conv.in_channels().get());
    let x = rng.int8s(window.input_area() * in_c);
    let mut want = vec![0; window.output_area() * op.conv.out_channels().get()];
    reference::conv2d(&op.conv, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();

    let mut got = vec![0; want.len()];
    reference::conv2d_packed(&op.conv, &layer.numerics, packed, &x, &mut got).unwrap();
    assert_eq!(got, want, "{op:?}");

    let mut scratch: Vec<i32> = (0..packed.conv2d_scratch_words(op)).map(|_| rng.next() as i32).collect();
    let mut got = vec![0; want.len()];
    let mut apart = Activations::Apart { x: &x, y: &mut got };
    Portable::conv2d_packed(op, &layer.numerics, packed, &mut apart, &mut scratch).unwrap();
    assert_eq!(got, want, "{op:?}");

    // As close behind the output as is allowed.
    let distance = op.lead().max(-(x.len() as isize));
    let (x_at, y_at) = (distance.max(0) as usize, (-distance).max(0) as usize);
    let mut memory = rng.int8s((x_at + x.len()).max(y_at + want.len()));
    memory[x_at..][..x.len()].copy_from_slice(&x);
    let mut shared = Activations::Shared { memory: &mut memory, x: x_at, y: y_at };
    Portable::conv2d_packed(op, &layer.numerics, packed, &mut shared, &mut scratch).unwrap();
    assert_eq!(memory[y_at..][..want.len()], want, "{op:?} at {distance}");
    want.len()
}

/// Compares a packing with the plain dense layer.
fn same_dense<P: Packed>(rng: &mut Lcg, dense: &Dense, layer: &Layer, packed: &P) -> usize {
    let x = rng.int8s(dense.inputs().get());
    let outputs = dense.outputs().get();
    let (mut want, mut by_reference, mut got) = (vec![0; outputs], vec![0; outputs], vec![0; outputs]);
    reference::dense(dense, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();
    reference::dense_packed(&layer.numerics, packed, &x, &mut by_reference).unwrap();
    let mut scratch: Vec<i32> = (0..packed.dense_scratch_words()).map(|_| rng.next() as i32).collect();
    Portable::dense_packed(&layer.numerics, packed, &x, &mut got, &mut scratch).unwrap();
    assert_eq!((&by_reference, &got), (&want, &want), "{dense:?}");
    outputs
}

/// Random layers of both kinds in one packing: how their weights are drawn, packed and read.
macro_rules! equals_the_plain_one {
    ($conv2d:ident, $dense:ident, $seed:literal, $draw:expr, $pack:expr, $read:expr) => {
        #[test]
        fn $conv2d() {
            let (mut rng, mut compared) = (Lcg($seed), 0);
            while compared < OUTPUTS {
                let window = rng.window(true);
                let op = Conv2dTiled { conv: Conv2d::try_new(window, 1 + rng.below(9), 1 + rng.below(11)).unwrap() };
                let dims = [op.conv.out_channels().get(), op.conv.filter_len()];
                let weights = $draw(&mut rng, dims);
                let layer = Layer::with(&mut rng, dims[0], weights);
                let words: Words = $pack(&layer, dims[1]);
                compared += same_convolution(&mut rng, &op, &layer, &$read(&words, dims));
            }
        }

        #[test]
        fn $dense() {
            let (mut rng, mut compared) = (Lcg($seed + 1), 0);
            while compared < OUTPUTS {
                let dense = Dense::try_new(1 + rng.below(70), 1 + rng.below(40)).unwrap();
                let dims = [dense.outputs().get(), dense.inputs().get()];
                let weights = $draw(&mut rng, dims);
                let layer = Layer::with(&mut rng, dims[0], weights);
                let words: Words = $pack(&layer, dims[1]);
                compared += same_dense(&mut rng, &dense, &layer, &$read(&words, dims));
            }
        }
    };
}

equals_the_plain_one!(
    a_convolution_in_blocks_equals_the_plain_one,
    a_dense_layer_in_blocks_equals_the_plain_one,
    31,
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

equals_the_plain_one!(
    a_convolution_of_single_weights_equals_the_plain_one,
    a_dense_layer_of_single_weights_equals_the_plain_one,
    41,
    |rng: &mut Lcg, dims: [usize; 2]| {
        // Few enough that some distances are too long for a byte.
        let few = if rng.below(3) == 0 { 60 } else { 3 };
        let out: Vec<bool> = (0..dims[0].div_ceil(FILTERS) * dims[1]).map(|_| rng.below(few) > 0).collect();
        weights(rng, dims, |o, k| out[o / FILTERS * dims[1] + k])
    },
    in_taps,
    read_taps
);

equals_the_plain_one!(
    a_convolution_of_kept_positions_equals_the_plain_one,
    a_dense_layer_of_kept_positions_equals_the_plain_one,
    33,
    |rng: &mut Lcg, dims: [usize; 2]| {
        let out = left_out(rng, dims[1]);
        weights(rng, dims, |_, k| out[k])
    },
    kept,
    read_kept
);

equals_the_plain_one!(
    a_convolution_with_missing_filters_equals_the_plain_one,
    a_dense_layer_with_missing_rows_equals_the_plain_one,
    35,
    |rng: &mut Lcg, dims: [usize; 2]| {
        let out = left_out(rng, dims[0]);
        weights(rng, dims, |o, _| out[o])
    },
    rows,
    read_rows
);

equals_the_plain_one!(
    a_convolution_of_four_bits_equals_the_plain_one,
    a_dense_layer_of_four_bits_equals_the_plain_one,
    37,
    |rng: &mut Lcg, [outputs, len]: [usize; 2]| {
        // -8 is everywhere but in the third filter of a tile.
        let least = |i: usize| if i / len % FILTERS == 2 { -7 } else { -8 };
        let codes = rng.int8s(outputs * len).into_iter().map(|w| w >> 4).enumerate();
        codes.map(|(i, w)| w.max(least(i))).collect::<Vec<i8>>()
    },
    in_int4,
    read_int4
);

equals_the_plain_one!(
    a_convolution_from_a_codebook_equals_the_plain_one,
    a_dense_layer_from_a_codebook_equals_the_plain_one,
    43,
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

#[test]
fn compressed_rows_equal_the_plain_dense_layer() {
    let (mut rng, mut compared) = (Lcg(39), 0);
    while compared < OUTPUTS {
        // Some with more than 255 columns between two weights, some with more than 32 units.
        let inputs = if rng.below(4) == 0 { 1 + rng.below(900) } else { 1 + rng.below(70) };
        let dense = Dense::try_new(inputs, 1 + rng.below(40)).unwrap();
        let outputs = dense.outputs().get();
        let share = [2, 10, 50, 400][rng.below(4)];
        let zeros: Vec<bool> = (0..outputs * inputs).map(|_| rng.below(share) > 0).collect();
        let weights = weights(&mut rng, [outputs, inputs], |o, k| zeros[o * inputs + k]);
        let layer = Layer::with(&mut rng, outputs, weights);
        let mut columns: Vec<i16> = (0..inputs as i16).collect();
        (0..inputs).for_each(|i| columns.swap(i, i + rng.below(inputs - i)));
        let mut words = Vec::new();
        for filter in layer.filters() {
            let row: Vec<i8> = columns.iter().map(|&input| filter.weights[input as usize]).collect();
            compressed::pack(filter.start, filter.multiplier, &units(&mut rng, &row), &mut |word| words.push(word));
        }
        let rows = CompressedRows::try_new(&words, &columns, dense).unwrap();
        let x = rng.int8s(inputs);
        let (mut want, mut by_reference, mut got) = (vec![0; outputs], vec![0; outputs], vec![0; outputs]);
        reference::dense(&dense, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();
        let mut scratch: Vec<i32> = (0..rows.scratch_words()).map(|_| rng.next() as i32).collect();
        Portable::dense_compressed(&layer.numerics, &rows, &x, &mut got, &mut scratch).unwrap();
        assert_eq!(got, want, "{dense:?}");
        // Its weights are looked up one by one: only for small layers.
        if inputs < 100 {
            reference::dense_compressed(&layer.numerics, &rows, &x, &mut by_reference).unwrap();
            assert_eq!(by_reference, want, "{dense:?}");
        }
        compared += outputs;
    }
}

#[test]
fn weights_that_do_not_fit_into_four_bits_are_refused() {
    let mut record = vec![0; Tiles::words_of(FILTERS, int4::int4_weight_words(4))];
    let mut pack = |f: usize, w: i8| {
        let weights = [w; 4];
        let mut four = [Filter { weights: &[-1; 4], ..Filter::MISSING }; FILTERS];
        four[f].weights = &weights;
        int4::pack(&four, &mut record).is_some()
    };
    assert!(pack(0, -8) && pack(1, -8) && pack(3, -8) && pack(2, -7));
    assert!(!pack(2, -8), "beside a negative weight of filter 1");
    assert!((0..FILTERS).all(|f| pack(f, 7) && !pack(f, 8) && !pack(f, -9)));
}

#[test]
fn more_values_than_a_codebook_holds_are_refused() {
    let weights: Vec<i8> = (1..=20).collect();
    let values = |used: usize, filters: usize, len: usize| {
        let filter = Filter { weights: &weights[..len], ..Filter::MISSING };
        let other = Filter { weights: &weights[used - len..used], ..Filter::MISSING };
        codebook::values(&[[filter; 3].as_slice(), &vec![other; filters - 3]].concat(), len)
    };
    // Four filters of whole groups need no 0 beside their values.
    assert_eq!(values(16, 4, 8).unwrap().to_vec(), weights[..16]);
    assert!(values(17, 4, 12).is_none());
    assert!(values(16, 5, 8).is_none() && values(16, 4, 9).is_none(), "a missing weight is one of 0");
    let fifteen = values(15, 5, 9).unwrap();
    assert_eq!((fifteen[0], fifteen[1..].to_vec()), (0, weights[..15].to_vec()));
    let mut record = vec![0; Tiles::words_of(FILTERS, codebook::codebook_weight_words(8))];
    let mut pack = |weight: i8| {
        let weights = [weight; 8];
        let four = [Filter { weights: &weights, ..Filter::MISSING }; FILTERS];
        codebook::pack(&four, &fifteen, &mut record).is_some()
    };
    assert!(pack(0) && pack(15) && !pack(16) && !pack(-1));
}

#[test]
fn a_codebook_that_is_none_is_refused() {
    let multiplier = crate::num::SmallMultiplier { mantissa_q32: 1 << 31, exponent: 3 };
    let fits = |start: i32, values: &[i8]| {
        let four = [Filter { weights: &[7; 99], start, multiplier }; FILTERS];
        let packed = codebook::values(&four, 99).unwrap();
        let record_words = Tiles::words_of(FILTERS, codebook::codebook_weight_words(99));
        let words = records(&four, record_words, |four, record| codebook::pack(four, &packed, record));
        Codebook::try_new(&words, values, FILTERS, 99).is_ok()
    };
    let mut values = [0; codebook::VALUES];
    values[1] = 7;
    let most = crate::num::SmallMultiplier::MAX_ACC - 128 * 7 * 99;
    assert!(fits(most, &values) && fits(-most, &values) && !fits(most + 1, &values) && !fits(-most - 1, &values));
    assert!(!fits(0, &values[1..]) && !fits(0, &[values, values].concat()));
    values[0] = 1;
    assert!(!fits(0, &values), "what is behind a filter must be 0");
}

#[test]
fn int4_filters_that_could_leave_their_range_are_refused() {
    let multiplier = crate::num::SmallMultiplier { mantissa_q32: 1 << 31, exponent: 3 };
    let fits = |f: usize, start: i32| {
        let mut four = [Filter { weights: &[7; 100], start: 0, multiplier }; FILTERS];
        four[f].start = start;
        let words = records(&four, Tiles::words_of(FILTERS, int4::int4_weight_words(100)), int4::pack);
        Int4::try_new(&words, FILTERS, 100).is_ok()
    };
    for (f, end) in int4::MAX_INT4_ACC.into_iter().enumerate().skip(1) {
        let most = end - 128 * 700 - 1;
        assert!(fits(f, most) && fits(f, -most) && !fits(f, most + 1) && !fits(f, -most - 1), "filter {f}");
    }
}
