//! Sums and means over axes, and the position of the largest element: geometry and numerics.

use crate::error::ShapeError;
use crate::num::{Code, Multiplier, Rounding};
use crate::shape::{MAX_LEN, expect_len};

/// The geometry of an operator over some of an operand's axes.
///
/// # Shapes
/// `x`: up to four axes, row-major · `y`: those that are not reduced, in their order.
///
/// Neighbours of one kind run as one, so that `x` is `[outer, first, middle, second, inner]` with `first` and `second`
/// reduced; each is 1 where there is no such axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduce {
    sizes: [usize; 4],
    mask: u32,
    merged: [usize; 5],
    count: usize,
    output_len: usize,
}

impl Reduce {
    /// Proves the geometry of an operand of these axes, the ones whose bit in `mask` is set (bit 0: the first) reduced.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] for an empty axis, a tensor that is too large, and a mask of more than four axes.
    pub fn try_new(sizes: [usize; 4], mask: u32) -> Result<Self, ShapeError> {
        if mask > 15 {
            return Err(ShapeError::Dim { name: "axes", value: mask as usize });
        }
        let (mut merged, mut kinds) = ([1; 5], 0);
        let (mut count, mut output_len) = (1_usize, 1_usize);
        for (axis, &size) in sizes.iter().enumerate().filter(|&(_, &size)| size != 1) {
            let reduced = mask >> axis & 1 == 1;
            // Even positions are kept and odd ones reduced: the next of this kind, or the same.
            kinds += usize::from((kinds % 2 == 1) != reduced);
            if let Some(slot) = merged.get_mut(kinds) {
                *slot *= size;
            }
            let len = if reduced { &mut count } else { &mut output_len };
            let total = len.checked_mul(size).filter(|&len| len > 0 && len <= MAX_LEN);
            *len = total.ok_or(ShapeError::Dim { name: "axis of x", value: size })?;
        }
        let whole = count.checked_mul(output_len).filter(|&len| len <= MAX_LEN);
        whole.ok_or(ShapeError::Dim { name: "input", value: usize::MAX })?;
        Ok(Self { sizes, mask, merged, count, output_len })
    }

    /// Elements of `x` for one of `y`.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Elements of `y`.
    pub const fn output_len(&self) -> usize {
        self.output_len
    }

    /// Sizes of the axes of `x`, and which are reduced.
    pub(crate) fn axes(&self) -> [(usize, bool); 4] {
        let mut axis = 0..4_u32;
        self.sizes.map(|size| (size, axis.next().is_some_and(|axis| self.mask >> axis & 1 == 1)))
    }

    /// `[outer, first, middle, second, inner]`
    pub(crate) const fn merged(&self) -> [usize; 5] {
        self.merged
    }

    /// Checks both operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x: usize, y: usize) -> Result<(), ShapeError> {
        expect_len("x", self.count * self.output_len, x)?;
        expect_len("y", self.output_len, y)
    }
}

/// What is computed from the elements over reduced axes, taken in their order.
pub trait Reduction<T>: Copy {
    /// Accumulator, which starts at its default.
    type Sum: Copy + Default;

    /// `sum + x`
    fn add(&self, sum: Self::Sum, x: T) -> Self::Sum;

    /// The output.
    fn finish(&self, sum: Self::Sum) -> T;
}

/// The constants of a mean or sum of codes; specs/integer_arithmetic.md §4, MEAN.
///
/// # Numerics
/// The sum of codes is i32 and wraps (exact below 2^23 int8 and 2^15 int16 codes); then
/// `clamp(multiplier * (sum - offset) + output_zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReduceInt {
    /// Zero point of the input times the number of elements.
    pub offset: i32,
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// [`ReduceInt::mean`] or [`ReduceInt::sum`].
    pub multiplier: Multiplier,
    /// How the multiplier rounds.
    pub rounding: Rounding,
}

impl ReduceInt {
    /// The multiplier of a sum: `input_scale / output_scale`, in f64.
    pub fn sum([input_scale, output_scale]: [f32; 2], rounding: Rounding) -> Multiplier {
        Multiplier::from_real(f64::from(input_scale) / f64::from(output_scale), rounding)
    }

    /// The multiplier of a mean of `count >= 1` elements: that of the sum divided by the count, truncated.
    pub fn mean(scales: [f32; 2], count: usize, rounding: Rounding) -> Multiplier {
        let Multiplier { mantissa_q31, shift } = Self::sum(scales, rounding);
        let headroom = count.checked_ilog2().unwrap_or(0).min(32).min((31 + shift).unsigned_abs());
        let mantissa = (i64::from(mantissa_q31) << headroom).checked_div(i64::try_from(count).unwrap_or(i64::MAX));
        let mantissa_q31 = mantissa.and_then(|mantissa| i32::try_from(mantissa).ok()).unwrap_or(0);
        Multiplier { mantissa_q31, shift: shift - headroom.cast_signed() }
    }
}

impl<T: Code> Reduction<T> for ReduceInt {
    type Sum = i32;

    #[inline]
    fn add(&self, sum: i32, x: T) -> i32 {
        sum.wrapping_add(x.to_i32())
    }

    // Once an output: small rather than in every loop.
    #[inline(never)]
    fn finish(&self, sum: i32) -> T {
        let scaled = self.multiplier.apply(sum.wrapping_sub(self.offset), self.rounding);
        T::saturate(scaled.wrapping_add(self.output_zero_point))
    }
}

/// Sum of floats, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumF32;

impl Reduction<f32> for SumF32 {
    type Sum = f32;

    #[inline]
    fn add(&self, sum: f32, x: f32) -> f32 {
        sum + x
    }

    #[inline]
    fn finish(&self, sum: f32) -> f32 {
        sum
    }
}

/// Mean of floats: the sum in order, divided by the count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanF32 {
    /// Number of elements.
    pub count: f32,
}

impl Reduction<f32> for MeanF32 {
    type Sum = f32;

    #[inline]
    fn add(&self, sum: f32, x: f32) -> f32 {
        sum + x
    }

    #[inline]
    fn finish(&self, sum: f32) -> f32 {
        sum / self.count
    }
}
