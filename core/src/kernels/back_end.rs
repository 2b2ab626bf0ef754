//! Every inference kernel, as one trait that an instruction set implements.
//!
//! [`mod@reference`](super::reference) defines what a kernel of a name computes; what is provided here is [`portable`]'s
//! spelling. A new back end is a folder with a type, its [`InnerLoops`] and the whole operators that it is faster at, and
//! a line where [`Best`](super::Best) is chosen.

use super::nodes::{LayerWeights, Link, RowOperator, compute_rows};
use super::reference::PoolElement;
use super::tiles::{
    Activations, CompressedRows, Conv2dTiled, DenseTiled, DepthwiseConv2dTiled, Packed, TiledInt8, Tiles,
    depthwise_drive, drive,
};
use super::{AddInt, Binary, Broadcast, Reduction, Side, Unary};
use super::{Arithmetic, Clamp, Conv2d, Dense, DepthwiseConv2d, Pool2d, Softmax, SoftmaxInt8, SoftmaxInt16};
use super::{InnerLoops, Interpolate, NodeDense, Propagate, Reduce, Resize, SparseDense, StridedCopy};
use super::{TransposeConv2d, Weighted, portable, reference};
use crate::error::ShapeError;
use crate::num::Rounding;
use crate::shape::expect_len;

/// The kernels of one back end: the bits of [`mod@reference`] on every target.
///
/// # Errors
/// Every kernel checks the lengths of its operands once, at its first line, and cannot fail after that: [`ShapeError::Len`]
/// names the operand with the wrong length, and the output is untouched.
pub trait BackEnd: InnerLoops {
    /// Two-dimensional convolution; shapes at [`Conv2d`], numerics at the [`Arithmetic`].
    fn conv2d<A: Arithmetic>(
        op: &Conv2d,
        arithmetic: &A,
        x: &[A::Input],
        w: &[A::Weight],
        bias: &[A::Bias],
        y: &mut [A::Output],
    ) -> Result<(), ShapeError> {
        portable::conv2d::conv2d(op, arithmetic, x, w, bias, y)
    }

    /// Convolution with tiled filters; shapes at [`Conv2dTiled`], numerics at [`filters`](super::tiles::filters).
    ///
    /// The output may overlap the input as [`Conv2dTiled::lead`] says; the input is lost then. `scratch` has at least
    /// [`Conv2dTiled::scratch_words`].
    #[inline(never)] // its frame and that of finding the operands are not needed at one time
    fn conv2d_tiled(
        op: &Conv2dTiled,
        numerics: &TiledInt8,
        tiles: &Tiles<'_>,
        activations: &mut Activations<'_>,
        scratch: &mut [i32],
    ) -> Result<(), ShapeError> {
        drive::conv2d::<Self>(op, numerics, tiles, activations, scratch)
    }

    /// Convolution; weights and numerics at [`Packed`]. Output and input as at [`conv2d_tiled`](Self::conv2d_tiled);
    /// `scratch` has at least [`Packed::conv2d_scratch_words`].
    #[inline(never)] // its frame and that of finding the operands are not needed at one time
    fn conv2d_packed<P: Packed>(
        op: &Conv2dTiled,
        numerics: &TiledInt8,
        packed: &P,
        activations: &mut Activations<'_>,
        scratch: &mut [i32],
    ) -> Result<(), ShapeError> {
        drive::conv2d_packed::<Self, P>(op, numerics, packed, activations, scratch)
    }

    /// Depthwise convolution; shapes at [`DepthwiseConv2d`], numerics at the [`Arithmetic`].
    fn depthwise_conv2d<A: Arithmetic>(
        op: &DepthwiseConv2d,
        arithmetic: &A,
        x: &[A::Input],
        w: &[A::Weight],
        bias: &[A::Bias],
        y: &mut [A::Output],
    ) -> Result<(), ShapeError> {
        portable::depthwise_conv2d::depthwise_conv2d(op, arithmetic, x, w, bias, y)
    }

    /// Depthwise convolution with weights in tiles; shapes and numerics at [`DepthwiseConv2dTiled`].
    fn depthwise_conv2d_tiled(
        op: &DepthwiseConv2dTiled,
        tiles: &[i32],
        memory: &mut Activations<'_>,
        scratch: &mut [i32],
    ) -> Result<(), ShapeError> {
        depthwise_drive::depthwise_conv2d::<Self>(op, tiles, memory, scratch)
    }

