//! Where every activation and every scratch memory lies in the arena: offsets by liveness, outputs over inputs where
//! the kernel allows it.

pub mod limits;
mod place;
#[cfg(test)]
mod tests;

use crate::graph::{Graph, Node, TensorId};
use crate::ops::InPlace;
use niwaki_core::format::ALIGN;
use place::{Block, Offsets};

/// What an operator's kernel asks of memory and allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of working memory while it runs.
    pub scratch_bytes: usize,
    /// What its output may share with its operands.
    pub share: Share,
}

/// What an output may share with the operands that end with it; as `niwaki_core::format::Overlap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Nothing.
    Nothing,
    /// Exactly the place of one operand of its size.
    Place,
    /// It may start so many bytes (or more) before operand 0 starts.
    Lead(isize),
}

impl Memory {
    /// What the plain kernel of `node` asks and allows: no scratch, and elementwise operators work in place.
    pub fn plain(node: &Node) -> Self {
        let in_place = match node.op.rules().in_place {
            InPlace::Never => false,
            InPlace::Operand => true,
            // Both operands may not be one tensor: it would be read after it was written.
            InPlace::EitherOperand => node.inputs[0] != node.inputs[1],
        };
        Self { scratch_bytes: 0, share: if in_place { Share::Place } else { Share::Nothing } }
    }
}

/// The lifetime and place of one activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Bytes from the start of the arena.
    pub offset: usize,
    /// Size in bytes.
    pub bytes: usize,
    /// Time of its first write: 0 for a graph input, `n + 1` for the output of node `n`.
    pub first: usize,
    /// Time of its last read; `nodes + 1` for a graph output.
    pub last: usize,
}

/// The arena of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arena {
    /// One entry a tensor of the graph; `None` for constants.
    pub placements: Vec<Option<Placement>>,
    /// One entry a node: where its scratch memory lies, if it has any.
    pub scratch: Vec<Option<Placement>>,
    /// Size of the arena.
    pub bytes: usize,
    /// The most that is needed at any one time: no plan can be smaller.
    pub lower_bound: usize,
}

/// Bytes of an activation.
pub fn activation_bytes(graph: &Graph, id: TensorId) -> usize {
    graph[id].element_count() * graph[id].element.element_bytes()
}

/// Plans the arena of `graph`, whose node `n` has the kernel of `memory[n]`.
///
/// Tensors that replace each other in place are one block. Blocks are placed one after the other, each at the lowest
/// offset that the blocks living at the same time allow; every order is tried where there are few, the best of some
/// thousands of orders otherwise, until the lower bound is reached.
pub fn plan(graph: &Graph, memory: &[Memory]) -> Arena {
    let (mut blocks, owners) = blocks(graph, memory);
    let tensor_blocks = blocks.len();
    for (n, memory) in memory.iter().enumerate().filter(|(_, m)| m.scratch_bytes > 0) {
        let bytes = memory.scratch_bytes.next_multiple_of(ALIGN);
        blocks.push(Block { bytes, first: n + 1, last: n + 1, follows: None });
    }
    let Offsets { bytes, offsets } = place::best(&blocks);
    let mut placements = vec![None; graph.tensors.len()];
    for (id, owner) in owners.iter().enumerate() {
        placements[id] = owner.map(|block| {
            let (first, last) = lifetime(graph, TensorId(id));
            Placement { offset: offsets[block], bytes: activation_bytes(graph, TensorId(id)), first, last }
        });
    }
    let mut scratch = vec![None; graph.nodes.len()];
    for (block, &offset) in blocks.iter().zip(&offsets).skip(tensor_blocks) {
        let n = block.first - 1;
        scratch[n] = Some(Placement { offset, bytes: memory[n].scratch_bytes, first: block.first, last: block.last });
    }
    Arena { placements, scratch, bytes, lower_bound: place::lower_bound(&blocks) }
}

/// First write and last read of an activation.
fn lifetime(graph: &Graph, id: TensorId) -> (usize, usize) {
    let first = graph.producer(id).map_or(0, |n| n + 1);
    let last_use = graph.consumers(id).last().map_or(first, |n| n + 1);
    let last = if graph.outputs.contains(&id) { graph.nodes.len() + 1 } else { last_use };
    (first, last)
}

/// The blocks of all activations, and the block of each tensor.
fn blocks(graph: &Graph, memory: &[Memory]) -> (Vec<Block>, Vec<Option<usize>>) {
    let mut blocks: Vec<Block> = Vec::new();
    let mut owners = vec![None; graph.tensors.len()];
    let block = |id: TensorId, follows| {
        let (first, last) = lifetime(graph, id);
        Block { bytes: activation_bytes(graph, id).next_multiple_of(ALIGN), first, last, follows }
    };
    for &id in &graph.inputs {
        owners[id.0] = Some(blocks.len());
        blocks.push(block(id, None));
    }
    let promised = |id: &TensorId| graph.outputs.contains(id);
    for (n, node) in graph.nodes.iter().enumerate() {
        // The operand must end here and not be promised to the caller.
        let free = |id: &&TensorId| graph[**id].data.is_none() && lifetime(graph, **id).1 == n + 1 && !promised(id);
        let same_size = |id: &&TensorId| activation_bytes(graph, **id) == activation_bytes(graph, node.output);
        let output = block(node.output, None);
        let follows = match memory[n].share {
            Share::Nothing => None,
            Share::Place => {
                let host = node.inputs.iter().filter(free).find(same_size).and_then(|id| owners[id.0]);
                if let Some(host) = host {
                    blocks[host].last = output.last;
                    owners[node.output.0] = Some(host);
                    continue;
                }
                None
            }
            Share::Lead(lead) => {
                let operand = node.inputs.first().filter(free).and_then(|id| owners[id.0]);
                operand.map(|block| (block, -(-lead).div_euclid(ALIGN as isize) * ALIGN as isize))
            }
        };
        owners[node.output.0] = Some(blocks.len());
        blocks.push(Block { follows, ..output });
    }
    (blocks, owners)
}
