//! Maximum and mean over windows.

use super::Operator;
use crate::graph::{Activation, Sliding};

/// Input `x: [H, W, C]`; maximum over the taps inside the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxPool2d {
    /// `[rows, columns]`
    pub kernel: [usize; 2],
    /// Stride, dilation 1, padding.
    pub sliding: Sliding,
}

impl Operator for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x: [H, W, C]`; mean over the taps inside the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AveragePool2d {
    /// `[rows, columns]`
    pub kernel: [usize; 2],
    /// Stride, dilation 1, padding.
    pub sliding: Sliding,
}

impl Operator for AveragePool2d {
    fn name(&self) -> &'static str {
        "average_pool2d"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
