//! The engine's float operators are a faster spelling of core's: whole networks give the same probabilities.

use niwaki::engine::{Engine, Options};
use niwaki_tests::models;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Largest difference of a probability: f32 rounding in sums of up to 600 terms, in another order.
const PROBABILITY: f32 = 2e-5;

#[test]
fn networks_give_the_probabilities_of_core() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for (name, input) in [("small-cnn", [9, 8, 2]), ("ds-cnn", [21, 11, 1]), ("tiny-resnet", [13, 12, 3])] {
        let graph = models::trainable(name, &input, 9, 1).expect("fits");
        let batch = 7;
        let mut engine = Engine::new(&graph, Options { batch, threads: 2 }).expect("trains");
        let len: usize = input.iter().product();
        let x = models::random(&mut rng, batch * len);
        let fast = engine.forward(&x, batch).expect("runs").to_vec();
        for (x, fast) in x.chunks(len).zip(fast.chunks(9)) {
            let core = graph.predict(x).expect("runs");
            let error = core.iter().zip(fast).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error <= PROBABILITY, "{name}: {error}");
        }
    }
}
