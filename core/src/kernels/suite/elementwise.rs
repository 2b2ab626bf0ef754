//! Operators on elements in every form, and reductions.

use super::{Comparison, Lcg};
use crate::kernels::{
    AddF32, AddInt, BackEnd, Binary, Broadcast, Clamp, HardSwishF32, LogisticInt16, Lookup, MeanF32, MulF32, MulInt,
    PreluF32, PreluInt, Reduce, ReduceInt, Reduction, Rescale, Side, Steps, SubF32, SubInt, SumF32, Unary, reference,
};
use crate::num::{Code, Rounding};
use alloc::{vec, vec::Vec};
use core::fmt::Debug;

/// Two operands whose axes are of one size, or of size 1 in either.
fn shapes(rng: &mut Lcg) -> [[usize; 4]; 2] {
    let [mut a, mut b] = [[1; 4]; 2];
    for (a, b) in a.iter_mut().zip(&mut b) {
        let size = 1 + rng.below(5);
        (*a, *b) = [(size, size), (size, size), (size, 1), (1, size)][rng.below(4)];
    }
    [a, b]
}

fn sum<T: Code>(rng: &mut Lcg, rounding: Rounding) -> AddInt {
    // Equal ones now and then.
    let first = 0.01 + rng.below(100) as f32 * 1e-3;
    let second = if rng.below(4) == 0 { first } else { 0.01 + rng.below(100) as f32 * 1e-3 };
    let (input_multipliers, output_multiplier) = AddInt::multipliers::<T>([first, second], 0.07, rounding);
    AddInt {
        input_zero_points: [rng.zero_point(), rng.zero_point()],
        input_multipliers,
        output_zero_point: rng.zero_point(),
        output_multiplier,
        clamp: rng.open_or_clamp(),
        rounding,
    }
}

fn product(rng: &mut Lcg, rounding: Rounding) -> MulInt {
    MulInt {
        input_zero_points: [rng.zero_point(), rng.zero_point()],
        output_zero_point: rng.zero_point(),
        multiplier: rng.multiplier(9, rounding),
        clamp: rng.clamp(),
        rounding,
    }
}

/// All forms of `op` on random operands of random shapes.
fn forms<B: BackEnd, T: bytemuck::Pod + Default + Debug>(
    op: &impl Binary<T>,
    rng: &mut Lcg,
    values: impl Fn(&mut Lcg, usize) -> Vec<T>,
    seen: &mut Comparison,
) {
    let [a_shape, b_shape] = shapes(rng);
    let shape = Broadcast::try_new(a_shape, b_shape).unwrap();
    let len = shape.sizes().iter().product();
    let (a, b) = (values(rng, a_shape.iter().product()), values(rng, b_shape.iter().product()));
    let (mut want, mut got) = (vec![T::default(); len], vec![T::default(); len]);
    reference::binary(op, &shape, &a, &b, &mut want).unwrap();
    B::binary(op, &shape, &a, &b, &mut got).unwrap();
    seen.same((a_shape, b_shape), &want, &got);
    if a.len() == len {
        let mut y = a.clone();
        B::binary_in_place(op, &shape, Side::Left, &b, &mut y).unwrap();
        seen.same(("left", a_shape, b_shape), &want, &y);
    }
    if b.len() == len {
        let mut y = b.clone();
        B::binary_in_place(op, &shape, Side::Right, &a, &mut y).unwrap();
        seen.same(("right", a_shape, b_shape), &want, &y);
    }
}

pub(super) fn binary<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let rounding = rng.rounding();
    let op = sum::<i8>(rng, rounding);
    forms::<B, _>(&op, rng, Lcg::int8s, seen);
    forms::<B, _>(&SubInt(op), rng, Lcg::int8s, seen);
    let op = sum::<i16>(rng, rounding);
    forms::<B, _>(&op, rng, Lcg::int16s, seen);
    forms::<B, _>(&SubInt(op), rng, Lcg::int16s, seen);
    let op = product(rng, rounding);
    forms::<B, i8>(&op, rng, Lcg::int8s, seen);
    forms::<B, i16>(&op, rng, Lcg::int16s, seen);
    let op = PreluInt {
        input_zero_points: [rng.zero_point(), rng.zero_point()],
        output_zero_point: rng.zero_point(),
        positive: rng.multiplier(9, rounding),
        negative: rng.multiplier(9, rounding),
        rounding,
    };
    forms::<B, i8>(&op, rng, Lcg::int8s, seen);
    let clamp = Clamp { min: -0.5, max: 0.75 };
    forms::<B, _>(&AddF32(clamp), rng, Lcg::floats, seen);
    forms::<B, _>(&SubF32(clamp), rng, Lcg::floats, seen);
    forms::<B, _>(&MulF32(clamp), rng, Lcg::floats, seen);
    forms::<B, _>(&PreluF32, rng, Lcg::floats, seen);
}

