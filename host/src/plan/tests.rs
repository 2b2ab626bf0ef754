//! Plans are safe, reach the bound where that can be reached, and use what kernels allow.

use super::*;
use crate::graph::Activation;
use crate::ops::{self, Op};
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
            0 => Op::from(ops::Clamp(Activation::Relu)),
            1 => Op::from(ops::Softmax),
            _ => Op::from(ops::Add { activation: Activation::None }),
        };
        let inputs = if op.is::<ops::Add>() { vec![a, b] } else { vec![a] };
        live.push(graph.push(&format!("n{n}"), op, &inputs).expect("shapes are equal"));
    }
    graph.outputs.push(*live.last().expect("not empty"));
    graph
}

fn plain(graph: &Graph) -> Vec<Memory> {
    graph.nodes.iter().map(Memory::plain).collect()
}

#[test]
fn tensors_that_live_together_never_overlap_unless_one_replaces_the_other() {
    for seed in 0..300 {
        let graph = random_graph(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut memory = plain(&graph);
        for memory in &mut memory {
            memory.scratch_bytes = rng.next_u32() as usize % 3 * 24;
        }
        let arena = plan(&graph, &memory);
        assert!(arena.bytes >= arena.lower_bound);
        let placed: Vec<Placement> = arena.placements.iter().chain(&arena.scratch).flatten().copied().collect();
        for (i, a) in placed.iter().enumerate() {
            assert!(a.offset % ALIGN == 0 && a.offset + a.bytes <= arena.bytes);
            for b in &placed[..i] {
                let share_place = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
                let scratch = |p: &Placement| arena.scratch.contains(&Some(*p));
                let share_time = match scratch(a) || scratch(b) {
                    true => a.first <= b.last && b.first <= a.last,
                    false => a.first < b.last && b.first < a.last,
                };
                assert!(!(share_time && share_place), "seed {seed}: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn an_elementwise_chain_needs_one_buffer() {
    let mut graph = Graph::default();
    let x = graph.input("x", &[64]);
    let y = graph.push("relu", ops::Clamp(Activation::Relu), &[x]).expect("fits");
    let y = graph.push("relu6", ops::Clamp(Activation::Relu6), &[y]).expect("fits");
    graph.outputs.push(y);
    let arena = plan(&graph, &plain(&graph));
    assert_eq!((arena.bytes, arena.lower_bound), (256, 256));
}

/// Softmaxes in a row: each output may start `lead` bytes before its input.
fn chain(len: usize, lead: isize, scratch_bytes: usize) -> (Graph, Vec<Memory>) {
    let mut graph = Graph::default();
    let mut x = graph.input("x", &[64]);
    for n in 0..len {
        x = graph.push(&format!("n{n}"), ops::Softmax, &[x]).expect("fits");
    }
    graph.outputs.push(x);
    (graph, vec![Memory { scratch_bytes, share: Share::Lead(lead) }; len])
}

#[test]
fn an_output_lies_over_its_input_as_far_as_the_kernel_allows() {
    // Lead, scratch, arena, bound. Three leads in one direction add up; scratch fits beside them.
    let cases = [
        (0, 0, 256, 256),
        (64, 0, 448, 320),
        (60, 16, 448, 336),
        (256, 0, 512, 512),
        (4096, 0, 512, 512),
        (-64, 32, 288, 288),
    ];
    for (lead, scratch, bytes, bound) in cases {
        let (graph, memory) = chain(3, lead, scratch);
        let arena = plan(&graph, &memory);
        assert_eq!((arena.bytes, arena.lower_bound), (bytes, bound), "lead {lead}, scratch {scratch}");
        for (node, memory) in graph.nodes.iter().zip(&memory) {
            let (x, y) = (arena.placements[node.inputs[0].0], arena.placements[node.output.0]);
            let (x, y) = (x.expect("placed"), y.expect("placed"));
            let apart = x.offset + x.bytes <= y.offset || y.offset + y.bytes <= x.offset;
            let Share::Lead(lead) = memory.share else { continue };
            assert!(apart || x.offset as isize - y.offset as isize >= lead, "{x:?} {y:?}");
        }
    }
}

#[test]
fn an_input_that_is_read_again_is_not_overwritten() {
    let (mut graph, mut memory) = chain(1, 0, 0);
    let (x, y) = (graph.inputs[0], graph.outputs[0]);
    let sum = graph.push("sum", ops::Add { activation: Activation::None }, &[x, y]).expect("fits");
    graph.outputs = vec![sum];
    memory.push(Memory::plain(&graph.nodes[1]));
    assert_eq!(plan(&graph, &memory).bytes, 512);
}

#[test]
fn planning_is_deterministic_and_reaches_the_bound_on_most_random_networks() {
    let mut reached = 0;
    for seed in 0..200 {
        let graph = random_graph(seed);
        let arena = plan(&graph, &plain(&graph));
        assert_eq!(arena, plan(&graph, &plain(&graph)));
        reached += usize::from(arena.bytes == arena.lower_bound);
    }
    assert!(reached >= 190, "{reached} of 200");
}
