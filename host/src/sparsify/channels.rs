//! The channels that may be pruned in training: those that are zero wherever they are read once their group is.
//!
//! [`crate::graph::channels`] says which channels stay or go together. Channel `c` of a space is one group: the filters,
//! biases and scales that make it. A network with a group of zeros computes what the smaller one does, because no operator
//! is followed that would make something else of the zeros before a layer sums over them.

use super::zero::{gives_zero, is_trained};
use crate::graph::channels::{channels, spaces};
use crate::graph::{Graph, Role, TensorId};
use niwaki_core::format::DType;

pub use crate::graph::channels::{ChannelSpace, Cut, Slice};

/// The channel spaces of `graph` that can be pruned, in the order of the layers that open them.
pub fn channel_spaces(graph: &Graph) -> Vec<ChannelSpace> {
    let zero = zero_if_masked(graph);
    spaces(graph, |node| {
        let floats = node.inputs.iter().chain([&node.output]).all(|&id| graph[id].dtype() == DType::F32);
        let sums = channels(graph, node).axes.iter().any(|axis| axis.reads);
        floats && (!sums || zero[node.inputs[0].0])
    })
}

/// Which activations are zero in every channel whose group is.
fn zero_if_masked(graph: &Graph) -> Vec<bool> {
    let mut zero = vec![true; graph.tensors.len()];
    let last = |id: TensorId| graph[id].shape.last();
    for node in &graph.nodes {
        let is_zero = |id: TensorId| {
            // An operand with one channel is repeated over all: it is in another group or in none.
            let repeated = node.op.rules().repeats_channel && last(id) != last(node.output);
            !repeated && if graph[id].data.is_some() { is_trained(graph, id) } else { zero[id.0] }
        };
        zero[node.output.0] = gives_zero(node, is_zero);
    }
    zero
}

impl ChannelSpace {
    /// The trained members: what the norm of a group is taken over.
    pub fn parameters<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = Slice> + 'a {
        self.members.iter().copied().filter(|m| graph[m.tensor].role == Role::Parameter)
    }
}
