//! Convolution of each channel by itself.

use super::Operator;
use crate::graph::{Activation, Sliding};

/// Inputs `x: [H, W, C]`, `w: [KH, KW, C * multiplier]`, optionally `bias: [C * multiplier]`;
/// output channel `c * multiplier + m` reads input channel `c`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthwiseConv2d {
    /// Stride, dilation, padding.
    pub sliding: Sliding,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for DepthwiseConv2d {
    fn name(&self) -> &'static str {
        "depthwise_conv2d"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
