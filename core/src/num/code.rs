//! Quantised values: integer codes of 8 and 16 bits.

/// A quantised value, as the integer (its code) that stands for it.
pub trait Code: Copy + Default + PartialOrd {
    /// Smallest code.
    const MIN: i32;
    /// Largest code.
    const MAX: i32;
    /// Fraction bits that operands of a sum get before they are scaled (specs/integer_arithmetic.md §4, §7).
    const SUM_SHIFT: u32;

    /// The code as a number.
    fn to_i32(self) -> i32;

    /// The nearest code.
    fn saturate(value: i32) -> Self;
}

impl Code for i8 {
    const MIN: i32 = i8::MIN as i32;
    const MAX: i32 = i8::MAX as i32;
    const SUM_SHIFT: u32 = 20;

    #[inline]
    fn to_i32(self) -> i32 {
        self.into()
    }

    #[inline]
    fn saturate(value: i32) -> Self {
        super::saturate_i8(value)
    }
}

impl Code for i16 {
    const MIN: i32 = i16::MIN as i32;
    const MAX: i32 = i16::MAX as i32;
    const SUM_SHIFT: u32 = 15;

    #[inline]
    fn to_i32(self) -> i32 {
        self.into()
    }

    #[inline]
    fn saturate(value: i32) -> Self {
        super::saturate_i16(value)
    }
}

/// The code of a real value: `clamp(round_away(x / scale) + zero_point)`; NaN gives the zero point.
///
/// The division is in f32 (specs/integer_arithmetic.md §1).
pub fn quantize<T: Code>(x: f32, scale: f32, zero_point: i32) -> T {
    let code = libm::roundf(x / scale);
    // `as` saturates and maps NaN to 0.
    T::saturate((code as i32).saturating_add(zero_point))
}

/// The real value of a code: `scale * (q - zero_point)` in f32.
pub fn dequantize<T: Code>(q: T, scale: f32, zero_point: i32) -> f32 {
    scale * q.to_i32().wrapping_sub(zero_point) as f32
}
