//! Operators of a network that has its data in it: one sample, whose rows are the nodes of a graph.

use super::{Resolver, refuse};
use crate::engine::attention::Attention;
use crate::engine::error::{EngineError, Untrainable};
use crate::engine::kernel::Kernel;
use crate::engine::pointwise::Pointwise;
use crate::engine::propagate::Propagate;
use crate::engine::real::Real;
use crate::engine::sparse_dense::SparseDense;
use crate::graph::{Activation, Adjacency, Features, Node, Propagation};
use niwaki_core::shape::{Axis, Window};

impl Resolver<'_> {
    /// Whether the values are rows of nodes.
    pub(super) fn is_over_nodes(&self) -> bool {
        self.graph.inputs.is_empty()
    }

    pub(super) fn sparse_dense<T: Real>(
        &self,
        node: &Node,
        features: &Features,
        activation: Activation,
    ) -> Result<Kernel<T>, EngineError> {
        if self.graph.consumers(node.inputs[0]).len() > 1 {
            return Err(refuse(node, Untrainable::Shared));
        }
        let (w, bias) = (self.constant(node, 0)?, self.optional(node, 1)?);
        Ok(Kernel::SparseDense { op: Box::new(SparseDense::new(features, activation)), w, bias })
    }

    pub(super) fn pointwise<T: Real>(
        &self,
        node: &Node,
        window: &Window,
        activation: Activation,
    ) -> Result<Kernel<T>, EngineError> {
        let plain =
            |axis: &Axis| [axis.kernel(), axis.stride(), axis.dilation()] == [1; 3] && axis.input() == axis.output();
        let (x, w) = (&self.graph[node.inputs[0]].shape, &self.graph[node.inputs[1]].shape);
        if !plain(&window.y) || !plain(&window.x) || x[1] != 1 {
            return Err(refuse(node, Untrainable::Window));
        }
        let op = Pointwise { inputs: w[3], outputs: w[0], activation };
        Ok(Kernel::Pointwise { op, w: self.constant(node, 1)?, bias: self.optional(node, 2)? })
    }

    pub(super) fn propagate<T: Real>(
        &mut self,
        node: &Node,
        adjacency: &Adjacency,
        rule: Propagation,
        activation: Activation,
    ) -> Result<Kernel<T>, EngineError> {
        if let Propagation::Attention { heads, slope } = rule {
            let (source, target) = (self.constant(node, 1)?, self.constant(node, 2)?);
            let op = Box::new(Attention::new(adjacency, heads, slope));
            self.attentions += 1;
            return Ok(Kernel::Attention { op, index: self.attentions - 1, source, target, activation });
        }
        let eps = if rule == Propagation::Sum { Some(self.constant(node, 1)?) } else { None };
        Ok(Kernel::Propagate { op: Box::new(Propagate::new(adjacency, rule)), eps, activation })
    }
}
