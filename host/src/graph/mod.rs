//! The one network type: typed operators over tensors with static shapes, quantisation attached to tensors.
//!
//! Shapes are per sample (no batch axis): activations are `[H, W, C]` or `[C]`. The one sample of a network over a graph
//! is its whole node set: activations are `[N, 1, C]`, and it may have no input at all. Nodes are kept in execution order.
//! What an operator is and does is in its file of [`crate::ops`]; here it is asked for the nodes of a network.

mod build;
pub mod channels;
mod error;
pub mod eval;
pub mod lower;
pub mod shape;

pub use error::GraphError;

pub use crate::ops::{
    Activation, Adjacency, Data, Features, Grid, Op, Padding, Propagation, Quant, Role, Sliding, Tensor, Worth,
};

use crate::ops::Operands;

use niwaki_core::num::Rounding;

/// Index of a tensor in [`Graph::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// One operator applied to tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique in the graph.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// Operands in the order that the operator documents.
    pub inputs: Vec<TensorId>,
    /// The tensor that this node writes.
    pub output: TensorId,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// Every tensor; [`TensorId`] indexes it.
    pub tensors: Vec<Tensor>,
    /// Nodes in execution order.
    pub nodes: Vec<Node>,
    /// Tensors that the caller fills.
    pub inputs: Vec<TensorId>,
    /// Tensors that the caller reads.
    pub outputs: Vec<TensorId>,
    /// How requantisation rounds.
    pub rounding: Rounding,
}

impl std::ops::Index<TensorId> for Graph {
    type Output = Tensor;
    fn index(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0]
    }
}

impl std::ops::IndexMut<TensorId> for Graph {
    fn index_mut(&mut self, id: TensorId) -> &mut Tensor {
        &mut self.tensors[id.0]
    }
}

impl Graph {
    /// The node that writes `tensor`, if any.
    pub fn producer(&self, tensor: TensorId) -> Option<usize> {
        self.nodes.iter().position(|n| n.output == tensor)
    }

    /// The nodes that read `tensor`.
    pub fn consumers(&self, tensor: TensorId) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].inputs.contains(&tensor)).collect()
    }

    /// Number of trained values.
    pub fn parameter_count(&self) -> usize {
        self.tensors.iter().filter(|t| t.role == Role::Parameter).map(Tensor::element_count).sum()
    }

    /// The tensors of `node`, as its operator sees them.
    pub fn operands(&self, node: &Node) -> Operands<'_> {
        Operands {
            inputs: node.inputs.iter().map(|&id| &self[id]).collect(),
            output: &self[node.output],
            rounding: self.rounding,
            over_nodes: self.nodes.iter().any(|node| node.op.rules().over_nodes),
        }
    }

    /// Multiply-accumulates of one inference, as [`Operator::macs`](crate::ops::Operator::macs) counts them.
    pub fn macs(&self) -> usize {
        self.nodes.iter().map(|n| self.node_macs(n)).sum()
    }

    /// Multiply-accumulates of one node.
    pub fn node_macs(&self, node: &Node) -> usize {
        node.op.operator().macs(&self.operands(node))
    }

    /// Drops tensors that nothing refers to and renumbers the rest.
    pub fn compact(&mut self) {
        let mut used = vec![false; self.tensors.len()];
        for node in &self.nodes {
            for id in node.inputs.iter().chain([&node.output]) {
                used[id.0] = true;
            }
        }
        for id in self.inputs.iter().chain(&self.outputs) {
            used[id.0] = true;
        }
        let mut new_ids = Vec::with_capacity(used.len());
        let mut next = 0;
        for &u in &used {
            new_ids.push(TensorId(next));
            next += usize::from(u);
        }
        let mut keep = used.iter();
        self.tensors.retain(|_| *keep.next().expect("one flag a tensor"));
        let renumber = |id: &mut TensorId| *id = new_ids[id.0];
        for node in &mut self.nodes {
            node.inputs.iter_mut().for_each(renumber);
            renumber(&mut node.output);
        }
        self.inputs.iter_mut().for_each(renumber);
        self.outputs.iter_mut().for_each(renumber);
    }
}
