//! What each layer can be.

use crate::export::{ExportError, Layout, PLAIN, pack_layer, plain_layer};
use crate::graph::{Graph, Node};
use crate::io::format;
use crate::plan::Memory;
use crate::plan::limits::{Least, Limits};
use crate::tune::cost::{CostTable, Work};
use crate::tune::plan::Candidate;
use niwaki_core::format::{ALIGN, TENSOR_BYTES};
use niwaki_core::ops::OpCode;

/// A layer and what it can be.
pub(super) struct LayerOptions {
    pub(super) node: usize,
    pub(super) layouts: Vec<Option<Layout>>,
    pub(super) codes: Vec<OpCode>,
    pub(super) memory: Vec<Memory>,
    pub(super) candidates: Vec<Candidate>,
}

impl LayerOptions {
    /// Why a candidate was taken.
    pub(super) fn why(&self, chosen: usize, limits: &Limits) -> String {
        let taken = &self.candidates[chosen];
        let others = || self.candidates.iter().enumerate().filter(|(c, _)| *c != chosen).map(|(_, other)| other);
        let Some(rival) = others().min_by_key(|c| (c.instructions, c.bytes)) else {
            return "the only layout that it has".into();
        };
        let (name, instructions) = (&rival.layout, format::exact(rival.instructions));
        if taken.instructions <= rival.instructions {
            return format!("fewest instructions; {name} would take {instructions}");
        }
        if !rival.fits_ram {
            return format!("{name} would take {instructions} instructions, but more RAM than there is");
        }
        let more = format::exact(taken.instructions - rival.instructions);
        match (rival.bytes > taken.bytes, limits.least) {
            (true, Least::Instructions) => {
                let saved = format::bytes(rival.bytes - taken.bytes);
                format!("{more} instructions more than {name} for {saved} less: the flash is short")
            }
            (true, Least::Flash) => {
                let saved = format::bytes(rival.bytes - taken.bytes);
                format!("{saved} less than {name} for {more} instructions more")
            }
            (false, _) => {
                format!("{more} instructions more than {name}, whose kernel would cost more flash than it saves")
            }
        }
    }
}

/// The candidates of a node; none for one without int8 weights.
pub(super) fn options(graph: &Graph, n: usize, node: &Node, table: &CostTable) -> Result<LayerOptions, ExportError> {
    let mut options = LayerOptions { node: n, layouts: vec![], codes: vec![], memory: vec![], candidates: vec![] };
    let Some((code, constants)) = plain_layer(graph, node)? else { return Ok(options) };
    let mut add = |layout: Option<Layout>, code, bytes: &[usize], memory: Memory, work: &Work| {
        let Some(instructions) = table.instructions(code, work) else { return };
        options.layouts.push(layout);
        options.codes.push(code);
        options.memory.push(memory);
        options.candidates.push(Candidate {
            layout: layout.map_or(PLAIN, Layout::name).into(),
            bytes: bytes.iter().map(|bytes| (bytes.next_multiple_of(ALIGN) + TENSOR_BYTES) as u64).sum(),
            instructions: instructions as u64,
            scratch_bytes: memory.scratch_bytes as u64,
            fits_ram: true,
        });
    };
    add(None, code, &constants, Memory::plain(node), &Work::of(graph, node, None));
    let mut dense = None;
    for layout in Layout::PACKED {
        let Ok(packed) = pack_layer(graph, node, layout) else { continue };
        let bytes: Vec<usize> = packed.constants.iter().map(|constant| constant.bytes.len()).collect();
        // What is larger than the dense layer leaves out too little to be worth its indices: the instructions that it saves
        // go into cycles of loads and branches (ResNet-8 in whole blocks: 5 % fewer instructions, 15 % more cycles).
        if layout == Layout::Tiled {
            dense = Some(packed.bytes());
        } else if dense.is_some_and(|dense| packed.bytes() > dense) {
            continue;
        }
        add(Some(layout), packed.code, &bytes, packed.memory, &Work::of(graph, node, Some(&packed)));
    }
    Ok(options)
}
