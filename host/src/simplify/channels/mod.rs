//! Channels of int8 networks that hold one code whatever the input is: folded into the biases of their readers.
//!
//! A filter of zeros gives the code of its bias everywhere. That code goes through clamps, pooling, tables and depthwise
//! filters ([`known`]); at last a convolution or dense layer multiplies it by a weight, which is a number that its bias can
//! take. Then nothing needs the channel, and it leaves every tensor that it is in ([`spaces`], [`remove`]). A channel that
//! only zero weights read goes the same way, whatever it holds.
//!
//! At the border of a padded convolution a tap outside the image adds nothing, so there a channel is folded only if its
//! code is the one of zero, and a padded depthwise filter keeps it constant only if all its outputs come out as one code.

mod known;
mod remove;
mod spaces;

use crate::graph::{Data, Graph, Node, Op, TensorId};
use niwaki_core::format::DType;
use spaces::Space;

/// Removes channels that carry nothing; whether there were any.
pub(super) fn remove_constant(graph: &mut Graph) -> bool {
    let known = known::constant_codes(graph, &spaces::channels(graph));
    let mut smaller = graph.clone();
    let mut changed = false;
    for space in spaces::spaces(graph) {
        let needed = |&c: &usize| !space.readers.iter().all(|&n| absorbs(graph, &graph.nodes[n], &space, &known, c));
        let mut keep: Vec<usize> = (0..space.channels).filter(needed).collect();
        if keep.is_empty() {
            // A tensor has at least one element.
            keep.push(0);
        }
        if keep.len() < space.channels {
            changed |= remove::keep_channels(&mut smaller, &space, &keep, &known);
        }
    }
    if changed && smaller.propagate_shapes().is_ok() && smaller.validate().is_ok() {
        *graph = smaller;
        return true;
    }
    false
}

/// The code of each channel of each tensor, where it is the same at every position for every input.
type Known = Vec<Vec<Option<i8>>>;

/// Whether `node`, a convolution or dense layer that reads the space, can do without channel `c` of its operand.
fn absorbs(graph: &Graph, node: &Node, space: &Space, known: &Known, c: usize) -> bool {
    let (x, w) = (node.inputs[0], node.inputs[1]);
    let Some(Data::I8(weights)) = &graph[w].data else { return false };
    // The innermost axis of the weights runs over the channels, once or, behind a flattening, several times.
    if weights.iter().skip(c).step_by(space.channels).all(|&w| w == 0) {
        return true;
    }
    let Some(&Some(code)) = known[x.0].get(c) else { return false };
    let zero = graph[x].quant.as_ref().is_some_and(|q| q.zero_point == i32::from(code));
    zero || !padded(graph, node)
}

/// Whether some tap of `node` falls outside its operand.
fn padded(graph: &Graph, node: &Node) -> bool {
    let (Op::Conv2d { sliding, .. }, [h, w, _], [_, kh, kw, _]) =
        (&node.op, graph[node.inputs[0]].shape.as_slice(), graph[node.inputs[1]].shape.as_slice())
    else {
        return false;
    };
    sliding
        .window([*h, *w], [*kh, *kw])
        .is_ok_and(|window| [window.y, window.x].iter().any(|axis| axis.pad_before() + axis.pad_after() > 0))
}

/// Whether a weighted node is one of int8 codes with constant weights of its own, which these passes can change.
fn is_int8(graph: &Graph, node: &Node) -> bool {
    let own = |&id: &TensorId| graph.consumers(id).len() == 1;
    let codes = |id: TensorId| graph[id].element == DType::I8 && graph[id].data.is_none() && graph[id].quant.is_some();
    let bias = node.inputs.get(2).is_none_or(|&b| matches!(graph[b].data, Some(Data::I32(_))));
    codes(node.inputs[0])
        && codes(node.output)
        && matches!(graph[node.inputs[1]].data, Some(Data::I8(_)))
        && bias
        && node.inputs[1..].iter().all(own)
}
