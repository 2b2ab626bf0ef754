//! What a kernel does, in numbers that are known before it runs.

use crate::export::{ExportError, Layout, PackedLayer, pack_layer};
use crate::graph::{Graph, Node, Sliding};
use crate::ops::WeightLayout;
use niwaki_core::format::DType;

/// What a kernel does in one inference, in numbers that its instructions grow with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Which loops of the kernel run, where it has several.
    pub case: &'static str,
    /// Elements of all operands that are no constants.
    pub inputs: usize,
    /// Elements of the result.
    pub outputs: usize,
    /// Places in the result: elements of one channel.
    pub places: usize,
    /// Rows of the result times groups of four channels.
    pub strips: usize,
    /// Values that are read around all places: those under a window.
    pub taps: usize,
    /// Words of packed weights times places; multiply-accumulates where weights are not packed.
    pub words: usize,
}

impl Work {
    /// The work of `node` in one of its layouts.
    pub fn of(graph: &Graph, node: &Node, packed: Option<&PackedLayer>) -> Self {
        let activations = node.inputs.iter().filter(|&&id| graph[id].data.is_none());
        let inputs = activations.map(|&id| graph[id].element_count()).sum();
        let outputs = graph[node.output].element_count();
        let channels = graph[node.output].shape.last().copied().unwrap_or(1).max(1);
        let rows = if graph[node.output].shape.len() > 1 { graph[node.output].shape[0] } else { 1 };
        let (places, macs) = (outputs / channels, graph.node_macs(node));
        let (layout, window) = (node.op.rules().weights, node.op.operator().kernel(&graph.operands(node)));
        let len = match (layout, window) {
            // Every channel has its own window.
            (Some(WeightLayout::Channelwise), _) => macs / places.max(1),
            (None, Some([rows, columns])) => channels * rows * columns,
            _ => macs / outputs.max(1),
        };
        let lists = |packed: &PackedLayer, dtype| {
            let of = packed.constants.iter().filter(move |constant| constant.dtype == dtype);
            of.map(|constant| constant.shape.iter().product::<usize>()).sum::<usize>()
        };
        let case = match (layout, window, node.op.sliding()) {
            (Some(WeightLayout::Filters), Some([1, 1]), _) => "1x1",
            (Some(WeightLayout::Channelwise), Some([3, 3]), Some(Sliding { stride: [1, 1], .. })) => "3x3",
            (Some(WeightLayout::Channelwise), Some([3, 3]), _) => "3x3 strided",
            _ => ANY,
        };
        let kept = packed.filter(|p| p.code.layout() == Layout::Kept);
        Self {
            case,
            inputs,
            outputs,
            places,
            strips: rows * channels.div_ceil(4),
            taps: places * kept.map_or(len, |packed| lists(packed, DType::I16)),
            words: packed.map_or(macs, |packed| places * lists(packed, DType::I32)),
        }
    }

    /// The terms of the sum: one for the call, then the fields in order.
    pub fn terms(&self) -> [f64; TERMS] {
        let Self { inputs, outputs, places, strips, taps, words, .. } = *self;
        [1, inputs, outputs, places, strips, taps, words].map(|count| count as f64)
    }
}

/// Terms of [`Work::terms`].
pub const TERMS: usize = 7;

/// The case of everything that is no special one.
pub(super) const ANY: &str = "any";

/// The work of node `n` of `graph` in a layout, none for the plain one: what a cost table is fitted to.
///
/// # Errors
/// As [`pack_layer`].
pub fn work(graph: &Graph, n: usize, layout: Option<Layout>) -> Result<Work, ExportError> {
    let node = &graph.nodes[n];
    let packed = layout.map(|layout| pack_layer(graph, node, layout)).transpose()?;
    Ok(Work::of(graph, node, packed.as_ref()))
}
