//! What each operator needs to know besides its operands, proved when it is made.

mod resize;
mod strided_copy;
mod transpose_conv2d;

pub use resize::{Between, Grid, Interpolate, Resize, ResizeAxis};
pub use strided_copy::{AXES, StridedCopy, Walk};
pub use transpose_conv2d::{Sources, TransposeConv2d};

use super::Clamp;
use crate::error::ShapeError;
use crate::num::{Multiplier, Rounding};
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

/// Softmax along the last axis.
///
/// # Shapes
/// `x, y: [rows, depth]` row-major, `depth <= 4095` (the int8 sum has 12 integer bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax {
    depth: NonZeroUsize,
}

impl Softmax {
    /// Largest `depth`.
    pub const MAX_DEPTH: usize = 4095;

    /// Proves the geometry.
    ///
    /// # Errors
    /// [`ShapeError::Dim`].
    pub fn try_new(depth: usize) -> Result<Self, ShapeError> {
        NonZeroUsize::new(depth)
            .filter(|d| d.get() <= Self::MAX_DEPTH)
            .map(|depth| Self { depth })
            .ok_or(ShapeError::Dim { name: "depth", value: depth })
    }

    /// Elements of a row.
    pub const fn depth(&self) -> NonZeroUsize {
        self.depth
    }

    /// Checks both operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, y: usize) -> Result<(), ShapeError> {
        // `x` is rounded down to whole rows, so a partial row is refused by name.
        expect_len("x", x - x % self.depth, x)?;
        expect_len("y", x, y)
    }
}

/// The constants of an int8 addition; specs/integer_arithmetic.md §4, ADD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddInt8 {
    /// Zero points of `a` and `b`, each in `-128..=127`.
    pub input_zero_points: [i32; 2],
    /// Multipliers of `a` and `b`.
    pub input_multipliers: [Multiplier; 2],
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// Multiplier of the sum.
    pub output_multiplier: Multiplier,
    /// Within `-128..=127`.
    pub clamp: Clamp<i32>,
    /// How multipliers round.
    pub rounding: Rounding,
}

impl AddInt8 {
    /// Fraction bits that operands are given before they are scaled.
    pub const LEFT_SHIFT: u32 = 20;

    /// The three multipliers for operands of these scales: `([a, b], sum)`.
    pub fn multipliers(input_scales: [f32; 2], output_scale: f32, rounding: Rounding) -> ([Multiplier; 2], Multiplier) {
        let [a, b] = input_scales.map(f64::from);
        let twice_max = 2.0 * if a > b { a } else { b };
        let unit = (1_u64 << Self::LEFT_SHIFT) as f64;
        (
            [Multiplier::from_real(a / twice_max, rounding), Multiplier::from_real(b / twice_max, rounding)],
            Multiplier::from_real(twice_max / (unit * f64::from(output_scale)), rounding),
        )
    }

    /// One output.
    #[inline]
    pub fn apply(&self, a: i8, b: i8) -> i8 {
        let [za, zb] = self.input_zero_points;
        let [ma, mb] = self.input_multipliers;
        let a = ma.apply((a as i32 - za) << Self::LEFT_SHIFT, self.rounding);
        let b = mb.apply((b as i32 - zb) << Self::LEFT_SHIFT, self.rounding);
        let sum = self.output_multiplier.apply(a.wrapping_add(b), self.rounding);
        crate::num::saturate_i8(self.clamp.apply(sum.wrapping_add(self.output_zero_point)))
    }
}

/// The constants of an int8 elementwise rescale with clamp: relu, relu6, requantise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RescaleInt8 {
    /// In `-128..=127`.
    pub input_zero_point: i32,
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// `input_scale / output_scale`.
    pub multiplier: Multiplier,
    /// Within `-128..=127`.
    pub clamp: Clamp<i32>,
    /// How the multiplier rounds.
    pub rounding: Rounding,
}

impl RescaleInt8 {
    /// One output.
    #[inline]
    pub fn apply(&self, x: i8) -> i8 {
        let scaled = self.multiplier.apply(x as i32 - self.input_zero_point, self.rounding);
        crate::num::saturate_i8(self.clamp.apply(scaled.wrapping_add(self.output_zero_point)))
    }
}

/// The constants of an int8 softmax with output scale 1/256 and zero point -128; specs/integer_arithmetic.md §4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftmaxInt8 {
    /// `min(input_scale * 2^26, 2^31 - 1)`; `shift >= 0`.
    pub multiplier: Multiplier,
    /// Differences from the maximum below this give the code -128.
    pub difference_min: i32,
}

impl SoftmaxInt8 {
    /// The constants for inputs of `scale` (beta = 1).
    pub fn from_scale(scale: f32, rounding: Rounding) -> Self {
        let cap = match rounding {
            Rounding::Double => (1_u32 << 31) - 1,
            Rounding::Single => (1 << 30) - 1,
        };
        let real = f64::from(scale) * f64::from(1 << 26);
        let cap = f64::from(cap);
        let mut multiplier = Multiplier::from_real(if real < cap { real } else { cap }, rounding);
        if multiplier.shift < 0 {
            // An input this fine has no differences that matter: every exponential is 1.
            multiplier = Multiplier::default();
        }
        let radius = (31_i64 << 26) >> (multiplier.shift & 31);
        Self { multiplier, difference_min: i32::try_from(-radius).unwrap_or(i32::MIN) }
    }

    /// `max - x` as Q5.26 for `difference = x - max` in `difference_min..=0`.
    #[inline]
    pub fn rescale(&self, difference: i32) -> i32 {
        let shifted = difference.wrapping_shl(self.multiplier.shift as u32);
        crate::num::saturating_rounding_doubling_high_mul(shifted, self.multiplier.mantissa_q31)
    }
}
