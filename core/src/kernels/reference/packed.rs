//! Convolutions and dense layers in every packing of weights.

use super::{for_each_output, padded};
use crate::error::ShapeError;
use crate::kernels::Conv2d;
use crate::kernels::tiles::{CompressedRows, Packed, TiledInt8};
use crate::shape::expect_len;

/// Convolution; shapes at [`Conv2d`], weights and numerics at [`Packed`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn conv2d_packed<P: Packed>(
    conv: &Conv2d,
    numerics: &TiledInt8,
    packed: &P,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    let (in_c, out_c) = (conv.in_channels().get(), conv.out_channels().get());
    packed.check_dims(out_c, conv.filter_len())?;
    expect_len("x", conv.window.input_area() * in_c, x.len())?;
    expect_len("y", conv.window.output_area() * out_c, y.len())?;
    for_each_output(&conv.window, out_c, y, |position, o| {
        let inputs = padded(&conv.window, position, in_c, x, numerics.input_zero_point);
        let products = inputs.enumerate().map(|(k, x)| i32::from(x) * packed.weight(o, k));
        packed.finish(numerics, o, products.fold(packed.start(o), i32::wrapping_add))
    });
    Ok(())
}

/// Fully connected layer; weights and numerics at [`Packed`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_packed<P: Packed>(numerics: &TiledInt8, packed: &P, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    packed.check_dims(y.len(), x.len())?;
    for (o, y) in y.iter_mut().enumerate() {
        let products = x.iter().enumerate().map(|(k, &x)| i32::from(x) * packed.weight(o, k));
        *y = packed.finish(numerics, o, products.fold(packed.start(o), i32::wrapping_add));
    }
    Ok(())
}

/// Fully connected layer in compressed rows; shapes and numerics at [`CompressedRows`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_compressed(
    numerics: &TiledInt8,
    compressed: &CompressedRows<'_>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    compressed.check_lens(x.len(), y.len(), usize::MAX)?;
    for (o, (y, row)) in y.iter_mut().zip(compressed.rows()).enumerate() {
        let products = x.iter().enumerate().map(|(k, &x)| i32::from(x) * compressed.weight(o, k));
        *y = CompressedRows::finish(numerics, &row, products.fold(row.start, i32::wrapping_add));
    }
    Ok(())
}
