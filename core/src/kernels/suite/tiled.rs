//! Convolutions and dense layers whose weights lie in tiles, with outputs that lie apart from the inputs and over them.

use super::operands::small;
use super::{Comparison, Lcg};
use crate::kernels::tiles::filters::{self, Filter};
use crate::kernels::tiles::{
    Activations, Conv2dTiled, DenseTiled, DepthwiseConv2dTiled, FILTERS, TiledInt8, Tiles,
    depthwise_conv2d as depthwise,
};
use crate::kernels::{BackEnd, Conv2d, Dense, DepthwiseConv2d, Int8, reference};
use crate::num::Rounding;
use crate::shape::{AxisSpec, Window};
use alloc::{vec, vec::Vec};

/// The constants of one layer, plain and packed.
pub(crate) struct Layer {
    pub(crate) weights: Vec<i8>,
    pub(crate) bias: Vec<i32>,
    mantissas: Vec<i32>,
    shifts: Vec<i8>,
    pub(crate) words: Vec<i32>,
    pub(crate) numerics: TiledInt8,
}

impl Layer {
    pub(crate) fn new(rng: &mut Lcg, outputs: usize, len: usize) -> Self {
        // -128 is what no packer of weights gives; next to some neighbours it does not fit.
        let weights: Vec<i8> = rng.int8s(outputs * len).into_iter().map(|w| w.max(-127)).collect();
        Self::with(rng, outputs, weights)
    }

    pub(crate) fn with(rng: &mut Lcg, outputs: usize, weights: Vec<i8>) -> Self {
        let bias: Vec<i32> = rng.int8s(outputs).iter().map(|&b| i32::from(b) * 1001).collect();
        let (mantissas, shifts) = rng.multipliers(outputs);
        let numerics = TiledInt8 {
            input_zero_point: rng.zero_point() as i8,
            output_zero_point: rng.zero_point(),
            clamp: rng.open_or_clamp(),
        };
        let mut layer = Self { weights, bias, mantissas, shifts, words: Vec::new(), numerics };
        let len = layer.weights.len() / outputs;
        layer.words = records(&layer.filters(), Tiles::words_of(FILTERS, filters::weight_words(len)), filters::pack);
        layer
    }

    /// The filters as records hold them.
    pub(crate) fn filters(&self) -> Vec<Filter<'_>> {
        let len = self.weights.len() / self.bias.len();
        let filter = |(o, weights): (usize, _)| {
            let sum: i32 = self.weights[o * len..(o + 1) * len].iter().map(|&w| i32::from(w)).sum();
            Filter {
                weights,
                start: self.bias[o] - i32::from(self.numerics.input_zero_point) * sum,
                multiplier: small(self.mantissas[o], self.shifts[o]).unwrap(),
            }
        };
        self.weights.chunks(len).enumerate().map(filter).collect()
    }

    pub(crate) fn int8(&self) -> Int8<'_> {
        Int8 {
            input_zero_point: self.numerics.input_zero_point.into(),
            output_zero_point: self.numerics.output_zero_point,
            multipliers_q31: &self.mantissas,
            shifts: &self.shifts,
            clamp: self.numerics.clamp,
            rounding: Rounding::Double,
        }
    }
}

/// Four filters with those that are missing.
pub(crate) fn whole<'a>(four: &[Filter<'a>]) -> [Filter<'a>; FILTERS] {
    core::array::from_fn(|f| four.get(f).copied().unwrap_or(Filter::MISSING))
}

