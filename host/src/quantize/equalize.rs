//! Cross-layer equalisation: the channels between two layers are scaled so that both layers' weights have one range.
//!
//! A clamp at zero lets a positive factor through, `relu(s x) = s relu(x)`. So channel `c` between two layers may leave
//! the first one divided by `s` and enter the second one multiplied by it. With `r1` and `r2` the largest weights of the
//! channel in either layer, `s = sqrt(r1 r2) / r2` makes both `sqrt(r1 r2)`, which is best for weights that share a scale
//! (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", section 4.1).

use super::scheme::{channel_of, weight_axis};
use crate::graph::{Activation, Graph, Op, TensorId};
use crate::ops::WeightLayout;

/// Most rounds over all pairs.
const ROUNDS: usize = 20;
/// A round that changes no factor by more than this is the last.
const SETTLED: f32 = 1e-3;

/// Two layers with nothing between them but what a positive factor passes through.
struct Pair {
    first: usize,
    second: usize,
    channels: usize,
}

/// Equalises every pair of neighbouring layers of a float network whose batch norms are folded; what the network
/// computes stays the same but for rounding.
pub fn equalize(graph: &mut Graph) {
    let pairs = pairs(graph);
    for _ in 0..ROUNDS {
        let change = pairs.iter().map(|pair| balance(graph, pair)).fold(0.0, f32::max);
        if change <= SETTLED {
            break;
        }
    }
}

fn pairs(graph: &Graph) -> Vec<Pair> {
    let only_reader = |id: TensorId| match graph.consumers(id).as_slice() {
        &[n] if !graph.outputs.contains(&id) => Some(n),
        _ => None,
    };
    let own_weights = |n: usize| {
        let inputs = &graph.nodes[n].inputs;
        inputs[1..].iter().all(|&id| graph.consumers(id).len() == 1 && graph[id].f32s().is_some())
    };
    let mut pairs = Vec::new();
    for first in (0..graph.nodes.len()).filter(|&n| is_layer(&graph.nodes[n].op) && own_weights(n)) {
        if !matches!(graph.nodes[first].op.activation(), Some(Activation::None | Activation::Relu)) {
            continue;
        }
        let channels = graph[graph.nodes[first].output].shape.last().copied().unwrap_or(0);
        let mut at = graph.nodes[first].output;
        while let Some(n) = only_reader(at) {
            let node = &graph.nodes[n];
            if is_layer(&node.op) {
                let reads = node.op.rules().reads_flat || graph[at].shape.last() == Some(&channels);
                if node.inputs[0] == at && reads && own_weights(n) {
                    pairs.push(Pair { first, second: n, channels });
                }
                break;
            }
            if !node.op.operator().passes_factor(graph[at].shape.len()) {
                break;
            }
            at = node.output;
        }
    }
    pairs
}

/// Layers whose channels can be scaled on both sides.
fn is_layer(op: &Op) -> bool {
    op.rules().weights.is_some_and(WeightLayout::gather)
}

/// Which channel of its input each weight of a layer reads.
fn read_channel(graph: &Graph, n: usize, channels: usize) -> impl Fn(usize) -> usize + use<> {
    let node = &graph.nodes[n];
    let depthwise = node.op.rules().weights == Some(WeightLayout::Channelwise);
    let outputs = graph[node.inputs[1]].shape.last().copied().unwrap_or(1);
    // The weights of a convolution and of a dense layer end with the channels that they read.
    move |i| if depthwise { i % outputs / (outputs / channels).max(1) } else { i % channels }
}

fn peaks(weights: &[f32], channels: usize, channel: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut peaks = vec![0.0_f32; channels];
    for (i, w) in weights.iter().enumerate() {
        let peak = &mut peaks[channel(i)];
        *peak = peak.max(w.abs());
    }
    peaks
}

fn scale(graph: &mut Graph, id: TensorId, factors: &[f32], channel: impl Fn(usize) -> usize) {
    for (i, w) in graph[id].f32s_mut().into_iter().flatten().enumerate() {
        *w *= factors[channel(i)];
    }
}

/// Equalises one pair; by how much the largest factor differs from 1.
fn balance(graph: &mut Graph, pair: &Pair) -> f32 {
    let (first, second, channels) = (&graph.nodes[pair.first], &graph.nodes[pair.second], pair.channels);
    let (w1, w2, bias) = (first.inputs[1], second.inputs[1], first.inputs.get(2).copied());
    let axis = weight_axis(&first.op).unwrap_or(0);
    let written = channel_of(axis, channels, graph[w1].element_count());
    let read = read_channel(graph, pair.second, channels);
    let of = |id: TensorId| graph[id].f32s().unwrap_or(&[]);
    let (r1, r2) = (peaks(of(w1), channels, &written), peaks(of(w2), channels, &read));
    let factor = |(&r1, &r2): (&f32, &f32)| {
        let s = (r1 * r2).sqrt() / r2;
        if s.is_normal() { s } else { 1.0 }
    };
    let into: Vec<f32> = r1.iter().zip(&r2).map(factor).collect();
    let out: Vec<f32> = into.iter().map(|s| 1.0 / s).collect();
    scale(graph, w1, &out, written);
    if let Some(bias) = bias {
        scale(graph, bias, &out, |c| c);
    }
    scale(graph, w2, &into, read);
    into.iter().map(|s| (s - 1.0).abs()).fold(0.0, f32::max)
}
