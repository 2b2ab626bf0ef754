//! Every back end of this machine against `reference`, and what `reference` itself must be.

mod elementwise;
mod movement;
mod nodes;
mod nodes_weighted;
mod number_formats;
mod packed;
mod resize;
mod tiled;
mod transpose_conv2d;

use super::suite::{Lcg, for_each_kernel, kernels};
use super::*;
use crate::num::Rounding;
use crate::shape::{AxisSpec, Window};
use std::vec::Vec;

/// Cases of each kernel.
const CASES: u32 = 300;

/// Panics at the first output of a kernel that is wrong.
fn check<B: BackEnd>(name: &str) {
    let kernel = kernels::<B>().iter().find(|kernel| kernel.name == name).unwrap();
    let seen = kernel.run(CASES);
    if let Some(mismatch) = &seen.mismatch {
        panic!("{name}: {mismatch}");
    }
    assert!(seen.cases == CASES && seen.outputs > CASES && seen.is_varied, "{name}: {seen:?} compares too little");
}

macro_rules! tests {
    ($back_end:ty; $($room:ident::$name:ident,)*) => {
        $(#[test]
        fn $name() {
            check::<$back_end>(stringify!($name));
        })*
    };
}

/// A test for each kernel of a back end.
macro_rules! back_end_suite {
    ($suite:ident, $back_end:ty) => {
        mod $suite {
            use super::*;
            for_each_kernel!(tests, $back_end);
        }
    };
}

back_end_suite!(portable_back_end, Portable);

#[test]
fn a_wrong_output_is_named_by_its_kernel() {
    struct Wrong;
    impl InnerLoops for Wrong {
        fn taps_single(w: &tiles::Taps<'_>, numerics: &tiles::TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
            portable::products::taps_single(w, numerics, x, y);
            if let [.., last] = y {
                *last ^= 1;
            }
        }
    }
    impl BackEnd for Wrong {}
    let wrong = kernels::<Wrong>().iter().filter(|kernel| kernel.run(20).mismatch.is_some());
    assert_eq!(wrong.map(|kernel| kernel.name).collect::<Vec<_>>(), ["conv2d_taps", "dense_taps"]);
}

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