/// Records of so many words.
pub(crate) fn records(
    filters: &[Filter<'_>],
    words_each: usize,
    pack: impl Fn(&[Filter<'_>; FILTERS], &mut [i32]) -> Option<()>,
) -> Vec<i32> {
    let mut words = vec![0; filters.len().div_ceil(FILTERS) * words_each];
    for (four, record) in filters.chunks(FILTERS).zip(words.chunks_mut(words_each)) {
        pack(&whole(four), record).unwrap();
    }
    words
}

/// Runs a kernel on an input and an output in one piece of memory: its input `distance` bytes after its output.
pub(super) fn run_shared(
    rng: &mut Lcg,
    (x, y_len): (&[i8], usize),
    distance: isize,
    run: impl FnOnce(&mut Activations<'_>),
) -> Vec<i8> {
    let (x_at, y_at) = (distance.max(0) as usize, (-distance).max(0) as usize);
    let mut memory = rng.int8s((x_at + x.len()).max(y_at + y_len));
    memory[x_at..][..x.len()].copy_from_slice(x);
    run(&mut Activations::Shared { memory: &mut memory, x: x_at, y: y_at });
    memory[y_at..][..y_len].to_vec()
}

pub(super) fn conv2d_tiled<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let window = rng.window(true);
    let op = Conv2dTiled { conv: Conv2d::try_new(window, 1 + rng.below(9), 1 + rng.below(11)).unwrap() };
    let (in_c, out_c) = (op.conv.in_channels().get(), op.conv.out_channels().get());
    let layer = Layer::new(rng, out_c, op.conv.filter_len());
    let tiles = Tiles::try_new(&layer.words, out_c, op.weight_words()).unwrap();
    op.check_tiles(&tiles).unwrap();
    let x = rng.int8s(window.input_area() * in_c);
    let mut want = vec![0; window.output_area() * out_c];
    reference::conv2d(&op.conv, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();

    let mut got = vec![0; want.len()];
    reference::conv2d_tiled(&op, &layer.numerics, &tiles, &x, &mut got).unwrap();
    seen.same(("reference", op), &want, &got);

    let mut scratch = rng.words(op.scratch_words());
    let mut got = vec![0; want.len()];
    let mut apart = Activations::Apart { x: &x, y: &mut got };
    B::conv2d_tiled(&op, &layer.numerics, &tiles, &mut apart, &mut scratch).unwrap();
    seen.same(op, &want, &got);

    // As close after the output as is allowed, and at places further on; after its end where the output comes first.
    let lead = op.lead().max(-(x.len() as isize));
    for distance in [lead, lead + 1, lead + rng.below(20) as isize] {
        let got = run_shared(rng, (&x, want.len()), distance, |shared| {
            B::conv2d_tiled(&op, &layer.numerics, &tiles, shared, &mut scratch).unwrap();
        });
        seen.same((op, "at", distance), &want, &got);
    }
}

pub(super) fn dense_tiled<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let dense = Dense::try_new(1 + rng.below(70), 1 + rng.below(40)).unwrap();
    let op = DenseTiled { dense };
    let (inputs, outputs) = (dense.inputs().get(), dense.outputs().get());
    let layer = Layer::new(rng, outputs, inputs);
    let tiles = Tiles::try_new(&layer.words, outputs, op.weight_words()).unwrap();
    op.check_tiles(&tiles).unwrap();
    let x = rng.int8s(op.read_len());
    let (mut want, mut got) = (vec![0; outputs], vec![0; outputs]);
    reference::dense(&dense, &layer.int8(), &x[..inputs], &layer.weights, &layer.bias, &mut want).unwrap();
    reference::dense_tiled(&op, &layer.numerics, &tiles, &x, &mut got).unwrap();
    seen.same(("reference", op), &want, &got);
    got.fill(0);
    B::dense_tiled(&op, &layer.numerics, &tiles, &x, &mut got).unwrap();
    seen.same(op, &want, &got);
}

/// The records of weights `[k_h, k_w, channels]`.
fn depthwise_records(op: &DepthwiseConv2dTiled, w: &[i8], bias: &[i32], int8: &Int8<'_>) -> Vec<i32> {
    let channels = op.channels().get();
    let columns: Vec<Vec<i8>> = (0..channels).map(|c| w.iter().skip(c).step_by(channels).copied().collect()).collect();
    let filter = |(c, weights): (usize, &'_ Vec<i8>)| {
        let at = c % int8.shifts.len();
        let sum: i32 = weights.iter().map(|&w| w as i32).sum();
        (bias[c] - int8.input_zero_point * sum, small(int8.multipliers_q31[at], int8.shifts[at]))
    };
    let facts: Vec<_> = columns.iter().enumerate().map(filter).collect();
    let filters: Vec<Filter<'_>> = columns
        .iter()
        .zip(facts)
        .map(|(weights, (start, multiplier))| match multiplier {
            Some(multiplier) => Filter { weights, start, multiplier },
            // Of outputs that are all the zero point.
            None => Filter::MISSING,
        })
        .collect();
    let mut words = vec![0; Tiles::words_of(channels, op.weight_words())];
    for (four, record) in filters.chunks(4).zip(words.chunks_mut(Tiles::words_of(4, op.weight_words()))) {
        let four = core::array::from_fn(|f| four.get(f).copied().unwrap_or(Filter::MISSING));
        depthwise::pack(&four, record).unwrap();
    }
    op.check_tiles(&op.tiles(&words).unwrap()).unwrap();
    words
}

/// Geometries that people use, with the kernel that works on pairs of rows, and any.
fn window(rng: &mut Lcg) -> Window {
    if rng.below(2) == 0 {
        return rng.window(true);
    }
    let stride = 1 + rng.below(2);
    let pads = rng.below(4);
    loop {
        let mut axis = || AxisSpec {
            input: 1 + rng.below(12),
            kernel: 3,
            stride,
            dilation: 1,
            pad_before: if pads == 0 { 1 } else { rng.below(3) },
            pad_after: if pads == 0 { 1 } else { rng.below(3) },
        };
        if let Ok(window) = Window::try_new(axis(), axis()) {
            return window;
        }
    }
}

pub(super) fn depthwise_conv2d_tiled<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (window, channels) = (window(rng), 1 + rng.below(13));
    let (input_zero_point, output_zero_point) = (rng.next() as i8, rng.zero_point());
    let int8 = TiledInt8 { input_zero_point, output_zero_point, clamp: rng.open_or_clamp() };
    let op = DepthwiseConv2dTiled::try_new(window, channels, int8).unwrap();
    let per_channel = if rng.below(4) == 0 { 1 } else { channels };
    let (mut m, s) = rng.multipliers(per_channel);
    if rng.below(4) == 0 {
        m[0] = 0;
    }
    let plain = Int8 {
        input_zero_point: input_zero_point.into(),
        output_zero_point,
        multipliers_q31: &m,
        shifts: &s,
        clamp: int8.clamp,
        rounding: Rounding::Double,
    };
    let (x, w) = (rng.int8s(window.input_area() * channels), rng.int8s(window.kernel_area() * channels));
    let bias: Vec<i32> = rng.int8s(channels).iter().map(|&b| i32::from(b) * 77).collect();
    let tiles = depthwise_records(&op, &w, &bias, &plain);
    let mut want = vec![0; window.output_area() * channels];
    let geometry = DepthwiseConv2d::try_new(window, channels, channels).unwrap();
    reference::depthwise_conv2d(&geometry, &plain, &x, &w, &bias, &mut want).unwrap();
    let mut got = vec![0; want.len()];
    reference::depthwise_conv2d_tiled(&op, &tiles, &x, &mut got).unwrap();
    seen.same(("reference", op), &want, &got);
    got.fill(0);
    let mut scratch = rng.words(op.scratch_len());
    B::depthwise_conv2d_tiled(&op, &tiles, &mut Activations::Apart { x: &x, y: &mut got }, &mut scratch).unwrap();
    seen.same(op, &want, &got);
    if op.in_place() {
        let got = run_shared(rng, (&x, want.len()), 0, |shared| {
            B::depthwise_conv2d_tiled(&op, &tiles, shared, &mut scratch).unwrap();
        });
        seen.same((op, "in place"), &want, &got);
    }
}
