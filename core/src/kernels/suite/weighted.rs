//! Convolutions and dense layers in every number format.

use super::{Comparison, Lcg};
use crate::kernels::{
    Arithmetic, BackEnd, Clamp, Conv2d, Dense, DepthwiseConv2d, Float16, Float32, Int8, Int16x8, TransposeConv2d,
    reference,
};
use crate::num::Rounding;
use alloc::{vec, vec::Vec};
use core::fmt::Debug;
use core::marker::PhantomData;

/// An operator with weights, as its definition and as a back end spell it.
trait Weighted: Debug {
    /// Elements of the input, the weights, the bias and the output.
    fn lens(&self) -> [usize; 4];
    fn define<A: Arithmetic>(&self, a: &A, x: &[A::Input], w: &[A::Weight], b: &[A::Bias], y: &mut [A::Output]);
    fn run<B: BackEnd, A: Arithmetic>(
        &self,
        a: &A,
        x: &[A::Input],
        w: &[A::Weight],
        b: &[A::Bias],
        y: &mut [A::Output],
    );
}

macro_rules! weighted {
    ($operator:ty, $kernel:ident, $lens:expr) => {
        impl Weighted for $operator {
            fn lens(&self) -> [usize; 4] {
                let lens: fn(&Self) -> [usize; 4] = $lens;
                lens(self)
            }

            fn define<A: Arithmetic>(
                &self,
                a: &A,
                x: &[A::Input],
                w: &[A::Weight],
                b: &[A::Bias],
                y: &mut [A::Output],
            ) {
                reference::$kernel(self, a, x, w, b, y).expect("the definition takes the operands");
            }

            fn run<B: BackEnd, A: Arithmetic>(
                &self,
                a: &A,
                x: &[A::Input],
                w: &[A::Weight],
                b: &[A::Bias],
                y: &mut [A::Output],
            ) {
                B::$kernel(self, a, x, w, b, y).expect("the back end takes the operands");
            }
        }
    };
}

weighted!(Conv2d, conv2d, |op| {
    let (window, out_c) = (&op.window, op.out_channels().get());
    [window.input_area() * op.in_channels().get(), op.filter_len() * out_c, out_c, window.output_area() * out_c]
});
weighted!(DepthwiseConv2d, depthwise_conv2d, |op| {
    let (window, out_c) = (&op.window, op.out_channels().get());
    let in_c = out_c / op.multiplier();
    [window.input_area() * in_c, window.kernel_area() * out_c, out_c, window.output_area() * out_c]
});
weighted!(TransposeConv2d, transpose_conv2d, |op| {
    let (window, out_c) = (&op.window, op.out_channels().get());
    [window.output_area() * op.in_channels().get(), op.filter_len() * out_c, out_c, window.input_area() * out_c]
});
weighted!(Dense, dense, |op| {
    let (inputs, outputs) = (op.inputs().get(), op.outputs().get());
    [inputs, inputs * outputs, outputs, outputs]
});

/// Input, weights and bias of a layer.
type Operands<'a, A> = (&'a [<A as Arithmetic>::Input], &'a [<A as Arithmetic>::Weight], &'a [<A as Arithmetic>::Bias]);

fn same<B: BackEnd, A: Arithmetic<Output: bytemuck::Pod + Debug + Default>>(
    op: &impl Weighted,
    a: &A,
    (x, w, bias): Operands<'_, A>,
    seen: &mut Comparison,
) {
    let [.., y_len] = op.lens();
    let (mut want, mut got) = (vec![A::Output::default(); y_len], vec![A::Output::default(); y_len]);
    op.define(a, x, w, bias, &mut want);
    op.run::<B, A>(a, x, w, bias, &mut got);
    seen.same(op, &want, &got);
}

fn int16x8<'a, W>(rng: &mut Lcg, m: &'a [i32], s: &'a [i8]) -> Int16x8<'a, W> {
    let min = -32768 + rng.below(20_000) as i32;
    let clamp = Clamp { min, max: min + rng.below((32_768 - min) as usize) as i32 };
    Int16x8 { multipliers_q31: m, shifts: s, clamp, rounding: Rounding::Double, bias: PhantomData }
}

/// One operator in all number formats.
fn formats<B: BackEnd>(rng: &mut Lcg, op: &impl Weighted, seen: &mut Comparison) {
    let [x_len, w_len, channels, _] = op.lens();
    let (m, s) = rng.multipliers(channels);
    let int8 = Int8 {
        input_zero_point: rng.zero_point(),
        output_zero_point: rng.zero_point(),
        multipliers_q31: &m,
        shifts: &s,
        clamp: rng.clamp(),
        rounding: rng.rounding(),
    };
    let (x, w) = (rng.int8s(x_len), rng.int8s(w_len));
    let bias: Vec<i32> = rng.int8s(channels).iter().map(|&b| i32::from(b) * 77).collect();
    same::<B, _>(op, &int8, (&x, &w, &bias), seen);

    let x = rng.int16s(x_len);
    let wide: Vec<i64> = rng.int16s(channels).iter().map(|&b| i64::from(b) << 20).collect();
    same::<B, _>(op, &int16x8::<i64>(rng, &m, &s), (&x, &w, &wide), seen);
    let narrow: Vec<i32> = rng.int16s(channels).iter().map(|&b| i32::from(b) << 4).collect();
    same::<B, _>(op, &int16x8::<i32>(rng, &m, &s), (&x, &w, &narrow), seen);

    let (x, w, bias) = (rng.floats(x_len), rng.floats(w_len), rng.floats(channels));
    let clamp = Clamp { min: -0.5, max: 6.0 };
    same::<B, _>(op, &Float32 { clamp }, (&x, &w, &bias), seen);
    let w: Vec<half::f16> = w.into_iter().map(half::f16::from_f32).collect();
    same::<B, _>(op, &Float16 { clamp }, (&x, &w, &bias), seen);
}

pub(super) fn conv2d<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let op = Conv2d::try_new(rng.window(true), 1 + rng.below(9), 1 + rng.below(11)).unwrap();
    formats::<B>(rng, &op, seen);
}

pub(super) fn depthwise_conv2d<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let in_c = 1 + rng.below(19);
    let op = DepthwiseConv2d::try_new(rng.window(true), in_c, in_c * (1 + rng.below(8) / 6)).unwrap();
    formats::<B>(rng, &op, seen);
}

pub(super) fn transpose_conv2d<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let op = TransposeConv2d::try_new(rng.window(false), 1 + rng.below(6), 1 + rng.below(9)).unwrap();
    formats::<B>(rng, &op, seen);
}

pub(super) fn dense<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let op = Dense::try_new(1 + rng.below(70), 1 + rng.below(40)).unwrap();
    formats::<B>(rng, &op, seen);
    // One multiplier for all channels.
    let (m, s) = rng.multipliers(1);
    let [x_len, w_len, channels, _] = op.lens();
    let (x, w, bias) = (rng.int8s(x_len), rng.int8s(w_len), rng.words(channels));
    let bias: Vec<i32> = bias.into_iter().map(|b| b >> 18).collect();
    let int8 = Int8 {
        input_zero_point: rng.zero_point(),
        output_zero_point: rng.zero_point(),
        multipliers_q31: &m,
        shifts: &s,
        clamp: rng.clamp(),
        rounding: rng.rounding(),
    };
    same::<B, _>(&op, &int8, (&x, &w, &bias), seen);
}
