//! Which channels hold one code for every input, found by evaluating each node on what is known of its operands.

use super::Known;
use crate::graph::channels;
use crate::graph::eval::Value;
use crate::graph::{Data, Graph, Node, TensorId};
use crate::ops::OneValue;
use niwaki_core::format::DType;

/// Multiply-accumulates of the largest node that is evaluated: a few seconds of the reference kernel.
const MAX_MACS: usize = 1 << 30;

/// The constant codes of every tensor, one for each index of its last axis.
///
/// A node is run by the reference kernel with the known codes in place and any code elsewhere. A channel of its result
/// that no unknown operand channel reaches is known if it comes out as one code at every position.
pub(super) fn constant_codes(graph: &Graph) -> Known {
    let mut known: Known = graph.tensors.iter().map(|t| vec![None; t.shape.last().copied().unwrap_or(1)]).collect();
    for node in &graph.nodes {
        let Some(depends) = depends(graph, node, &known) else { continue };
        if depends.iter().all(|&d| d) {
            continue;
        }
        let Some(codes) = evaluate(graph, node, &known) else { continue };
        let count = depends.len();
        for (c, depends) in depends.into_iter().enumerate() {
            let mut of_channel = codes.iter().skip(c).step_by(count);
            let first = of_channel.next();
            if !depends && of_channel.all(|code| Some(code) == first) {
                known[node.output.0][c] = first.copied();
            }
        }
    }
    known
}

/// For each channel of the result of `node`, whether an unknown code can change it; `None` where that is not understood.
fn depends(graph: &Graph, node: &Node, known: &Known) -> Option<Vec<bool>> {
    let (x, y) = (node.inputs[0], node.output);
    let activations = || node.inputs.iter().copied().filter(|&id| graph[id].data.is_none());
    if graph[x].data.is_some() || activations().chain([y]).any(|id| graph[id].element != DType::I8) {
        return None;
    }
    let (count, outputs) = (known[x.0].len(), known[y.0].len());
    let unknown = |id: TensorId, c: usize| known[id.0][c].is_none();
    let weights = || match &graph[*node.inputs.get(1)?].data {
        Some(Data::I8(w)) => Some(w),
        _ => None,
    };
    match node.op.rules().one_value {
        OneValue::Unknown => None,
        OneValue::Filters => filters(weights()?, outputs, count, |c| unknown(x, c)),
        OneValue::Channelwise => {
            let w = weights()?;
            let zero = |o: usize| w.iter().skip(o).step_by(outputs).all(|&w| w == 0);
            Some((0..outputs).map(|o| unknown(x, o / (outputs / count)) && !zero(o)).collect())
        }
        OneValue::Through | OneValue::ThroughAlike | OneValue::ThroughKept => {
            let runs = channels::channels(graph, node).runs?;
            let mut depends = vec![false; outputs];
            for run in &runs {
                let operand = node.inputs[run.operand];
                (0..run.channels).for_each(|c| depends[run.to + c] |= unknown(operand, run.from + c));
            }
            // One channel may be repeated over all.
            activations().all(|id| runs.iter().any(|run| node.inputs[run.operand] == id)).then_some(depends)
        }
    }
}

/// Which of `outputs` filters have a weight for an unknown channel, of `count` that run innermost.
fn filters(weights: &[i8], outputs: usize, count: usize, unknown: impl Fn(usize) -> bool) -> Option<Vec<bool>> {
    let reads = |filter: &[i8]| filter.iter().enumerate().any(|(i, &w)| w != 0 && unknown(i % count));
    (outputs > 0 && weights.len() >= outputs)
        .then(|| weights.chunks_exact(weights.len() / outputs).map(reads).collect())
}

/// The codes of `node` with what is known of its operands in place.
fn evaluate(graph: &Graph, node: &Node, known: &Known) -> Option<Vec<i8>> {
    if graph.node_macs(node).max(graph[node.output].element_count()) > MAX_MACS {
        return None;
    }
    let mut values = vec![None; graph.tensors.len()];
    for &id in &node.inputs {
        let tensor = &graph[id];
        values[id.0] = match &tensor.data {
            Some(Data::I8(codes)) => Some(Value::I8(codes.clone())),
            Some(_) => None,
            None => {
                let known = &known[id.0];
                let code = |i: usize| known[i % known.len()].unwrap_or(0);
                Some(Value::I8((0..tensor.element_count()).map(code).collect()))
            }
        };
    }
    match graph.evaluate_node(node, &values).ok()? {
        Value::I8(codes) => Some(codes),
        _ => None,
    }
}
