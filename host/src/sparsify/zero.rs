//! Which operators give exactly zero for zeros, so that what is masked can as well be left out.

use crate::graph::{Graph, Node, Op, Role, TensorId};
use crate::ops;

/// Whether a mask can set a constant to zero.
pub(super) fn is_trained(graph: &Graph, id: TensorId) -> bool {
    graph[id].role == Role::Parameter && graph[id].f32s().is_some()
}

/// Whether the result of `node` is zero when those of its operands are that `is_zero` names, weights and biases among
/// them.
pub(super) fn gives_zero(node: &Node, is_zero: impl Fn(TensorId) -> bool) -> bool {
    let operand = |i: usize| node.inputs.get(i).is_none_or(|&id| is_zero(id));
    match &node.op {
        Op::Conv2d(_) | Op::TransposeConv2d(_) | Op::Dense(_) => operand(1) && operand(2),
        Op::DepthwiseConv2d(_) => (operand(0) || operand(1)) && operand(2),
        // `x * scale + (beta - mean * scale)`, where gamma is a factor of the scale.
        Op::BatchNorm(_) => operand(1) && operand(2),
        Op::Add(_) | Op::Sub(_) | Op::Concat(_) => node.inputs.iter().all(|&id| is_zero(id)),
        Op::Mul(_) => node.inputs.iter().any(|&id| is_zero(id)),
        Op::Pad(ops::Pad { value, .. }) => *value == 0.0 && operand(0),
        // Every clamp has zero inside its interval.
        Op::Clamp(_)
        | Op::Tanh(_)
        | Op::LeakyRelu(_)
        | Op::Prelu(_)
        | Op::HardSwish(_)
        | Op::Mean(_)
        | Op::Sum(_)
        | Op::MaxPool2d(_)
        | Op::AveragePool2d(_)
        | Op::ResizeNearest(_)
        | Op::ResizeBilinear(_)
        | Op::Slice(_)
        | Op::Transpose(_)
        | Op::Dropout(_)
        | Op::Gather(_)
        | Op::Propagate(_)
        | Op::Reshape(_) => operand(0),
        Op::SparseDense(_) => operand(0) && operand(1),
        Op::Logistic(_) | Op::Softmax(_) | Op::ArgMax(_) | Op::Quantize(_) | Op::Dequantize(_) | Op::KeepEdges(_) => {
            false
        }
    }
}
