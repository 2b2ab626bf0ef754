//! int16 activations and binary16 weights: every weighted kernel against the reference, and both against int8 and f32.

use super::*;
use core::marker::PhantomData;

fn int16s(rng: &mut Lcg, len: usize) -> Vec<i16> {
    (0..len).map(|_| rng.next() as i16).collect()
}

fn int16x8<'a, B>(rng: &mut Lcg, m: &'a [i32], s: &'a [i8]) -> Int16x8<'a, B> {
    let min = -32768 + rng.below(20_000) as i32;
    let clamp = Clamp { min, max: min + rng.below((32_768 - min) as usize) as i32 };
    Int16x8 { multipliers_q31: m, shifts: s, clamp, rounding: Rounding::Double, bias: PhantomData }
}

/// Runs `$name` of both back ends in all three formats.
macro_rules! same_in_every_format {
    ($rng:ident, $name:ident, $op:expr, $x_len:expr, $w_len:expr, $channels:expr, $y_len:expr) => {{
        let rng = &mut *$rng;
        let (m, s) = rng.multipliers($channels);
        let (x, w) = (int16s(rng, $x_len), rng.int8s($w_len));
        let wide: Vec<i64> = int16s(rng, $channels).iter().map(|&b| i64::from(b) << 20).collect();
        let narrow: Vec<i32> = int16s(rng, $channels).iter().map(|&b| i32::from(b) << 4).collect();
        let (a, b) = (int16x8::<i64>(rng, &m, &s), int16x8::<i32>(rng, &m, &s));
        let mut n = same_outputs!(Portable::$name, vec![0_i16; $y_len], ($op, &a), (&x, &w, &wide));
        n += same_outputs!(Portable::$name, vec![0_i16; $y_len], ($op, &b), (&x, &w, &narrow));
        let float = Float16 { clamp: Clamp { min: -0.5, max: 6.0 } };
        let (x, bias) = (rng.floats($x_len), rng.floats($channels));
        let w: Vec<half::f16> = rng.floats($w_len).into_iter().map(half::f16::from_f32).collect();
        n + same_outputs!(Portable::$name, vec![0_f32; $y_len], ($op, &float), (&x, &w, &bias))
    }};
}

fn until_enough(seed: u64, mut case: impl FnMut(&mut Lcg) -> usize) {
    let (mut rng, mut compared) = (Lcg(seed), 0);
    while compared < 40_000 {
        compared += case(&mut rng);
    }
}

#[test]
fn convolution_equals_the_reference() {
    until_enough(51, |rng| {
        let op = Conv2d::try_new(rng.window(true), 1 + rng.below(9), 1 + rng.below(11)).unwrap();
        let (area, channels) = (op.window.input_area(), op.out_channels().get());
        let y_len = op.window.output_area() * channels;
        let (x_len, w_len) = (area * op.in_channels().get(), op.filter_len() * channels);
        same_in_every_format!(rng, conv2d, &op, x_len, w_len, channels, y_len)
    });
}

#[test]
fn depthwise_convolution_equals_the_reference() {
    until_enough(52, |rng| {
        let in_c = 1 + rng.below(19);
        let channels = in_c * (1 + rng.below(8) / 6);
        let op = DepthwiseConv2d::try_new(rng.window(true), in_c, channels).unwrap();
        let w_len = op.window.kernel_area() * channels;
        let (x_len, y_len) = (op.window.input_area() * in_c, op.window.output_area() * channels);
        same_in_every_format!(rng, depthwise_conv2d, &op, x_len, w_len, channels, y_len)
    });
}

#[test]
fn dense_equals_the_reference() {
    until_enough(53, |rng| {
        let op = Dense::try_new(1 + rng.below(70), 1 + rng.below(40)).unwrap();
        let (inputs, outputs) = (op.inputs().get(), op.outputs().get());
        same_in_every_format!(rng, dense, &op, inputs, inputs * outputs, outputs, outputs)
    });
}

#[test]
fn transposed_convolution_equals_the_reference() {
    until_enough(54, |rng| {
        let op = TransposeConv2d::try_new(rng.window(false), 1 + rng.below(5), 1 + rng.below(9)).unwrap();
        let channels = op.out_channels().get();
        let x_len = op.window.output_area() * op.in_channels().get();
        let (w_len, y_len) = (op.filter_len() * channels, op.window.input_area() * channels);
        same_in_every_format!(rng, transpose_conv2d, &op, x_len, w_len, channels, y_len)
    });
}

#[test]
fn a_narrow_and_a_wide_sum_differ_by_at_most_the_mantissas_lost_bits() {
    let mut rng = Lcg(55);
    for _ in 0..2000 {
        let op = Dense::try_new(30, 1).unwrap();
        let (m, s) = rng.multipliers(1);
        let (x, w) = (int16s(&mut rng, 30), rng.int8s(30));
        let clamp = Clamp { min: -32768, max: 32767 };
        let (mut narrow, mut wide) = ([0], [0]);
        let rounding = Rounding::Double;
        let a = Int16x8::<i32> { multipliers_q31: &m, shifts: &s, clamp, rounding, bias: PhantomData };
        let b = Int16x8::<i64> { multipliers_q31: &m, shifts: &s, clamp, rounding, bias: PhantomData };
        reference::dense(&op, &a, &x, &w, &[0], &mut narrow).unwrap();
        reference::dense(&op, &b, &x, &w, &[0], &mut wide).unwrap();
        // 16 of 31 bits remain: one part in 2^15 of the output, and the two roundings.
        assert!((i32::from(narrow[0]) - i32::from(wide[0])).abs() <= 2, "{narrow:?} {wide:?}");
    }
}

#[test]
fn binary16_weights_are_their_f32_values() {
    let mut rng = Lcg(56);
    let op = Dense::try_new(64, 8).unwrap();
    let clamp = Clamp { min: f32::NEG_INFINITY, max: f32::INFINITY };
    let halves: Vec<half::f16> = rng.floats(512).into_iter().map(half::f16::from_f32).collect();
    let floats: Vec<f32> = halves.iter().map(|w| w.to_f32()).collect();
    let (x, bias) = (rng.floats(64), rng.floats(8));
    let (mut got, mut want) = ([0.0; 8], [0.0; 8]);
    Portable::dense(&op, &Float16 { clamp }, &x, &halves, &bias, &mut got).unwrap();
    Portable::dense(&op, &Float32 { clamp }, &x, &floats, &bias, &mut want).unwrap();
    assert_eq!(got, want);
}
