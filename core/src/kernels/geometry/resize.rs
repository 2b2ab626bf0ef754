//! Two grids that lie over each other: where an element of the resized image lies in the input.

use super::product;
use crate::error::ShapeError;
use crate::num::Rounding;
use crate::shape::{channels, expect_len};
use core::num::NonZeroUsize;

/// How the elements of two grids lie over each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grid {
    /// The corner elements lie on each other.
    pub align_corners: bool,
    /// Elements have their value in their middle, not in their corner.
    pub half_pixel_centers: bool,
}

/// One axis of a resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResizeAxis {
    input: NonZeroUsize,
    output: NonZeroUsize,
    grid: Grid,
}

/// Two neighbours in the input and how far the output lies from the first to the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Between<F> {
    /// First neighbour.
    pub lower: usize,
    /// Second neighbour; the first one at a border.
    pub upper: usize,
    /// 0 on the first neighbour, 1 on the second: 1024 for integers.
    pub fraction: F,
}

impl ResizeAxis {
    /// Input elements.
    pub const fn input(&self) -> usize {
        self.input.get()
    }

    /// Output elements.
    pub const fn output(&self) -> usize {
        self.output.get()
    }

    /// Sizes whose ratio is the scale: those of the grids, or of the spaces between their corners.
    const fn ratio(&self) -> (usize, usize) {
        if self.grid.align_corners && self.output.get() > 1 {
            (self.input.get() - 1, self.output.get() - 1)
        } else {
            (self.input.get(), self.output.get())
        }
    }

    /// The input element nearest to `output`, computed in f32 as TensorFlow Lite Micro does.
    #[inline]
    pub fn nearest(&self, output: usize) -> usize {
        let (input, outputs) = self.ratio();
        let scale = input as f32 / outputs as f32;
        let offset = if self.grid.half_pixel_centers { 0.5 } else { 0.0 };
        let at = (output as f32 + offset) * scale;
        // Positive, so that `as` rounds down.
        let nearest = if self.grid.align_corners { libm::roundf(at) as usize } else { at as usize };
        nearest.min(self.input.get() - 1)
    }

    /// The neighbours of `output` with a fraction in 1/1024, in integers as TensorFlow Lite Micro does.
    #[inline]
    pub fn between_q10(&self, output: usize) -> Between<i32> {
        let (input, outputs) = self.ratio();
        // Sizes are at most 2^15: everything stays below 2^27.
        let (input, outputs) = (input as i32, outputs as i32);
        let scale = ((input << 10) + outputs / 2).checked_div(outputs).unwrap_or(0);
        let half = if self.grid.half_pixel_centers { scale / 2 - (1 << 9) } else { 0 };
        let at = (output as i32).wrapping_mul(scale).wrapping_add(half);
        let last = self.input.get() as i32 - 1;
        // The scale is rounded: far from the origin the lower neighbour may lie one element outside.
        let lower = (at / (1 << 10)).max(0).min(last);
        let upper = (at.wrapping_add((1 << 10) - 1) / (1 << 10)).min(last).max(lower);
        Between { lower: lower as usize, upper: upper as usize, fraction: at.wrapping_sub(lower << 10) }
    }

    /// The neighbours of `output`, in f32 as TensorFlow Lite Micro does.
    #[inline]
    pub fn between(&self, output: usize) -> Between<f32> {
        let (input, outputs) = self.ratio();
        let scale = input as f32 / outputs as f32;
        let at = if self.grid.half_pixel_centers { (output as f32 + 0.5) * scale - 0.5 } else { output as f32 * scale };
        let last = self.input.get() - 1;
        // `as` maps what is negative to 0.
        let lower = (libm::floorf(at) as usize).min(last);
        let upper = (libm::ceilf(at) as usize).min(last);
        Between { lower, upper, fraction: at - lower as f32 }
    }
}

/// An image in another size.
///
/// # Shapes
/// `x: [in_h, in_w, channels]` · `y: [out_h, out_w, channels]`, row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// Rows.
    pub y: ResizeAxis,
    /// Columns.
    pub x: ResizeAxis,
    channels: NonZeroUsize,
}

