//! Shapes and windows, checked once when they are made, so that inner loops cannot fail.

use crate::error::ShapeError;
use core::num::NonZeroUsize;

/// Largest size of one axis of a tensor.
///
/// Keeps every product of a window's coordinates inside `i32`.
pub const MAX_DIM: usize = 1 << 15;

/// Largest number of elements of one tensor.
pub const MAX_LEN: usize = 1 << 28;

/// One axis of a sliding window as a caller describes it; [`Axis::try_new`] checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AxisSpec {
    /// Input elements along this axis.
    pub input: usize,
    /// Taps of the kernel.
    pub kernel: usize,
    /// Input elements between neighbouring outputs.
    pub stride: usize,
    /// Input elements between neighbouring taps.
    pub dilation: usize,
    /// Padding elements before the first input.
    pub pad_before: usize,
    /// Padding elements after the last input.
    pub pad_after: usize,
}

/// One axis of a sliding window whose output size is known to be positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    input: NonZeroUsize,
    output: NonZeroUsize,
    kernel: NonZeroUsize,
    stride: NonZeroUsize,
    dilation: NonZeroUsize,
    pad_before: usize,
    pad_after: usize,
}

/// The taps of a kernel that fall inside the input for one output position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapRange {
    /// First tap inside the input.
    pub kernel_start: usize,
    /// Input element under that tap.
    pub input_start: usize,
    /// How many taps fall inside.
    pub len: usize,
}

fn dim(name: &'static str, value: usize) -> Result<NonZeroUsize, ShapeError> {
    NonZeroUsize::new(value).filter(|v| v.get() <= MAX_DIM).ok_or(ShapeError::Dim { name, value })
}

impl Axis {
    /// Checks one axis.
    ///
    /// `output = floor((input + pads - ((kernel - 1) * dilation + 1)) / stride) + 1`.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] names the quantity that is zero or above [`MAX_DIM`];
    /// [`ShapeError::Window`] when the dilated kernel is larger than the padded input.
    pub fn try_new(spec: AxisSpec) -> Result<Self, ShapeError> {
        let input = dim("input", spec.input)?;
        let kernel = dim("kernel", spec.kernel)?;
        let stride = dim("stride", spec.stride)?;
        let dilation = dim("dilation", spec.dilation)?;
        // Padding may be zero. One as large as the dilated kernel would make outputs that see no input at all.
        let extent = (spec.kernel - 1) * spec.dilation + 1;
        if spec.pad_before >= extent {
            return Err(ShapeError::Dim { name: "pad_before", value: spec.pad_before });
        }
        if spec.pad_after >= extent {
            return Err(ShapeError::Dim { name: "pad_after", value: spec.pad_after });
        }
        let padded = spec.input + spec.pad_before + spec.pad_after;
        let room = padded.checked_sub(extent).ok_or(ShapeError::Window { extent, padded })?;
        let output = dim("output", room / stride.get() + 1)?;
        Ok(Self { input, output, kernel, stride, dilation, pad_before: spec.pad_before, pad_after: spec.pad_after })
    }

    /// Input elements along this axis.
    pub const fn input(&self) -> usize {
        self.input.get()
    }

    /// Output elements along this axis.
    pub const fn output(&self) -> usize {
        self.output.get()
    }

    /// Taps of the kernel.
    pub const fn kernel(&self) -> usize {
        self.kernel.get()
    }

    /// Input elements between neighbouring outputs.
    pub const fn stride(&self) -> usize {
        self.stride.get()
    }

    /// Input elements between neighbouring taps.
    pub const fn dilation(&self) -> usize {
        self.dilation.get()
    }

    /// Padding elements before the first input.
    pub const fn pad_before(&self) -> usize {
        self.pad_before
    }

    /// Padding elements after the last input.
    pub const fn pad_after(&self) -> usize {
        self.pad_after
    }

    /// The taps that fall inside the input when the window stands at `output`; `len` may be zero.
    #[inline(never)]
    pub fn taps(&self, output: usize) -> TapRange {
        let left = output * self.stride.get();
        let dilation = self.dilation.get();
        // First tap t with left + t*dilation >= pad.
        let kernel_start = match self.pad_before.checked_sub(left) {
            None | Some(0) => 0,
            Some(missing) => missing.div_ceil(dilation),
        };
        let input_start = (left + kernel_start * dilation).saturating_sub(self.pad_before);
        // Taps until the end of the input.
        let inside = match self.input.get().checked_sub(input_start) {
            None | Some(0) => 0,
            Some(room) if dilation == 1 => room,
            Some(room) => room.div_ceil(dilation),
        };
        let len = inside.min(self.kernel.get().saturating_sub(kernel_start));
        TapRange { kernel_start, input_start, len }
    }
}

