//! Transposed convolution, read backwards: which inputs reach an output.

use super::product;
use crate::error::ShapeError;
use crate::shape::{Axis, Window, channels, expect_len};
use core::num::NonZeroUsize;

/// Transposed two-dimensional convolution: the linear map that is the transpose of a convolution's.
///
/// # Shapes
/// `x: [in_h, in_w, in_channels]` · `w: [out_channels, k_h, k_w, in_channels]` · `bias: [out_channels]` ·
/// `y: [out_h, out_w, out_channels]`, all row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransposeConv2d {
    /// Rows and columns of the convolution that maps `y`'s shape to `x`'s; dilation 1.
    pub window: Window,
    in_channels: NonZeroUsize,
    out_channels: NonZeroUsize,
}

/// The input elements that reach one output, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sources {
    /// First input element.
    pub input_start: usize,
    /// The tap between it and the output; the next input's is one stride smaller.
    pub kernel_start: usize,
    /// How many inputs reach the output; may be zero.
    pub len: usize,
}

impl TransposeConv2d {
    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] for a channel count or a tensor that is too large, also for a dilation other than 1.
    pub fn try_new(window: Window, in_channels: usize, out_channels: usize) -> Result<Self, ShapeError> {
        for axis in [window.y, window.x] {
            if axis.dilation() != 1 {
                return Err(ShapeError::Dim { name: "dilation", value: axis.dilation() });
            }
        }
        product("input", &[window.output_area(), in_channels])?;
        product("weights", &[window.kernel_area(), in_channels, out_channels])?;
        product("output", &[window.input_area(), out_channels])?;
        Ok(Self {
            window,
            in_channels: channels("in_channels", in_channels)?,
            out_channels: channels("out_channels", out_channels)?,
        })
    }

    /// Channels of `x`.
    pub const fn in_channels(&self) -> NonZeroUsize {
        self.in_channels
    }

    /// Channels of `y`.
    pub const fn out_channels(&self) -> NonZeroUsize {
        self.out_channels
    }

    /// Weights of one filter.
    pub const fn filter_len(&self) -> usize {
        self.window.kernel_area() * self.in_channels.get()
    }

    /// The inputs that reach `output` along `axis`, one of `window`'s.
    #[inline]
    pub fn sources(axis: &Axis, output: usize) -> Sources {
        let (stride, reach) = (axis.stride().max(1), output + axis.pad_before());
        // A convolution's output i reads its input o with tap o + pad - i * stride.
        let input_start = match (reach + 1).checked_sub(axis.kernel()) {
            None | Some(0) => 0,
            Some(missing) => missing.div_ceil(stride),
        };
        let inputs = (reach / stride + 1).min(axis.output());
        let len = inputs.saturating_sub(input_start);
        Sources { input_start, kernel_start: reach.saturating_sub(input_start * stride), len }
    }

    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, w: usize, bias: usize, y: usize) -> Result<(), ShapeError> {
        expect_len("x", self.window.output_area() * self.in_channels.get(), x)?;
        expect_len("w", self.filter_len() * self.out_channels.get(), w)?;
        expect_len("bias", self.out_channels.get(), bias)?;
        expect_len("y", self.window.input_area() * self.out_channels.get(), y)
    }
}