impl Resize {
    /// Proves the geometry; sizes are `[rows, columns]`.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] for a size that is zero or too large.
    pub fn try_new(
        input: [usize; 2],
        output: [usize; 2],
        channel_count: usize,
        grid: Grid,
    ) -> Result<Self, ShapeError> {
        let ([in_y, in_x], [out_y, out_x]) = (input, output);
        product("input", &[in_y, in_x, channel_count])?;
        product("output", &[out_y, out_x, channel_count])?;
        let axis = |input, output| {
            Ok(ResizeAxis { input: channels("input", input)?, output: channels("output", output)?, grid })
        };
        Ok(Self { y: axis(in_y, out_y)?, x: axis(in_x, out_x)?, channels: channels("channels", channel_count)? })
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
        expect_len("x", self.y.input() * self.x.input() * self.channels.get(), x)?;
        expect_len("y", self.y.output() * self.x.output() * self.channels.get(), y)
    }
}

/// Elements that can be interpolated.
pub trait Interpolate: Copy + Default {
    /// How far between two neighbours.
    type Fraction: Copy;

    /// The neighbours of `output`.
    fn between(axis: &ResizeAxis, output: usize) -> Between<Self::Fraction>;

    /// The weights of the corners: both lower, lower row and upper column, upper row and lower column, both upper.
    fn weights(y: Self::Fraction, x: Self::Fraction) -> [Self::Fraction; 4];

    /// The weighted sum of the corners, which are in the order of `weights`.
    fn blend(corners: [Self; 4], weights: [Self::Fraction; 4], rounding: Rounding) -> Self;
}

macro_rules! interpolate_codes {
    ($code:ident, $sum:ident, $saturate:path) => {
        impl Interpolate for $code {
            type Fraction = i32;

            #[inline]
            fn between(axis: &ResizeAxis, output: usize) -> Between<i32> {
                axis.between_q10(output)
            }

            #[inline]
            fn weights(y: i32, x: i32) -> [i32; 4] {
                let [to_y, to_x] = [y, x].map(|f| (1_i32 << 10).wrapping_sub(f));
                [to_y.wrapping_mul(to_x), to_y.wrapping_mul(x), y.wrapping_mul(to_x), y.wrapping_mul(x)]
            }

            /// The Q20 sum, rounded half away from zero (double rounding) or half up (single).
            #[inline]
            fn blend(corners: [$code; 4], weights: [i32; 4], rounding: Rounding) -> $code {
                let product = |sum: $sum, (x, w): ($code, i32)| sum.wrapping_add((x as $sum).wrapping_mul(w as $sum));
                let sum = corners.into_iter().zip(weights).fold(0 as $sum, product);
                let half = 1 << 19;
                $saturate(match rounding {
                    Rounding::Double if sum > 0 => sum.wrapping_add(half) / (1 << 20),
                    Rounding::Double => sum.wrapping_sub(half) / (1 << 20),
                    Rounding::Single => sum.wrapping_add(half) >> 20,
                })
            }
        }
    };
}

interpolate_codes!(i8, i32, crate::num::saturate_i8);
interpolate_codes!(i16, i64, crate::num::saturate_i16_from_i64);

impl Interpolate for f32 {
    type Fraction = f32;

    #[inline]
    fn between(axis: &ResizeAxis, output: usize) -> Between<f32> {
        axis.between(output)
    }

    /// Rows and columns apart, so that [`Interpolate::blend`] multiplies in TensorFlow Lite Micro's order.
    #[inline]
    fn weights(y: f32, x: f32) -> [f32; 4] {
        [1.0 - y, 1.0 - x, y, x]
    }

    #[inline]
    fn blend(corners: [f32; 4], weights: [f32; 4], _: Rounding) -> f32 {
        let [[a, b, c, d], [to_y, to_x, y, x]] = [corners, weights];
        a * to_y * to_x + c * y * to_x + b * to_y * x + d * y * x
    }
}
