//! f32 activations with weights stored in 16 bits.

use super::{Arithmetic, Clamp};
use crate::error::ShapeError;

/// f32 activations, bias and sums with binary16 weights, each widened (exactly) before it is multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Float16 {
    /// Fused activation.
    pub clamp: Clamp<f32>,
}

impl Arithmetic for Float16 {
    type Input = f32;
    type Weight = half::f16;
    type Bias = f32;
    type Acc = f32;
    type Output = f32;

    fn check_channels(&self, _: usize) -> Result<(), ShapeError> {
        Ok(())
    }

    #[inline]
    fn start(&self, bias: f32) -> f32 {
        bias
    }

    #[inline]
    fn multiply_add(&self, acc: f32, x: f32, w: half::f16) -> f32 {
        acc + x * w.to_f32()
    }

    #[inline]
    fn finish(&self, _: usize, acc: f32) -> f32 {
        self.clamp.apply(acc)
    }
}
