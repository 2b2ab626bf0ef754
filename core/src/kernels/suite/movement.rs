//! Copies, paddings and images in another size.

use super::{Comparison, Lcg};
use crate::kernels::{AXES, BackEnd, Grid, Interpolate, Resize, StridedCopy, reference};
use crate::num::Rounding;
use alloc::{vec, vec::Vec};
use core::fmt::Debug;

/// Bytes of an element.
const SIZES: [usize; 3] = [1, 2, 4];

fn shape(rng: &mut Lcg) -> [usize; AXES] {
    core::array::from_fn(|_| 1 + rng.below(5))
}

fn bytes(rng: &mut Lcg, len: usize) -> Vec<u8> {
    (0..len).map(|_| rng.next() as u8).collect()
}

/// A slice that takes every so many elements in either direction.
fn slice(rng: &mut Lcg, x_shape: [usize; AXES], element_bytes: usize) -> StridedCopy {
    let (mut begin, mut strides, mut sizes) = ([0; AXES], [1; AXES], [1; AXES]);
    for axis in 0..AXES {
        begin[axis] = rng.below(x_shape[axis]);
        let stride = 1 + rng.below(3);
        let (room, sign) = match rng.below(2) {
            0 => (x_shape[axis] - 1 - begin[axis], 1),
            _ => (begin[axis], -1),
        };
        strides[axis] = sign * stride as isize;
        sizes[axis] = 1 + rng.below(room / stride + 1);
    }
    StridedCopy::slice(x_shape, begin, strides, sizes, element_bytes).unwrap()
}

pub(super) fn strided_copy<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (x_shape, element_bytes) = (shape(rng), SIZES[rng.below(3)]);
    let x_len = x_shape.iter().product::<usize>() * element_bytes;
    let mut order = [0, 1, 2, 3];
    (0..AXES).for_each(|i| order.swap(i, rng.below(AXES)));
    let transposition = StridedCopy::transpose(x_shape, order, element_bytes).unwrap();
    for op in [slice(rng, x_shape, element_bytes), transposition] {
        let x = bytes(rng, x_len);
        let y = bytes(rng, op.sizes().iter().product::<usize>() * element_bytes);
        let (mut want, mut got) = (y.clone(), y);
        reference::strided_copy(&op, &x, &mut want).unwrap();
        B::strided_copy(&op, &x, &mut got).unwrap();
        seen.same(op, &want, &got);
    }
}

pub(super) fn pad<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    let (x_shape, element_bytes) = (shape(rng), SIZES[rng.below(3)]);
    let before: [usize; AXES] = core::array::from_fn(|_| rng.below(3));
    let y_shape: [usize; AXES] = core::array::from_fn(|a| before[a] + x_shape[a] + rng.below(3));
    let op = StridedCopy::place(x_shape, before, y_shape, element_bytes).unwrap();
    let x = bytes(rng, x_shape.iter().product::<usize>() * element_bytes);
    let (border, y_len) = (bytes(rng, element_bytes), y_shape.iter().product::<usize>() * element_bytes);
    let (mut want, mut got) = (vec![0; y_len], vec![0; y_len]);
    reference::pad(&op, &border, &x, &mut want).unwrap();
    B::pad(&op, &border, &x, &mut got).unwrap();
    seen.same(op, &want, &got);
    // A copy that leaves what lies between.
    let y = bytes(rng, y_len);
    let (mut want, mut got) = (y.clone(), y);
    reference::strided_copy(&op, &x, &mut want).unwrap();
    B::strided_copy(&op, &x, &mut got).unwrap();
    seen.same(op, &want, &got);
}

fn resize(rng: &mut Lcg) -> (Resize, [usize; 2]) {
    let grids = [(false, false), (true, false), (false, true)];
    let (align_corners, half_pixel_centers) = grids[rng.below(3)];
    let [a, b, c, d] = core::array::from_fn(|_| 1 + rng.below(12));
    let channels = 1 + rng.below(9);
    let op = Resize::try_new([a, b], [c, d], channels, Grid { align_corners, half_pixel_centers }).unwrap();
    (op, [a * b * channels, c * d * channels])
}

pub(super) fn resize_nearest<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    fn same<B: BackEnd, T: bytemuck::Pod + Default + Debug>(op: &Resize, x: &[T], y_len: usize, seen: &mut Comparison) {
        let (mut want, mut got) = (vec![T::default(); y_len], vec![T::default(); y_len]);
        reference::resize_nearest(op, x, &mut want).unwrap();
        B::resize_nearest(op, x, &mut got).unwrap();
        seen.same(op, &want, &got);
    }
    let (op, [x_len, y_len]) = resize(rng);
    same::<B, _>(&op, &rng.int8s(x_len), y_len, seen);
    same::<B, _>(&op, &rng.floats(x_len), y_len, seen);
}

pub(super) fn resize_bilinear<B: BackEnd>(rng: &mut Lcg, seen: &mut Comparison) {
    fn same<B: BackEnd, T: Interpolate + bytemuck::Pod + Debug>(
        (op, rounding): (&Resize, Rounding),
        x: &[T],
        y_len: usize,
        seen: &mut Comparison,
    ) {
        let (mut want, mut got) = (vec![T::default(); y_len], vec![T::default(); y_len]);
        reference::resize_bilinear(op, rounding, x, &mut want).unwrap();
        B::resize_bilinear(op, rounding, x, &mut got).unwrap();
        seen.same((op, rounding), &want, &got);
    }
    let (op, [x_len, y_len]) = resize(rng);
    let how = (&op, if rng.below(2) == 0 { Rounding::Single } else { Rounding::Double });
    same::<B, _>(how, &rng.int8s(x_len), y_len, seen);
    same::<B, _>(how, &rng.int16s(x_len), y_len, seen);
    same::<B, _>(how, &rng.floats(x_len), y_len, seen);
}
