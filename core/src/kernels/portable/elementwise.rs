//! Element by element: rows without index arithmetic, and outputs that replace an input.

use crate::error::ShapeError;
use crate::kernels::{Binary, Broadcast, Side, Unary};

/// [`BackEnd::unary_in_place`](crate::kernels::BackEnd::unary_in_place)
pub(crate) fn unary_in_place<T: Copy, U: Unary<T>>(op: &U, y: &mut [T]) {
    y.iter_mut().for_each(|y| *y = op.apply(*y));
}

/// Calls `row(y, positions, strides)` for every row of the output; a stride is 0 or 1.
#[inline]
fn for_each_row<T>(shape: &Broadcast, y: &mut [T], mut row: impl FnMut(&mut [T], [usize; 2], [usize; 2])) {
    let [third, second, first, inner] = shape.merged();
    let mut rows = y.chunks_exact_mut(inner.len.max(1));
    for i in 0..third.len {
        for j in 0..second.len {
            for k in 0..first.len {
                let Some(y) = rows.next() else { return };
                let mut at = [0; 2];
                for (axis, index) in [(third, i), (second, j), (first, k)] {
                    at.iter_mut().zip(axis.strides).for_each(|(at, stride)| *at += index * stride);
                }
                row(y, at, inner.strides);
            }
        }
    }
}

/// [`BackEnd::binary`](crate::kernels::BackEnd::binary)
pub(crate) fn binary<T: Copy + Default, B: Binary<T>>(
    op: &B,
    shape: &Broadcast,
    a: &[T],
    b: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    shape.check(a.len(), b.len(), y.len())?;
    for_each_row(shape, y, |y, [at_a, at_b], strides| {
        let (a, b) = (a.get(at_a..).unwrap_or_default(), b.get(at_b..).unwrap_or_default());
        if strides == [1, 1] {
            y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = op.apply(a, b));
            return;
        }
        let [stride_a, stride_b] = strides;
        for (i, y) in y.iter_mut().enumerate() {
            if let (Some(&a), Some(&b)) = (a.get(i * stride_a), b.get(i * stride_b)) {
                *y = op.apply(a, b);
            }
        }
    });
    Ok(())
}

/// [`BackEnd::binary_in_place`](crate::kernels::BackEnd::binary_in_place)
pub(crate) fn binary_in_place<T: Copy + Default, B: Binary<T>>(
    op: &B,
    shape: &Broadcast,
    side: Side,
    other: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    let other_is_b = side == Side::Left;
    let [a_len, b_len] = if other_is_b { [y.len(), other.len()] } else { [other.len(), y.len()] };
    shape.check(a_len, b_len, y.len())?;
    match op.swapped() {
        None if !other_is_b => fold_in(shape, other_is_b, other, y, |y, other| op.apply(other, y)),
        swapped => {
            let op = swapped.filter(|_| !other_is_b).unwrap_or(*op);
            fold_in(shape, other_is_b, other, y, |y, other| op.apply(y, other));
        }
    }
    Ok(())
}

/// Replaces every element of `y` by `fold` of it and the element of `other` over it.
#[inline]
fn fold_in<T: Copy>(shape: &Broadcast, other_is_b: bool, other: &[T], y: &mut [T], fold: impl Fn(T, T) -> T) {
    let of_other = |[a, b]: [usize; 2]| if other_is_b { b } else { a };
    for_each_row(shape, y, |y, at, strides| {
        let (other, stride) = (other.get(of_other(at)..).unwrap_or_default(), of_other(strides));
        if stride == 1 {
            y.iter_mut().zip(other).for_each(|(y, &other)| *y = fold(*y, other));
        } else if let Some(&other) = other.first() {
            y.iter_mut().for_each(|y| *y = fold(*y, other));
        }
    });
}
