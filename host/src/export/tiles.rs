//! Weighted int8 operators packed in tiles of four filters for chips with DSP instructions.

use crate::graph::lower::{Lowered, Scaling};
use crate::graph::{Data, Graph, Node};
use crate::plan::{Memory, Share};
use niwaki_core::format::OpCode;
use niwaki_core::kernels::Arithmetic;
use niwaki_core::kernels::tiles::filters::{self, Filter};
use niwaki_core::kernels::tiles::{
    Conv2dTiled, DenseTiled, DepthwiseConv2dTiled, FILTERS, TiledInt8, Tiles, depthwise_conv2d,
};
use niwaki_core::num::{Multiplier, Rounding, SmallMultiplier};

/// What kind of chip a file is for. Every file runs everywhere; the kind decides which kernels run fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// Any.
    #[default]
    Portable,
    /// Armv7E-M, or Armv8-M with the DSP extension: Cortex-M4, M7, M33, M55.
    Dsp,
}

/// The tiled form of an operator.
pub(super) struct Tiled {
    /// What it is called in the file.
    pub(super) code: OpCode,
    /// Rows and columns of its kernel, where it has one.
    pub(super) kernel: Option<[usize; 2]>,
    /// Its records, `[tiles, words]`.
    pub(super) shape: [usize; 2],
    /// Their words.
    pub(super) words: Vec<i32>,
    /// What it asks of the arena.
    pub(super) memory: Memory,
}

/// The tiled form of `node`, where it has one: none for operators without weights, other element types, and the rare
/// constants that do not fit it ([`filters`]).
pub(super) fn tile(graph: &Graph, node: &Node, lowered: &Lowered) -> Option<Tiled> {
    let memory = |words: usize, share| Memory { scratch_bytes: words * size_of::<i32>(), share };
    match lowered {
        Lowered::Conv2d(op, scaling) => {
            let op = Conv2dTiled { conv: *op };
            let outputs = op.conv.out_channels().get();
            let words = pack(graph, node, scaling, outputs, weights(graph, node)?, FILTER_ROWS)?;
            op.check_tiles(&Tiles::try_new(&words, outputs, op.weight_words()).ok()?).ok()?;
            Some(Tiled {
                code: OpCode::Conv2dTiled,
                kernel: Some([op.conv.window.y.kernel(), op.conv.window.x.kernel()]),
                shape: shape(&words, outputs),
                words,
                memory: memory(op.scratch_words(), Share::Lead(op.lead())),
            })
        }
        Lowered::Dense(dense, scaling) => {
            let op = DenseTiled { dense: *dense };
            let outputs = dense.outputs().get();
            let words = pack(graph, node, scaling, outputs, weights(graph, node)?, FILTER_ROWS)?;
            op.check_tiles(&Tiles::try_new(&words, outputs, op.weight_words()).ok()?).ok()?;
            Some(Tiled {
                code: OpCode::DenseTiled,
                kernel: None,
                shape: shape(&words, outputs),
                words,
                memory: memory(op.scratch_words(), Share::Nothing),
            })
        }
        Lowered::DepthwiseConv2d(op, scaling) if op.multiplier().get() == 1 => {
            let int8 = scaling.int8()?;
            let numerics = TiledInt8 {
                input_zero_point: i8::try_from(int8.input_zero_point).ok()?,
                output_zero_point: int8.output_zero_point,
                clamp: int8.clamp,
            };
            let channels = op.out_channels().get();
            let op = DepthwiseConv2dTiled::try_new(op.window, channels, numerics).ok()?;
            // The taps of one channel after the other.
            let taps = weights(graph, node)?;
            let by_channel: Vec<i8> =
                (0..channels).flat_map(|channel| taps.iter().skip(channel).step_by(channels).copied()).collect();
            let words = pack(graph, node, scaling, channels, &by_channel, CHANNELS)?;
            op.check_tiles(&op.tiles(&words).ok()?).ok()?;
            Some(Tiled {
                code: OpCode::DepthwiseConv2dTiled,
                kernel: Some([op.window.y.kernel(), op.window.x.kernel()]),
                shape: shape(&words, channels),
                words,
                memory: memory(op.scratch_len(), if op.in_place() { Share::Place } else { Share::Nothing }),
            })
        }
        _ => None,
    }
}

/// How the weights of a record lie.
struct Weights {
    /// Words for filters of so many weights.
    words: fn(usize) -> usize,
    /// Writes a record.
    pack: fn(&[Filter<'_>; FILTERS], &mut [i32]) -> Option<()>,
}

/// Convolutions and dense layers.
const FILTER_ROWS: Weights = Weights { words: filters::weight_words, pack: filters::pack };
/// Depthwise convolutions: a word a tap.
const CHANNELS: Weights = Weights { words: |taps| taps, pack: depthwise_conv2d::pack };

fn weights<'a>(graph: &'a Graph, node: &Node) -> Option<&'a [i8]> {
    match &graph[node.inputs[1]].data {
        Some(Data::I8(weights)) => Some(weights),
        _ => None,
    }
}

fn shape(words: &[i32], outputs: usize) -> [usize; 2] {
    let tiles = outputs.div_ceil(FILTERS);
    [tiles, words.len() / tiles]
}

/// The records of `outputs` filters whose weights lie one behind the other.
fn pack(
    graph: &Graph,
    node: &Node,
    scaling: &Scaling,
    outputs: usize,
    weights: &[i8],
    layout: Weights,
) -> Option<Vec<i32>> {
    let int8 = scaling.int8()?;
    let Data::I32(bias) = graph.bias_data(node) else { return None };
    let len = weights.len() / outputs;
    if graph.rounding != Rounding::Double {
        return None;
    }
    let filters: Option<Vec<Filter<'_>>> = (0..outputs)
        .map(|o| {
            let weights = &weights[o * len..(o + 1) * len];
            let sum: i64 = weights.iter().map(|&w| i64::from(w)).sum();
            let start = i64::from(bias[o]) - i64::from(int8.input_zero_point) * sum;
            // A filter that always gives the same, whatever its multiplier is.
            let reach = 128 * weights.iter().map(|&w| i64::from(w).abs()).sum::<i64>();
            let (low, high) = (i32::try_from(start - reach).ok()?, i32::try_from(start + reach).ok()?);
            let code = int8.finish(o, low);
            if code == int8.finish(o, high) {
                return Some(Filter::constant(i32::from(code) - int8.output_zero_point));
            }
            let channel = if int8.multipliers_q31.len() == 1 { 0 } else { o };
            let multiplier =
                Multiplier { mantissa_q31: int8.multipliers_q31[channel], shift: int8.shifts[channel].into() };
            let multiplier = SmallMultiplier::new(multiplier)?;
            Some(Filter { weights, start: i32::try_from(start).ok()?, multiplier })
        })
        .collect();
    let filters = filters?;
    let record_words = Tiles::words_of(FILTERS, (layout.words)(len));
    let mut words = vec![0; outputs.div_ceil(FILTERS) * record_words];
    for (four, record) in filters.chunks(FILTERS).zip(words.chunks_mut(record_words)) {
        let four = std::array::from_fn(|f| four.get(f).copied().unwrap_or(Filter::MISSING));
        (layout.pack)(&four, record)?;
    }
    Some(words)
}
