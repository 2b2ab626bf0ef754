//! What each operator does with channels: which ones it hands on, and which axes of its constants run over them.

use super::last;
use crate::graph::{Graph, Node, Op, TensorId};
use crate::ops;

/// Channels of an operand that are handed on as they are, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The operand.
    pub operand: TensorId,
    /// Its first channel.
    pub from: usize,
    /// The first channel of the result.
    pub to: usize,
    /// How many.
    pub channels: usize,
}

/// The channels that `node` hands on: channel by channel, its result depends on these and on constants alone. Empty where
/// it makes new ones (or repeats a single one); `None` where channels are mixed in another way.
///
/// What the operand of a sum or product with but one channel is repeated over depends on it too; it is in no run.
pub fn runs(graph: &Graph, node: &Node) -> Option<Vec<Run>> {
    let (x, y) = (*node.inputs.first()?, node.output);
    let (from, to) = (last(graph, x), last(graph, y));
    let rank = graph[x].shape.len();
    let whole = |operand| Run { operand, from: 0, to: 0, channels: to };
    let runs = match &node.op {
        Op::Conv2d(_) | Op::TransposeConv2d(_) | Op::Dense(_) => Vec::new(),
        Op::DepthwiseConv2d(_) if from == 1 => Vec::new(),
        Op::DepthwiseConv2d(_) if from == to => vec![whole(x)],
        Op::BatchNorm(_)
        | Op::Clamp(_)
        | Op::Logistic(_)
        | Op::Tanh(_)
        | Op::LeakyRelu(_)
        | Op::HardSwish(_)
        | Op::Quantize(_)
        | Op::Dequantize(_)
        | Op::MaxPool2d(_)
        | Op::AveragePool2d(_)
        | Op::ResizeNearest(_)
        | Op::ResizeBilinear(_) => vec![whole(x)],
        Op::Pad(ops::Pad { pads, .. }) if pads.last() == Some(&[0, 0]) => vec![whole(x)],
        Op::Mean(ops::Mean { axes, .. }) | Op::Sum(ops::Sum { axes, .. }) if !axes.contains(&rank.checked_sub(1)?) => {
            vec![whole(x)]
        }
        Op::Transpose(ops::Transpose { order }) if order.last() == Some(&rank.checked_sub(1)?) => vec![whole(x)],
        // Constants are no operands here but weights of the channels (`axes`).
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu(_) => {
            let activations = node.inputs.iter().copied().filter(|&id| graph[id].data.is_none());
            activations.filter(|&id| last(graph, id) == to).map(whole).collect()
        }
        Op::Concat(ops::Concat { axis }) if axis + 1 == rank => {
            let mut to = 0;
            let place = |&operand: &TensorId| {
                let channels = last(graph, operand);
                to += channels;
                Run { operand, from: 0, to: to - channels, channels }
            };
            node.inputs.iter().map(place).collect()
        }
        Op::Concat(_) => node.inputs.iter().copied().map(whole).collect(),
        Op::Slice(ops::Slice { begin, stride, .. }) if stride.last() == Some(&1) => {
            vec![Run { operand: x, from: *begin.last()?, to: 0, channels: to }]
        }
        // The same elements in the same order: a flattening repeats the channels, and its reverse folds them.
        Op::Reshape(_) if to.is_multiple_of(from) => {
            (0..to).step_by(from).map(|to| Run { operand: x, from: 0, to, channels: from }).collect()
        }
        Op::Reshape(_) if from.is_multiple_of(to) => {
            (0..from).step_by(to).map(|from| Run { operand: x, from, to: 0, channels: to }).collect()
        }
        _ => return None,
    };
    Some(runs)
}

/// An axis of a constant whose indices are the channels of an activation, over and over.
pub(super) struct Axis {
    pub(super) tensor: TensorId,
    pub(super) axis: usize,
    /// The activation.
    pub(super) of: TensorId,
    /// Whether the node sums over the channels; else it makes them.
    pub(super) reads: bool,
}

/// Every axis of the constants of `node` that runs over channels.
pub(super) fn axes(graph: &Graph, node: &Node) -> Vec<Axis> {
    let (x, y) = (node.inputs[0], node.output);
    let makes = |&tensor: &TensorId, axis| Axis { tensor, axis, of: y, reads: false };
    // Weights first, then vectors.
    let all = |weights: usize| {
        let axis = move |i: usize| if i == 0 { weights } else { 0 };
        node.inputs[1..].iter().enumerate().map(|(i, id)| makes(id, axis(i))).collect::<Vec<_>>()
    };
    let reads = |axis| node.inputs.get(1).map(|&tensor| Axis { tensor, axis, of: x, reads: true });
    match node.op {
        Op::Conv2d(_) | Op::TransposeConv2d(_) => all(0).into_iter().chain(reads(3)).collect(),
        Op::Dense(_) => all(0).into_iter().chain(reads(1)).collect(),
        Op::DepthwiseConv2d(_) => all(2),
        Op::BatchNorm(_) => all(0),
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu(_) => {
            let constant = |id: &&TensorId| graph[**id].data.is_some() && last(graph, **id) == last(graph, y);
            let last_axis = |id: &TensorId| Some(makes(id, graph[*id].shape.len().checked_sub(1)?));
            node.inputs.iter().filter(constant).filter_map(last_axis).collect()
        }
        _ => Vec::new(),
    }
}
