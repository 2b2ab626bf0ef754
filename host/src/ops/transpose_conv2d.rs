//! Transposed convolution.

use super::Operator;
use crate::graph::{Activation, Sliding};

/// Inputs `x: [H, W, C]`, `w: [O, KH, KW, C]`, optionally `bias: [O]`; output `[OH, OW, O]`. The padding is that of
/// the convolution that maps the output's shape to the input's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransposeConv2d {
    /// Stride, dilation 1, padding.
    pub sliding: Sliding,
    /// Rows and columns of the output.
    pub size: [usize; 2],
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for TransposeConv2d {
    fn name(&self) -> &'static str {
        "transpose_conv2d"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
