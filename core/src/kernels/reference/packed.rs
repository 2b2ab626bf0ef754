//! Convolutions and dense layers in every packing of weights.

use super::{at, input_index, put};
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
    let (rows, columns) = (conv.window.y, conv.window.x);
    let (in_c, out_c) = (conv.in_channels().get(), conv.out_channels().get());
    packed.check_dims(out_c, conv.filter_len())?;
    expect_len("x", conv.window.input_area() * in_c, x.len())?;
    expect_len("y", conv.window.output_area() * out_c, y.len())?;
    for o in 0..out_c {
        for oy in 0..rows.output() {
            for ox in 0..columns.output() {
                let mut acc = packed.start(o);
                let taps = (0..rows.kernel()).flat_map(|ky| (0..columns.kernel()).map(move |kx| (ky, kx)));
                let inputs = taps.flat_map(|(ky, kx)| (0..in_c).map(move |c| (ky, kx, c)));
                for (k, (ky, kx, c)) in inputs.enumerate() {
                    let x = match (input_index(&rows, oy, ky), input_index(&columns, ox, kx)) {
                        (Some(iy), Some(ix)) => at(x, (iy * columns.input() + ix) * in_c + c),
                        _ => numerics.input_zero_point,
                    };
                    acc = acc.wrapping_add(i32::from(x) * packed.weight(o, k));
                }
                put(y, (oy * columns.output() + ox) * out_c + o, packed.finish(numerics, o, acc));
            }
        }
    }
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
