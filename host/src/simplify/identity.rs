//! Operators that hand their operand on as it is: reshapes that nobody minds, clamps that never bite, round trips of codes.

use super::replace;
use crate::graph::{Graph, Node, TensorId};
use crate::ops::{Dequantize, Quantize, Reshape};

/// Takes identities out and shortens chains of reshapes; whether there were any.
pub(super) fn remove(graph: &mut Graph) -> bool {
    let mut changed = false;
    for n in 0..graph.nodes.len() {
        changed |= shorten_reshape(graph, n);
        let output = graph.nodes[n].output;
        let Some(same) = same_as(graph, &graph.nodes[n]) else { continue };
        // An output that is an input would be a network without operators.
        let is_output = graph.outputs.contains(&output);
        let foreign = graph.inputs.contains(&same) || graph[same].data.is_some() || graph.outputs.contains(&same);
        let read = is_output || !graph.consumers(output).is_empty();
        if read && !(is_output && foreign) {
            replace(graph, output, same);
            changed = true;
        }
    }
    changed
}

/// A reshape of a reshape takes the first one's operand, and so does a dense layer, which reads any shape flat.
fn shorten_reshape(graph: &mut Graph, n: usize) -> bool {
    let x = graph.nodes[n].inputs[0];
    let Some(before) = graph.producer(x) else { return false };
    let flat = graph.nodes[n].op.rules().reads_flat;
    let reshape = graph.nodes[before].op.is::<Reshape>();
    let first = graph.nodes[before].inputs[0];
    if !flat || !reshape || graph[first].quant != graph[x].quant {
        return false;
    }
    graph.nodes[n].inputs[0] = first;
    true
}

/// The tensor whose bytes and shape `node` hands on.
fn same_as(graph: &Graph, node: &Node) -> Option<TensorId> {
    let &x = node.inputs.first()?;
    let (from, to) = (&graph[x], &graph[node.output]);
    if node.op.is::<Quantize>() {
        return round_trip(graph, node);
    }
    if from.shape != to.shape || from.dtype() != to.dtype() || from.quant != to.quant {
        return None;
    }
    node.op.operator().is_identity(&graph.operands(node)).then_some(x)
}

/// Where codes are quantised to what they were: codes of the same parameters, at once or by way of their real values.
/// `round(scale * (q - zero_point) / scale)` is `q - zero_point`, for two f32 roundings move it by less than 2^-7.
fn round_trip(graph: &Graph, node: &Node) -> Option<TensorId> {
    let (x, to) = (node.inputs[0], &graph[node.output]);
    let equal = |id: TensorId| {
        let from = &graph[id];
        from.element == to.element && from.shape == to.shape && from.quant.is_some() && from.quant == to.quant
    };
    if equal(x) {
        return Some(x);
    }
    let before = &graph.nodes[graph.producer(x)?];
    let codes = *before.inputs.first()?;
    (before.op.is::<Dequantize>() && equal(codes) && graph[codes].data.is_none()).then_some(codes)
}
