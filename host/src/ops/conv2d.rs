//! Convolution.

use super::Operator;
use crate::graph::{Activation, Sliding};

/// Inputs `x: [H, W, C]`, `w: [O, KH, KW, C]`, optionally `bias: [O]`; output `[OH, OW, O]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv2d {
    /// Stride, dilation, padding.
    pub sliding: Sliding,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
