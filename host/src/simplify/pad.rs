//! Borders of zeros become the padding of the sliding window that reads them.

use super::only_reader;
use crate::graph::{Graph, Padding, Sliding};
use crate::ops::{Border, Pad};
use niwaki_core::format::DType;

/// Moves paddings into the operators after them; whether there were any.
///
/// A tap outside the image adds nothing to a convolution, as one on the code of zero does. A maximum leaves it out, which
/// is the same where the border holds the smallest code. A mean would divide by fewer taps, so it keeps its operand.
pub(super) fn fuse(graph: &mut Graph) -> bool {
    let mut changed = false;
    for p in 0..graph.nodes.len() {
        let Some(Pad { pads, value }) = graph.nodes[p].op.get().cloned() else { continue };
        let (x, y) = (graph.nodes[p].inputs[0], graph.nodes[p].output);
        let &[rows, columns, [0, 0]] = pads.as_slice() else { continue };
        if graph[x].quant != graph[y].quant || graph[x].shape.len() != 3 || graph[x].data.is_some() {
            continue;
        }
        let Some(reader) = only_reader(graph, y).filter(|&n| graph.nodes[n].inputs[0] == y) else { continue };
        let shape = &graph[y].shape;
        let input = [shape[0], shape[1]];
        let lowest = graph[y].element == DType::I8 && graph[y].quant.as_ref().is_some_and(|q| q.zero_point == -128);
        let mut node = graph.nodes[reader].clone();
        let exact = match node.op.rules().border {
            Border::Unlike => false,
            Border::Zeros => value == 0.0,
            Border::Lowest => value == 0.0 && lowest,
        };
        let Some(kernel) = node.op.operator().kernel(&graph.operands(&node)).filter(|_| exact) else { continue };
        let Some(sliding) = node.op.operator_mut().sliding_mut() else { continue };
        let Some(padding) = joined(sliding, input, kernel, rows, columns) else { continue };
        sliding.padding = padding;
        node.inputs[0] = x;
        // A window may be padded by less than its extent only.
        if graph.infer_node(&node).is_ok_and(|shape| shape == graph[node.output].shape) {
            graph.nodes[reader] = node;
            changed = true;
        }
    }
    changed
}

/// The padding of a window over an `input` (borders included) together with those borders.
fn joined(
    sliding: &Sliding,
    input: [usize; 2],
    kernel: [usize; 2],
    rows: [usize; 2],
    columns: [usize; 2],
) -> Option<Padding> {
    let window = sliding.window(input, kernel).ok()?;
    Some(Padding::Explicit {
        top: window.y.pad_before() + rows[0],
        bottom: window.y.pad_after() + rows[1],
        left: window.x.pad_before() + columns[0],
        right: window.x.pad_after() + columns[1],
    })
}
