//! What a tiled convolution and a tiled dense layer need to know besides their operands.

use super::filters::{GROUP, check, weight_words};
use super::{Activations, Tiles};
use crate::error::{OperatorError, ShapeError};
use crate::kernels::{Conv2d, Dense};
use crate::shape::expect_len;

/// [`Conv2d`] with its filters in [`Tiles`]; outputs are computed two pixels at a time, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dTiled {
    /// The same convolution.
    pub conv: Conv2d,
}

impl Conv2dTiled {
    /// Weights of a filter, rounded up to whole groups.
    pub const fn patch_len(&self) -> usize {
        self.conv.filter_len().next_multiple_of(GROUP)
    }

    /// Words of a record's weights.
    pub const fn weight_words(&self) -> usize {
        weight_words(self.conv.filter_len())
    }

    /// Words of the expanded inputs of two pixels.
    pub(super) const fn pair_words(&self) -> usize {
        self.patch_len()
    }

    /// Whether a row of a window lies side by side in the input.
    pub(super) const fn has_whole_rows(&self) -> bool {
        self.conv.window.x.dilation() == 1 || self.conv.window.x.kernel() == 1
    }

    /// Whether whole windows are expanded from the input without being copied together first.
    pub(super) const fn is_direct(&self) -> bool {
        let row_len = self.conv.window.x.kernel() * self.conv.in_channels().get();
        self.has_whole_rows() && row_len.is_multiple_of(GROUP)
    }

    /// Whether every window is one pixel of the input, in the order of the pixels.
    pub(super) const fn is_pointwise(&self) -> bool {
        let window = &self.conv.window;
        window.kernel_area() == 1 && window.input_area() == window.output_area()
    }

    /// Words of scratch memory: the inputs of two pixels, expanded to 16 bits, and where they must be copied together
    /// first, those too, and a group after them for what word-wise copies write too much.
    pub const fn scratch_words(&self) -> usize {
        self.pair_words() + self.patches_words(false)
    }

    /// Words for the inputs of two pixels where they are copied together: always, but for windows of one pixel, if they
    /// are gathered.
    pub(super) const fn patches_words(&self, gathered: bool) -> usize {
        let (y, x) = (self.conv.window.y, self.conv.window.x);
        let padded = y.pad_before() + y.pad_after() + x.pad_before() + x.pad_after() > 0;
        let copied = padded || !self.is_direct() || gathered && !self.is_pointwise();
        if copied { (2 * self.patch_len() + GROUP) / size_of::<i32>() } else { 0 }
    }

    /// How many bytes after the output the input must start at least where the two overlap: whatever the kernel has
    /// written by the time it reads an input lies before that input.
    pub fn lead(&self) -> isize {
        let (rows, columns) = (self.conv.window.y, self.conv.window.x);
        let (in_c, out_c) = (self.conv.in_channels().get(), self.conv.out_channels().get());
        let (mut lead, mut needed) = (isize::MIN, self.conv.window.input_area() * in_c);
        for oy in (0..rows.output()).rev() {
            let row = rows.taps(oy).input_start * columns.input();
            for ox in (0..columns.output()).rev() {
                let pixel = oy * columns.output() + ox;
                if !pixel.is_multiple_of(2) && pixel + 1 < self.conv.window.output_area() {
                    // `pixel` is the last one of a pair; `needed` is the first element that a later pixel reads.
                    lead = lead.max(((pixel + 1) * out_c).cast_signed() - needed.cast_signed());
                }
                needed = needed.min((row + columns.taps(ox).input_start) * in_c);
            }
        }
        lead
    }

    /// Checks the tiles' values; once this is `Ok` every kernel computes what the reference does.
    ///
    /// # Errors
    /// [`OperatorError`] as at [`super::filters::check`].
    pub fn check_tiles(&self, tiles: &Tiles<'_>) -> Result<(), OperatorError> {
        check(tiles, self.conv.filter_len())
    }

    /// Checks the operands' lengths.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(
        &self,
        tiles: &Tiles<'_>,
        activations: &mut Activations<'_>,
        scratch: &[i32],
    ) -> Result<(), ShapeError> {
        let out_c = self.conv.out_channels().get();
        expect_len("tiles", Tiles::words_of(out_c, self.weight_words()), tiles.words().len())?;
        expect_len("scratch", self.scratch_words().max(scratch.len()), scratch.len())?;
        self.check_activations(activations)
    }

    /// Checks the lengths of input and output.
    pub(super) fn check_activations(&self, activations: &mut Activations<'_>) -> Result<(), ShapeError> {
        let (window, out_c) = (&self.conv.window, self.conv.out_channels().get());
        activations.check(window.input_area() * self.conv.in_channels().get(), window.output_area() * out_c)
    }
}

/// [`Dense`] with its rows in [`Tiles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DenseTiled {
    /// The same layer.
    pub dense: Dense,
}

impl DenseTiled {
    /// Elements of the operand: the inputs in whole groups, the last ones without effect.
    pub const fn read_len(&self) -> usize {
        self.dense.inputs().get().next_multiple_of(GROUP)
    }

    /// Words of scratch memory, for the inputs in whole groups where they are not.
    pub const fn scratch_words(&self) -> usize {
        if self.read_len() == self.dense.inputs().get() { 0 } else { self.read_len() / size_of::<i32>() }
    }

    /// Words of a record's weights.
    pub const fn weight_words(&self) -> usize {
        weight_words(self.dense.inputs().get())
    }

    /// As [`Conv2dTiled::check_tiles`].
    ///
    /// # Errors
    /// [`OperatorError`] as at [`super::filters::check`].
    pub fn check_tiles(&self, tiles: &Tiles<'_>) -> Result<(), OperatorError> {
        check(tiles, self.dense.inputs().get())
    }

    /// Checks the operands' lengths.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, tiles: &Tiles<'_>, x: usize, y: usize) -> Result<(), ShapeError> {
        let outputs = self.dense.outputs().get();
        expect_len("tiles", Tiles::words_of(outputs, self.weight_words()), tiles.words().len())?;
        expect_len("x", self.read_len(), x)?;
        expect_len("y", outputs, y)
    }
}
