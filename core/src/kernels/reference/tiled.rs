//! Convolutions and dense layers whose filters lie in tiles of four.

use super::{at, for_each_output, padded};
use crate::error::ShapeError;
use crate::kernels::tiles::{Conv2dTiled, DenseTiled, FILTERS, TiledInt8, Tiles, filters};
use crate::shape::expect_len;

/// Convolution with tiled filters; shapes at [`Conv2dTiled`](crate::kernels::tiles::Conv2dTiled), numerics at [`filters`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn conv2d_tiled(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    let conv = &op.conv;
    let (in_c, out_c) = (conv.in_channels().get(), conv.out_channels().get());
    expect_len("tiles", Tiles::words_of(out_c, op.weight_words()), tiles.words().len())?;
    expect_len("x", conv.window.input_area() * in_c, x.len())?;
    expect_len("y", conv.window.output_area() * out_c, y.len())?;
    for_each_output(&conv.window, out_c, y, |position, o| {
        let Some(tile) = tiles.iter().nth(o / FILTERS) else { return 0 };
        let f = o % FILTERS;
        let inputs = padded(&conv.window, position, in_c, x, numerics.input_zero_point);
        let products = inputs.enumerate().map(|(k, x)| i32::from(x) * filters::weight(&tile, f, k));
        numerics.finish(products.fold(filters::start(&tile, f), i32::wrapping_add), at(&tile.multipliers, f))
    });
    Ok(())
}

/// Fully connected layer with tiled rows; shapes at [`DenseTiled`](crate::kernels::tiles::DenseTiled), numerics at [`filters`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_tiled(
    op: &DenseTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    op.check(tiles, x.len(), y.len())?;
    for (y, (tile, f)) in y.iter_mut().zip(tiles.iter().flat_map(|tile| (0..FILTERS).map(move |f| (tile, f)))) {
        let products = (0..op.dense.inputs().get()).map(|k| i32::from(at(x, k)) * filters::weight(&tile, f, k));
        *y = numerics.finish(products.fold(filters::start(&tile, f), i32::wrapping_add), at(&tile.multipliers, f));
    }
    Ok(())
}
