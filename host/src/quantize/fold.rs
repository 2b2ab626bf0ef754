//! Graph passes before quantisation: batch norm into weights, clamps into the operators before them.

use super::{QuantizeError, Unfoldable};
use crate::graph::{Activation, Graph, Role, TensorId};
use crate::ops::{BatchNorm, Clamp, WeightLayout};

/// Folds every batch norm into the convolution or dense layer before it.
///
/// `w' = w * gamma / sqrt(var + epsilon)`, `b' = beta + (b - mean) * gamma / sqrt(var + epsilon)`, per output channel.
///
/// # Errors
/// [`QuantizeError::Fold`] names a batch norm that follows nothing it could be folded into.
pub fn fold_batch_norm(graph: &Graph) -> Result<Graph, QuantizeError> {
    let mut graph = graph.clone();
    while let Some(n) = graph.nodes.iter().position(|n| n.op.is::<BatchNorm>()) {
        let norm = graph.nodes[n].clone();
        let Some(batch_norm) = norm.op.get::<BatchNorm>() else { break };
        let fail = |why| QuantizeError::Fold { node: norm.name.clone(), why };
        let x = norm.inputs[0];
        let p = graph.producer(x).ok_or_else(|| fail(Unfoldable::NoLayer))?;
        if graph.consumers(x).len() != 1 || graph.outputs.contains(&x) {
            return Err(fail(Unfoldable::ReadElsewhere));
        }
        let (scale, shift) = batch_norm.affine(&graph.operands(&norm)).map_err(|_| fail(Unfoldable::Statistics))?;
        let channels = scale.len();
        let w = *graph.nodes[p].inputs.get(1).ok_or_else(|| fail(Unfoldable::NoWeights))?;
        let before = &mut graph.nodes[p].op;
        let layout =
            before.rules().weights.filter(|weights| weights.gather()).ok_or_else(|| fail(Unfoldable::Clamped))?;
        match before.activation_mut() {
            Some(activation) if *activation == Activation::None => *activation = batch_norm.activation,
            _ => return Err(fail(Unfoldable::Clamped)),
        }
        // Filters are rows of the weights or, depthwise, their last axis.
        let outer = layout == WeightLayout::Filters;
        let weights = graph[w].f32s_mut().ok_or_else(|| fail(Unfoldable::Weights))?;
        let filter_len = weights.len() / channels.max(1);
        for (i, v) in weights.iter_mut().enumerate() {
            *v *= scale[if outer { i / filter_len.max(1) } else { i % channels }];
        }
        match graph.nodes[p].inputs.get(2).copied() {
            Some(b) => {
                let bias = graph[b].f32s_mut().ok_or_else(|| fail(Unfoldable::Bias))?;
                bias.iter_mut().zip(scale.iter().zip(&shift)).for_each(|(b, (s, t))| *b = *b * s + t);
            }
            None => {
                let name = format!("{}.bias", graph.nodes[p].name);
                let b = graph.parameter(&name, &[channels], shift);
                graph.nodes[p].inputs.push(b);
            }
        }
        graph.nodes[p].output = norm.output;
        graph.nodes.remove(n);
    }
    graph.compact();
    Ok(graph)
}

/// Moves every clamp that stands alone into the operator before it where that has none.
pub fn fuse_activations(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    let mut n = 0;
    while n < graph.nodes.len() {
        let node = graph.nodes[n].clone();
        let clamp = node.op.get::<Clamp>();
        let fused = clamp.is_some_and(|clamp| fuse(&mut graph, node.inputs[0], node.output, clamp.0));
        if fused {
            graph.nodes.remove(n);
        } else {
            n += 1;
        }
    }
    graph.compact();
    graph
}

fn fuse(graph: &mut Graph, x: TensorId, y: TensorId, activation: Activation) -> bool {
    let alone = graph.consumers(x).len() == 1 && !graph.outputs.contains(&x) && graph[x].role == Role::Activation;
    let Some(p) = graph.producer(x).filter(|_| alone) else { return false };
    match graph.nodes[p].op.activation_mut() {
        Some(a) if *a == Activation::None || *a == activation => {
            *a = activation;
            graph.nodes[p].output = y;
            true
        }
        _ => false,
    }
}
