//! Which operators give exactly zero for zeros, so that what is masked can as well be left out.

use crate::graph::{Graph, Node, Op, Role, TensorId};

/// Whether a mask can set a constant to zero.
pub(super) fn is_trained(graph: &Graph, id: TensorId) -> bool {
    graph[id].role == Role::Parameter && graph[id].f32s().is_some()
}

/// Whether the result of `node` is zero when those of its operands are that `is_zero` names, weights and biases among
/// them.
pub(super) fn gives_zero(node: &Node, is_zero: impl Fn(TensorId) -> bool) -> bool {
    let operand = |i: usize| node.inputs.get(i).is_none_or(|&id| is_zero(id));
    match &node.op {
        Op::Conv2d { .. } | Op::TransposeConv2d { .. } | Op::Dense { .. } => operand(1) && operand(2),
        Op::DepthwiseConv2d { .. } => (operand(0) || operand(1)) && operand(2),
        // `x * scale + (beta - mean * scale)`, where gamma is a factor of the scale.
        Op::BatchNorm { .. } => operand(1) && operand(2),
        Op::Add { .. } | Op::Sub { .. } | Op::Concat { .. } => node.inputs.iter().all(|&id| is_zero(id)),
        Op::Mul { .. } => node.inputs.iter().any(|&id| is_zero(id)),
        Op::Pad { value, .. } => *value == 0.0 && operand(0),
        // Every clamp has zero inside its interval.
        Op::Activation(_)
        | Op::Tanh
        | Op::LeakyRelu { .. }
        | Op::Prelu
        | Op::HardSwish
        | Op::Mean { .. }
        | Op::Sum { .. }
        | Op::MaxPool2d { .. }
        | Op::AveragePool2d { .. }
        | Op::ResizeNearest { .. }
        | Op::ResizeBilinear { .. }
        | Op::Slice { .. }
        | Op::Transpose { .. }
        | Op::Dropout { .. }
        | Op::Gather
        | Op::Propagate { .. }
        | Op::Reshape { .. } => operand(0),
        Op::SparseDense { .. } => operand(0) && operand(1),
        Op::Logistic | Op::Softmax | Op::ArgMax { .. } | Op::Quantize | Op::Dequantize | Op::KeepEdges { .. } => false,
    }
}
