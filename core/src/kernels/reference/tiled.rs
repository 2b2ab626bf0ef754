//! Convolutions and dense layers whose filters lie in tiles of four.

use super::{at, input_index, put};
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
    let (rows, columns) = (conv.window.y, conv.window.x);
    let (in_c, out_c) = (conv.in_channels().get(), conv.out_channels().get());
    expect_len("tiles", Tiles::words_of(out_c, op.weight_words()), tiles.words().len())?;
    expect_len("x", conv.window.input_area() * in_c, x.len())?;
    expect_len("y", conv.window.output_area() * out_c, y.len())?;
    for oy in 0..rows.output() {
        for ox in 0..columns.output() {
            for (o, (tile, f)) in
                tiles.iter().flat_map(|tile| (0..FILTERS).map(move |f| (tile, f))).take(out_c).enumerate()
            {
                let mut acc = filters::start(&tile, f);
                for k in 0..conv.filter_len() {
                    let (ky, kx, c) = (k / in_c / columns.kernel(), k / in_c % columns.kernel(), k % in_c);
                    let x = match (input_index(&rows, oy, ky), input_index(&columns, ox, kx)) {
                        (Some(iy), Some(ix)) => at(x, (iy * columns.input() + ix) * in_c + c),
                        _ => numerics.input_zero_point,
                    };
                    acc = acc.wrapping_add(i32::from(x) * filters::weight(&tile, f, k));
                }
                put(y, (oy * columns.output() + ox) * out_c + o, numerics.finish(acc, at(&tile.multipliers, f)));
            }
        }
    }
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
