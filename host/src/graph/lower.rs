//! What core runs for the nodes of a graph; evaluation and export share it.

use super::{Data, Graph, GraphError, Node, Role, TensorId};
use crate::ops::Misfit;
use niwaki_core::format::DType;

pub use crate::ops::lowered::{Binary, Lowered, Movement, Nodes, Over, Scaling, Unary, clamp_codes, clamp_f32};
pub use crate::ops::rows as nodes;

impl Graph {
    /// What core runs for `node`.
    ///
    /// # Errors
    /// [`GraphError::Operator`] for batch norm (fold it first) and for operands of which some are quantised and some not;
    /// [`GraphError::Shape`] when the operands do not fit.
    pub fn lower(&self, node: &Node) -> Result<Lowered, GraphError> {
        self.infer_node(node)?;
        node.op.operator().lower(&self.operands(node)).map_err(|what| node.refuses(what))
    }

    /// The bias of a weighted node, zeros where it has none; a binary16 one as f32.
    pub fn bias_data(&self, node: &Node) -> Data {
        self.operands(node).bias()
    }

    /// The type that files store a weighted operator's row by: that of its input, but f16 for f32 with f16 weights.
    pub fn weighted_dtype(&self, node: &Node) -> DType {
        match self[node.inputs[1]].dtype() {
            DType::F16 => DType::F16,
            _ => self[node.inputs[0]].element,
        }
    }

    /// Ids of the activations, graph inputs included.
    pub fn activations(&self) -> impl Iterator<Item = TensorId> + '_ {
        (0..self.tensors.len()).map(TensorId).filter(|&id| self[id].role == Role::Activation)
    }
}

impl Node {
    /// The error of an operator that cannot be run on the operands of this node.
    pub(crate) fn refuses(&self, what: Misfit) -> GraphError {
        GraphError::Operator { op: self.op.name(), node: self.name.clone(), what: Box::new(what) }
    }
}
