//! The engine's float operators are a faster spelling of core's: whole networks give the same probabilities.

use niwaki::engine::{Engine, Options};
use niwaki::graph::{Data, Graph, Role};
use niwaki::zoo;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Largest difference of a probability: f32 rounding in sums of up to 600 terms, in another order.
const PROBABILITY: f32 = 2e-5;

fn random(rng: &mut ChaCha8Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// A network of the zoo in which no bias and no statistic has its initial value.
fn network(name: &str, input: &[usize], rng: &mut ChaCha8Rng) -> Graph {
    let mut graph = zoo::by_name(name).expect("in the zoo").build(input, 9, 1).expect("fits");
    for t in graph.tensors.iter_mut().filter(|t| t.shape.len() == 1 && t.role != Role::Activation) {
        let offset = if t.name.ends_with("running_var") || t.name.ends_with("norm.weight") { 1.5 } else { 0.0 };
        let len = t.element_count();
        t.data = Some(Data::F32(random(rng, len).iter().map(|v| v * 0.3 + offset).collect()));
    }
    graph
}

#[test]
fn networks_give_the_probabilities_of_core() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for (name, input) in [("small-cnn", [9, 8, 2]), ("ds-cnn", [21, 11, 1]), ("tiny-resnet", [13, 12, 3])] {
        let graph = network(name, &input, &mut rng);
        let batch = 7;
        let mut engine = Engine::new(&graph, Options { batch, threads: 2 }).expect("trains");
        let len: usize = input.iter().product();
        let x = random(&mut rng, batch * len);
        let fast = engine.forward(&x, batch).expect("runs").to_vec();
        for (x, fast) in x.chunks(len).zip(fast.chunks(9)) {
            let core = graph.predict(x).expect("runs");
            let error = core.iter().zip(fast).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error <= PROBABILITY, "{name}: {error}");
        }
    }
}
