//! Depthwise convolution with its weights in tiles of four channels.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::tiles::DepthwiseConv2dTiled;
use crate::num::SmallMultiplier;
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
    let (rows, columns, channels) = (op.window.y, op.window.x, op.channels().get());
    expect_len("x", op.window.input_area() * channels, x.len())?;
    expect_len("y", op.window.output_area() * channels, y.len())?;
    let tiles = op.tiles(tiles)?;
    for oy in 0..rows.output() {
        for ox in 0..columns.output() {
            for (c, tile) in tiles.iter().enumerate().flat_map(|(t, tile)| (0..4).map(move |f| (4 * t + f, tile))) {
                let mut acc = at(&tile.start, c % 4);
                for (tap, word) in tile.weights.iter().enumerate() {
                    let (ky, kx) = (tap / columns.kernel(), tap % columns.kernel());
                    let iy = (oy * rows.stride() + ky * rows.dilation()).checked_sub(rows.pad_before());
                    let ix = (ox * columns.stride() + kx * columns.dilation()).checked_sub(columns.pad_before());
                    let value = match (iy.filter(|&i| i < rows.input()), ix.filter(|&i| i < columns.input())) {
                        (Some(iy), Some(ix)) => at(x, (iy * columns.input() + ix) * channels + c),
                        _ => op.int8.input_zero_point,
                    };
                    acc += value as i32 * at(&word.to_le_bytes().map(|byte| byte as i8), c % 4) as i32;
                }
                let multiplier = tile
                    .multipliers
                    .get(c % 4)
                    .copied()
                    .unwrap_or(SmallMultiplier { mantissa_q32: 1 << 31, exponent: 0 });
                if c < channels {
                    put(y, (oy * columns.output() + ox) * channels + c, op.int8.finish(acc, multiplier));
                }
            }
        }
    }
    Ok(())
}
