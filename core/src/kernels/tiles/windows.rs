//! The windows of a tiled convolution: where each lies in the input, and how it is copied together where it must be.

use super::conv2d::Conv2dTiled;
use super::drive::ByteRows;
use super::filters::GROUP;
use crate::kernels::InnerLoops;
use crate::shape::{Axis, TapRange};
use core::num::NonZeroUsize;

/// One output pixel and what of the input lies under its window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pixel {
    /// Its column.
    pub(super) ox: usize,
    /// Taps of its row.
    pub(super) rows: TapRange,
    /// The first element under the window if no tap is in the padding.
    pub(super) whole: Option<usize>,
}

/// The pixels of an output in order.
pub(super) struct Pixels<'a> {
    rows: &'a Axis,
    columns: &'a Axis,
    in_c: usize,
    oy: usize,
    ox: usize,
    taps: TapRange,
    /// Columns whose taps are all inside the input.
    inside: core::ops::Range<usize>,
}

impl<'a> Pixels<'a> {
    pub(super) fn new(op: &'a Conv2dTiled) -> Self {
        let (rows, columns) = (&op.conv.window.y, &op.conv.window.x);
        let stride = NonZeroUsize::MIN.saturating_add(columns.stride() - 1);
        let extent = (columns.kernel() - 1) * columns.dilation() + 1;
        let last = (columns.input() + columns.pad_before()).checked_sub(extent);
        let inside = columns.pad_before().div_ceil(stride.get())..last.map_or(0, |last| last / stride + 1);
        Self { rows, columns, in_c: op.conv.in_channels().get(), oy: 0, ox: 0, taps: rows.taps(0), inside }
    }

    /// The next pixel; after the last one it means nothing.
    #[inline(never)]
    pub(super) fn next(&mut self) -> Pixel {
        let whole = (self.inside.contains(&self.ox) && self.taps.len == self.rows.kernel()).then(|| {
            let column = (self.ox * self.columns.stride()).wrapping_sub(self.columns.pad_before());
            (self.taps.input_start * self.columns.input()).wrapping_add(column).wrapping_mul(self.in_c)
        });
        let pixel = Pixel { ox: self.ox, rows: self.taps, whole };
        self.ox += 1;
        if self.ox == self.columns.output() {
            self.ox = 0;
            self.oy += 1;
            self.taps = self.rows.taps(self.oy);
        }
        pixel
    }
}

/// How the input under a window is collected; the same for every pixel.
pub(super) struct Gather<'a> {
    rows: &'a Axis,
    columns: &'a Axis,
    in_c: usize,
    zero_point: i8,
    patch_len: usize,
    /// Rows of a whole window where they need not be copied together.
    pub(super) direct: Option<ByteRows>,
    /// Rows of a whole window in whole groups, and elements from one to the next in a patch.
    copied: Option<(ByteRows, usize)>,
}

impl<'a> Gather<'a> {
    pub(super) fn new(op: &'a Conv2dTiled, zero_point: i8) -> Self {
        let (rows, columns) = (&op.conv.window.y, &op.conv.window.x);
        let in_c = op.conv.in_channels().get();
        let len = columns.kernel() * in_c;
        let whole = ByteRows { count: rows.kernel(), len, pitch: rows.dilation() * columns.input() * in_c };
        let copied = ByteRows { len: len.next_multiple_of(GROUP), ..whole };
        Self {
            rows,
            columns,
            in_c,
            zero_point,
            patch_len: op.patch_len(),
            direct: op.is_direct().then_some(whole),
            copied: op.has_whole_rows().then_some((copied, len)),
        }
    }

    /// Copies the input under a window together, the zero point where a tap is in the padding. A group past the
    /// end of the patch may be overwritten.
    pub(super) fn patch<B: InnerLoops>(&self, x: &[i8], pixel: &Pixel, patch: &mut [i8]) {
        if let (Some(start), Some((rows, distance))) = (pixel.whole, self.copied) {
            // Close to the end of the memory there may be nothing to read too much.
            let x = x.get(start..).unwrap_or_default();
            if rows.span() <= x.len() {
                return B::copy(x, rows, distance, patch);
            }
        }
        let patch = patch.get_mut(..self.patch_len).unwrap_or_default();
        patch.fill(self.zero_point);
        let columns = self.columns.taps(pixel.ox);
        let (rows, x_pitch) = (pixel.rows.len, self.rows.dilation() * self.columns.input() * self.in_c);
        let patch_pitch = self.columns.kernel() * self.in_c;
        let (runs, len) = match self.copied {
            Some(_) => (1, columns.len * self.in_c),
            None => (columns.len, self.in_c),
        };
        for run in 0..runs {
            let ix = columns.input_start + run * self.columns.dilation();
            let x_at = (pixel.rows.input_start * self.columns.input() + ix) * self.in_c;
            let patch_at = pixel.rows.kernel_start * patch_pitch + (columns.kernel_start + run) * self.in_c;
            let (Some(x), Some(patch)) = (x.get(x_at..), patch.get_mut(patch_at..)) else { return };
            // Whole groups, then the rest of each row.
            let groups = len - len % GROUP;
            B::copy(x, ByteRows { count: rows, len: groups, pitch: x_pitch }, patch_pitch, patch);
            if groups < len {
                for row in 0..rows {
                    for at in groups..len {
                        if let (Some(to), Some(&from)) =
                            (patch.get_mut(row * patch_pitch + at), x.get(row * x_pitch + at))
                        {
                            *to = from;
                        }
                    }
                }
            }
        }
    }
}
