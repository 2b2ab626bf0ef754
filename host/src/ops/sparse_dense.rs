//! The constant sparse features of every node times weights.

use super::Operator;
use crate::graph::{Activation, Features};
use std::sync::Arc;

/// Inputs `w: [F, O]`, optionally `bias: [O]`; output `[N, 1, O]`: the constant features of every node times `w`.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseDense {
    /// `[N, F]`
    pub features: Arc<Features>,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for SparseDense {
    fn name(&self) -> &'static str {
        "sparse_dense"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}
