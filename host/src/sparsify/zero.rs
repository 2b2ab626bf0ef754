//! Which operators give exactly zero for zeros, so that what is masked can as well be left out.

use crate::graph::{Graph, Node, Role, TensorId};

/// Whether a mask can set a constant to zero.
pub(super) fn is_trained(graph: &Graph, id: TensorId) -> bool {
    graph[id].role == Role::Parameter && graph[id].f32s().is_some()
}

/// Whether the result of `node` is zero when those of its operands are that `is_zero` names, weights and biases among
/// them.
pub(super) fn gives_zero(node: &Node, is_zero: impl Fn(TensorId) -> bool) -> bool {
    let operands: Vec<bool> = node.inputs.iter().map(|&id| is_zero(id)).collect();
    node.op.rules().zero.of(&operands)
}
