//! Weighted int8 operators packed in tiles of four filters for chips with DSP instructions.

use super::layout::{Constant, PackedLayer};
use crate::graph::lower::{Lowered, Scaling};
use crate::graph::{Data, Graph, Node};
use crate::plan::{Memory, Share};
use niwaki_core::kernels::Arithmetic;
use niwaki_core::kernels::tiles::filters::{self, Filter};
use niwaki_core::kernels::tiles::{
    Conv2dTiled, DenseTiled, DepthwiseConv2dTiled, FILTERS, TiledInt8, Tiles, depthwise_conv2d,
};
use niwaki_core::num::{Multiplier, Rounding, SmallMultiplier};
use niwaki_core::ops::{Layout, Op, OpCode};

/// The tiled form of `node`, where it has one: none for operators without weights, other element types, and the rare
/// constants that do not fit it ([`filters`]).
pub(super) fn tile(graph: &Graph, node: &Node, lowered: &Lowered) -> Option<PackedLayer> {
    let memory = |words: usize, share| Memory { scratch_bytes: words * size_of::<i32>(), share };
    match lowered {
        Lowered::Conv2d(op, scaling) => {
            let op = Conv2dTiled { conv: *op };
            let outputs = op.conv.out_channels().get();
            let words = pack(graph, node, scaling, outputs, weights(graph, node)?, FILTER_ROWS)?;
            op.check_tiles(&Tiles::try_new(&words, outputs, op.weight_words()).ok()?).ok()?;
            Some(PackedLayer {
                code: OpCode::of(Op::Conv2d, Layout::Tiled)?,
                window: Some(op.conv.window),
                constants: vec![tiles_constant(&words, outputs)],
                memory: memory(op.scratch_words(), Share::Lead(op.lead())),
            })
        }
        Lowered::Dense(dense, scaling) => {
            let op = DenseTiled { dense: *dense };
            let outputs = dense.outputs().get();
            let words = pack(graph, node, scaling, outputs, weights(graph, node)?, FILTER_ROWS)?;
            op.check_tiles(&Tiles::try_new(&words, outputs, op.weight_words()).ok()?).ok()?;
            Some(PackedLayer {
                code: OpCode::of(Op::Dense, Layout::Tiled)?,
                window: None,
                constants: vec![tiles_constant(&words, outputs)],
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
            Some(PackedLayer {
                code: OpCode::of(Op::DepthwiseConv2d, Layout::Tiled)?,
                window: Some(op.window),
                constants: vec![tiles_constant(&words, channels)],
                memory: memory(op.scratch_len(), if op.in_place() { Share::Place } else { Share::Nothing }),
            })
        }
        _ => None,
    }
}

/// How the weights of a record lie.
#[derive(Clone, Copy)]
pub(super) struct RecordFormat {
    /// Words for filters of so many weights.
    pub(super) words: fn(usize) -> usize,
    /// Writes a record.
    pub(super) pack: fn(&[Filter<'_>; FILTERS], &mut [i32]) -> Option<()>,
}

/// Convolutions and dense layers.
pub(super) const FILTER_ROWS: RecordFormat = RecordFormat { words: filters::weight_words, pack: filters::pack };
/// Depthwise convolutions: a word a tap.
const CHANNELS: RecordFormat = RecordFormat { words: |taps| taps, pack: depthwise_conv2d::pack };

pub(super) fn weights<'a>(graph: &'a Graph, node: &Node) -> Option<&'a [i8]> {
    match &graph[node.inputs[1]].data {
        Some(Data::I8(weights)) => Some(weights),
        _ => None,
    }
}

/// Records of one length, `[tiles, words]`.
pub(super) fn tiles_constant(words: &[i32], outputs: usize) -> Constant {
    let tiles = outputs.div_ceil(FILTERS);
    Constant::i32(vec![tiles, words.len() / tiles], words)
}

/// The filters of a layer whose weights lie one after the other, as records hold them; `None` where one does not fit.
pub(super) fn layer_filters<'a>(
    graph: &Graph,
    node: &Node,
    scaling: &Scaling,
    outputs: usize,
    weights: &'a [i8],
) -> Option<Vec<Filter<'a>>> {
    let int8 = scaling.int8()?;
    let Data::I32(bias) = graph.bias_data(node) else { return None };
    let len = weights.len() / outputs;
    if graph.rounding != Rounding::Double {
        return None;
    }
    (0..outputs)
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
        .collect()
}

/// The records of `outputs` filters whose weights lie one after the other.
fn pack(
    graph: &Graph,
    node: &Node,
    scaling: &Scaling,
    outputs: usize,
    weights: &[i8],
    layout: RecordFormat,
) -> Option<Vec<i32>> {
    let filters = layer_filters(graph, node, scaling, outputs, weights)?;
    records(&filters, weights.len() / outputs, layout)
}

/// The records of filters of `len` weights.
pub(super) fn records(filters: &[Filter<'_>], len: usize, layout: RecordFormat) -> Option<Vec<i32>> {
    let record_words = Tiles::words_of(FILTERS, (layout.words)(len));
    let mut words = vec![0; filters.len().div_ceil(FILTERS) * record_words];
    for (four, record) in filters.chunks(FILTERS).zip(words.chunks_mut(record_words)) {
        (layout.pack)(&whole(four), record)?;
    }
    Some(words)
}

/// Up to four filters with those that are missing.
pub(super) fn whole<'a>(filters: &[Filter<'a>]) -> [Filter<'a>; FILTERS] {
    std::array::from_fn(|f| filters.get(f).copied().unwrap_or(Filter::MISSING))
}
