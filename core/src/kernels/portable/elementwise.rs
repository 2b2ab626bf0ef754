//! Element by element: rows without index arithmetic, and outputs that replace an input.

use crate::error::ShapeError;
use crate::kernels::{Binary, Broadcast, Unary};

/// [`unary`](crate::kernels::reference::unary) in place.
pub fn unary_in_place<T: Copy, U: Unary<T>>(op: &U, y: &mut [T]) {
    y.iter_mut().for_each(|y| *y = op.apply(*y));
}

/// Which operand of a binary operator lies in the output's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `y = op(y, other)`
    Left,
    /// `y = op(other, y)`
    Right,
}

/// The elements of one row: neighbours, or one element over and over.
#[derive(Clone, Copy)]
enum Row<'a, T> {
    Each(&'a [T]),
    Same(T),
}

impl<'a, T: Copy + Default> Row<'a, T> {
    #[inline]
    fn new(values: &'a [T], at: usize, len: usize, stride: usize) -> Self {
        match values.get(at..).unwrap_or_default() {
            row if stride == 1 => Self::Each(row.get(..len).unwrap_or_default()),
            row => Self::Same(row.first().copied().unwrap_or_default()),
        }
    }
}

/// Calls `row(y, positions, strides)` for every row of the output.
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

/// [`reference::binary`](crate::kernels::reference::binary), row by row.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn binary<T: Copy + Default, B: Binary<T>>(
    op: &B,
    shape: &Broadcast,
    a: &[T],
    b: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    shape.check(a.len(), b.len(), y.len())?;
    for_each_row(shape, y, |y, [at_a, at_b], [stride_a, stride_b]| {
        let (a, b) = (Row::new(a, at_a, y.len(), stride_a), Row::new(b, at_b, y.len(), stride_b));
        match (a, b) {
            (Row::Each(a), Row::Each(b)) => y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = op.apply(a, b)),
            (Row::Each(a), Row::Same(b)) => y.iter_mut().zip(a).for_each(|(y, &a)| *y = op.apply(a, b)),
            (Row::Same(a), Row::Each(b)) => y.iter_mut().zip(b).for_each(|(y, &b)| *y = op.apply(a, b)),
            (Row::Same(a), Row::Same(b)) => y.fill(op.apply(a, b)),
        }
    });
    Ok(())
}

/// [`binary`] with the operand of `side`, which has the output's shape, in `y`.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn binary_in_place<T: Copy + Default, B: Binary<T>>(
    op: &B,
    shape: &Broadcast,
    side: Side,
    other: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    match side {
        Side::Left => shape.check(y.len(), other.len(), y.len())?,
        Side::Right => shape.check(other.len(), y.len(), y.len())?,
    }
    for_each_row(shape, y, |y, [at_a, at_b], [stride_a, stride_b]| match side {
        Side::Left => match Row::new(other, at_b, y.len(), stride_b) {
            Row::Each(b) => y.iter_mut().zip(b).for_each(|(y, &b)| *y = op.apply(*y, b)),
            Row::Same(b) => y.iter_mut().for_each(|y| *y = op.apply(*y, b)),
        },
        Side::Right => match Row::new(other, at_a, y.len(), stride_a) {
            Row::Each(a) => y.iter_mut().zip(a).for_each(|(y, &a)| *y = op.apply(a, *y)),
            Row::Same(a) => y.iter_mut().for_each(|y| *y = op.apply(a, *y)),
        },
    });
    Ok(())
}
