//! What channels that leave add to the sums of their readers, put into the readers' biases.

use super::{Known, reader};
use crate::graph::channels::ChannelSpace;
use crate::graph::{Data, Graph, TensorId};

/// Largest magnitude of a bias, so that accumulators stay inside i32.
const BIAS_MAX: i64 = 1 << 30;

/// Adds to the biases of the readers of `space` what its channels outside of `keep` (ascending) give them; `known` has
/// their codes. Nothing happens, and the answer is no, where a bias would grow too large.
pub(super) fn fold(graph: &mut Graph, space: &ChannelSpace, keep: &[usize], known: &Known) -> bool {
    let mut weights: Vec<TensorId> = space.readers.iter().map(|slice| slice.tensor).collect();
    weights.dedup();
    let leaves = |w: TensorId, index: usize| {
        let slices = space.readers.iter().filter(|slice| slice.tensor == w);
        slices.filter_map(|slice| slice.channel(index, space.channels)).any(|c| keep.binary_search(&c).is_err())
    };
    let folded = |&w: &TensorId| {
        let n = reader(graph, w)?;
        Some((n, folded_bias(graph, n, |index| leaves(w, index), known)?))
    };
    let Some(folded) = weights.iter().map(folded).collect::<Option<Vec<_>>>() else { return false };
    for (n, bias) in folded {
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
    true
}

/// The bias of node `n` with what the indices of its weights that leave add: `sum w * (code - zero_point)`.
fn folded_bias(graph: &Graph, n: usize, leaves: impl Fn(usize) -> bool, known: &Known) -> Option<Vec<i32>> {
    let node = &graph.nodes[n];
    let (x, w) = (node.inputs[0], node.inputs[1]);
    let (Data::I32(bias), Some(Data::I8(weights))) = (graph.bias_data(node), &graph[w].data) else { return None };
    let zero_point = graph[x].quant.as_ref()?.zero_point;
    // The innermost axis of the weights runs over the channels of the operand.
    let (axis, channels) = (*graph[w].shape.last()?, known[x.0].len());
    let added: Vec<i64> = (0..axis)
        .map(|index| match known[x.0][index % channels] {
            Some(code) if leaves(index) => i64::from(code) - i64::from(zero_point),
            // Kept, or read by zero weights alone.
            _ => 0,
        })
        .collect();
    let filter_len = weights.len() / bias.len().max(1);
    let fold = |(&bias, filter): (&i32, &[i8])| {
        let sum: i64 = filter.iter().zip(added.iter().cycle()).map(|(&w, added)| i64::from(w) * added).sum();
        let bias = i64::from(bias) + sum;
        // A bias that nothing is added to is not this pass's to judge.
        (sum == 0 || bias.abs() <= BIAS_MAX).then_some(bias as i32)
    };
    bias.iter().zip(weights.chunks_exact(filter_len.max(1))).map(fold).collect()
}
