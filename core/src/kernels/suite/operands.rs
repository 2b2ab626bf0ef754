//! Random shapes and operands.

use crate::kernels::Clamp;
use crate::num::{Multiplier, Rounding, SmallMultiplier};
use crate::shape::{AxisSpec, Window};
use alloc::vec::Vec;

/// The 64-bit LCG of specs/optimizers.md §0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lcg(pub u64);

impl Lcg {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    pub(crate) fn int8s(&mut self, len: usize) -> Vec<i8> {
        (0..len).map(|_| self.next() as i8).collect()
    }

    pub(crate) fn int16s(&mut self, len: usize) -> Vec<i16> {
        (0..len).map(|_| self.next() as i16).collect()
    }

    /// Scratch memory with something in it.
    pub(crate) fn words(&mut self, len: usize) -> Vec<i32> {
        (0..len).map(|_| self.next() as i32).collect()
    }

    pub(crate) fn floats(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.next() as f32 / (1_u64 << 30) as f32 - 1.0).collect()
    }

    fn axis(&mut self, dilate: bool) -> AxisSpec {
        let kernel = 1 + self.below(4);
        let dilation = if dilate { 1 + self.below(2) } else { 1 };
        let extent = (kernel - 1) * dilation + 1;
        AxisSpec {
            input: 1 + self.below(9),
            kernel,
            stride: 1 + self.below(3),
            dilation,
            pad_before: self.below(extent),
            pad_after: self.below(extent),
        }
    }

    pub(crate) fn window(&mut self, dilate: bool) -> Window {
        loop {
            if let Ok(window) = Window::try_new(self.axis(dilate), self.axis(dilate)) {
                return window;
            }
        }
    }

    pub(crate) fn clamp(&mut self) -> Clamp<i32> {
        let min = -128 + self.below(100) as i32;
        Clamp { min, max: min + self.below((128 - min) as usize) as i32 }
    }

    /// A clamp that cuts nothing off every other time.
    pub(crate) fn open_or_clamp(&mut self) -> Clamp<i32> {
        if self.below(2) == 0 { Clamp { min: -128, max: 127 } } else { self.clamp() }
    }

    pub(crate) fn zero_point(&mut self) -> i32 {
        self.below(256) as i32 - 128
    }

    /// Single rounding now and then.
    pub(crate) fn rounding(&mut self) -> Rounding {
        if self.below(4) == 0 { Rounding::Single } else { Rounding::Double }
    }

    /// A multiplier that brings accumulators of about `2^bits` to codes.
    pub(crate) fn multiplier(&mut self, bits: i32, rounding: Rounding) -> Multiplier {
        let real = (1.0 + self.below(1000) as f64) * libm::exp2(f64::from(-(self.below(8) as i32) - bits));
        Multiplier::from_real(real, rounding)
    }

    /// Per-channel multipliers that spread accumulators over the int8 range.
    pub(crate) fn multipliers(&mut self, channels: usize) -> (Vec<i32>, Vec<i8>) {
        let one = |_| self.multiplier(14, Rounding::Double);
        (0..channels).map(one).map(|m| (m.mantissa_q31, m.shift as i8)).unzip()
    }
}

/// A multiplier as records in tiles hold it, if it is one of those.
pub(crate) fn small(mantissa_q31: i32, shift: i8) -> Option<SmallMultiplier> {
    SmallMultiplier::new(Multiplier { mantissa_q31, shift: shift.into() })
}
