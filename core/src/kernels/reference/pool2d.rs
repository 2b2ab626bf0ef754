//! Pooling: what the taps inside the input come to.

use super::{at, for_each_output, taps};
use crate::error::ShapeError;
use crate::kernels::{Clamp, Pool2d};
use crate::num::Code;

/// Elements that can be pooled.
pub trait PoolElement: Copy + Default + PartialOrd {
    /// Smallest value, the start of a maximum.
    const LOWEST: Self;
    /// Accumulator of a mean.
    type Sum: Copy + Default;
    /// `sum + self`
    fn add_to(self, sum: Self::Sum) -> Self::Sum;
    /// `sum / count` for `count >= 1`; integers round half away from zero.
    fn mean(sum: Self::Sum, count: usize) -> Self;
}

macro_rules! pool_codes {
    ($code:ident) => {
        impl PoolElement for $code {
            const LOWEST: Self = $code::MIN;
            type Sum = i32;

            #[inline]
            fn add_to(self, sum: i32) -> i32 {
                sum.wrapping_add(self.to_i32())
            }

            #[inline]
            fn mean(sum: i32, count: usize) -> Self {
                let n = count as i32;
                let rounded = if sum > 0 { sum.wrapping_add(n / 2) } else { sum.wrapping_sub(n / 2) };
                Self::saturate(rounded.checked_div(n).unwrap_or(0))
            }
        }
    };
}

pool_codes!(i8);
pool_codes!(i16);

impl PoolElement for f32 {
    const LOWEST: Self = f32::NEG_INFINITY;
    type Sum = f32;

    #[inline]
    fn add_to(self, sum: f32) -> f32 {
        sum + self
    }

    #[inline]
    fn mean(sum: f32, count: usize) -> f32 {
        sum / count as f32
    }
}

/// Maximum over the taps inside the input, then clamp; shapes at [`Pool2d`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn max_pool2d<T: PoolElement>(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let channels = op.channels().get();
    for_each_output(&op.window, channels, y, |position, c| {
        let inside = taps(&op.window, position).flatten().map(|pixel| at(x, pixel * channels + c));
        clamp.apply(inside.fold(T::LOWEST, |largest, x| if x > largest { x } else { largest }))
    });
    Ok(())
}

/// Mean over the taps inside the input, then clamp; shapes at [`Pool2d`].
///
/// # Numerics
/// Integers: raw codes are summed in i32 (exact below 2^24 taps, it wraps above) and divided half away from zero; the
/// zero point does not change.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn average_pool2d<T: PoolElement>(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let channels = op.channels().get();
    for_each_output(&op.window, channels, y, |position, c| {
        let inside = taps(&op.window, position).flatten().map(|pixel| at(x, pixel * channels + c));
        let (sum, count) = inside.fold((T::Sum::default(), 0), |(sum, count), x| (x.add_to(sum), count + 1));
        clamp.apply(T::mean(sum, count))
    });
    Ok(())
}
