//! The shortest correct loops of every operator. Never optimised: every other spelling is tested against these.

mod depthwise_tiled;
mod elementwise;
mod movement;
mod nodes;
mod packed;
mod reduce;
mod resize;
mod tiled;
mod transpose_conv2d;

pub use depthwise_tiled::depthwise_conv2d_tiled;
pub use elementwise::{binary, unary};
pub use movement::{pad, strided_copy};
pub use nodes::{node_dense_int8, propagate_int8, sparse_dense_int8, weighted_int8};
pub use packed::{conv2d_packed, dense_compressed, dense_packed};
pub use reduce::{arg_max, reduce};
pub use resize::{resize_bilinear, resize_nearest};
pub use tiled::{conv2d_tiled, dense_tiled};
pub use transpose_conv2d::transpose_conv2d;

use super::{Arithmetic, Clamp, Conv2d, Dense, DepthwiseConv2d, Pool2d, Softmax, SoftmaxInt8, SoftmaxInt16};
use crate::error::ShapeError;
use crate::num::saturating_rounding_doubling_high_mul as high_mul;
use crate::num::{
    Code, exp_on_negative, one_over_one_plus, one_over_one_plus_i16, rounding_divide_by_pot, saturate_i8, saturate_i16,
};

/// `values[index]`; lengths are checked before every loop, so the default is never seen.
fn at<T: Copy + Default>(values: &[T], index: usize) -> T {
    values.get(index).copied().unwrap_or_default()
}

fn put<T>(values: &mut [T], index: usize, value: T) {
    if let Some(slot) = values.get_mut(index) {
        *slot = value;
    }
}

/// Two-dimensional convolution; shapes at [`Conv2d`], numerics at the [`Arithmetic`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn conv2d<A: Arithmetic>(
    op: &Conv2d,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    arithmetic.check_channels(op.out_channels().get())?;
    let (rows, columns) = (op.window.y, op.window.x);
    let (in_c, out_c) = (op.in_channels().get(), op.out_channels().get());
    for oy in 0..rows.output() {
        for ox in 0..columns.output() {
            for o in 0..out_c {
                let mut acc = arithmetic.start(at(bias, o));
                for ky in 0..rows.kernel() {
                    for kx in 0..columns.kernel() {
                        let Some(iy) = input_index(&rows, oy, ky) else { continue };
                        let Some(ix) = input_index(&columns, ox, kx) else { continue };
                        for c in 0..in_c {
                            let x = at(x, (iy * columns.input() + ix) * in_c + c);
                            let w = at(w, ((o * rows.kernel() + ky) * columns.kernel() + kx) * in_c + c);
                            acc = arithmetic.multiply_add(acc, x, w);
                        }
                    }
                }
                put(y, (oy * columns.output() + ox) * out_c + o, arithmetic.finish(o, acc));
            }
        }
    }
    Ok(())
}

/// The input element under tap `k` of output `o`, or `None` in the padding.
fn input_index(axis: &crate::shape::Axis, o: usize, k: usize) -> Option<usize> {
    (o * axis.stride() + k * axis.dilation()).checked_sub(axis.pad_before()).filter(|&i| i < axis.input())
}

/// Depthwise convolution; shapes at [`DepthwiseConv2d`], numerics at the [`Arithmetic`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn depthwise_conv2d<A: Arithmetic>(
    op: &DepthwiseConv2d,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    arithmetic.check_channels(op.out_channels().get())?;
    let (rows, columns) = (op.window.y, op.window.x);
    let (in_c, out_c) = (op.in_channels().get(), op.out_channels().get());
    for oy in 0..rows.output() {
        for ox in 0..columns.output() {
            for o in 0..out_c {
                let mut acc = arithmetic.start(at(bias, o));
                for ky in 0..rows.kernel() {
                    for kx in 0..columns.kernel() {
                        let Some(iy) = input_index(&rows, oy, ky) else { continue };
                        let Some(ix) = input_index(&columns, ox, kx) else { continue };
                        let x = at(x, (iy * columns.input() + ix) * in_c + o / op.multiplier());
                        let w = at(w, (ky * columns.kernel() + kx) * out_c + o);
                        acc = arithmetic.multiply_add(acc, x, w);
                    }
                }
                put(y, (oy * columns.output() + ox) * out_c + o, arithmetic.finish(o, acc));
            }
        }
    }
    Ok(())
}

/// Fully connected layer; shapes at [`Dense`], numerics at the [`Arithmetic`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense<A: Arithmetic>(
    op: &Dense,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    arithmetic.check_channels(op.outputs().get())?;
    for o in 0..op.outputs().get() {
        let mut acc = arithmetic.start(at(bias, o));
        for i in 0..op.inputs().get() {
            acc = arithmetic.multiply_add(acc, at(x, i), at(w, o * op.inputs().get() + i));
        }
        put(y, o, arithmetic.finish(o, acc));
    }
    Ok(())
}

/// Elements that can be pooled.
pub trait PoolElement: Copy + Default + PartialOrd {
    /// Smallest value, the start of a maximum.
    const LOWEST: Self;
    /// Accumulator of a mean.
    type Sum: Copy + Default;
    /// `sum + self`
    fn add_to(self, sum: Self::Sum) -> Self::Sum;
    /// `sum / count` for `count >= 1`; integers round half away from zero.
    fn mean(sum: Self::Sum, count: usize) -> Self;
}

macro_rules! pool_codes {
    ($code:ident) => {
        impl PoolElement for $code {
            const LOWEST: Self = $code::MIN;
            type Sum = i32;

            #[inline]
            fn add_to(self, sum: i32) -> i32 {
                sum.wrapping_add(self.to_i32())
            }

            #[inline]
            fn mean(sum: i32, count: usize) -> Self {
                let n = count as i32;
                let rounded = if sum > 0 { sum.wrapping_add(n / 2) } else { sum.wrapping_sub(n / 2) };
                Self::saturate(rounded.checked_div(n).unwrap_or(0))
            }
        }
    };
}

