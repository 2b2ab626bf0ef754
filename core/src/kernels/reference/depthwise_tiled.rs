//! Depthwise convolution with its weights in tiles of four channels.

use super::{at, for_each_output, taps};
use crate::error::ShapeError;
use crate::kernels::tiles::{DepthwiseConv2dTiled, FILTERS};
use crate::shape::expect_len;

/// Depthwise convolution with weights in tiles; shapes and numerics at [`DepthwiseConv2dTiled`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn depthwise_conv2d_tiled(
    op: &DepthwiseConv2dTiled,
    tiles: &[i32],
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    let (window, channels) = (&op.window, op.channels().get());
    expect_len("x", window.input_area() * channels, x.len())?;
    expect_len("y", window.output_area() * channels, y.len())?;
    let tiles = op.tiles(tiles)?;
    for_each_output(window, channels, y, |position, c| {
        let Some(tile) = tiles.iter().nth(c / FILTERS) else { return 0 };
        let lane = c % FILTERS;
        let values = taps(window, position)
            .map(|pixel| pixel.map_or(op.int8.input_zero_point, |pixel| at(x, pixel * channels + c)));
        let products = values
            .zip(tile.weights)
            .map(|(x, word)| i32::from(x) * i32::from(at(&word.to_le_bytes().map(u8::cast_signed), lane)));
        op.int8.finish(products.fold(at(&tile.start, lane), i32::wrapping_add), at(&tile.multipliers, lane))
    });
    Ok(())
}
