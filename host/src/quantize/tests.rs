//! Folding keeps the function, quantising stays close to it, and the exported file computes what the graph does.

use super::*;
use crate::export::{AlignedBytes, export};
use crate::graph::{Role, eval::Value};
use crate::zoo;
use niwaki_core::session::{Model, Session, operators};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Largest difference of folding, relative to the largest logit-softmax output of 1.
const FOLDING: f32 = 1e-5;
/// Largest mean difference of int8 and f32 probabilities on random weights.
const QUANTISING: f32 = 0.03;

const NETWORKS: [(&str, [usize; 3], usize); 3] =
    [("small-cnn", [8, 8, 1], 10), ("ds-cnn", [21, 10, 1], 12), ("tiny-resnet", [12, 12, 3], 5)];

fn random(rng: &mut ChaCha8Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
}

/// A network of the zoo with random statistics and biases, so that nothing is trivially zero.
fn network(name: &str, input: &[usize], classes: usize, seed: u64) -> Graph {
    let mut graph = zoo::by_name(name).expect("in the zoo").build(input, classes, seed).expect("fits");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for t in graph.tensors.iter_mut().filter(|t| t.shape.len() == 1 && t.role != Role::Activation) {
        let offset = if t.name.ends_with("running_var") || t.name.ends_with("norm.weight") { 1.5 } else { 0.0 };
        let len = t.element_count();
        t.data = Some(Data::F32(random(&mut rng, len).iter().map(|v| v * 0.3 + offset).collect()));
    }
    graph
}

fn session_outputs(file: &AlignedBytes, input: &[u8]) -> Vec<u8> {
    let model = Model::verify(file, operators::ALL).expect("the exporter verified it");
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(&model, &mut arena).expect("the arena is large enough");
    session.input_bytes_mut(0).copy_from_slice(input);
    session.run();
    session.output_bytes(0).to_vec()
}

#[test]
fn folding_batch_norm_keeps_the_function() {
    for (name, input, classes) in NETWORKS {
        let graph = network(name, &input, classes, 3);
        let folded = fuse_activations(&fold_batch_norm(&graph).expect("folds"));
        assert!(folded.nodes.iter().all(|n| !matches!(n.op, Op::BatchNorm { .. })));
        folded.validate().expect("still a network");
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for _ in 0..5 {
            let x = random(&mut rng, input.iter().product());
            let (a, b) = (graph.predict(&x).expect("runs"), folded.predict(&x).expect("runs"));
            let error = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error <= FOLDING, "{name}: {error}");
        }
    }
}

#[test]
fn int8_stays_close_to_f32_and_the_file_computes_exactly_the_graph() {
    for (name, input, classes) in NETWORKS {
        for calibration in [Calibration::MinMax, Calibration::Percentile, Calibration::Mse] {
            let graph = network(name, &input, classes, 4);
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let samples: Vec<Vec<f32>> = (0..8).map(|_| random(&mut rng, input.iter().product())).collect();
            let views: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
            let quantized = post_training(&graph, &views, calibration).expect("quantises");
            let (file, arena) = export(&quantized).expect("exports");
            assert!(arena.bytes >= arena.lower_bound);
            for x in &samples {
                let values = quantized.evaluate(x).expect("runs");
                let Some(Value::I8(codes)) = &values[quantized.inputs[0].0] else { panic!("input is int8") };
                let want = values[quantized.outputs[0].0].as_ref().expect("written").to_bytes();
                let got = session_outputs(&file, bytemuck::cast_slice(codes));
                assert_eq!(got, want, "{name} {calibration:?}: file and graph differ");
                let (f, q) = (graph.predict(x).expect("runs"), quantized.predict(x).expect("runs"));
                let error: f32 = f.iter().zip(&q).map(|(a, b)| (a - b).abs()).sum::<f32>() / f.len() as f32;
                assert!(error <= QUANTISING, "{name} {calibration:?}: {error}");
            }
        }
    }
}

#[test]
fn an_f32_file_computes_exactly_the_graph() {
    for (name, input, classes) in NETWORKS {
        let graph = fold_batch_norm(&network(name, &input, classes, 6)).expect("folds");
        let (file, _) = export(&graph).expect("exports");
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let x = random(&mut rng, input.iter().product());
        let want = Value::F32(graph.predict(&x).expect("runs")).to_bytes();
        assert_eq!(session_outputs(&file, bytemuck::cast_slice(&x)), want, "{name}");
    }
}

#[test]
fn dead_filters_and_large_biases_stay_exact() {
    let mut graph = Graph::default();
    let x = graph.input("x", &[2, 2, 1]);
    let w = graph.parameter("w", &[3, 1, 1, 1], vec![0.0, 1e-7, 0.5]);
    let b = graph.parameter("b", &[3], vec![2.0, 3.0, -0.25]);
    let op = Op::Conv2d {
        sliding: crate::graph::Sliding::unit(crate::graph::Padding::Valid),
        activation: crate::graph::Activation::None,
    };
    let y = graph.push("conv", op, &[x, w, b]).expect("fits");
    graph.outputs.push(y);
    let sample = [0.0, 0.5, -0.5, 1.0];
    let quantized = post_training(&graph, &[&sample], Calibration::MinMax).expect("quantises");
    let (f, q) = (graph.predict(&sample).expect("runs"), quantized.predict(&sample).expect("runs"));
    let step = quantized[quantized.outputs[0]].quant.as_ref().expect("int8").scales[0];
    for (f, q) in f.iter().zip(q) {
        assert!((f - q).abs() <= step, "{f} {q}");
    }
}

#[test]
fn activation_ranges_hold_zero_exactly() {
    for (low, high) in [(0.0, 6.0), (-1.0, 1.0), (-3.0, -1.0), (2.0, 5.0), (0.0, 0.0), (-1e-30, 1e-30)] {
        let q = activation_quant(low, high);
        assert!((-128..=127).contains(&q.zero_point) && q.scales[0] > 0.0, "{low} {high}: {q:?}");
    }
    assert_eq!(activation_quant(0.0, 255.0), Quant { scales: vec![1.0], zero_point: -128, axis: None });
}
