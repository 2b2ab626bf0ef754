//! Neighbours brought together over the edges of a graph, and the choice of edges.

use super::Operator;
use crate::graph::{Activation, Adjacency, Propagation};
use std::sync::Arc;

/// Inputs `x: [N, .., C]`, then for [`Propagation::Sum`] `eps: [1]`, for [`Propagation::Attention`] `source: [C]` and
/// `target: [C]`, then optionally the output of an [`KeepEdges`]; output of the same shape. Row `i` is made of the
/// rows of node `i`'s neighbours, of those whose edges count.
#[derive(Debug, Clone, PartialEq)]
pub struct Propagate {
    /// The graph of `N` nodes.
    pub adjacency: Arc<Adjacency>,
    /// How they come together.
    pub rule: Propagation,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Propagate {
    fn name(&self) -> &'static str {
        "propagate"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}

/// Input `drop: [1]`, i32; output one bit an edge, int8 `[E / 8]` rounded up: set where the rank of the edge is not below
/// `drop`. Ranks of [`niwaki_core::teddy::NEVER`] stay whatever happens.
#[derive(Debug, Clone, PartialEq)]
pub struct KeepEdges {
    /// One an edge of the graph that the bits are for.
    pub ranks: Arc<Vec<u32>>,
}

impl Operator for KeepEdges {
    fn name(&self) -> &'static str {
        "keep_edges"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
