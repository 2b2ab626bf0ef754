//! Batch normalisation; it is folded into the layer before it when a network is quantised.

use super::Operator;
use crate::graph::Activation;

/// Inputs `x: [.., C]`, `gamma, beta, running_mean, running_var: [C]`; statistics over batch and positions.
///
/// Training: biased variance of the batch; `running = (1 - momentum) * running + momentum * batch`, with the
/// unbiased variance (as PyTorch). Inference: the running statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Weight of the newest batch in the running statistics.
    pub momentum: f32,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