    /// Transposed convolution; shapes at [`TransposeConv2d`], numerics at the [`Arithmetic`]. The taps of an output come
    /// in the order row, column, channel of the input.
    fn transpose_conv2d<A: Arithmetic>(
        op: &TransposeConv2d,
        arithmetic: &A,
        x: &[A::Input],
        w: &[A::Weight],
        bias: &[A::Bias],
        y: &mut [A::Output],
    ) -> Result<(), ShapeError> {
        portable::transpose_conv2d::transpose_conv2d(op, arithmetic, x, w, bias, y)
    }

    /// Fully connected layer; shapes at [`Dense`], numerics at the [`Arithmetic`].
    fn dense<A: Arithmetic>(
        op: &Dense,
        arithmetic: &A,
        x: &[A::Input],
        w: &[A::Weight],
        bias: &[A::Bias],
        y: &mut [A::Output],
    ) -> Result<(), ShapeError> {
        portable::conv2d::dense(op, arithmetic, x, w, bias, y)
    }

    /// Fully connected layer with tiled rows; shapes at [`DenseTiled`], numerics at [`filters`](super::tiles::filters).
    fn dense_tiled(
        op: &DenseTiled,
        numerics: &TiledInt8,
        tiles: &Tiles<'_>,
        x: &[i8],
        y: &mut [i8],
    ) -> Result<(), ShapeError> {
        drive::dense::<Self>(op, numerics, tiles, x, y)
    }

    /// Fully connected layer; weights and numerics at [`Packed`]. `scratch` has at least
    /// [`Packed::dense_scratch_words`].
    fn dense_packed<P: Packed>(
        numerics: &TiledInt8,
        packed: &P,
        x: &[i8],
        y: &mut [i8],
        scratch: &mut [i32],
    ) -> Result<(), ShapeError> {
        drive::dense_packed::<Self, P>(numerics, packed, x, y, scratch)
    }

    /// Fully connected layer in compressed rows; shapes and numerics at [`CompressedRows`]. `scratch` has at least
    /// [`CompressedRows::scratch_words`].
    fn dense_compressed(
        numerics: &TiledInt8,
        compressed: &CompressedRows<'_>,
        x: &[i8],
        y: &mut [i8],
        scratch: &mut [i32],
    ) -> Result<(), ShapeError> {
        portable::compressed::dense_compressed(numerics, compressed, x, y, scratch)
    }

    /// Maximum over the taps inside the input, then clamp; shapes at [`Pool2d`].
    fn max_pool2d<T: PoolElement>(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
        portable::pool2d::max_pool2d(op, clamp, x, y)
    }

    /// [`max_pool2d`](Self::max_pool2d) of int8 codes.
    fn max_pool2d_int8(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        portable::pool2d::max_pool2d(op, clamp, x, y)
    }

    /// Mean over the taps inside the input, then clamp; shapes at [`Pool2d`], numerics at [`reference::average_pool2d`].
    fn average_pool2d<T: PoolElement>(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
        portable::pool2d::average_pool2d(op, clamp, x, y)
    }

    /// [`average_pool2d`](Self::average_pool2d) of int8 codes.
    fn average_pool2d_int8(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        portable::pool2d::average_pool2d(op, clamp, x, y)
    }

    /// [`reference::softmax_int8`]
    fn softmax_int8(op: &Softmax, constants: &SoftmaxInt8, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        reference::softmax_int8(op, constants, x, y)
    }

    /// [`reference::softmax_int16`]
    fn softmax_int16(op: &Softmax, constants: &SoftmaxInt16, x: &[i16], y: &mut [i16]) -> Result<(), ShapeError> {
        reference::softmax_int16(op, constants, x, y)
    }

    /// [`reference::softmax_f32`]
    fn softmax_f32(op: &Softmax, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
        reference::softmax_f32(op, x, y)
    }

    /// [`reference::unary`]
    fn unary<X: Copy, Y, U: Unary<X, Y>>(op: &U, x: &[X], y: &mut [Y]) -> Result<(), ShapeError> {
        reference::unary(op, x, y)
    }

    /// [`unary`](Self::unary) in place.
    fn unary_in_place<T: Copy, U: Unary<T>>(op: &U, y: &mut [T]) {
        portable::elementwise::unary_in_place(op, y);
    }

    /// `y = op(a, b)` with broadcasting; shapes at [`Broadcast`], numerics at the operator.
    fn binary<T: Copy + Default, O: Binary<T>>(
        op: &O,
        shape: &Broadcast,
        a: &[T],
        b: &[T],
        y: &mut [T],
    ) -> Result<(), ShapeError> {
        portable::elementwise::binary(op, shape, a, b, y)
    }

