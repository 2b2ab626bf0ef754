//! What operators cost on a chip, by the tables in `host/data/costs`, which were measured there.
//!
//! An operator's instructions are a sum of terms that are known before it runs, each times a factor of its kernel: the
//! tables hold the factors. `cargo run --release -p niwaki-tests --bin costs` makes them.

use super::{Kernel, PackedLayer};
use crate::chip::Chip;
use crate::graph::{Graph, Node, Op};
use niwaki_core::format::{DType, OpCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

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
    pub(super) fn of(graph: &Graph, node: &Node, packed: Option<&PackedLayer>) -> Self {
        let activations = node.inputs.iter().filter(|&&id| graph[id].data.is_none());
        let inputs = activations.map(|&id| graph[id].element_count()).sum();
        let outputs = graph[node.output].element_count();
        let channels = graph[node.output].shape.last().copied().unwrap_or(1).max(1);
        let rows = if graph[node.output].shape.len() > 1 { graph[node.output].shape[0] } else { 1 };
        let (places, macs) = (outputs / channels, graph.node_macs(node));
        let len = match node.op {
            // Every channel has its own window.
            Op::DepthwiseConv2d { .. } => macs / places.max(1),
            Op::MaxPool2d { kernel, .. } | Op::AveragePool2d { kernel, .. } => channels * kernel[0] * kernel[1],
            _ => macs / outputs.max(1),
        };
        let lists = |packed: &PackedLayer, dtype| {
            let of = packed.constants.iter().filter(move |constant| constant.dtype == dtype);
            of.map(|constant| constant.shape.iter().product::<usize>()).sum::<usize>()
        };
        let kernel = |axis: usize| node.inputs.get(1).and_then(|&w| graph[w].shape.get(axis..axis + 2));
        let case = match node.op {
            Op::Conv2d { .. } if kernel(1) == Some(&[1, 1]) => "1x1",
            Op::DepthwiseConv2d { sliding, .. } if kernel(0) == Some(&[3, 3]) => match sliding.stride {
                [1, 1] => "3x3",
                _ => "3x3 strided",
            },
            _ => ANY,
        };
        let kept = packed.filter(|p| matches!(p.code, OpCode::Conv2dKept | OpCode::DenseKept));
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
const ANY: &str = "any";

/// What one operator code costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorCost {
    /// Flash that its kernel takes in the smallest program with a session.
    pub code_bytes: u64,
    /// By [`Work::case`].
    pub cases: BTreeMap<String, CaseCost>,
}

/// What one of a kernel's loops costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseCost {
    /// Executed instructions for each unit of [`Work::terms`].
    pub instructions: [f64; TERMS],
    /// Layers that were measured.
    pub layers: usize,
    /// The part by which the sum misses a measured layer: the mean and the largest.
    pub error: [f64; 2],
}

/// What operators cost on one chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostTable {
    /// The chip's name.
    pub chip: String,
    /// Flash of the smallest program with a session, its operators aside.
    pub base_code_bytes: u64,
    /// The deepest stack of a run that was measured.
    pub stack_bytes: u64,
    /// By the names of operator codes.
    pub operators: BTreeMap<String, OperatorCost>,
}

/// The tables that were measured.
static TABLES: LazyLock<Vec<CostTable>> = LazyLock::new(|| {
    let texts = [
        include_str!("../../data/costs/cortex-m3.json"),
        include_str!("../../data/costs/cortex-m4.json"),
        include_str!("../../data/costs/cortex-m7.json"),
        include_str!("../../data/costs/cortex-m33.json"),
        include_str!("../../data/costs/cortex-m55.json"),
    ];
    texts.into_iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
});

impl CostTable {
    /// The table of a chip; there is none for [`Chip::Host`].
    pub fn of(chip: Chip) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.chip == chip.to_string())
    }

    /// Executed instructions of an operator; none where its code was not measured.
    pub fn instructions(&self, code: OpCode, work: &Work) -> Option<f64> {
        let cases = &self.operators.get(code.name())?.cases;
        let cost = cases.get(work.case).or_else(|| cases.get(ANY))?;
        Some(cost.instructions.iter().zip(work.terms()).map(|(each, count)| each * count).sum())
    }

    /// Flash of a program around a session with these operators, the model aside. Kernels that share code count it
    /// twice: at most this.
    pub fn code_bytes(&self, codes: impl IntoIterator<Item = OpCode>) -> u64 {
        let names: std::collections::BTreeSet<&str> = codes.into_iter().map(OpCode::name).collect();
        let each = names.iter().filter_map(|name| self.operators.get(*name));
        self.base_code_bytes + each.map(|cost| cost.code_bytes).sum::<u64>()
    }
}

/// The work of node `n` of `graph` in a layout, none for the plain one: what a cost table is fitted to.
///
/// # Errors
/// As [`pack_layer`](super::pack_layer).
pub fn work(graph: &Graph, n: usize, layout: Option<super::Layout>) -> Result<Work, super::ExportError> {
    let kernel = Kernel::new(graph, &graph.nodes[n], super::Target::Portable, layout)?;
    Ok(Work::of(graph, &graph.nodes[n], kernel.packed.as_ref()))
}
