//! Channels taken out of weights, biases and scales, and what they added put into the biases behind them.

use super::Known;
use super::spaces::Space;
use crate::graph::{Data, Graph, Op, TensorId};

/// Largest magnitude of a bias, so that accumulators stay inside i32.
const BIAS_MAX: i64 = 1 << 30;

/// Removes all channels of `space` but `keep` (ascending); `known` has their codes, and each reader absorbs the others.
/// Shapes of activations are left to [`Graph::propagate_shapes`]. Nothing happens, and the answer is no, where a bias would
/// grow too large.
pub(super) fn keep_channels(graph: &mut Graph, space: &Space, keep: &[usize], known: &Known) -> bool {
    let biases: Option<Vec<Vec<i32>>> =
        space.readers.iter().map(|&n| folded_bias(graph, n, space.channels, keep, known)).collect();
    let Some(biases) = biases else { return false };
    for (&n, bias) in space.readers.iter().zip(biases) {
        let weights = graph.nodes[n].inputs[1];
        let axis = graph[weights].shape.len() - 1;
        keep_indices(graph, weights, axis, space.channels, keep);
        match graph.nodes[n].inputs.get(2) {
            Some(&b) => graph[b].data = Some(Data::I32(bias)),
            None if bias.iter().all(|&b| b == 0) => {}
            None => {
                let name = format!("{}.bias", graph.nodes[n].name);
                let b = graph.constant(&name, &[bias.len()], Data::I32(bias));
                graph.nodes[n].inputs.push(b);
            }
        }
    }
    for &n in &space.makers {
        let node = &graph.nodes[n];
        let axis = if matches!(node.op, Op::DepthwiseConv2d { .. }) { 2 } else { 0 };
        let constants = node.inputs[1..].to_vec();
        for (i, id) in constants.into_iter().enumerate() {
            let axis = if i == 0 { axis } else { 0 };
            keep_indices(graph, id, axis, space.channels, keep);
        }
    }
    true
}

/// The bias of reader `n` with what the channels outside of `keep` add: `sum w * (code - zero_point)`.
fn folded_bias(graph: &Graph, n: usize, channels: usize, keep: &[usize], known: &Known) -> Option<Vec<i32>> {
    let node = &graph.nodes[n];
    let x = node.inputs[0];
    let (Data::I32(bias), Some(Data::I8(weights))) = (graph.bias_data(node), &graph[node.inputs[1]].data) else {
        return None;
    };
    let zero_point = graph[x].quant.as_ref()?.zero_point;
    let added: Vec<i64> = (0..channels)
        .map(|c| match known[x.0].get(c) {
            Some(&Some(code)) if keep.binary_search(&c).is_err() => i64::from(code) - i64::from(zero_point),
            // Kept, or read by zero weights alone.
            _ => 0,
        })
        .collect();
    let filter_len = weights.len() / bias.len().max(1);
    let fold = |(&bias, filter): (&i32, &[i8])| {
        let sum: i64 = filter.iter().enumerate().map(|(i, &w)| i64::from(w) * added[i % channels]).sum();
        let bias = i64::from(bias) + sum;
        // A bias that nothing is added to is not this pass's to judge.
        (sum == 0 || bias.abs() <= BIAS_MAX).then_some(bias as i32)
    };
    bias.iter().zip(weights.chunks_exact(filter_len.max(1))).map(fold).collect()
}

/// Keeps the indices `p * channels + c` with `c` in `keep` along `axis` of a constant, and the scales that go with them.
fn keep_indices(graph: &mut Graph, id: TensorId, axis: usize, channels: usize, keep: &[usize]) {
    let tensor = &mut graph[id];
    let size = tensor.shape[axis];
    let inner: usize = tensor.shape[axis + 1..].iter().product();
    let kept = |i: usize| keep.binary_search(&(i / inner % size % channels)).is_ok();
    fn pick<T: Copy>(values: &mut Vec<T>, kept: impl Fn(usize) -> bool) {
        let mut index = 0;
        values.retain(|_| {
            index += 1;
            kept(index - 1)
        });
    }
    match &mut tensor.data {
        Some(Data::I8(v)) => pick(v, kept),
        Some(Data::I32(v)) => pick(v, kept),
        _ => {}
    }
    tensor.shape[axis] = size / channels * keep.len();
    if let Some(quant) = tensor.quant.as_mut().filter(|q| q.axis == Some(axis)) {
        pick(&mut quant.scales, |i| keep.binary_search(&(i % channels)).is_ok());
    }
}
