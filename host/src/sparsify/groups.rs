//! Which channels must stay or go together, read off the graph by dependency analysis.
//!
//! Every activation belongs to a *channel space*: operators that keep channels apart (depthwise convolution, batch
//! norm, clamps, pooling, flattening) hand their input's space on, an addition joins the spaces of its operands, and
//! a convolution or dense layer opens a new one. Channel `c` of a space is one group: the filters and biases that
//! make it, and the rows of the tensors that scale it. Whoever reads the space loses the matching inputs.

use crate::graph::{Graph, Op, Role, TensorId};

/// A tensor with an axis that runs over the channels of a space: index `p * channels + c` belongs to channel `c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The tensor.
    pub tensor: TensorId,
    /// The axis.
    pub axis: usize,
}

/// The channels of one or more activations that are bound to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelSpace {
    /// Name of the first layer that makes these channels.
    pub name: String,
    /// Number of channels, which is the number of groups.
    pub channels: usize,
    /// Tensors that make the channels: what a group consists of, with the statistics that go with it.
    pub members: Vec<Slice>,
    /// Weights that read the channels.
    pub readers: Vec<Slice>,
}

/// Disjoint sets of activations.
struct Spaces {
    parent: Vec<usize>,
    /// Channels that must all stay: network inputs and outputs, and what this analysis does not follow.
    frozen: Vec<bool>,
}

impl Spaces {
    fn find(&self, mut t: usize) -> usize {
        while self.parent[t] != t {
            t = self.parent[t];
        }
        t
    }

    fn join(&mut self, a: TensorId, b: TensorId) {
        let (a, b) = (self.find(a.0), self.find(b.0));
        // The earlier tensor leads, so that names and order do not depend on the order of joins.
        let (lead, other) = (a.min(b), a.max(b));
        self.parent[other] = lead;
        self.frozen[lead] |= self.frozen[other];
    }

    fn freeze(&mut self, t: TensorId) {
        let lead = self.find(t.0);
        self.frozen[lead] = true;
    }
}

/// The channel spaces of `graph` that can be pruned, in the order of the layers that open them.
pub fn channel_spaces(graph: &Graph) -> Vec<ChannelSpace> {
    let mut spaces = Spaces { parent: (0..graph.tensors.len()).collect(), frozen: vec![false; graph.tensors.len()] };
    let last = |id: TensorId| graph[id].shape.last().copied().unwrap_or(1);
    // Channels of the space that a tensor is in, known as soon as its producer was visited.
    let mut channels: Vec<usize> = (0..graph.tensors.len()).map(|t| last(TensorId(t))).collect();
    for &id in &graph.inputs {
        spaces.freeze(id);
    }
    for node in &graph.nodes {
        let (x, y) = (node.inputs[0], node.output);
        let same_channels = match &node.op {
            Op::Conv2d { .. } | Op::Dense { .. } => continue,
            Op::BatchNorm { .. } | Op::Activation(_) | Op::MaxPool2d { .. } | Op::AveragePool2d { .. } => true,
            // A sum that repeats one operand over the other is left alone, as every other operator is.
            Op::Add { .. } if graph[x].shape == graph[node.inputs[1]].shape => {
                spaces.join(x, node.inputs[1]);
                true
            }
            Op::DepthwiseConv2d { .. } => last(x) == last(y),
            // Flattening keeps `index mod channels`.
            Op::Reshape { .. } => last(y) % channels[x.0] == 0,
            _ => false,
        };
        if same_channels {
            spaces.join(x, y);
            channels[y.0] = channels[x.0];
        } else {
            for &id in &node.inputs {
                spaces.freeze(id);
            }
            spaces.freeze(y);
        }
    }
    for &id in &graph.outputs {
        spaces.freeze(id);
    }
    let mut found: Vec<(usize, ChannelSpace)> = Vec::new();
    for node in &graph.nodes {
        let opens = matches!(node.op, Op::Conv2d { .. } | Op::Dense { .. });
        let lead = spaces.find(node.output.0);
        if opens && !spaces.frozen[lead] && found.iter().all(|(l, _)| *l != lead) {
            let space = ChannelSpace {
                name: node.name.clone(),
                channels: last(node.output),
                members: Vec::new(),
                readers: Vec::new(),
            };
            found.push((lead, space));
        }
    }
    for node in &graph.nodes {
        let weights_axis = match node.op {
            Op::Conv2d { .. } | Op::Dense { .. } | Op::BatchNorm { .. } => Some(0),
            Op::DepthwiseConv2d { .. } => Some(2),
            _ => None,
        };
        // Every operand but the input; all behind the first are vectors.
        let makes =
            node.inputs.iter().enumerate().skip(1).filter_map(|(i, &tensor)| {
                weights_axis.map(|axis| Slice { tensor, axis: if i == 1 { axis } else { 0 } })
            });
        let reads = match node.op {
            Op::Conv2d { .. } => Some(Slice { tensor: node.inputs[1], axis: 3 }),
            Op::Dense { .. } => Some(Slice { tensor: node.inputs[1], axis: 1 }),
            _ => None,
        };
        for (lead, space) in &mut found {
            if spaces.find(node.output.0) == *lead {
                space.members.extend(makes.clone());
            }
            if spaces.find(node.inputs[0].0) == *lead {
                space.readers.extend(reads);
            }
        }
    }
    found.into_iter().map(|(_, space)| space).collect()
}

impl ChannelSpace {
    /// The trained members: what the norm of a group is taken over.
    pub fn parameters<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = Slice> + 'a {
        self.members.iter().copied().filter(|m| graph[m.tensor].role == Role::Parameter)
    }
}
