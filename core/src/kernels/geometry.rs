//! What each operator needs to know besides its operands, proved when it is made.

mod resize;
mod softmax;
mod strided_copy;
mod transpose_conv2d;

pub use resize::{Between, Grid, Interpolate, Resize, ResizeAxis};
pub use softmax::{Softmax, SoftmaxInt8, SoftmaxInt16};
pub use strided_copy::{AXES, StridedCopy, Walk};
pub use transpose_conv2d::{Sources, TransposeConv2d};

use crate::error::ShapeError;
use crate::shape::{MAX_LEN, Window, channels, expect_len};
use core::num::NonZeroUsize;

/// The product of sizes, refused above [`MAX_LEN`].
fn product(name: &'static str, sizes: &[usize]) -> Result<usize, ShapeError> {
    sizes
        .iter()
        .try_fold(1_usize, |a, &b| a.checked_mul(b))
        .filter(|&len| len <= MAX_LEN)
        .ok_or(ShapeError::Dim { name, value: usize::MAX })
}

/// Two-dimensional convolution.
///
/// # Shapes
/// `x: [in_h, in_w, in_channels]` · `w: [out_channels, k_h, k_w, in_channels]` · `bias: [out_channels]` ·
/// `y: [out_h, out_w, out_channels]`, all row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Rows and columns.
    pub window: Window,
    in_channels: NonZeroUsize,
    out_channels: NonZeroUsize,
}

impl Conv2d {
    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] for a channel count or a tensor that is too large.
    pub fn try_new(window: Window, in_channels: usize, out_channels: usize) -> Result<Self, ShapeError> {
        product("input", &[window.input_area(), in_channels])?;
        product("weights", &[window.kernel_area(), in_channels, out_channels])?;
        product("output", &[window.output_area(), out_channels])?;
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

    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, w: usize, bias: usize, y: usize) -> Result<(), ShapeError> {
        expect_len("x", self.window.input_area() * self.in_channels.get(), x)?;
        expect_len("w", self.filter_len() * self.out_channels.get(), w)?;
        expect_len("bias", self.out_channels.get(), bias)?;
        expect_len("y", self.window.output_area() * self.out_channels.get(), y)
    }
}

/// Depthwise two-dimensional convolution: output channel `c * multiplier + m` reads input channel `c`.
///
/// # Shapes
/// `x: [in_h, in_w, in_channels]` · `w: [k_h, k_w, out_channels]` · `bias: [out_channels]` ·
/// `y: [out_h, out_w, out_channels]`, all row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepthwiseConv2d {
    /// Rows and columns.
    pub window: Window,
    in_channels: NonZeroUsize,
    multiplier: NonZeroUsize,
    out_channels: NonZeroUsize,
}

impl DepthwiseConv2d {
    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] when `out_channels` is no multiple of `in_channels`, or a tensor is too large.
    pub fn try_new(window: Window, in_channels: usize, out_channels: usize) -> Result<Self, ShapeError> {
        let bad = ShapeError::Dim { name: "out_channels", value: out_channels };
        let ratio = out_channels.checked_div(in_channels).ok_or(bad)?;
        if ratio.checked_mul(in_channels) != Some(out_channels) {
            return Err(bad);
        }
        product("input", &[window.input_area(), in_channels])?;
        product("output", &[window.output_area(), out_channels])?;
        product("weights", &[window.kernel_area(), out_channels])?;
        Ok(Self {
            window,
            in_channels: channels("in_channels", in_channels)?,
            multiplier: channels("multiplier", ratio)?,
            out_channels: channels("out_channels", out_channels)?,
        })
    }

    /// Channels of `x`.
    pub const fn in_channels(&self) -> NonZeroUsize {
        self.in_channels
    }

    /// Output channels for each input channel.
    pub const fn multiplier(&self) -> NonZeroUsize {
        self.multiplier
    }

    /// Channels of `y`.
    pub const fn out_channels(&self) -> NonZeroUsize {
        self.out_channels
    }

    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, w: usize, bias: usize, y: usize) -> Result<(), ShapeError> {
        expect_len("x", self.window.input_area() * self.in_channels.get(), x)?;
        expect_len("w", self.window.kernel_area() * self.out_channels.get(), w)?;
        expect_len("bias", self.out_channels.get(), bias)?;
        expect_len("y", self.window.output_area() * self.out_channels.get(), y)
    }
}

/// Fully connected layer.
///
/// # Shapes
/// `x: [inputs]` · `w: [outputs, inputs]` row-major · `bias, y: [outputs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dense {
    inputs: NonZeroUsize,
    outputs: NonZeroUsize,
}

impl Dense {
    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`].
    pub fn try_new(inputs: usize, outputs: usize) -> Result<Self, ShapeError> {
        product("weights", &[inputs, outputs])?;
        let size = |name, value| NonZeroUsize::new(value).ok_or(ShapeError::Dim { name, value });
        Ok(Self { inputs: size("inputs", inputs)?, outputs: size("outputs", outputs)? })
    }

    /// Elements of `x`.
    pub const fn inputs(&self) -> NonZeroUsize {
        self.inputs
    }

    /// Elements of `y`.
    pub const fn outputs(&self) -> NonZeroUsize {
        self.outputs
    }

    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, w: usize, bias: usize, y: usize) -> Result<(), ShapeError> {
        expect_len("x", self.inputs.get(), x)?;
        expect_len("w", self.inputs.get() * self.outputs.get(), w)?;
        expect_len("bias", self.outputs.get(), bias)?;
        expect_len("y", self.outputs.get(), y)
    }
}

/// Two-dimensional pooling over the taps inside the input.
///
/// # Shapes
/// `x: [in_h, in_w, channels]` · `y: [out_h, out_w, channels]`, row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool2d {
    /// Rows and columns; dilation 1.
    pub window: Window,
    channels: NonZeroUsize,
}

impl Pool2d {
    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`], also for a dilation other than 1.
    pub fn try_new(window: Window, channel_count: usize) -> Result<Self, ShapeError> {
        for axis in [window.y, window.x] {
            if axis.dilation() != 1 {
                return Err(ShapeError::Dim { name: "dilation", value: axis.dilation() });
            }
        }
        product("input", &[window.input_area(), channel_count])?;
        product("output", &[window.output_area(), channel_count])?;
        Ok(Self { window, channels: channels("channels", channel_count)? })
    }

    /// Channels of `x` and `y`.
    pub const fn channels(&self) -> NonZeroUsize {
        self.channels
    }

    /// Checks both operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, y: usize) -> Result<(), ShapeError> {
        expect_len("x", self.window.input_area() * self.channels.get(), x)?;
        expect_len("y", self.window.output_area() * self.channels.get(), y)
    }
}
