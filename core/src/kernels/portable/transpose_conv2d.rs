//! Transposed convolution, gathered: every output visits the inputs that reach it, four filters at a time.

use super::conv2d::{Receptive, convolve_pixel};
use crate::error::ShapeError;
use crate::kernels::{Arithmetic, Sources, TransposeConv2d};

/// The inputs that reach one output pixel.
struct Patch<'a> {
    op: &'a TransposeConv2d,
    rows: Sources,
    columns: Sources,
}

impl Receptive for Patch<'_> {
    /// A run is the channels of an input pixel; they come in the order of the input.
    #[inline(always)]
    fn for_each<T>(&self, x: &[T], mut visit: impl FnMut(&[T], usize)) {
        let (window, in_c) = (&self.op.window, self.op.in_channels().get());
        for row in 0..self.rows.len {
            let input_row = (self.rows.input_start + row) * window.x.output();
            let ky = self.rows.kernel_start.wrapping_sub(row * window.y.stride());
            for column in 0..self.columns.len {
                let kx = self.columns.kernel_start.wrapping_sub(column * window.x.stride());
                let start = (input_row + self.columns.input_start + column) * in_c;
                let Some(x) = x.get(start..start + in_c) else { continue };
                visit(x, (ky * window.x.kernel() + kx) * in_c);
            }
        }
    }
}

/// [`BackEnd::transpose_conv2d`](crate::kernels::BackEnd::transpose_conv2d)
pub(crate) fn transpose_conv2d<A: Arithmetic>(
    op: &TransposeConv2d,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    arithmetic.check_channels(op.out_channels().get())?;
    let mut pixels = y.chunks_exact_mut(op.out_channels().get());
    for oy in 0..op.window.y.input() {
        let rows = TransposeConv2d::sources(&op.window.y, oy);
        for ox in 0..op.window.x.input() {
            let Some(y) = pixels.next() else { return Ok(()) };
            let patch = Patch { op, rows, columns: TransposeConv2d::sources(&op.window.x, ox) };
            let filters = w.chunks_exact(op.filter_len().max(1));
            if convolve_pixel(arithmetic, &patch, x, filters, bias, y).is_none() {
                return Ok(());
            }
        }
    }
    Ok(())
}
