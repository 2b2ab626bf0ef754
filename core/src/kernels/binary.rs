//! Operators of two operands, element by element, with broadcasting: what each computes for one pair.

use super::Clamp;
use crate::error::ShapeError;
use crate::num::{Code, Multiplier, Rounding};
use crate::shape::{MAX_LEN, expect_len};

/// An operator that computes every output from one element of either operand.
pub trait Binary<T>: Copy {
    /// One output.
    fn apply(&self, a: T, b: T) -> T;

    /// The operator that gives `apply(a, b)` for `(b, a)`, where there is one: a back end then needs one loop, not two.
    #[inline]
    fn swapped(&self) -> Option<Self> {
        None
    }
}

/// Which operand of a binary operator lies in the output's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `y = op(y, other)`
    Left,
    /// `y = op(other, y)`
    Right,
}

/// The constants of a sum of codes; specs/integer_arithmetic.md §4 (int8) and §7 (int16), ADD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddInt {
    /// Zero points of `a` and `b`, each in `-128..=127`.
    pub input_zero_points: [i32; 2],
    /// Multipliers of `a` and `b`.
    pub input_multipliers: [Multiplier; 2],
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// Multiplier of the sum.
    pub output_multiplier: Multiplier,
    /// Within the codes.
    pub clamp: Clamp<i32>,
    /// How multipliers round.
    pub rounding: Rounding,
}

impl AddInt {
    /// The three multipliers for operands of these scales and codes `T`: `([a, b], sum)`.
    pub fn multipliers<T: Code>(
        input_scales: [f32; 2],
        output_scale: f32,
        rounding: Rounding,
    ) -> ([Multiplier; 2], Multiplier) {
        let [a, b] = input_scales.map(f64::from);
        let twice_max = 2.0 * if a > b { a } else { b };
        let unit = (1_u64 << T::SUM_SHIFT) as f64;
        (
            [Multiplier::from_real(a / twice_max, rounding), Multiplier::from_real(b / twice_max, rounding)],
            Multiplier::from_real(twice_max / (unit * f64::from(output_scale)), rounding),
        )
    }

    /// Both operands in one unit.
    #[inline]
    fn operands<T: Code>(&self, a: T, b: T) -> (i32, i32) {
        let [za, zb] = self.input_zero_points;
        let [ma, mb] = self.input_multipliers;
        let a = ma.apply((a.to_i32() - za) << T::SUM_SHIFT, self.rounding);
        let b = mb.apply((b.to_i32() - zb) << T::SUM_SHIFT, self.rounding);
        (a, b)
    }

    #[inline]
    fn finish<T: Code>(&self, sum: i32) -> T {
        let scaled = self.output_multiplier.apply(sum, self.rounding);
        T::saturate(self.clamp.apply(scaled.wrapping_add(self.output_zero_point)))
    }
}

impl<T: Code> Binary<T> for AddInt {
    #[inline]
    fn apply(&self, a: T, b: T) -> T {
        let (a, b) = self.operands(a, b);
        self.finish(a.wrapping_add(b))
    }

    #[inline]
    fn swapped(&self) -> Option<Self> {
        let ([za, zb], [ma, mb]) = (self.input_zero_points, self.input_multipliers);
        Some(Self { input_zero_points: [zb, za], input_multipliers: [mb, ma], ..*self })
    }
}

/// The constants of a difference of codes, which are those of a sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubInt(pub AddInt);

impl<T: Code> Binary<T> for SubInt {
    #[inline]
    fn apply(&self, a: T, b: T) -> T {
        let (a, b) = self.0.operands(a, b);
        self.0.finish(a.wrapping_sub(b))
    }
}

/// The constants of a product of codes; specs/integer_arithmetic.md §4, MUL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MulInt {
    /// Zero points of `a` and `b`, each in `-128..=127`.
    pub input_zero_points: [i32; 2],
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// `scale_a * scale_b / output_scale`, in f64.
    pub multiplier: Multiplier,
    /// Within the codes.
    pub clamp: Clamp<i32>,
    /// How the multiplier rounds.
    pub rounding: Rounding,
}

impl<T: Code> Binary<T> for MulInt {
    #[inline]
    fn apply(&self, a: T, b: T) -> T {
        let [za, zb] = self.input_zero_points;
        let product = (a.to_i32() - za).wrapping_mul(b.to_i32() - zb);
        let scaled = self.multiplier.apply(product, self.rounding);
        T::saturate(self.clamp.apply(scaled.wrapping_add(self.output_zero_point)))
    }

    #[inline]
    fn swapped(&self) -> Option<Self> {
        let [za, zb] = self.input_zero_points;
        Some(Self { input_zero_points: [zb, za], ..*self })
    }
}

/// The constants of a leaky ReLU of codes whose slopes are codes too: `a` is the input, `b` the slope.
///
/// # Numerics
/// `positive * x` for `x = a - zero point >= 0`, else `negative * (x * slope)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PreluInt {
    /// Zero points of input and slopes, each in `-128..=127`.
    pub input_zero_points: [i32; 2],
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// `input_scale / output_scale`, in f64.
    pub positive: Multiplier,
    /// `input_scale * slope_scale / output_scale`, in f64.
    pub negative: Multiplier,
    /// How the multipliers round.
    pub rounding: Rounding,
}

