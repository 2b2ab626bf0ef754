//! Tiled convolutions and dense layers against the plain definition, bit for bit, with outputs that shadow their inputs.

use super::*;
use crate::kernels::tiles::filters::{self, Filter};
use crate::kernels::tiles::{Activations, Conv2dTiled, DenseTiled, FILTERS, TiledInt8, Tiles};
use crate::num::{Multiplier, Rounding, SmallMultiplier};
use std::vec::Vec;

/// The constants of one layer, plain and packed.
pub(super) struct Layer {
    pub(super) weights: Vec<i8>,
    pub(super) bias: Vec<i32>,
    mantissas: Vec<i32>,
    shifts: Vec<i8>,
    words: Vec<i32>,
    pub(super) numerics: TiledInt8,
}

impl Layer {
    fn new(rng: &mut Lcg, outputs: usize, len: usize) -> Self {
        // -128 is what no packer of weights gives; next to some neighbours it does not fit.
        let weights: Vec<i8> = rng.int8s(outputs * len).into_iter().map(|w| w.max(-127)).collect();
        Self::with(rng, outputs, weights)
    }

    pub(super) fn with(rng: &mut Lcg, outputs: usize, weights: Vec<i8>) -> Self {
        let bias: Vec<i32> = rng.int8s(outputs).iter().map(|&b| i32::from(b) * 1001).collect();
        let multipliers: Vec<Multiplier> = (0..outputs)
            .map(|_| (1.0 + rng.below(1000) as f64) * 2f64.powi(-(rng.below(8) as i32) - 14))
            .map(|real| Multiplier::from_real(real, Rounding::Double))
            .collect();
        let numerics = TiledInt8 {
            input_zero_point: rng.zero_point() as i8,
            output_zero_point: rng.zero_point(),
            clamp: if rng.below(2) == 0 { Clamp { min: -128, max: 127 } } else { rng.clamp() },
        };
        let (mantissas, shifts) = multipliers.iter().map(|m| (m.mantissa_q31, m.shift as i8)).unzip();
        let mut layer = Self { weights, bias, mantissas, shifts, words: Vec::new(), numerics };
        let len = layer.weights.len() / outputs;
        layer.words = records(&layer.filters(), Tiles::words_of(FILTERS, filters::weight_words(len)), filters::pack);
        layer
    }

    /// The filters as records hold them.
    pub(super) fn filters(&self) -> Vec<Filter<'_>> {
        let len = self.weights.len() / self.bias.len();
        let filter = |(o, weights): (usize, _)| {
            let sum: i32 = self.weights[o * len..(o + 1) * len].iter().map(|&w| i32::from(w)).sum();
            let multiplier = Multiplier { mantissa_q31: self.mantissas[o], shift: self.shifts[o].into() };
            Filter {
                weights,
                start: self.bias[o] - i32::from(self.numerics.input_zero_point) * sum,
                multiplier: SmallMultiplier::new(multiplier).unwrap(),
            }
        };
        self.weights.chunks(len).enumerate().map(filter).collect()
    }

    pub(super) fn int8(&self) -> Int8<'_> {
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
pub(super) fn whole<'a>(four: &[Filter<'a>]) -> [Filter<'a>; FILTERS] {
    core::array::from_fn(|f| four.get(f).copied().unwrap_or(Filter::MISSING))
}