/// `(before, after)` padding that makes `output = ceil(input / stride)` (TensorFlow's SAME; specs/integer_arithmetic.md §4).
pub fn same_padding(input: usize, kernel: usize, stride: usize, dilation: usize) -> (usize, usize) {
    let extent = kernel.saturating_sub(1) * dilation + 1;
    let output = input.div_ceil(stride.max(1));
    let total = (output.saturating_sub(1) * stride + extent).saturating_sub(input);
    (total / 2, total - total / 2)
}

/// A two-dimensional sliding window: rows (`y`) and columns (`x`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows.
    pub y: Axis,
    /// Columns.
    pub x: Axis,
}

impl Window {
    /// Checks both axes.
    ///
    /// # Errors
    /// As [`Axis::try_new`].
    pub fn try_new(y: AxisSpec, x: AxisSpec) -> Result<Self, ShapeError> {
        Ok(Self { y: Axis::try_new(y)?, x: Axis::try_new(x)? })
    }

    /// Input positions.
    pub const fn input_area(&self) -> usize {
        self.y.input() * self.x.input()
    }

    /// Output positions.
    pub const fn output_area(&self) -> usize {
        self.y.output() * self.x.output()
    }

    /// Taps of the kernel.
    pub const fn kernel_area(&self) -> usize {
        self.y.kernel() * self.x.kernel()
    }
}

/// A channel count between 1 and [`MAX_DIM`].
///
/// # Errors
/// [`ShapeError::Dim`] with `name`.
pub fn channels(name: &'static str, value: usize) -> Result<NonZeroUsize, ShapeError> {
    dim(name, value)
}

/// Checks that an operand has the length that the operator's geometry asks for.
///
/// # Errors
/// [`ShapeError::Len`] with the operand's name and both lengths.
#[inline]
pub fn expect_len(operand: &'static str, expected: usize, got: usize) -> Result<(), ShapeError> {
    if expected == got { Ok(()) } else { Err(ShapeError::Len { operand, expected, got }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_equal_the_definition_for_every_position() {
        for input in 1..9 {
            for kernel in 1..5 {
                for stride in 1..4 {
                    for dilation in 1..4 {
                        let extent = (kernel - 1) * dilation + 1;
                        for pad_before in 0..extent {
                            for pad_after in 0..extent {
                                let spec = AxisSpec { input, kernel, stride, dilation, pad_before, pad_after };
                                let Ok(axis) = Axis::try_new(spec) else { continue };
                                for o in 0..axis.output() {
                                    let inside = |t: &usize| {
                                        let i = (o * stride + t * dilation).checked_sub(pad_before);
                                        i.is_some_and(|i| i < input)
                                    };
                                    let taps = axis.taps(o);
                                    let want: std::vec::Vec<usize> = (0..kernel).filter(inside).collect();
                                    let got: std::vec::Vec<usize> =
                                        (taps.kernel_start..taps.kernel_start + taps.len).collect();
                                    assert_eq!(got, want, "{spec:?} at {o}");
                                    if taps.len > 0 {
                                        assert_eq!(
                                            taps.input_start,
                                            o * stride + taps.kernel_start * dilation - pad_before
                                        );
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn same_padding_gives_the_ceiling() {
        for input in 1..20 {
            for kernel in 1..6 {
                for stride in 1..4 {
                    let (pad_before, pad_after) = same_padding(input, kernel, stride, 1);
                    let axis = Axis::try_new(AxisSpec { input, kernel, stride, dilation: 1, pad_before, pad_after });
                    // A kernel smaller than the stride leaves rows unseen; TensorFlow pads nothing there.
                    assert_eq!(axis.map(|a| a.output()), Ok(input.div_ceil(stride)), "{input} {kernel} {stride}");
                }
            }
        }
    }

    #[test]
    fn impossible_axes_name_the_quantity() {
        let good = AxisSpec { input: 8, kernel: 3, stride: 1, dilation: 1, pad_before: 0, pad_after: 0 };
        let err = |s| Axis::try_new(s).err();
        assert_eq!(err(AxisSpec { stride: 0, ..good }), Some(ShapeError::Dim { name: "stride", value: 0 }));
        assert_eq!(
            err(AxisSpec { input: MAX_DIM + 1, ..good }),
            Some(ShapeError::Dim { name: "input", value: MAX_DIM + 1 })
        );
        assert_eq!(err(AxisSpec { kernel: 9, ..good }), Some(ShapeError::Window { extent: 9, padded: 8 }));
        assert_eq!(err(AxisSpec { pad_before: 3, ..good }), Some(ShapeError::Dim { name: "pad_before", value: 3 }));
    }
}
