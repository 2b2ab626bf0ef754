//! Outputs, losses and running statistics against their definitions.

use super::*;
use crate::engine::Engine;
use crate::graph::{Padding, Sliding};
use crate::ops;
use crate::zoo;

/// The convolution's definition, in f64: `y[o] = clamp(bias[o] + Σ w x)` over the taps inside the input.
fn conv2d(x: &[f32], w: &[f32], bias: &[f32], [h, wd, c]: [usize; 3], [kh, kw]: [usize; 2], s: usize) -> Vec<f64> {
    let window = Sliding::strided(s, Padding::Same).window([h, wd], [kh, kw]).expect("the kernel fits");
    let mut y = Vec::new();
    for oy in 0..window.y.output() {
        for ox in 0..window.x.output() {
            for (filter, &bias) in bias.iter().enumerate() {
                let mut sum = f64::from(bias);
                let (ty, tx) = (window.y.taps(oy), window.x.taps(ox));
                for (ky, kx) in (0..ty.len).flat_map(|ky| (0..tx.len).map(move |kx| (ky, kx))) {
                    for i in 0..c {
                        let at_x = ((ty.input_start + ky) * wd + tx.input_start + kx) * c + i;
                        let at_w = ((filter * kh + ty.kernel_start + ky) * kw + tx.kernel_start + kx) * c + i;
                        sum += f64::from(x[at_x]) * f64::from(w[at_w]);
                    }
                }
                y.push(sum.max(0.0));
            }
        }
    }
    y
}

#[test]
fn conv2d_equals_its_definition() {
    let mut bench = Bench::new(1);
    let x = bench.graph.input("x", &[9, 8, 3]);
    let (w, b) = (bench.parameter("w", &[5, 4, 3, 3]), bench.parameter("b", &[5]));
    let op = ops::Conv2d { sliding: Sliding::strided(2, Padding::Same), activation: Activation::Relu };
    let y = bench.push("op", op, &[x, w, b]);
    bench.graph.outputs.push(y);
    let x = bench.values.f32s(2 * 9 * 8 * 3);
    let mut engine: Engine = engine(&bench.graph, 2, 1);
    let got: Vec<f64> = engine.forward(&x, 2).expect("a valid batch").iter().map(|&v| f64::from(v)).collect();
    let constant = |id: TensorId| bench.graph[id].f32s().unwrap_or(&[]);
    let sample = |x| conv2d(x, constant(w), constant(b), [9, 8, 3], [4, 3], 2);
    let want: Vec<f64> = x.chunks_exact(9 * 8 * 3).flat_map(sample).collect();
    assert!(relative_error(&got, &want) <= tolerance::F32_OUTPUT);
}

#[test]
fn forward_gives_probabilities_and_loss_their_logarithm() {
    let graph = zoo::ENTRIES[1].build(&[49, 10, 1], 12, 3).expect("the input fits");
    let mut engine: Engine = engine(&graph, 9, 1);
    let x = Values::new(4).f32s(9 * 490);
    let labels = labels(9, 12);
    let probabilities = engine.forward(&x, 9).expect("a valid batch").to_vec();
    let loss = engine.loss(&x, &labels).expect("a valid batch");
    let rows = || probabilities.chunks_exact(12).zip(&labels);
    let sums: Vec<f64> = rows().map(|(row, _)| row.iter().map(|&p| f64::from(p)).sum()).collect();
    assert!(relative_error(&sums, &[1.0; 9]) <= tolerance::F32_OUTPUT);
    let mean = -rows().map(|(row, &l)| f64::from(row[l as usize]).ln()).sum::<f64>() / 9.0;
    assert!(relative_error(&[loss.mean], &[mean]) <= tolerance::F32_OUTPUT);
    let best = |row: &[f32]| (0..12).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
    assert_eq!(loss.correct, rows().filter(|(row, l)| best(row) == Some(**l as usize)).count());
}

#[test]
fn running_statistics_follow_the_batch() {
    let mut bench = Bench::new(1);
    let x = bench.graph.input("x", &[4, 2]);
    let (gamma, beta) = (bench.parameter("gamma", &[2]), bench.parameter("beta", &[2]));
    let mean = bench.graph.buffer("mean", &[2], vec![0.5, -1.0]);
    let var = bench.graph.buffer("var", &[2], vec![2.0, 3.0]);
    let op = ops::BatchNorm { epsilon: 1e-3, momentum: 0.25, activation: Activation::None };
    let y = bench.push("op", op, &[x, gamma, beta, mean, var]);
    let mut graph = bench.finish(y, 3);
    let mut engine: Engine = engine(&graph, 30, 1);
    // A mean of 1000 must not cost the variance its digits.
    let x: Vec<f32> =
        Values::new(2).f32s(30 * 8).iter().enumerate().map(|(i, v)| v + 1000.0 * (i % 2) as f32).collect();
    engine.loss_and_gradients(&x, &labels(30, 3)).expect("a valid batch");
    let mut want = [vec![], vec![]];
    for c in 0..2 {
        let channel: Vec<f64> = x.iter().skip(c).step_by(2).map(|&v| f64::from(v)).collect();
        let mean = channel.iter().sum::<f64>() / 120.0;
        let var = channel.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 119.0;
        want[0].push(0.75 * [0.5, -1.0][c] + 0.25 * mean);
        want[1].push(0.75 * [2.0, 3.0][c] + 0.25 * var);
    }
    engine.store(&mut graph);
    for (id, want) in [mean, var].into_iter().zip(&want) {
        for (got, want) in graph[id].f32s().unwrap_or(&[]).iter().zip(want) {
            assert!(relative_error(&[f64::from(*got)], &[*want]) <= tolerance::F32_OUTPUT, "{got} {want}");
        }
    }
}

#[test]
fn stored_values_are_what_a_new_engine_starts_from() {
    let mut graph = zoo::ENTRIES[2].build(&[8, 8, 1], 10, 3).expect("the input fits");
    let mut first: Engine = engine(&graph, 8, 1);
    let x = Values::new(4).f32s(8 * 64);
    first.loss_and_gradients(&x, &labels(8, 10)).expect("a valid batch");
    first.values_mut()[0] = 0.125;
    first.store(&mut graph);
    let second: Engine = engine(&graph, 8, 1);
    assert_eq!((first.values(), first.buffers()), (second.values(), second.buffers()));
}

#[test]
fn nan_is_not_hidden_by_clamps_or_maxima() {
    let graph = zoo::ENTRIES[0].build(&[8, 8, 1], 10, 3).expect("the input fits");
    let mut engine: Engine = engine(&graph, 1, 1);
    let mut x = vec![0.5; 64];
    x[20] = f32::NAN;
    assert!(engine.loss_and_gradients(&x, &[0]).expect("a valid batch").mean.is_nan());
}
