//! What a network costs, and what share of that goes with each group.

use super::channels::ChannelSpace;
use super::error::SparsifyError;
use super::options::{GroupWeights, Unit};
use super::parameter_groups::{LayerGroups, ParameterGroups};
use crate::graph::{Graph, Node, Role, TensorId};
use std::collections::{BTreeMap, HashMap};

/// Finds out what a network costs once it is exported.
pub trait Meter {
    /// The cost of `graph` as it is, in `unit`, which is not [`Unit::Macs`].
    ///
    /// # Errors
    /// Why it cannot be measured.
    fn total(&mut self, graph: &Graph, unit: Unit) -> Result<f64, String>;

    /// Instructions of each node by its name; folded nodes are missing.
    ///
    /// # Errors
    /// Why they cannot be measured.
    fn instructions(&mut self, graph: &Graph) -> Result<HashMap<String, f64>, String>;
}

/// The cost of `graph`.
///
/// # Errors
/// [`SparsifyError::Meter`].
pub fn total(graph: &Graph, unit: Unit, meter: &mut dyn Meter) -> Result<f64, SparsifyError> {
    match unit {
        Unit::Macs => Ok(macs(graph)),
        _ => meter.total(graph, unit).map_err(|what| SparsifyError::Meter { unit: unit.name(), what }),
    }
}

/// Multiply-accumulates with weights that are not zero.
pub fn macs(graph: &Graph) -> f64 {
    graph.nodes.iter().map(|node| node_macs(graph, node)).sum()
}

fn node_macs(graph: &Graph, node: &Node) -> f64 {
    let all = graph.node_macs(node) as f64;
    let Some(weights) = node.inputs.get(1).and_then(|&w| graph[w].f32s()).filter(|w| !w.is_empty()) else { return all };
    all * weights.iter().filter(|w| **w != 0.0).count() as f64 / weights.len() as f64
}

/// The weights `d_j` of all groups, one list a layer; their mean is 1.
///
/// # Errors
/// [`SparsifyError::Meter`].
pub fn group_weights(
    graph: &Graph,
    layers: &ParameterGroups,
    weights: GroupWeights,
    meter: &mut dyn Meter,
) -> Result<Vec<Vec<f64>>, SparsifyError> {
    let instructions = match weights {
        GroupWeights::One => return Ok(layers.list.iter().map(|f| vec![1.0; f.groups]).collect()),
        GroupWeights::Size | GroupWeights::Macs => HashMap::new(),
        GroupWeights::Instructions => {
            let failed = |what| SparsifyError::Meter { unit: Unit::Instructions.name(), what };
            meter.instructions(graph).map_err(failed)?
        }
    };
    let each = |layer: &LayerGroups| -> Vec<f64> {
        let even = |cost: f64| vec![cost; layer.groups];
        match (weights, layer.space()) {
            (GroupWeights::Size, Some(space)) => even(channel_cost(graph, space).parameter_bytes as f64),
            (GroupWeights::Macs, Some(space)) => even(channel_cost(graph, space).macs as f64),
            (GroupWeights::Size, None) => layer.sizes.iter().map(|&size| size as f64).collect(),
            (GroupWeights::Macs, None) => {
                even(nodes_of(graph, layer).map(|n| graph.node_macs(n)).sum::<usize>() as f64 / layer.groups as f64)
            }
            _ => {
                let each = nodes_of(graph, layer).filter_map(|node| instructions.get(&node.name));
                even(each.sum::<f64>() / layer.groups as f64)
            }
        }
    };
    let mut all: Vec<Vec<f64>> = layers.list.iter().map(each).collect();
    let groups = layers.groups().max(1) as f64;
    let mean = all.iter().flatten().sum::<f64>() / groups;
    if mean.is_nan() || mean <= 0.0 {
        return Err(SparsifyError::Meter { unit: "group weights", what: "every group costs nothing".into() });
    }
    // A group that costs nothing would weigh nothing, which the envelope does not have.
    all.iter_mut().flatten().for_each(|d| *d = (*d / mean).max(1e-6));
    Ok(all)
}

/// The nodes that make or read what a layer's groups are made of.
fn nodes_of<'a>(graph: &'a Graph, layer: &'a LayerGroups) -> impl Iterator<Item = &'a Node> {
    let slices = layer.space().into_iter().flat_map(|space| space.members.iter().chain(&space.readers));
    let tensors: Vec<TensorId> = slices.map(|slice| slice.tensor).collect();
    graph.nodes.iter().filter(move |n| n.name == layer.name || n.inputs.iter().any(|id| tensors.contains(id)))
}

/// What a network is smaller by without one channel of a space; all channels of a space cost the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelCost {
    /// Multiply-accumulates of one inference, of the layers that make the channel and of those that read it.
    pub macs: usize,
    /// Bytes of the trained values, as they are stored now.
    pub parameter_bytes: usize,
}

/// The cost of one channel of a space.
///
/// A weight between a channel and itself (a layer that reads the space it makes) is counted once, so that the numbers are
/// those by which [`Graph::macs`] falls when one channel goes.
pub fn channel_cost(graph: &Graph, space: &ChannelSpace) -> ChannelCost {
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
