//! Depthwise convolution: a block of neighbouring channels is accumulated tap by tap.

use crate::error::ShapeError;
use crate::kernels::{Arithmetic, DepthwiseConv2d, reference};

/// Channels accumulated together: their sums stay in registers on a 64-bit CPU and on the stack of a small one.
const BLOCK: usize = 8;

/// [`BackEnd::depthwise_conv2d`](crate::kernels::BackEnd::depthwise_conv2d). A multiplier above 1 runs the reference loop.
pub(crate) fn depthwise_conv2d<A: Arithmetic>(
    op: &DepthwiseConv2d,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    if op.multiplier().get() != 1 {
        return reference::depthwise_conv2d(op, arithmetic, x, w, bias, y);
    }
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    let channels = op.out_channels().get();
    arithmetic.check_channels(channels)?;
    let (rows, columns) = (&op.window.y, &op.window.x);
    let mut pixels = y.chunks_exact_mut(channels);
    for oy in 0..rows.output() {
        let row_taps = rows.taps(oy);
        for ox in 0..columns.output() {
            let Some(y) = pixels.next() else { return Ok(()) };
            let column_taps = columns.taps(ox);
            let mut first = 0;
            for (y, bias) in y.chunks_mut(BLOCK).zip(bias.chunks(BLOCK)) {
                let mut acc = [A::Acc::default(); BLOCK];
                for (acc, &bias) in acc.iter_mut().zip(bias) {
                    *acc = arithmetic.start(bias);
                }
                for ky in 0..row_taps.len {
                    let input_row = (row_taps.input_start + ky * rows.dilation()) * columns.input();
                    let kernel_row = (row_taps.kernel_start + ky) * columns.kernel();
                    for kx in 0..column_taps.len {
                        let ix = column_taps.input_start + kx * columns.dilation();
                        let x_at = (input_row + ix) * channels + first;
                        let w_at = (kernel_row + column_taps.kernel_start + kx) * channels + first;
                        let (Some(x), Some(w)) = (x.get(x_at..x_at + y.len()), w.get(w_at..w_at + y.len())) else {
                            continue;
                        };
                        for ((acc, &x), &w) in acc.iter_mut().zip(x).zip(w) {
                            *acc = arithmetic.multiply_add(*acc, x, w);
                        }
                    }
                }
                for (y, acc) in y.iter_mut().zip(acc) {
                    *y = arithmetic.finish(first, acc);
                    first += 1;
                }
            }
        }
    }
    Ok(())
}
