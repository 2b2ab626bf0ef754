//! Fully connected layer.

use super::Operator;
use crate::graph::Activation;

/// Inputs `x` (any shape, read flat as `[I]`), `w: [O, I]`, optionally `bias: [O]`; output `[O]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dense {
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
