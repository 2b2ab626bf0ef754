//! What one channel of a space costs: the weights of its group, in bytes and in multiply-accumulates.

use super::channels::ChannelSpace;
use crate::graph::{Graph, Role, TensorId};
use std::collections::BTreeMap;

/// What a network is smaller by without one channel of a space; all channels of a space cost the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelCost {
    /// Multiply-accumulates of one inference, of the layers that make the channel and of those that read it.
    pub macs: usize,
    /// Bytes of the trained values, as they are stored now.
    pub parameter_bytes: usize,
}

/// The cost of one channel of each space.
///
/// A weight between a channel and itself (a layer that reads the space it makes) is counted once, so that the numbers are
/// those by which [`Graph::macs`] falls when one channel goes.
pub fn channel_costs(graph: &Graph, spaces: &[ChannelSpace]) -> Vec<ChannelCost> {
    spaces.iter().map(|space| channel_cost(graph, space)).collect()
}

fn channel_cost(graph: &Graph, space: &ChannelSpace) -> ChannelCost {
    // Indices of one channel, along every axis that runs over the space.
    let mut indices: BTreeMap<TensorId, BTreeMap<usize, usize>> = BTreeMap::new();
    for slice in space.members.iter().chain(&space.readers) {
        let size = graph[slice.tensor].shape[slice.axis];
        *indices.entry(slice.tensor).or_default().entry(slice.axis).or_default() += size / slice.period;
    }
    let mut cost = ChannelCost { macs: 0, parameter_bytes: 0 };
    for (id, axes) in indices {
        let (tensor, len) = (&graph[id], graph[id].element_count());
        let kept =
            axes.iter().fold(len, |kept, (&axis, &gone)| kept / tensor.shape[axis] * (tensor.shape[axis] - gone));
        let gone = len - kept;
        if tensor.role == Role::Parameter {
            let bytes = tensor.data.as_ref().map_or(0, |data| data.bytes().len());
            cost.parameter_bytes += bytes / len * gone;
        }
        let reads = |inputs: &[TensorId]| inputs.get(1) == Some(&id);
        let macs = graph.nodes.iter().filter(|node| reads(&node.inputs)).map(|node| graph.node_macs(node) / len * gone);
        cost.macs += macs.sum::<usize>();
    }
    cost
}
