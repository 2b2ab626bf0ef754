//! Operators of a network that has its data in it: one sample, whose rows are the nodes of a graph.

use super::{Resolver, refuse};
use crate::engine::attention::Attention;
use crate::engine::dropout::Dropout;
use crate::engine::error::EngineError;
use crate::engine::kernel::Kernel;
use crate::engine::pointwise::Pointwise;
use crate::engine::propagate::Propagate;
use crate::engine::real::Real;
use crate::engine::sparse_dense::SparseDense;
use crate::graph::{Node, Op, Padding, Propagation, Sliding};
use crate::ops;

impl Resolver<'_> {
    /// Whether the values are rows of nodes.
    pub(super) fn is_over_nodes(&self) -> bool {
        self.graph.inputs.is_empty()
    }

    pub(super) fn kernel_over_nodes<T: Real>(&mut self, node: &Node) -> Result<Kernel<T>, EngineError> {
        match &node.op {
            Op::SparseDense(ops::SparseDense { features, activation }) => {
                if self.graph.consumers(node.inputs[0]).len() > 1 {
                    return Err(refuse(node, "its weights may not be shared with another operator".into()));
                }
                let (w, bias) = (self.constant(node, 0)?, self.optional(node, 1)?);
                Ok(Kernel::SparseDense { op: Box::new(SparseDense::new(features, *activation)), w, bias })
            }
            Op::Conv2d(op) => self.pointwise(node, op),
            Op::Propagate(op) => self.propagate(node, op),
            Op::Dropout(ops::Dropout { rate }) => {
                self.dropouts += 1;
                Ok(Kernel::Dropout(Dropout { rate: *rate, layer: self.dropouts - 1 }))
            }
            _ => Err(refuse(node, "it cannot be trained over nodes".into())),
        }
    }

    fn pointwise<T: Real>(&self, node: &Node, op: &ops::Conv2d) -> Result<Kernel<T>, EngineError> {
        let shape = |i: usize| self.graph[node.inputs[i]].shape.as_slice();
        let (x, w) = (shape(0), shape(1));
        let plain = [Padding::Valid, Padding::Same].map(Sliding::unit).contains(&op.sliding);
        if !plain || w[1..3] != [1, 1] || x[1] != 1 {
            let what = "over nodes a convolution must be of 1x1 taps with stride 1 on [N, 1, C]";
            return Err(refuse(node, what.into()));
        }
        let op = Pointwise { inputs: w[3], outputs: w[0], activation: op.activation };
        Ok(Kernel::Pointwise { op, w: self.constant(node, 1)?, bias: self.optional(node, 2)? })
    }

    fn propagate<T: Real>(&mut self, node: &Node, op: &ops::Propagate) -> Result<Kernel<T>, EngineError> {
        let ops::Propagate { adjacency, rule, activation } = op;
        let activation = *activation;
        if node.inputs.len() > rule.operands() {
            return Err(refuse(node, "the edges that count are chosen after training".into()));
        }
        if let Propagation::Attention { heads, slope } = *rule {
            let (source, target) = (self.constant(node, 1)?, self.constant(node, 2)?);
            let op = Box::new(Attention::new(adjacency, heads, slope));
            self.attentions += 1;
            return Ok(Kernel::Attention { op, index: self.attentions - 1, source, target, activation });
        }
        let eps = if *rule == Propagation::Sum { Some(self.constant(node, 1)?) } else { None };
        Ok(Kernel::Propagate { op: Box::new(Propagate::new(adjacency, *rule)), eps, activation })
    }
}
