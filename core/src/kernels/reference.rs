//! The shortest correct loops of every operator. Never optimised: every other spelling is tested against these.

mod depthwise_tiled;
mod elementwise;
mod movement;
mod nodes;
mod packed;
mod pool2d;
mod reduce;
mod resize;
mod softmax;
mod tiled;
mod transpose_conv2d;

pub use depthwise_tiled::depthwise_conv2d_tiled;
pub use elementwise::{binary, unary};
pub use movement::{pad, strided_copy};
pub use nodes::{node_dense_int8, propagate_int8, sparse_dense_int8, weighted_int8};
pub use packed::{conv2d_packed, dense_compressed, dense_packed};
pub use pool2d::{PoolElement, average_pool2d, max_pool2d};
pub use reduce::{arg_max, reduce};
pub use resize::{resize_bilinear, resize_nearest};
pub use softmax::{softmax_f32, softmax_int8, softmax_int16};
pub use tiled::{conv2d_tiled, dense_tiled};
pub use transpose_conv2d::transpose_conv2d;

use super::{Arithmetic, Conv2d, Dense, DepthwiseConv2d};
use crate::error::ShapeError;
use crate::shape::{Axis, Window};

/// `values[index]`; lengths are checked before every loop, so the default is never seen.
fn at<T: Copy + Default>(values: &[T], index: usize) -> T {
    values.get(index).copied().unwrap_or_default()
}

fn put<T>(values: &mut [T], index: usize, value: T) {
    if let Some(slot) = values.get_mut(index) {
        *slot = value;
    }
}

/// The input element under tap `k` of output `o`, or `None` in the padding.
fn input_index(axis: &Axis, o: usize, k: usize) -> Option<usize> {
    (o * axis.stride() + k * axis.dilation()).checked_sub(axis.pad_before()).filter(|&i| i < axis.input())
}

/// The taps of a window at an output position in the order row, column: the pixel of the input under each, or `None` in
/// the padding.
fn taps(window: &Window, [oy, ox]: [usize; 2]) -> impl Iterator<Item = Option<usize>> {
    let (rows, columns) = (window.y, window.x);
    let all = (0..rows.kernel()).flat_map(move |ky| (0..columns.kernel()).map(move |kx| (ky, kx)));
    all.map(move |(ky, kx)| Some(input_index(&rows, oy, ky)? * columns.input() + input_index(&columns, ox, kx)?))
}

/// The inputs under a window in the order row, column, channel, `padding` where a tap is in the padding.
fn padded(window: &Window, position: [usize; 2], channels: usize, x: &[i8], padding: i8) -> impl Iterator<Item = i8> {
    taps(window, position)
        .flat_map(move |pixel| (0..channels).map(move |c| pixel.map_or(padding, |pixel| at(x, pixel * channels + c))))
}

/// Writes `output(position, channel)` for every output of a window.
fn for_each_output<T>(window: &Window, channels: usize, y: &mut [T], mut output: impl FnMut([usize; 2], usize) -> T) {
    for oy in 0..window.y.output() {
        for ox in 0..window.x.output() {
            for o in 0..channels {
                put(y, (oy * window.x.output() + ox) * channels + o, output([oy, ox], o));
            }
        }
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
    let in_c = op.in_channels().get();
    for_each_output(&op.window, op.out_channels().get(), y, |position, o| {
        let mut acc = arithmetic.start(at(bias, o));
        for (tap, pixel) in taps(&op.window, position).enumerate() {
            let Some(pixel) = pixel else { continue };
            for c in 0..in_c {
                let w = at(w, o * op.filter_len() + tap * in_c + c);
                acc = arithmetic.multiply_add(acc, at(x, pixel * in_c + c), w);
            }
        }
        arithmetic.finish(o, acc)
    });
    Ok(())
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
    let (in_c, out_c) = (op.in_channels().get(), op.out_channels().get());
    for_each_output(&op.window, out_c, y, |position, o| {
        let mut acc = arithmetic.start(at(bias, o));
        for (tap, pixel) in taps(&op.window, position).enumerate() {
            let Some(pixel) = pixel else { continue };
            let x = at(x, pixel * in_c + o / op.multiplier());
            acc = arithmetic.multiply_add(acc, x, at(w, tap * out_c + o));
        }
        arithmetic.finish(o, acc)
    });
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
