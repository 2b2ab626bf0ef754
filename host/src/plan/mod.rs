//! Where every activation lies in the arena: offsets by liveness, in place where the operator allows it.

use crate::graph::{Graph, Op, TensorId};
use niwaki_core::format::ALIGN;

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
    /// Size of the arena.
    pub bytes: usize,
    /// The largest sum of live tensors at any time (each rounded up to the alignment): no plan can be smaller.
    pub lower_bound: usize,
}

/// Activations that share memory because each replaces the one before it.
struct Block {
    tensors: Vec<TensorId>,
    bytes: usize,
    first: usize,
    last: usize,
}

impl Block {
    fn meets(&self, other: &Block) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Bytes of an activation.
pub fn activation_bytes(graph: &Graph, id: TensorId) -> usize {
    graph[id].element_count() * graph[id].element.element_bytes()
}

/// Plans the arena of `graph`: the best of several orders, each with the lowest gap that fits.
pub fn plan(graph: &Graph) -> Arena {
    let blocks = blocks(graph);
    let times = graph.nodes.len() + 2;
    let lower_bound = (0..times)
        .map(|t| blocks.iter().filter(|b| b.first <= t && t <= b.last).map(|b| b.bytes).sum())
        .max()
        .unwrap_or(0);
    type Key = fn(&Block) -> (std::cmp::Reverse<usize>, usize);
    let orders: [Key; 4] = [
        |b| (std::cmp::Reverse(b.bytes), b.first),
        |b| (std::cmp::Reverse((b.last - b.first + 1) * b.bytes), b.first),
        |b| (std::cmp::Reverse(b.last - b.first), b.first),
        |b| (std::cmp::Reverse(0), b.first),
    ];
    let mut best: Option<(usize, Vec<usize>)> = None;
    for key in orders {
        let (bytes, offsets) = place(&blocks, key);
        if best.as_ref().is_none_or(|(least, _)| bytes < *least) {
            best = Some((bytes, offsets));
        }
    }
    let (bytes, offsets) = best.unwrap_or_default();
    let mut placements = vec![None; graph.tensors.len()];
    for (block, offset) in blocks.iter().zip(offsets) {
        for &id in &block.tensors {
            let (first, last) = lifetime(graph, id);
            placements[id.0] = Some(Placement { offset, bytes: activation_bytes(graph, id), first, last });
        }
    }
    Arena { placements, bytes, lower_bound }
}

/// First write and last read of an activation.
fn lifetime(graph: &Graph, id: TensorId) -> (usize, usize) {
    let first = graph.producer(id).map_or(0, |n| n + 1);
    let last_use = graph.consumers(id).last().map_or(first, |n| n + 1);
    let last = if graph.outputs.contains(&id) { graph.nodes.len() + 1 } else { last_use };
    (first, last)
}

fn blocks(graph: &Graph) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let new_block = |id| {
        let (first, last) = lifetime(graph, id);
        Block { tensors: vec![id], bytes: activation_bytes(graph, id).next_multiple_of(ALIGN), first, last }
    };
    blocks.extend(graph.inputs.iter().map(|&id| new_block(id)));
    for (n, node) in graph.nodes.iter().enumerate() {
        let mut block = new_block(node.output);
        let in_place = match node.op {
            Op::Activation(_) | Op::Reshape { .. } => true,
            // Both operands may not be one tensor: it would be read after it was written.
            Op::Add { .. } => node.inputs[0] != node.inputs[1],
            _ => false,
        };
        // The operand must end here, fill the output's memory exactly, and not be promised to the caller.
        let same_size = |id: &TensorId| activation_bytes(graph, *id) == activation_bytes(graph, node.output);
        let ends_here = |id: &TensorId| lifetime(graph, *id).1 == n + 1;
        let host = node.inputs.iter().filter(|id| in_place && same_size(id) && ends_here(id)).find_map(|id| {
            let promised = |t: &TensorId| graph.outputs.contains(t);
            blocks.iter().position(|b| b.tensors.last() == Some(id) && !b.tensors.iter().any(promised))
        });
        match host {
            Some(host) => {
                blocks[host].last = block.last;
                blocks[host].tensors.append(&mut block.tensors);
            }
            None => blocks.push(block),
        }
    }
    blocks
}

/// Places blocks one after the other, each in the lowest gap between the blocks that live at the same time.
fn place(blocks: &[Block], key: impl Fn(&Block) -> (std::cmp::Reverse<usize>, usize)) -> (usize, Vec<usize>) {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&i| key(&blocks[i]));
    let mut offsets = vec![0; blocks.len()];
    let mut placed: Vec<usize> = Vec::new();
    for i in order {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&p| blocks[p].meets(&blocks[i]))
            .map(|&p| (offsets[p], offsets[p] + blocks[p].bytes))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + blocks[i].bytes <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[i] = offset;
        placed.push(i);
    }
    let bytes = (0..blocks.len()).map(|i| offsets[i] + blocks[i].bytes).max().unwrap_or(0);
    (bytes, offsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Activation;
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };

    /// A chain of elementwise operators with skips, the hardest case for in-place plans.
    fn random_graph(seed: u64) -> Graph {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut graph = Graph::default();
        let mut live = vec![graph.input("x", &[1 + rng.next_u32() as usize % 40])];
        for n in 0..12 {
            let pick = |rng: &mut ChaCha8Rng| live[rng.next_u32() as usize % live.len()];
            let (a, b) = (pick(&mut rng), pick(&mut rng));
            let op = match rng.next_u32() % 3 {
                0 => Op::Activation(Activation::Relu),
                1 => Op::Softmax,
                _ => Op::Add { activation: Activation::None },
            };
            let inputs = if matches!(op, Op::Add { .. }) { vec![a, b] } else { vec![a] };
            live.push(graph.push(&format!("n{n}"), op, &inputs).expect("shapes are equal"));
        }
        graph.outputs.push(*live.last().expect("not empty"));
        graph
    }

    #[test]
    fn tensors_that_live_together_never_overlap_unless_one_replaces_the_other() {
        for seed in 0..500 {
            let graph = random_graph(seed);
            let arena = plan(&graph);
            assert!(arena.bytes >= arena.lower_bound);
            let placed: Vec<Placement> = arena.placements.iter().flatten().copied().collect();
            for (i, a) in placed.iter().enumerate() {
                assert!(a.offset % ALIGN == 0 && a.offset + a.bytes <= arena.bytes);
                for b in &placed[..i] {
                    let share_time = a.first < b.last && b.first < a.last;
                    let share_place = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
                    assert!(!(share_time && share_place), "seed {seed}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn an_elementwise_chain_needs_one_buffer() {
        let mut graph = Graph::default();
        let x = graph.input("x", &[64]);
        let y = graph.push("relu", Op::Activation(Activation::Relu), &[x]).expect("fits");
        let y = graph.push("relu6", Op::Activation(Activation::Relu6), &[y]).expect("fits");
        graph.outputs.push(y);
        let arena = plan(&graph);
        assert_eq!((arena.bytes, arena.lower_bound), (256, 256));
    }
}
