//! Which channels of a network are bound to each other, and their removal from every tensor that they are in.
//!
//! A channel is an index of a tensor's last axis. Operators hand channels on ([`crate::ops::Channels`]): a sum or product binds those
//! of its operands, a concatenation puts them one after the other, a flattening repeats them, and a convolution or dense
//! layer opens new ones. Channels that are bound stay or go together. A [`ChannelSpace`] is a run of such channels that
//! are next to each other wherever they appear; what is not understood keeps its channels.

mod cut;
mod sets;

pub use cut::{Cut, prune};

use super::{Graph, Node, TensorId};
use crate::ops::Channels;
use sets::{Bound, Sets};

/// Where the channels of a space lie along an axis: index `p * period + offset + c` belongs to channel `c`, for every
/// whole `p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The tensor.
    pub tensor: TensorId,
    /// The axis.
    pub axis: usize,
    /// Indices after which the channels come again; divides the size of the axis.
    pub period: usize,
    /// Index of the first channel.
    pub offset: usize,
}

impl Slice {
    /// The channel that `index` of the axis belongs to, in a space of `channels`.
    pub fn channel(&self, index: usize, channels: usize) -> Option<usize> {
        (index % self.period).checked_sub(self.offset).filter(|&c| c < channels)
    }
}

/// Channels of one or more activations that are bound to each other; at least two, as the last one never goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpace {
    /// Name of the first layer that makes these channels; followed by a range where it makes others too.
    pub name: String,
    /// Number of channels, which is the number of groups.
    pub channels: usize,
    /// Tensors that make the channels: what a group consists of, with the statistics that go with it.
    pub members: Vec<Slice>,
    /// Weights that sum over the channels.
    pub readers: Vec<Slice>,
    /// The activations that have these channels.
    pub activations: Vec<Slice>,
}

/// The spaces of `graph` in the order of the layers that open them.
///
/// The channels of graph inputs and outputs stay, and those of every operand and result of a node that is not followed:
/// one that `follows` refuses, that mixes channels in another way than by summing over all, or that shares a constant
/// with another node.
pub fn spaces(graph: &Graph, follows: impl Fn(&Node) -> bool) -> Vec<ChannelSpace> {
    let bound = Bound::from(bind(graph, follows));
    let (mut found, places) = find(graph, &bound);
    // The slices of each space along an axis of `tensor` whose indices are, over and over, the channels of `of`.
    let slices = |tensor: TensorId, axis: usize, of: TensorId| {
        let (size, last) = (graph[tensor].shape[axis], last(graph, of));
        let mut starts: Vec<(usize, Vec<usize>)> = Vec::new();
        for index in 0..size {
            if let Some((space, 0)) = bound.set(of, index % last).and_then(|set| places[set]) {
                match starts.iter_mut().find(|(s, _)| *s == space) {
                    Some((_, starts)) => starts.push(index),
                    None => starts.push((space, vec![index])),
                }
            }
        }
        let slice = move |period, offset| Slice { tensor, axis, period, offset };
        starts.into_iter().flat_map(move |(space, starts)| {
            let slices: Vec<Slice> = match period(&starts, size) {
                Some(period) => vec![slice(period, starts[0])],
                None => starts.iter().map(|&start| slice(size, start)).collect(),
            };
            slices.into_iter().map(move |slice| (space, slice))
        })
    };
    for node in &graph.nodes {
        for axis in channels(graph, node).axes {
            let of = if axis.reads { node.inputs[0] } else { node.output };
            for (space, slice) in slices(node.inputs[axis.operand], axis.axis, of) {
                if axis.reads { &mut found[space].readers } else { &mut found[space].members }.push(slice);
            }
        }
    }
    for node in &graph.nodes {
        let Some(axis) = graph[node.output].shape.len().checked_sub(1) else { continue };
        for (space, slice) in slices(node.output, axis, node.output) {
            found[space].activations.push(slice);
        }
    }
    found
}

/// The spaces, yet without their slices, and for each set of channels the space and which of its channels it is.
fn find(graph: &Graph, bound: &Bound) -> (Vec<ChannelSpace>, Vec<Option<(usize, usize)>>) {
    let mut found: Vec<ChannelSpace> = Vec::new();
    let mut places = vec![None; bound.len()];
    for node in graph.nodes.iter().filter(|node| channels(graph, node).axes.iter().any(|axis| !axis.reads)) {
        let last = last(graph, node.output);
        let mut first = 0;
        while first < last {
            let Some(set) = bound.set(node.output, first).filter(|&set| places[set].is_none()) else {
                first += 1;
                continue;
            };
            let chain = bound.chain(set);
            let end = first + chain.len();
            if chain.len() > 1 {
                chain.iter().enumerate().for_each(|(c, &set)| places[set] = Some((found.len(), c)));
                found.push(ChannelSpace {
                    name: if chain.len() == last {
                        node.name.clone()
                    } else {
                        format!("{}[{first}..{end}]", node.name)
                    },
                    channels: chain.len(),
                    members: Vec::new(),
                    readers: Vec::new(),
                    activations: Vec::new(),
                });
            }
            first = end;
        }
    }
    (found, places)
}

/// What `node` does with channels.
pub fn channels(graph: &Graph, node: &Node) -> Channels {
    node.op.operator().channels(&graph.operands(node))
}

/// The sets of channels that stay or go together.
fn bind(graph: &Graph, follows: impl Fn(&Node) -> bool) -> Sets {
    let mut sets = Sets::new(graph);
    let uses = uses(graph);
    let written: Vec<TensorId> = graph.nodes.iter().map(|node| node.output).collect();
    let read_or_given = (0..graph.tensors.len()).map(TensorId).filter(|id| !written.contains(id));
    read_or_given.chain(graph.outputs.iter().copied()).for_each(|id| sets.freeze(id));
    for node in &graph.nodes {
        let Channels { runs, axes } = channels(graph, node);
        let mut constants = axes.iter().map(|axis| node.inputs[axis.operand]);
        let own = constants.all(|id| graph[id].data.is_some() && uses[id.0] == 1);
        match runs.filter(|_| own && follows(node)) {
            Some(runs) => {
                for run in runs {
                    for c in 0..run.channels {
                        sets.join(node.inputs[run.operand], run.from + c, node.output, run.to + c);
                    }
                }
            }
            None => node.inputs.iter().chain([&node.output]).for_each(|&id| sets.freeze(id)),
        }
    }
    sets
}

/// How often each tensor is read; an axis of one constant counts once for a node that reads it there.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.tensors.len()];
    graph.nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs).for_each(|id| uses[id.0] += 1);
    uses
}

/// Channels of a tensor.
fn last(graph: &Graph, id: TensorId) -> usize {
    graph[id].shape.last().copied().unwrap_or(1)
}

/// The distance of `starts` if they cover an axis of `size` evenly.
fn period(starts: &[usize], size: usize) -> Option<usize> {
    let period = starts.get(1).map_or(size, |second| second - starts[0]);
    let even = starts.windows(2).all(|w| w[1] - w[0] == period);
    (even && starts.len() * period == size && starts[0] < period).then_some(period)
}
