//! An exported network in the rows of a report.

use crate::chip::Cost;
use crate::graph::Graph;
use crate::io::format;
use crate::plan::Arena;
use crate::recipe::Target;
use crate::report::{ArenaMap, ArenaTensor, OperatorRow};

/// Bytes of a multiplier and a shift.
const REQUANT_BYTES: usize = 5;

/// One row an operator, with what it costs on the chip if it ran there.
pub(super) fn operators(graph: &Graph, cost: Option<&Cost>) -> Vec<OperatorRow> {
    let row = |(n, node): (usize, &crate::graph::Node)| {
        let constants = node.inputs.iter().filter_map(|&id| graph[id].data.as_ref());
        let bytes = constants.map(|data| data.bytes().len());
        let channels = node.inputs.get(1).and_then(|&w| graph[w].quant.as_ref()).map_or(0, |q| q.scales.len());
        OperatorRow {
            name: node.name.clone(),
            op: node.op.name().into(),
            input_shape: graph[node.inputs[0]].shape.clone(),
            output_shape: graph[node.output].shape.clone(),
            macs: graph.node_macs(node) as u64,
            weight_bytes: (bytes.sum::<usize>() + REQUANT_BYTES * channels) as u64,
            instructions: cost.and_then(|c| c.per_op.get(n).copied()),
        }
    };
    graph.nodes.iter().enumerate().map(row).collect()
}

/// The arena as rectangles over operators.
pub(super) fn arena_map(graph: &Graph, arena: &Arena) -> ArenaMap {
    let last = graph.nodes.len().saturating_sub(1);
    let tensors = arena.placements.iter().enumerate().filter_map(|(t, place)| {
        let place = (*place)?;
        Some(ArenaTensor {
            // The input that a network without any is given has no tensor in the graph.
            name: graph.tensors.get(t).map_or_else(|| "input".into(), |tensor| tensor.name.clone()),
            offset: place.offset as u64,
            bytes: place.bytes as u64,
            // Plan times are one ahead of operators: 0 is before the first.
            first_op: place.first.saturating_sub(1).min(last),
            last_op: place.last.saturating_sub(1).min(last),
        })
    });
    ArenaMap { total_bytes: arena.bytes as u64, tensors: tensors.collect() }
}

/// A sentence for each limit of the target that is not kept.
pub(super) fn over_budget(target: &Target, file: &[u8], arena: &Arena, cost: Option<&Cost>) -> Vec<String> {
    let ram = arena.bytes as u64 + cost.map_or(0, |c| c.stack_bytes);
    let flash = file.len() as u64 + cost.map_or(0, |c| c.code_bytes);
    let over = |what: &str, used: u64, limit: Option<u64>| {
        let limit = limit.filter(|&limit| used > limit)?;
        Some(format!("{what}: {} needed, the target has {}.", format::bytes(used), format::bytes(limit)))
    };
    let limits = [("RAM", ram, &target.ram), ("Flash", flash, &target.flash)];
    limits.into_iter().filter_map(|(what, used, limit)| over(what, used, limit.as_ref().map(|s| s.bytes()))).collect()
}
