//! Transposed convolution.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::{Arithmetic, TransposeConv2d};

/// Transposed convolution; shapes at [`TransposeConv2d`], numerics at the [`Arithmetic`]. The taps of an output come in
/// the order row, column, channel of the input.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn transpose_conv2d<A: Arithmetic>(
    op: &TransposeConv2d,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    arithmetic.check_channels(op.out_channels().get())?;
    let (rows, columns) = (op.window.y, op.window.x);
    let (in_c, out_c) = (op.in_channels().get(), op.out_channels().get());
    for oy in 0..rows.input() {
        for ox in 0..columns.input() {
            for o in 0..out_c {
                let mut acc = arithmetic.start(at(bias, o));
                for iy in 0..rows.output() {
                    for ix in 0..columns.output() {
                        let tap = |axis: &crate::shape::Axis, o: usize, i: usize| {
                            (o + axis.pad_before()).checked_sub(i * axis.stride()).filter(|&k| k < axis.kernel())
                        };
                        let (Some(ky), Some(kx)) = (tap(&rows, oy, iy), tap(&columns, ox, ix)) else { continue };
                        for c in 0..in_c {
                            let x = at(x, (iy * columns.output() + ix) * in_c + c);
                            let w = at(w, ((o * rows.kernel() + ky) * columns.kernel() + kx) * in_c + c);
                            acc = arithmetic.multiply_add(acc, x, w);
                        }
                    }
                }
                put(y, (oy * columns.input() + ox) * out_c + o, arithmetic.finish(o, acc));
            }
        }
    }
    Ok(())
}