pool_codes!(i8);
pool_codes!(i16);

impl PoolElement for f32 {
    const LOWEST: Self = f32::NEG_INFINITY;
    type Sum = f32;

    #[inline]
    fn add_to(self, sum: f32) -> f32 {
        sum + self
    }

    #[inline]
    fn mean(sum: f32, count: usize) -> f32 {
        sum / count as f32
    }
}

/// Calls `visit(output index, [input index])` for every output of a pooling.
fn for_each_pool(op: &Pool2d, mut visit: impl FnMut(usize, &mut dyn FnMut(&mut dyn FnMut(usize)))) {
    let (rows, columns) = (op.window.y, op.window.x);
    let channels = op.channels().get();
    for oy in 0..rows.output() {
        for ox in 0..columns.output() {
            for c in 0..channels {
                visit((oy * columns.output() + ox) * channels + c, &mut |tap| {
                    for ky in 0..rows.kernel() {
                        for kx in 0..columns.kernel() {
                            let Some(iy) = input_index(&rows, oy, ky) else { continue };
                            let Some(ix) = input_index(&columns, ox, kx) else { continue };
                            tap((iy * columns.input() + ix) * channels + c);
                        }
                    }
                });
            }
        }
    }
}

/// Maximum over the taps inside the input, then clamp; shapes at [`Pool2d`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn max_pool2d<T: PoolElement>(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for_each_pool(op, |o, taps| {
        let mut largest = T::LOWEST;
        taps(&mut |i| {
            if at(x, i) > largest {
                largest = at(x, i);
            }
        });
        put(y, o, clamp.apply(largest));
    });
    Ok(())
}

/// Mean over the taps inside the input, then clamp; shapes at [`Pool2d`].
///
/// # Numerics
/// Integers: raw codes are summed in i32 (exact below 2^24 taps, it wraps above) and divided half away from zero; the
/// zero point does not change.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn average_pool2d<T: PoolElement>(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for_each_pool(op, |o, taps| {
        let (mut sum, mut count) = (T::Sum::default(), 0);
        taps(&mut |i| {
            sum = at(x, i).add_to(sum);
            count += 1;
        });
        put(y, o, clamp.apply(T::mean(sum, count)));
    });
    Ok(())
}

/// int8 softmax; shapes at [`Softmax`], numerics in specs/integer_arithmetic.md §4.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn softmax_int8(op: &Softmax, constants: &SoftmaxInt8, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for (x, y) in x.chunks_exact(op.depth().get()).zip(y.chunks_exact_mut(op.depth().get())) {
        let max = x.iter().copied().max().unwrap_or(0) as i32;
        let exponential = |x: i8| {
            let difference = x as i32 - max;
            (difference >= constants.difference_min).then(|| exp_on_negative(constants.rescale(difference), 5))
        };
        // Q12.19; at least 2^19 because the maximum adds exp(0).
        let sum =
            x.iter().filter_map(|&x| exponential(x)).fold(0_i32, |s, e| s.wrapping_add(rounding_divide_by_pot(e, 12)));
        let headroom = sum.leading_zeros();
        let reciprocal = one_over_one_plus(((sum as u32).wrapping_shl(headroom)).wrapping_sub(1 << 31) as i32);
        let exponent = 35_u32.saturating_sub(headroom);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = match exponential(x) {
                Some(e) if exponent <= 31 => {
                    saturate_i8(rounding_divide_by_pot(high_mul(e, reciprocal), exponent) - 128)
                }
                _ => i8::MIN,
            };
        }
    }
    Ok(())
}

/// int16 softmax; shapes at [`Softmax`], numerics in specs/integer_arithmetic.md §7.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn softmax_int16(op: &Softmax, constants: &SoftmaxInt16, x: &[i16], y: &mut [i16]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for (x, y) in x.chunks_exact(op.depth().get()).zip(y.chunks_exact_mut(op.depth().get())) {
        let max = x.iter().copied().max().map_or(0, i32::from);
        // Q16.15; at least the maximum's own exponential and, with 4095 of them, below 2^27.
        let mut sum = 0_u32;
        for (y, &x) in y.iter_mut().zip(x) {
            let exponential = constants.exponential(i32::from(x) - max);
            *y = saturate_i16(exponential);
            sum = sum.wrapping_add(exponential.unsigned_abs());
        }
        let headroom = sum.leading_zeros();
        let normal = sum.wrapping_shl(headroom.wrapping_sub(1)).wrapping_add(1 << 13) >> 14;
        let reciprocal = i32::from(one_over_one_plus_i16(saturate_i16(normal.cast_signed().wrapping_sub(98304))));
        let shift = 31_u32.saturating_sub(headroom);
        for y in y {
            let product = i32::from(*y) * reciprocal;
            let rounded = product.wrapping_add(1_i32.wrapping_shl(shift.wrapping_sub(1))).wrapping_shr(shift);
            *y = saturate_i16(rounded.max(0));
        }
    }
    Ok(())
}

/// f32 softmax, `exp(x - max) / sum`; shapes at [`Softmax`].
///
/// # Numerics
/// libm's `expf` on every target, summed in order: the same bits everywhere.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn softmax_f32(op: &Softmax, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for (x, y) in x.chunks_exact(op.depth().get()).zip(y.chunks_exact_mut(op.depth().get())) {
        let max = x.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        let mut sum = 0.0;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = libm::expf(x - max);
            sum += *y;
        }
        y.iter_mut().for_each(|y| *y /= sum);
    }
    Ok(())
}
