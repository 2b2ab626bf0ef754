//! Tiled depthwise convolution is depthwise convolution, in its own memory and over its input.

use super::*;
use crate::kernels::tiles::filters::Filter;
use crate::kernels::tiles::{Activations, DepthwiseConv2dTiled, TiledInt8, Tiles};
use crate::num::SmallMultiplier;

/// The records of weights `[k_h, k_w, channels]`.
fn pack(op: &DepthwiseConv2dTiled, w: &[i8], bias: &[i32], int8: &Int8<'_>) -> Vec<i32> {
    let channels = op.channels().get();
    let columns: Vec<Vec<i8>> = (0..channels).map(|c| w.iter().skip(c).step_by(channels).copied().collect()).collect();
    let filter = |(c, weights): (usize, &'_ Vec<i8>)| {
        let at = c % int8.shifts.len();
        let multiplier = Multiplier { mantissa_q31: int8.multipliers_q31[at], shift: int8.shifts[at].into() };
        let sum: i32 = weights.iter().map(|&w| w as i32).sum();
        (bias[c] - int8.input_zero_point * sum, SmallMultiplier::new(multiplier))
    };
    let facts: Vec<_> = columns.iter().enumerate().map(filter).collect();
    let filters: Vec<Filter<'_>> = columns
        .iter()
        .zip(facts)
        .map(|(weights, (start, multiplier))| match multiplier {
            Some(multiplier) => Filter { weights, start, multiplier },
            None => Filter::MISSING,
        })
        .collect();
    let mut words = vec![0; Tiles::words_of(channels, op.weight_words())];
    for (four, record) in filters.chunks(4).zip(words.chunks_mut(Tiles::words_of(4, op.weight_words()))) {
        let four = core::array::from_fn(|f| four.get(f).copied().unwrap_or(Filter::MISSING));
        tiles::depthwise_conv2d::pack(&four, record).unwrap();
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

#[test]
fn tiled_depthwise_convolution_is_depthwise_convolution() {
    let (mut rng, mut compared, mut in_place) = (Lcg(31), 0, 0);
    while compared < 60_000 {
        let window = window(&mut rng);
        let channels = 1 + rng.below(13);
        let clamp = if rng.below(2) == 0 { Clamp { min: -128, max: 127 } } else { rng.clamp() };
        let int8 = TiledInt8 { input_zero_point: rng.next() as i8, output_zero_point: rng.zero_point(), clamp };
        let op = DepthwiseConv2dTiled::try_new(window, channels, int8).unwrap();
        let per_channel = if rng.below(4) == 0 { 1 } else { channels };
        let (mut m, s) = rng.multipliers(per_channel);
        if rng.below(4) == 0 {
            m[0] = 0;
        }
        let plain = Int8 {
            input_zero_point: int8.input_zero_point.into(),
            output_zero_point: int8.output_zero_point,
            multipliers_q31: &m,
            shifts: &s,
            clamp,
            rounding: Rounding::Double,
        };
        let (x, w) = (rng.int8s(window.input_area() * channels), rng.int8s(window.kernel_area() * channels));
        let bias: Vec<i32> = rng.int8s(channels).iter().map(|&b| b as i32 * 77).collect();
        let tiles = pack(&op, &w, &bias, &plain);
        let mut want = vec![0; window.output_area() * channels];
        let geometry = DepthwiseConv2d::try_new(window, channels, channels).unwrap();
        reference::depthwise_conv2d(&geometry, &plain, &x, &w, &bias, &mut want).unwrap();
        let mut got = vec![0; want.len()];
        reference::depthwise_conv2d_tiled(&op, &tiles, &x, &mut got).unwrap();
        assert_eq!(got, want, "{op:?}");
        let mut scratch = vec![0x5a5a_5a5a; op.scratch_len()];
        got.fill(0);
        let mut apart = Activations::Apart { x: &x, y: &mut got };
        Portable::depthwise_conv2d_tiled(&op, &tiles, &mut apart, &mut scratch).unwrap();
        assert_eq!(got, want, "{op:?}");
        if op.in_place() {
            let mut memory = x.clone();
            let mut shared = Activations::Shared { memory: &mut memory, x: 0, y: 0 };
            Portable::depthwise_conv2d_tiled(&op, &tiles, &mut shared, &mut scratch).unwrap();
            assert_eq!(memory, want, "in place: {op:?}");
            in_place += 1;
        }
        compared += want.len();
    }
    assert!(in_place > 20, "only {in_place} ran in place");
}