    /// [`binary`](Self::binary) with the operand of `side`, which has the output's shape, in `y`.
    fn binary_in_place<T: Copy + Default, O: Binary<T>>(
        op: &O,
        shape: &Broadcast,
        side: Side,
        other: &[T],
        y: &mut [T],
    ) -> Result<(), ShapeError> {
        portable::elementwise::binary_in_place(op, shape, side, other, y)
    }

    /// [`binary`](Self::binary) of an int8 sum of operands that have one shape.
    fn add_int8(op: &AddInt, a: &[i8], b: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        portable::elementwise::binary(op, &Broadcast::equal(y.len())?, a, b, y)
    }

    /// [`add_int8`](Self::add_int8) with one operand in `y`.
    fn add_int8_in_place(op: &AddInt, side: Side, other: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        portable::elementwise::binary_in_place(op, &Broadcast::equal(y.len())?, side, other, y)
    }

    /// [`reference::reduce`]
    fn reduce<T: Copy + Default, R: Reduction<T>>(
        op: &Reduce,
        reduction: &R,
        x: &[T],
        y: &mut [T],
    ) -> Result<(), ShapeError> {
        portable::reduce::reduce(op, reduction, x, y)
    }

    /// [`reference::arg_max`]
    fn arg_max<T: Copy + PartialOrd>(op: &Reduce, x: &[T], y: &mut [i32]) -> Result<(), ShapeError> {
        portable::reduce::arg_max(op, x, y)
    }

    /// Copies a grid of elements; shapes at [`StridedCopy`]. What lies between the elements of `y` stays.
    fn strided_copy(op: &StridedCopy, x: &[u8], y: &mut [u8]) -> Result<(), ShapeError> {
        portable::movement::strided_copy(op, x, y)
    }

    /// [`strided_copy`](Self::strided_copy) into a `y` that is `border`, one element, everywhere else.
    fn pad(op: &StridedCopy, border: &[u8], x: &[u8], y: &mut [u8]) -> Result<(), ShapeError> {
        portable::movement::pad(op, border, x, y)
    }

    /// The nearest element of the input; shapes at [`Resize`]. Bytes may stand for elements of several bytes: then a
    /// channel is a byte.
    fn resize_nearest<T: Copy + Default>(op: &Resize, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
        portable::resize::resize_nearest(op, x, y)
    }

    /// Interpolation between the four nearest elements of the input; shapes at [`Resize`], numerics at
    /// [`reference::resize_bilinear`].
    fn resize_bilinear<T: Interpolate>(
        op: &Resize,
        rounding: Rounding,
        x: &[T],
        y: &mut [T],
    ) -> Result<(), ShapeError> {
        portable::resize::resize_bilinear(op, rounding, x, y)
    }

    /// int8 sums over the neighbours of each node; shapes and numerics at [`Propagate`].
    fn propagate_int8(op: &Propagate<'_>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        op.check(x.len(), y.len())?;
        compute_rows(&[Link::propagate::<Self>(*op), Link::stored(x, op.channels)], op.channels, y, &mut []);
        Ok(())
    }

    /// int8 weighted sums over the neighbours of each node; shapes and numerics at [`Weighted`].
    ///
    /// # Shapes
    /// `scratch: [op.scratch_words()]`
    fn weighted_int8(op: &Weighted<'_>, x: &[i8], y: &mut [i8], scratch: &mut [i32]) -> Result<(), ShapeError> {
        op.check(x.len(), y.len())?;
        expect_len("scratch", op.scratch_words(), scratch.len())?;
        let chain = [Link::new::<Self>(RowOperator::Weighted(*op)), Link::stored(x, op.channels)];
        compute_rows(&chain, op.channels, y, scratch);
        Ok(())
    }

    /// int8 sparse features times weights; shapes and numerics at [`SparseDense`].
    fn sparse_dense_int8(op: &SparseDense<'_>, w: &LayerWeights<'_>, y: &mut [i8]) -> Result<(), ShapeError> {
        op.check(w.matrix_len(), y.len())?;
        compute_rows(&[Link::new::<Self>(RowOperator::SparseDense(*op, *w))], op.channels, y, &mut []);
        Ok(())
    }

    /// int8 fully connected layer for every row; shapes and numerics at [`NodeDense`].
    fn node_dense_int8(op: &NodeDense<'_>, x: &[i8], w: &LayerWeights<'_>, y: &mut [i8]) -> Result<(), ShapeError> {
        op.check(x.len(), w.matrix_len(), y.len())?;
        let chain = [Link::new::<Self>(RowOperator::NodeDense(*op, *w)), Link::stored(x, op.inputs)];
        compute_rows(&chain, op.channels, y, &mut []);
        Ok(())
    }
}