/// Records of so many words.
pub(super) fn records(
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

#[test]
fn tiled_convolution_equals_the_plain_one_wherever_its_output_lies() {
    let (mut rng, mut compared) = (Lcg(11), 0);
    while compared < 60_000 {
        let window = rng.window(true);
        let op = Conv2dTiled { conv: Conv2d::try_new(window, 1 + rng.below(9), 1 + rng.below(11)).unwrap() };
        let (in_c, out_c) = (op.conv.in_channels().get(), op.conv.out_channels().get());
        let layer = Layer::new(&mut rng, out_c, op.conv.filter_len());
        let tiles = Tiles::try_new(&layer.words, out_c, op.weight_words()).unwrap();
        op.check_tiles(&tiles).unwrap();
        let x = rng.int8s(window.input_area() * in_c);
        let mut want = vec![0; window.output_area() * out_c];
        reference::conv2d(&op.conv, &layer.int8(), &x, &layer.weights, &layer.bias, &mut want).unwrap();

        let mut got = vec![0; want.len()];
        reference::conv2d_tiled(&op, &layer.numerics, &tiles, &x, &mut got).unwrap();
        assert_eq!(got, want, "{op:?}");

        let mut scratch: Vec<i32> = (0..op.scratch_words()).map(|_| rng.next() as i32).collect();
        let mut got = vec![0; want.len()];
        let mut apart = Activations::Apart { x: &x, y: &mut got };
        Portable::conv2d_tiled(&op, &layer.numerics, &tiles, &mut apart, &mut scratch).unwrap();
        assert_eq!(got, want, "{op:?}");

        // As close behind the output as is allowed, and at places further on; behind its end where the output comes first.
        let lead = op.lead().max(-(x.len() as isize));
        for distance in [lead, lead + 1, lead + rng.below(20) as isize] {
            let (x_at, y_at) = (distance.max(0) as usize, (-distance).max(0) as usize);
            let mut memory = rng.int8s((x_at + x.len()).max(y_at + want.len()));
            memory[x_at..][..x.len()].copy_from_slice(&x);
            let mut shared = Activations::Shared { memory: &mut memory, x: x_at, y: y_at };
            Portable::conv2d_tiled(&op, &layer.numerics, &tiles, &mut shared, &mut scratch).unwrap();
            assert_eq!(memory[y_at..][..want.len()], want, "{op:?} at {distance}");
        }
        compared += want.len();
    }
}

#[test]
fn a_lead_is_as_small_as_can_be() {
    let axis = |input, kernel, stride, pad| {
        let spec = crate::shape::AxisSpec { input, kernel, stride, dilation: 1, pad_before: pad, pad_after: pad };
        crate::shape::Axis::try_new(spec).unwrap()
    };
    let lead = |window, in_c, out_c| Conv2dTiled { conv: Conv2d::try_new(window, in_c, out_c).unwrap() }.lead();
    use crate::shape::Window;
    // Pointwise: in place; twice the channels: the input must lie behind by all that is added before the last pair.
    let pointwise = Window { y: axis(5, 1, 1, 0), x: axis(5, 1, 1, 0) };
    assert_eq!([lead(pointwise, 8, 8), lead(pointwise, 4, 8), lead(pointwise, 8, 4)], [0, 24 * 4, -8]);
    // 3x3: a row and two pixels, for what is written before the window has passed.
    let same = Window { y: axis(6, 3, 1, 1), x: axis(6, 3, 1, 1) };
    assert_eq!(lead(same, 8, 8), 8 * 8 - 8);
}

#[test]
fn tiled_dense_equals_the_plain_one() {
    let (mut rng, mut compared) = (Lcg(12), 0);
    while compared < 10_000 {
        let dense = Dense::try_new(1 + rng.below(70), 1 + rng.below(40)).unwrap();
        let op = DenseTiled { dense };
        let (inputs, outputs) = (dense.inputs().get(), dense.outputs().get());
        let layer = Layer::new(&mut rng, outputs, inputs);
        let tiles = Tiles::try_new(&layer.words, outputs, op.weight_words()).unwrap();
        op.check_tiles(&tiles).unwrap();
        let x = rng.int8s(op.read_len());
        let (mut want, mut by_reference, mut got) = (vec![0; outputs], vec![0; outputs], vec![0; outputs]);
        reference::dense(&dense, &layer.int8(), &x[..inputs], &layer.weights, &layer.bias, &mut want).unwrap();
        reference::dense_tiled(&op, &layer.numerics, &tiles, &x, &mut by_reference).unwrap();
        Portable::dense_tiled(&op, &layer.numerics, &tiles, &x, &mut got).unwrap();
        assert_eq!((&by_reference, &got), (&want, &want), "{op:?}");
        compared += outputs;
    }
}

#[test]
fn tiles_whose_sums_could_leave_their_range_are_refused() {
    let op = DenseTiled { dense: Dense::try_new(600, 4).unwrap() };
    let one = SmallMultiplier { mantissa_q32: 1 << 31, exponent: 3 };
    let check = |filter: Filter<'_>, at: usize| {
        let mut record = vec![0; Tiles::words_of(4, op.weight_words())];
        let mut four = [Filter { weights: &[1; 600], start: 0, multiplier: one }; FILTERS];
        four[at] = filter;
        filters::pack(&four, &mut record).unwrap();
        op.check_tiles(&Tiles::try_new(&record, 4, op.weight_words()).unwrap()).is_ok()
    };
    let weights = &[127; 600];
    assert!(check(Filter { weights, start: 1 << 30, multiplier: one }, 0), "an even filter has the range of an i32");
    assert!(!check(Filter { weights, start: 0, multiplier: one }, 1), "an odd one has 24 bits");
    let start = filters::MAX_ODD_ACC - 128 * 600 - 1;
    assert!(check(Filter { weights: &[1; 600], start, multiplier: one }, 1));
    assert!(!check(Filter { weights: &[1; 600], start: start + 1, multiplier: one }, 1));
    assert!(!check(Filter { weights: &[1; 600], start: -start - 1, multiplier: one }, 1));
    let large = SmallMultiplier { exponent: 22, ..one };
    assert!(!check(Filter { weights: &[1; 600], start: 0, multiplier: large }, 2), "the exponent is checked");
    assert!(
        filters::pack(
            &[
                Filter { weights: &[-1], ..Filter::MISSING },
                Filter { weights: &[-128], ..Filter::MISSING },
                Filter::MISSING,
                Filter::MISSING
            ],
            &mut [0; 13]
        )
        .is_none(),
        "-128 * 256 - 1 is no i16"
    );
}
