//! Every back end against `reference`, bit for bit, on random geometries.

mod depthwise_tiled;
mod packed;

use super::*;
use crate::num::{Multiplier, Rounding};
use crate::shape::{AxisSpec, Window};
use std::vec::Vec;

/// The 64-bit LCG of specs/optimizers.md §0.
pub(super) struct Lcg(pub(super) u64);

impl Lcg {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    pub(super) fn int8s(&mut self, len: usize) -> Vec<i8> {
        (0..len).map(|_| self.next() as i8).collect()
    }

    fn int16s(&mut self, len: usize) -> Vec<i16> {
        (0..len).map(|_| self.next() as i16).collect()
    }

    fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next() as f32 / (1u64 << 30) as f32 - 1.0).collect()
    }

    fn axis(&mut self, dilate: bool) -> AxisSpec {
        let kernel = 1 + self.below(4);
        let dilation = if dilate { 1 + self.below(2) } else { 1 };
        let extent = (kernel - 1) * dilation + 1;
        AxisSpec {
            input: 1 + self.below(9),
            kernel,
            stride: 1 + self.below(3),
            dilation,
            pad_before: self.below(extent),
            pad_after: self.below(extent),
        }
    }

    pub(super) fn window(&mut self, dilate: bool) -> Window {
        loop {
            if let Ok(window) = Window::try_new(self.axis(dilate), self.axis(dilate)) {
                return window;
            }
        }
    }

    pub(super) fn clamp(&mut self) -> Clamp<i32> {
        let min = -128 + self.below(100) as i32;
        Clamp { min, max: min + self.below((128 - min) as usize) as i32 }
    }

    pub(super) fn zero_point(&mut self) -> i32 {
        self.below(256) as i32 - 128
    }

    /// Per-channel multipliers that spread accumulators over the int8 range.
    fn multipliers(&mut self, channels: usize) -> (Vec<i32>, Vec<i8>) {
        (0..channels)
            .map(|_| {
                let real = (1.0 + self.below(1000) as f64) * 2f64.powi(-(self.below(8) as i32) - 14);
                let m = Multiplier::from_real(real, Rounding::Double);
                (m.mantissa_q31, m.shift as i8)
            })
            .unzip()
    }
}

