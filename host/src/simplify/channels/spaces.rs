//! Which tensors share their channels, so that a channel leaves all of them or none.

use super::is_int8;
use crate::graph::{Graph, Op, TensorId};

/// Tensors of int8 codes whose channels are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Space {
    /// Channels of each; element `i` of a tensor is in channel `i % channels`.
    pub(super) channels: usize,
    /// Nodes whose weights make the channels: convolutions, dense layers, depthwise filters.
    pub(super) makers: Vec<usize>,
    /// Convolutions and dense layers that sum over the channels.
    pub(super) readers: Vec<usize>,
}

/// Channels of each tensor: the last axis, or what it was before a reshape.
pub(super) fn channels(graph: &Graph) -> Vec<usize> {
    let last = |id: TensorId| graph[id].shape.last().copied().unwrap_or(1);
    let mut channels: Vec<usize> = (0..graph.tensors.len()).map(|t| last(TensorId(t))).collect();
    for node in &graph.nodes {
        let (x, y) = (node.inputs[0], node.output);
        // The same elements in the same order: flattening keeps `index % channels`.
        if matches!(node.op, Op::Reshape { .. }) && last(y) % channels[x.0] == 0 {
            channels[y.0] = channels[x.0];
        }
    }
    channels
}

/// Whether `op` computes each channel of its result from the same channel of its operands alone. Its operands have as
/// many channels as their last axis.
pub(super) fn keeps_channels(op: &Op, rank: usize) -> bool {
    match op {
        Op::Activation(_)
        | Op::Logistic
        | Op::Tanh
        | Op::LeakyRelu { .. }
        | Op::HardSwish
        | Op::Quantize
        | Op::Add { .. }
        | Op::Sub { .. }
        | Op::Mul { .. }
        | Op::MaxPool2d { .. }
        | Op::AveragePool2d { .. }
        | Op::ResizeNearest { .. }
        | Op::ResizeBilinear { .. } => true,
        Op::Pad { pads, .. } => pads.last() == Some(&[0, 0]),
        Op::Mean { axes, .. } | Op::Sum { axes, .. } => !axes.contains(&(rank - 1)),
        _ => false,
    }
}

/// Disjoint sets of tensors.
struct Sets {
    parent: Vec<usize>,
    /// Sets whose channels must all stay.
    frozen: Vec<bool>,
}

impl Sets {
    fn find(&self, id: TensorId) -> usize {
        let mut t = id.0;
        while self.parent[t] != t {
            t = self.parent[t];
        }
        t
    }

    fn join(&mut self, a: TensorId, b: TensorId) {
        let (a, b) = (self.find(a), self.find(b));
        let (lead, other) = (a.min(b), a.max(b));
        self.parent[other] = lead;
        self.frozen[lead] |= self.frozen[other];
    }

    fn freeze(&mut self, id: TensorId) {
        let lead = self.find(id);
        self.frozen[lead] = true;
    }
}

/// The sets of tensors from which channels may be removed, in the order of their first tensors.
pub(super) fn spaces(graph: &Graph) -> Vec<Space> {
    let channels = channels(graph);
    let mut sets = Sets { parent: (0..graph.tensors.len()).collect(), frozen: vec![false; graph.tensors.len()] };
    for &id in graph.inputs.iter().chain(&graph.outputs) {
        sets.freeze(id);
    }
    for node in &graph.nodes {
        let (x, y) = (node.inputs[0], node.output);
        let whole = channels[x.0] == graph[x].shape.last().copied().unwrap_or(1);
        let activations = node.inputs.iter().all(|&id| graph[id].data.is_none() && graph[id].shape == graph[x].shape);
        let understood = match &node.op {
            Op::Conv2d { .. } => whole && is_int8(graph, node),
            Op::Dense { .. } => is_int8(graph, node),
            Op::DepthwiseConv2d { .. } => whole && is_int8(graph, node) && channels[x.0] == channels[y.0],
            Op::Reshape { .. } => channels[x.0] == channels[y.0],
            op => whole && activations && keeps_channels(op, graph[x].shape.len()) && channels[x.0] == channels[y.0],
        };
        match node.op {
            _ if !understood => node.inputs.iter().chain([&y]).for_each(|&id| sets.freeze(id)),
            Op::Conv2d { .. } | Op::Dense { .. } => {}
            Op::DepthwiseConv2d { .. } => sets.join(x, y),
            _ => node.inputs.iter().for_each(|&id| sets.join(id, y)),
        }
    }
    let mut found: Vec<(usize, Space)> = Vec::new();
    let of = |found: &mut Vec<(usize, Space)>, id: TensorId| {
        let lead = sets.find(id);
        if sets.frozen[lead] {
            return None;
        }
        let at = found.iter().position(|(l, _)| *l == lead).unwrap_or_else(|| {
            found.push((lead, Space { channels: channels[id.0], makers: Vec::new(), readers: Vec::new() }));
            found.len() - 1
        });
        Some(at)
    };
    for (n, node) in graph.nodes.iter().enumerate() {
        let sums = matches!(node.op, Op::Conv2d { .. } | Op::Dense { .. });
        if (sums || matches!(node.op, Op::DepthwiseConv2d { .. }))
            && let Some(at) = of(&mut found, node.output)
        {
            found[at].1.makers.push(n);
        }
        if sums && let Some(at) = of(&mut found, node.inputs[0]) {
            found[at].1.readers.push(n);
        }
    }
    found.into_iter().map(|(_, space)| space).collect()
}