/// int8 sums of operands of one shape, which instruction sets have kernels for.
pub(super) fn add_int8<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let rounding = rng.rounding();
    let (op, len) = (sum::<i8>(rng, rounding), 1 + rng.below(70));
    let (a, b) = (rng.int8s(len), rng.int8s(len));
    let (mut want, mut got) = (vec![0; len], vec![0; len]);
    reference::binary(&op, &Broadcast::equal(len).unwrap(), &a, &b, &mut want).unwrap();
    B::add_int8(&op, &a, &b, &mut got).unwrap();
    seen.same(op, &want, &got);
    let (mut left, mut right) = (a.clone(), b.clone());
    B::add_int8_in_place(&op, Side::Left, &b, &mut left).unwrap();
    seen.same((op, "left"), &want, &left);
    B::add_int8_in_place(&op, Side::Right, &a, &mut right).unwrap();
    seen.same((op, "right"), &want, &right);
}

pub(super) fn unary<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    fn same<B: BackEnd, T: bytemuck::Pod + Default + Debug>(op: &impl Unary<T>, x: &[T], seen: &mut Comparison) {
        let (mut want, mut got, mut in_place) = (vec![T::default(); x.len()], vec![T::default(); x.len()], x.to_vec());
        reference::unary(op, x, &mut want).unwrap();
        B::unary(op, x, &mut got).unwrap();
        seen.same(x, &want, &got);
        B::unary_in_place(op, &mut in_place);
        seen.same(("in place", x), &want, &in_place);
    }
    let (rounding, len) = (rng.rounding(), 1 + rng.below(40));
    let (x, halves, floats) = (rng.int8s(len), rng.int16s(len), rng.floats(len));
    let rescale = Rescale {
        input_zero_point: rng.zero_point(),
        output_zero_point: rng.zero_point(),
        multiplier: rng.multiplier(9, rounding),
        clamp: rng.clamp(),
        rounding,
    };
    same::<B, i8>(&rescale, &x, seen);
    same::<B, i16>(&rescale, &halves, seen);
    same::<B, _>(&Lookup { table: &Lookup::table(&rescale) }, &x, seen);
    same::<B, _>(&LogisticInt16(Steps::from_scale(1e-4).unwrap()), &halves, seen);
    same::<B, _>(&Clamp { min: -0.25, max: 0.5 }, &floats, seen);
    same::<B, _>(&HardSwishF32, &floats, seen);
}

fn axes(rng: &mut Lcg) -> Reduce {
    let sizes = core::array::from_fn(|_| 1 + rng.below(5) * rng.below(3));
    Reduce::try_new(sizes, rng.below(16) as u32).unwrap()
}

pub(super) fn reduce<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    fn same<B: BackEnd, T: bytemuck::Pod + Default + Debug>(
        op: &Reduce,
        by: &impl Reduction<T>,
        x: &[T],
        seen: &mut Comparison,
    ) {
        let (mut want, mut got) = (vec![T::default(); op.output_len()], vec![T::default(); op.output_len()]);
        reference::reduce(op, by, x, &mut want).unwrap();
        B::reduce(op, by, x, &mut got).unwrap();
        seen.same(op, &want, &got);
    }
    let (op, rounding) = (axes(rng), rng.rounding());
    let len = op.count() * op.output_len();
    let by = ReduceInt {
        offset: rng.zero_point() * op.count() as i32,
        output_zero_point: rng.zero_point(),
        multiplier: ReduceInt::mean([0.05, 0.01 + rng.below(100) as f32 * 1e-3], op.count(), rounding),
        rounding,
    };
    same::<B, _>(&op, &by, &rng.int8s(len), seen);
    same::<B, _>(&op, &by, &rng.int16s(len), seen);
    let floats = rng.floats(len);
    same::<B, _>(&op, &SumF32, &floats, seen);
    same::<B, _>(&op, &MeanF32 { count: op.count() as f32 }, &floats, seen);
}

pub(super) fn arg_max<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    fn same<B: BackEnd, T: Copy + Default + PartialOrd>(op: &Reduce, x: &[T], seen: &mut Comparison) {
        let (mut want, mut got) = (vec![0; op.output_len()], vec![0; op.output_len()]);
        reference::arg_max(op, x, &mut want).unwrap();
        B::arg_max(op, x, &mut got).unwrap();
        seen.same(op, &want, &got);
    }
    let op = axes(rng);
    let len = op.count() * op.output_len();
    // Few values: equal ones tell which of them is first.
    same::<B, _>(&op, &rng.int8s(len).iter().map(|x| x % 4).collect::<Vec<_>>(), seen);
    same::<B, _>(&op, &rng.floats(len), seen);
}
