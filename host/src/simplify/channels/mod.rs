//! Channels of int8 networks that hold one code whatever the input is: folded into the biases of their readers.
//!
//! A filter of zeros gives the code of its bias everywhere. That code goes through clamps, pooling, tables and depthwise
//! filters ([`known`]); at last a convolution or dense layer multiplies it by a weight, which is a number that its bias can
//! take ([`fold`]). Then nothing needs the channel, and it leaves every tensor that it is in ([`crate::graph::channels`]).
//! A channel that only zero weights read goes the same way, whatever it holds.
//!
//! At the border of a padded convolution a tap outside the image adds nothing, so there a channel is folded only if its
//! code is the one of zero, and a padded depthwise filter keeps it constant only if all its outputs come out as one code.

mod fold;
mod known;

use crate::graph::channels::{self, ChannelSpace, Cut, Slice};
use crate::graph::{Data, Graph, Node, TensorId};
use crate::ops::OneValue;
use niwaki_core::format::DType;

/// Removes channels that carry nothing; whether there were any.
pub(super) fn remove_constant(graph: &mut Graph) -> bool {
    let known = known::constant_codes(graph);
    let spaces = |graph: &Graph| channels::spaces(graph, |node| follows(graph, node));
    let mut smaller = graph.clone();
    let mut keeps: Vec<(usize, Vec<usize>)> = Vec::new();
    for (index, space) in spaces(graph).iter().enumerate() {
        let needed = |&c: &usize| !space.readers.iter().all(|slice| absorbs(graph, space, slice, &known, c));
        let mut keep: Vec<usize> = (0..space.channels).filter(needed).collect();
        if keep.is_empty() {
            // A tensor has at least one element.
            keep.push(0);
        }
        if keep.len() < space.channels && fold::fold(&mut smaller, space, &keep, &known) {
            keeps.push((index, keep));
        }
    }
    // The same ones, but with the biases that are new.
    let spaces = spaces(&smaller);
    let cuts: Vec<Cut> = keeps.iter().map(|(index, keep)| Cut { space: &spaces[*index], keep }).collect();
    let changed = !cuts.is_empty() && channels::prune(&mut smaller, &cuts).is_ok();
    if changed {
        *graph = smaller;
    }
    changed
}

/// The code of each channel of each tensor, where it is the same at every position for every input.
type Known = Vec<Vec<Option<i8>>>;

/// Whether channels may leave the operands and the result of `node`.
fn follows(graph: &Graph, node: &Node) -> bool {
    let x = node.inputs[0];
    match node.op.rules().one_value {
        OneValue::Filters | OneValue::Channelwise => is_int8(graph, node),
        OneValue::ThroughKept | OneValue::Unknown => false,
        // Every operand is one of activations with the same channels.
        OneValue::ThroughAlike => {
            node.inputs.iter().all(|&id| graph[id].data.is_none() && graph[id].shape == graph[x].shape)
        }
        OneValue::Through => true,
    }
}

/// Whether the node that `slice` of its weights belongs to can do without channel `c` of its operand.
fn absorbs(graph: &Graph, space: &ChannelSpace, slice: &Slice, known: &Known, c: usize) -> bool {
    let (Some(n), Some(Data::I8(weights))) = (reader(graph, slice.tensor), &graph[slice.tensor].data) else {
        return false;
    };
    let node = &graph.nodes[n];
    let x = node.inputs[0];
    // The innermost axis of the weights runs over the channels of the operand, once or, of a whole image, several times.
    let (axis, last) = (graph[slice.tensor].shape[slice.axis], known[x.0].len());
    let zero_point = graph[x].quant.as_ref().map(|q| q.zero_point);
    let may_go = |index: usize| match known[x.0][index % last] {
        _ if weights.iter().skip(index).step_by(axis).all(|&w| w == 0) => true,
        Some(code) => zero_point == Some(i32::from(code)) || !padded(graph, node),
        None => false,
    };
    (0..axis).filter(|&index| slice.channel(index, space.channels) == Some(c)).all(may_go)
}

/// The node that sums over channels with `weights`.
fn reader(graph: &Graph, weights: TensorId) -> Option<usize> {
    graph.nodes.iter().position(|node| node.inputs.get(1) == Some(&weights))
}

/// Whether some tap of `node` falls outside its operand.
fn padded(graph: &Graph, node: &Node) -> bool {
    let kernel = node.op.operator().kernel(&graph.operands(node));
    let (&[h, w, _], Some(sliding), Some(kernel)) = (graph[node.inputs[0]].shape.as_slice(), node.op.sliding(), kernel)
    else {
        return false;
    };
    sliding
        .window([h, w], kernel)
        .is_ok_and(|window| [window.y, window.x].iter().any(|axis| axis.pad_before() + axis.pad_after() > 0))
}

/// Whether a weighted node is one of int8 codes with constant weights, which these passes can change.
fn is_int8(graph: &Graph, node: &Node) -> bool {
    let codes = |id: TensorId| graph[id].element == DType::I8 && graph[id].data.is_none() && graph[id].quant.is_some();
    let bias = node.inputs.get(2).is_none_or(|&b| matches!(graph[b].data, Some(Data::I32(_))));
    codes(node.inputs[0]) && codes(node.output) && matches!(graph[node.inputs[1]].data, Some(Data::I8(_))) && bias
}
