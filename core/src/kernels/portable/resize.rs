//! Images in another size: rows and columns are looked up once a pixel, channels run side by side.

use crate::error::ShapeError;
use crate::kernels::{Interpolate, Resize};
use crate::num::Rounding;

/// [`BackEnd::resize_nearest`](crate::kernels::BackEnd::resize_nearest)
pub(crate) fn resize_nearest<T: Copy + Default>(op: &Resize, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let channels = op.channels().get();
    let mut pixels = y.chunks_exact_mut(channels);
    for oy in 0..op.y.output() {
        let row = op.y.nearest(oy) * op.x.input();
        for ox in 0..op.x.output() {
            let from = (row + op.x.nearest(ox)) * channels;
            let (Some(y), Some(x)) = (pixels.next(), x.get(from..from + channels)) else { continue };
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = x);
        }
    }
    Ok(())
}

/// [`BackEnd::resize_bilinear`](crate::kernels::BackEnd::resize_bilinear)
pub(crate) fn resize_bilinear<T: Interpolate>(
    op: &Resize,
    rounding: Rounding,
    x: &[T],
    y: &mut [T],
) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let (channels, columns) = (op.channels().get(), op.x.input());
    let mut pixels = y.chunks_exact_mut(channels);
    for oy in 0..op.y.output() {
        let row = T::between(&op.y, oy);
        for ox in 0..op.x.output() {
            let column = T::between(&op.x, ox);
            let weights = T::weights(row.fraction, column.fraction);
            let pixel = |iy: usize, ix: usize| {
                let from = (iy * columns + ix) * channels;
                x.get(from..from + channels).unwrap_or_default()
            };
            let (a, b) = (pixel(row.lower, column.lower), pixel(row.lower, column.upper));
            let (c, d) = (pixel(row.upper, column.lower), pixel(row.upper, column.upper));
            let Some(y) = pixels.next() else { return Ok(()) };
            for ((((y, &a), &b), &c), &d) in y.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *y = T::blend([a, b, c, d], weights, rounding);
            }
        }
    }
    Ok(())
}