impl<T: Code> Binary<T> for PreluInt {
    // Two multipliers, of which one runs: small rather than in every loop.
    #[inline(never)]
    fn apply(&self, x: T, slope: T) -> T {
        let [zx, zs] = self.input_zero_points;
        let x = x.to_i32() - zx;
        let scaled = if x >= 0 {
            self.positive.apply(x, self.rounding)
        } else {
            self.negative.apply(x.wrapping_mul(slope.to_i32() - zs), self.rounding)
        };
        T::saturate(scaled.wrapping_add(self.output_zero_point))
    }
}

/// `clamp(a + b)` of floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddF32(pub Clamp<f32>);

impl Binary<f32> for AddF32 {
    #[inline]
    fn apply(&self, a: f32, b: f32) -> f32 {
        self.0.apply(a + b)
    }

    #[inline]
    fn swapped(&self) -> Option<Self> {
        Some(*self)
    }
}

/// `clamp(a - b)` of floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubF32(pub Clamp<f32>);

impl Binary<f32> for SubF32 {
    #[inline]
    fn apply(&self, a: f32, b: f32) -> f32 {
        self.0.apply(a - b)
    }
}

/// `clamp(a * b)` of floats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MulF32(pub Clamp<f32>);

impl Binary<f32> for MulF32 {
    #[inline]
    fn apply(&self, a: f32, b: f32) -> f32 {
        self.0.apply(a * b)
    }

    #[inline]
    fn swapped(&self) -> Option<Self> {
        Some(*self)
    }
}

/// Leaky ReLU of floats: `a` where it is not negative, else `a * b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreluF32;

impl Binary<f32> for PreluF32 {
    #[inline]
    fn apply(&self, x: f32, slope: f32) -> f32 {
        if x >= 0.0 { x } else { x * slope }
    }
}

/// One loop of a broadcast: how far each operand moves a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) len: usize,
    pub(crate) strides: [usize; 2],
}

/// How two operands lie over their output: axis by axis of one size, or of size 1 and repeated.
///
/// # Shapes
/// `a`, `b`: up to four axes, aligned at the last one · `y`: the larger size of every axis, row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broadcast {
    loops: [Loop; 4],
    lens: [usize; 3],
}

impl Broadcast {
    /// Proves the geometry of operands with these axes, aligned at the last; missing ones in front are 1.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] for sizes that differ where neither is 1, and for an output that is too large.
    pub fn try_new(a: [usize; 4], b: [usize; 4]) -> Result<Self, ShapeError> {
        let mut loops = [Loop { len: 1, strides: [0; 2] }; 4];
        let mut lens = [1_usize; 3];
        let too_large = ShapeError::Dim { name: "output", value: usize::MAX };
        for ((slot, &a), &b) in loops.iter_mut().rev().zip(a.iter().rev()).zip(b.iter().rev()) {
            let size = if a == 1 { b } else { a };
            if size == 0 || (b != 1 && b != size) {
                return Err(ShapeError::Dim { name: "axis of b", value: b });
            }
            let [a_len, b_len, y_len] = &mut lens;
            let stride = |own: usize, len: usize| if own == 1 { 0 } else { len };
            *slot = Loop { len: size, strides: [stride(a, *a_len), stride(b, *b_len)] };
            for (len, size) in [(a_len, a), (b_len, b), (y_len, size)] {
                *len = len.checked_mul(size).filter(|&len| len <= MAX_LEN).ok_or(too_large)?;
            }
        }
        Ok(Self { loops, lens })
    }

    /// The geometry of operands that have one shape of `len` elements.
    ///
    /// # Errors
    /// [`ShapeError::Dim`].
    pub fn equal(len: usize) -> Result<Self, ShapeError> {
        Self::try_new([1, 1, 1, len], [1, 1, 1, len])
    }

    /// Sizes of the output's axes.
    pub fn sizes(&self) -> [usize; 4] {
        self.loops.map(|axis| axis.len)
    }

    pub(crate) const fn loops(&self) -> &[Loop; 4] {
        &self.loops
    }

    /// The loops with those merged over which both operands run on or both repeat; the last one is innermost.
    pub(crate) fn merged(&self) -> [Loop; 4] {
        let mut merged = [Loop { len: 1, strides: [0; 2] }; 4];
        let mut slots = merged.iter_mut().rev();
        let Some(mut slot) = slots.next() else { return merged };
        for axis in self.loops.iter().rev().filter(|axis| axis.len > 1) {
            if slot.len == 1 {
                *slot = *axis;
            } else if slot.strides.map(|stride| stride * slot.len) == axis.strides {
                slot.len *= axis.len;
            } else if let Some(next) = slots.next() {
                slot = next;
                *slot = *axis;
            }
        }
        merged
    }

    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, a: usize, b: usize, y: usize) -> Result<(), ShapeError> {
        let [a_len, b_len, y_len] = self.lens;
        expect_len("a", a_len, a)?;
        expect_len("b", b_len, b)?;
        expect_len("y", y_len, y)
    }
}
