//! The same bits for any number of threads and any planned batch.

use super::*;
use crate::engine::Engine;
use crate::zoo;

/// Values, buffers and losses after three steps of plain gradient descent, as bits.
fn train(graph: &Graph, input_len: usize, planned: usize, threads: usize) -> Vec<u64> {
    let mut engine: Engine = engine(graph, planned, threads);
    let mut bits = Vec::new();
    for (step, batch) in [37, 40, 5].into_iter().enumerate() {
        let x = Values::new(step as u64).f32s(batch * input_len);
        let loss = engine.loss_and_gradients(&x, &labels(batch, 10)).expect("a valid batch");
        let (values, gradients) = engine.values_and_gradients();
        for (value, gradient) in values.iter_mut().zip(gradients) {
            *value -= 0.05 * gradient;
        }
        bits.push(loss.mean.to_bits());
        bits.extend(engine.forward(&x, batch).expect("a valid batch").iter().map(|v| u64::from(v.to_bits())));
    }
    bits.extend(engine.values().iter().chain(engine.buffers()).map(|v| u64::from(v.to_bits())));
    bits
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let inputs = [[12, 12, 1], [49, 10, 1], [16, 16, 3], [16, 16, 1], [16, 16, 1], [16, 16, 1], [16, 16, 3]];
    assert_eq!(inputs.len(), zoo::of_samples().count());
    for (entry, input) in zoo::of_samples().zip(inputs) {
        let graph = entry.build(&input, 10, 5).expect("the input fits");
        let len = input.iter().product();
        let one = train(&graph, len, 40, 1);
        for threads in [2, 3, 5] {
            assert!(train(&graph, len, 40, threads) == one, "{} differs on {threads} threads", entry.name);
        }
        assert!(train(&graph, len, 100, 1) == one, "{} differs when planned for a larger batch", entry.name);
    }
}
