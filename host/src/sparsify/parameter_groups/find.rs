//! The parameter groups of a network for each kind of group.

use super::{LayerGroups, Part, Removal};
use crate::engine::Parameter;
use crate::graph::{Graph, Role, TensorId};
use crate::ops::WeightLayout;
use crate::sparsify::blocks::blocks;
use crate::sparsify::channels::channel_spaces;
use crate::sparsify::error::SparsifyError;
use crate::sparsify::options::GroupKind;
use niwaki_core::prox::groups::{GroupLayout, LayoutSpec, Loop};
use std::ops::Range;

/// Where a tensor lies in the flat vector.
fn range_of(parameters: &[Parameter], tensor: TensorId) -> Option<Range<usize>> {
    parameters.iter().find(|p| p.tensor == tensor).map(|p| p.range.clone())
}

/// The channels of every space.
pub(super) fn channels(graph: &Graph, parameters: &[Parameter], len: usize) -> Result<Vec<LayerGroups>, SparsifyError> {
    let mut layers = Vec::new();
    for space in channel_spaces(graph) {
        let mut parts = Vec::new();
        for slice in space.parameters(graph) {
            let Some(range) = range_of(parameters, slice.tensor) else { continue };
            let shape = &graph[slice.tensor].shape;
            let inner: usize = shape[slice.axis + 1..].iter().product();
            let outer: usize = shape[..slice.axis].iter().product();
            // The axis runs over the space `repeats` times, `period` apart, from `offset` on.
            let repeats = shape[slice.axis] / slice.period;
            let layout = GroupLayout::try_new(LayoutSpec {
                groups: [Loop::ONCE, Loop { len: space.channels, stride: inner }],
                members: [
                    Loop { len: outer, stride: inner * shape[slice.axis] },
                    Loop { len: repeats, stride: inner * slice.period },
                    Loop { len: inner, stride: 1 },
                ],
            })
            .map_err(|error| SparsifyError::Group { layer: space.name.clone(), error })?;
            let start = range.start + slice.offset * inner;
            let range = start..start + layout.span();
            let row_len = (outer * repeats == 1).then_some(inner);
            parts.push(Part { range, layout, groups: 0..space.channels, row_len });
        }
        let (name, m) = (space.name.clone(), space.channels);
        layers.push(LayerGroups::new(name, m, parts, Removal::Channels(space), len)?);
    }
    Ok(layers)
}

/// The residual branches that can be left out, all in one.
pub(super) fn branches(graph: &Graph, parameters: &[Parameter], len: usize) -> Result<Vec<LayerGroups>, SparsifyError> {
    let blocks = blocks(graph);
    let mut parts = Vec::new();
    for (j, block) in blocks.iter().enumerate() {
        for range in block.parameters.iter().filter_map(|&id| range_of(parameters, id)) {
            let layout = GroupLayout::rows(1, range.len())
                .map_err(|error| SparsifyError::Group { layer: block.name.clone(), error })?;
            parts.push(Part { range, layout, groups: j..j + 1, row_len: None });
        }
    }
    let m = blocks.len();
    if m == 0 {
        return Ok(Vec::new());
    }
    Ok(vec![LayerGroups::new("residual branches".into(), m, parts, Removal::Blocks(blocks), len)?])
}

/// Parts of every weight tensor.
pub(super) fn weights(
    graph: &Graph,
    parameters: &[Parameter],
    len: usize,
    kind: GroupKind,
    block: [usize; 2],
) -> Result<Vec<LayerGroups>, SparsifyError> {
    let mut layers = Vec::new();
    for node in &graph.nodes {
        let Some(&w) = node.inputs.get(1).filter(|w| graph[**w].role == Role::Parameter) else { continue };
        let shape = graph[w].shape.as_slice();
        // `[filters, rows, columns, channels]` of the window; a depthwise filter reads one channel.
        let (dims, strides) = match (node.op.rules().weights, shape) {
            (Some(WeightLayout::Filters), &[o, h, w, i]) => ([o, h, w, i], [h * w * i, w * i, i, 1]),
            (Some(WeightLayout::Filters), &[o, i]) => ([o, 1, 1, i], [i, i, i, 1]),
            (Some(WeightLayout::Channelwise), &[h, w, c]) => ([c, h, w, 1], [1, w * c, c, 1]),
            _ => continue,
        };
        let Some(spec) = spec(dims, strides, kind, block) else { continue };
        let Some(range) = range_of(parameters, w) else { continue };
        let refused = |error| SparsifyError::Group { layer: node.name.clone(), error };
        let layout = GroupLayout::try_new(spec).map_err(refused)?;
        let m = layout.groups();
        let part = Part { range, layout, groups: 0..m, row_len: None };
        layers.push(LayerGroups::new(node.name.clone(), m, vec![part], Removal::Zeros, len)?);
    }
    Ok(layers)
}

/// The groups of a weight tensor; none where the kind does not fit its shape.
fn spec(dims: [usize; 4], strides: [usize; 4], kind: GroupKind, block: [usize; 2]) -> Option<LayoutSpec> {
    let [o, h, w, i] = [0, 1, 2, 3].map(|axis| Loop { len: dims[axis], stride: strides[axis] });
    let once = Loop::ONCE;
    // A filter's window in memory order, as one loop where it is contiguous.
    let window = Loop { len: h.len * w.len * i.len, stride: 1 };
    let contiguous = o.stride == window.len;
    let all = Loop { len: o.len * window.len, stride: 1 };
    let spec = |groups, members| Some(LayoutSpec { groups, members });
    match kind {
        GroupKind::Filter | GroupKind::Layer => None,
        GroupKind::Weight => spec([once, all], [once; 3]),
        GroupKind::InputChannel if contiguous => {
            spec([once, i], [once, once, Loop { len: o.len * h.len * w.len, stride: i.len }])
        }
        GroupKind::FilterShape if contiguous => spec([once, window], [once, once, o]),
        GroupKind::KernelRow if h.len > 1 => spec([once, h], [o, w, i]),
        GroupKind::KernelColumn if w.len > 1 => spec([once, w], [o, h, i]),
        GroupKind::Block if contiguous && o.len.is_multiple_of(block[0]) && window.len.is_multiple_of(block[1]) => {
            let [rows, columns] = block;
            let down = Loop { len: o.len / rows, stride: rows * o.stride };
            let along = Loop { len: window.len / columns, stride: columns };
            spec([down, along], [once, Loop { len: rows, stride: o.stride }, Loop { len: columns, stride: 1 }])
        }
        _ => None,
    }
}
