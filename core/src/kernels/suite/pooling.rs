//! Pooling in every element type, and softmax.

use super::{Comparison, Lcg};
use crate::kernels::reference::PoolElement;
use crate::kernels::{BackEnd, Clamp, Pool2d, Softmax, SoftmaxInt8, SoftmaxInt16, reference};
use alloc::vec;
use core::fmt::Debug;

/// What a pooling is: its definition or that of a back end.
type Pool<T> = fn(&Pool2d, Clamp<T>, &[T], &mut [T]) -> Result<(), crate::error::ShapeError>;

fn same<T: PoolElement + bytemuck::Pod + Debug>(
    op: &Pool2d,
    clamp: Clamp<T>,
    x: &[T],
    [define, run]: [Pool<T>; 2],
    seen: &mut Comparison,
) {
    let y_len = op.window.output_area() * op.channels().get();
    let (mut want, mut got) = (vec![T::default(); y_len], vec![T::default(); y_len]);
    define(op, clamp, x, &mut want).unwrap();
    run(op, clamp, x, &mut got).unwrap();
    seen.same(op, &want, &got);
}

/// All forms of a pooling by the names of its kernels.
macro_rules! pool {
    ($name:ident, $int8:ident) => {
        pub(super) fn $name<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
            let op = Pool2d::try_new(rng.window(false), 1 + rng.below(19)).unwrap();
            let x_len = op.window.input_area() * op.channels().get();
            let open = Clamp { min: -128_i8, max: 127 };
            let clamp = if rng.below(2) == 0 { open } else { Clamp { min: -100, max: 90 } };
            let x = rng.int8s(x_len);
            same(&op, clamp, &x, [reference::$name, B::$int8], seen);
            same(&op, clamp, &x, [reference::$name, B::$name], seen);
            let x = rng.int16s(x_len);
            same(&op, Clamp { min: -30_000_i16, max: 32_000 }, &x, [reference::$name, B::$name], seen);
            let x = rng.floats(x_len);
            same(&op, Clamp { min: -0.9_f32, max: 0.9 }, &x, [reference::$name, B::$name], seen);
        }
    };
}

pool!(max_pool2d, max_pool2d_int8);
pool!(average_pool2d, average_pool2d_int8);

pub(super) fn softmax<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (depth, rounding) = (1 + rng.below(40), rng.rounding());
    let op = Softmax::try_new(depth).unwrap();
    let len = depth * (1 + rng.below(3));
    let scale = 0.001 + rng.below(1000) as f32 * 3e-4;
    let (x, constants) = (rng.int8s(len), SoftmaxInt8::from_scale(scale, rounding));
    let (mut want, mut got) = (vec![0; len], vec![0; len]);
    reference::softmax_int8(&op, &constants, &x, &mut want).unwrap();
    B::softmax_int8(&op, &constants, &x, &mut got).unwrap();
    seen.same(op, &want, &got);
    let (x, constants) = (rng.int16s(len), SoftmaxInt16::from_scale(scale * 1e-3, rounding));
    let (mut want, mut got) = (vec![0; len], vec![0; len]);
    reference::softmax_int16(&op, &constants, &x, &mut want).unwrap();
    B::softmax_int16(&op, &constants, &x, &mut got).unwrap();
    seen.same(op, &want, &got);
    let x = rng.floats(len);
    let (mut want, mut got) = (vec![0.0; len], vec![0.0; len]);
    reference::softmax_f32(&op, &x, &mut want).unwrap();
    B::softmax_f32(&op, &x, &mut got).unwrap();
    seen.same(op, &want, &got);
}