/// Runs `$name` of both back ends on the same operands and compares every output.
macro_rules! same_outputs {
    ($back_end:ident :: $name:ident, $y:expr, ($($before:expr),*), ($($operand:expr),*)) => {{
        let (mut want, mut got) = ($y.clone(), $y.clone());
        reference::$name($($before,)* $($operand,)* &mut want).expect("reference accepts the operands");
        $back_end::$name($($before,)* $($operand,)* &mut got).expect("back end accepts the operands");
        assert_eq!(got.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>(),
                   want.iter().map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        want.len()
    }};
}

/// The suite of one back end.
macro_rules! back_end_suite {
    ($suite:ident, $back_end:ident) => {
        mod $suite {
            use super::*;

            const ELEMENTS: usize = 40_000;

            fn until_enough(seed: u64, mut case: impl FnMut(&mut Lcg, Rounding) -> usize) {
                let (mut rng, mut compared) = (Lcg(seed), 0);
                while compared < ELEMENTS {
                    let rounding = if rng.below(4) == 0 { Rounding::Single } else { Rounding::Double };
                    compared += case(&mut rng, rounding);
                }
            }

            #[test]
            fn convolution_equals_the_reference() {
                until_enough(1, |rng, rounding| {
                    let op = Conv2d::try_new(rng.window(true), 1 + rng.below(9), 1 + rng.below(11)).unwrap();
                    let (m, s) = rng.multipliers(op.out_channels().get());
                    let int8 = Int8 {
                        input_zero_point: rng.zero_point(),
                        output_zero_point: rng.zero_point(),
                        multipliers_q31: &m,
                        shifts: &s,
                        clamp: rng.clamp(),
                        rounding,
                    };
                    let x_len = op.window.input_area() * op.in_channels().get();
                    let w_len = op.filter_len() * op.out_channels().get();
                    let y_len = op.window.output_area() * op.out_channels().get();
                    let x = rng.int8s(x_len);
                    let w = rng.int8s(w_len);
                    let bias: Vec<i32> = rng.int8s(op.out_channels().get()).iter().map(|&b| b as i32 * 77).collect();
                    let n = same_outputs!($back_end::conv2d, vec![0i8; y_len], (&op, &int8), (&x, &w, &bias));
                    let float = Float32 { clamp: Clamp { min: -0.5, max: 6.0 } };
                    let (x, w, bias) = (rng.floats(x_len), rng.floats(w_len), rng.floats(op.out_channels().get()));
                    n + same_outputs!($back_end::conv2d, vec![0f32; y_len], (&op, &float), (&x, &w, &bias))
                });
            }

            #[test]
            fn depthwise_convolution_equals_the_reference() {
                until_enough(2, |rng, rounding| {
                    let in_c = 1 + rng.below(19);
                    let out_c = in_c * (1 + rng.below(8) / 6);
                    let op = DepthwiseConv2d::try_new(rng.window(true), in_c, out_c).unwrap();
                    let (m, s) = rng.multipliers(out_c);
                    let int8 = Int8 {
                        input_zero_point: rng.zero_point(),
                        output_zero_point: rng.zero_point(),
                        multipliers_q31: &m,
                        shifts: &s,
                        clamp: rng.clamp(),
                        rounding,
                    };
                    let x_len = op.window.input_area() * in_c;
                    let w_len = op.window.kernel_area() * out_c;
                    let y_len = op.window.output_area() * out_c;
                    let (x, w) = (rng.int8s(x_len), rng.int8s(w_len));
                    let bias: Vec<i32> = rng.int8s(out_c).iter().map(|&b| b as i32 * 77).collect();
                    let n = same_outputs!($back_end::depthwise_conv2d, vec![0i8; y_len], (&op, &int8), (&x, &w, &bias));
                    let float = Float32 { clamp: Clamp { min: f32::NEG_INFINITY, max: f32::INFINITY } };
                    let (x, w, bias) = (rng.floats(x_len), rng.floats(w_len), rng.floats(out_c));
                    n + same_outputs!($back_end::depthwise_conv2d, vec![0f32; y_len], (&op, &float), (&x, &w, &bias))
                });
            }

            #[test]
            fn dense_equals_the_reference() {
                until_enough(3, |rng, rounding| {
                    let op = Dense::try_new(1 + rng.below(70), 1 + rng.below(40)).unwrap();
                    let outputs = op.outputs().get();
                    let per_channel = if rng.below(2) == 0 { 1 } else { outputs };
                    let (m, s) = rng.multipliers(per_channel);
                    let int8 = Int8 {
                        input_zero_point: rng.zero_point(),
                        output_zero_point: rng.zero_point(),
                        multipliers_q31: &m,
                        shifts: &s,
                        clamp: rng.clamp(),
                        rounding,
                    };
                    let (x, w) = (rng.int8s(op.inputs().get()), rng.int8s(op.inputs().get() * outputs));
                    let bias: Vec<i32> = rng.int8s(outputs).iter().map(|&b| b as i32 * 77).collect();
                    let n = same_outputs!($back_end::dense, vec![0i8; outputs], (&op, &int8), (&x, &w, &bias));
                    let float = Float32 { clamp: Clamp { min: 0.0, max: f32::INFINITY } };
                    let (x, w) = (rng.floats(op.inputs().get()), rng.floats(op.inputs().get() * outputs));
                    let bias = rng.floats(outputs);
                    n + same_outputs!($back_end::dense, vec![0f32; outputs], (&op, &float), (&x, &w, &bias))
                });
            }

            #[test]
            fn pooling_equals_the_reference() {
                until_enough(4, |rng, _| {
                    let op = Pool2d::try_new(rng.window(false), 1 + rng.below(19)).unwrap();
                    let x_len = op.window.input_area() * op.channels().get();
                    let y_len = op.window.output_area() * op.channels().get();
                    let clamp = Clamp { min: -100i8, max: 90 };
                    let x = rng.int8s(x_len);
                    let mut n = same_outputs!($back_end::max_pool2d, vec![0i8; y_len], (&op, clamp), (&x));
                    n += same_outputs!($back_end::average_pool2d, vec![0i8; y_len], (&op, clamp), (&x));
                    let clamp = Clamp { min: -30_000i16, max: 32_000 };
                    let x = rng.int16s(x_len);
                    n += same_outputs!($back_end::max_pool2d, vec![0i16; y_len], (&op, clamp), (&x));
                    n += same_outputs!($back_end::average_pool2d, vec![0i16; y_len], (&op, clamp), (&x));
                    let clamp = Clamp { min: -0.9f32, max: 0.9 };
                    let x = rng.floats(x_len);
                    n += same_outputs!($back_end::max_pool2d, vec![0f32; y_len], (&op, clamp), (&x));
                    n + same_outputs!($back_end::average_pool2d, vec![0f32; y_len], (&op, clamp), (&x))
                });
            }
        }
    };
}

mod elementwise;

back_end_suite!(portable_kernels, Portable);

mod movement;
mod nodes;
mod nodes_weighted;
mod number_formats;
mod resize;
mod tiled;
mod transpose_conv2d;

#[test]
fn int8_softmax_is_within_one_code_of_the_real_one() {
    let mut rng = Lcg(7);
    for _ in 0..500 {
        let depth = 1 + rng.below(40);
        let scale = 0.001 + rng.below(1000) as f32 * 3e-4;
        let x = rng.int8s(depth);
        let mut y = vec![0; depth];
        let constants = SoftmaxInt8::from_scale(scale, Rounding::Double);
        Portable::softmax_int8(&Softmax::try_new(depth).unwrap(), &constants, &x, &mut y).unwrap();
        let exps: Vec<f64> = x.iter().map(|&q| (q as f64 * scale as f64).exp()).collect();
        let sum: f64 = exps.iter().sum();
        for (y, e) in y.iter().zip(exps) {
            let want = (e / sum * 256.0 - 128.0).clamp(-128.0, 127.0);
            assert!((*y as f64 - want).abs() <= 1.0, "{y} {want}");
        }
    }
}

#[test]
fn wrong_lengths_name_the_operand_and_leave_the_output() {
    let axis = AxisSpec { input: 3, kernel: 2, stride: 1, dilation: 1, pad_before: 0, pad_after: 0 };
    let op = Conv2d::try_new(Window::try_new(axis, axis).unwrap(), 1, 1).unwrap();
    let float = Float32 { clamp: Clamp { min: 0.0, max: 1.0 } };
    let mut y = [7.0; 4];
    let error = Portable::conv2d(&op, &float, &[0.0; 8], &[0.0; 4], &[0.0], &mut y);
    assert_eq!(error, Err(crate::error::ShapeError::Len { operand: "x", expected: 9, got: 8 }));
    let int8 = Int8 {
        input_zero_point: 0,
        output_zero_point: 0,
        multipliers_q31: &[1, 2, 3],
        shifts: &[0, 0, 0],
        clamp: Clamp { min: -128, max: 127 },
        rounding: Rounding::Double,
    };
    let error = Portable::conv2d(&op, &int8, &[0; 9], &[0; 4], &[0], &mut [7; 4]);
    assert_eq!(error, Err(crate::error::ShapeError::Len { operand: "multipliers", expected: 1, got: 3 }));
    assert_eq!(y, [7.0; 4]);
}
