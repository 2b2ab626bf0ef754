//! Folding keeps the function, quantising stays close to it, and the exported file computes what the graph does.

use super::*;
use crate::export::{Layout, export, pack_layer};
use crate::graph::Data;
use crate::graph::{Quant, Role, eval::Value};
use crate::io::AlignedBytes;
use crate::ops;
use crate::zoo;
use niwaki_core::{Model, Session};
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
    let model = Model::verify(file, niwaki_core::ops::ALL).expect("the exporter verified it");
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).expect("the arena is large enough");
    session.input_bytes_mut(0).copy_from_slice(input);
    session.run();
    session.output_bytes(0).to_vec()
}

#[test]
fn folding_batch_norm_keeps_the_function() {
    for (name, input, classes) in NETWORKS {
        let graph = network(name, &input, classes, 3);
        let folded = fuse_activations(&fold_batch_norm(&graph).expect("folds"));
        assert!(folded.nodes.iter().all(|n| !n.op.is::<ops::BatchNorm>()));
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
        for (_, calibration) in Calibration::ALL {
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
    let op = ops::Conv2d {
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

fn samples(input: &[usize], seed: u64) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..8).map(|_| random(&mut rng, input.iter().product())).collect()
}

#[test]
fn equalising_keeps_the_function_and_evens_the_ranges() {
    for (name, input, classes) in NETWORKS {
        let graph = fuse_activations(&fold_batch_norm(&network(name, &input, classes, 3)).expect("folds"));
        let mut equal = graph.clone();
        equalize(&mut equal);
        assert_ne!(equal, graph, "{name}: nothing was equalised");
        for x in samples(&input, 9) {
            let (a, b) = (graph.predict(&x).expect("runs"), equal.predict(&x).expect("runs"));
            let error = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error <= FOLDING, "{name}: {error}");
        }
    }
    // Two filters a thousand times apart in size meet in the middle.
    let mut graph = Graph::default();
    let x = graph.input("x", &[2]);
    let w1 = graph.parameter("w1", &[2, 2], vec![100.0, 50.0, 0.1, 0.05]);
    let h = graph.push("h", ops::Dense { activation: crate::graph::Activation::Relu }, &[x, w1]).expect("fits");
    let w2 = graph.parameter("w2", &[1, 2], vec![1.0, 1.0]);
    let y = graph.push("y", ops::Dense { activation: crate::graph::Activation::None }, &[h, w2]).expect("fits");
    graph.outputs.push(y);
    equalize(&mut graph);
    let of = |id: crate::graph::TensorId| graph[id].f32s().expect("is f32").to_vec();
    let close = |a: f32, b: f32| (a / b - 1.0).abs() < 1e-3;
    assert!(close(of(w1)[0], 10.0) && close(of(w2)[0], 10.0), "{:?} {:?}", of(w1), of(w2));
    assert!(close(of(w1)[2], 0.1_f32.sqrt()) && close(of(w2)[1], 0.1_f32.sqrt()), "{:?} {:?}", of(w1), of(w2));
}

/// Mean error of every output before the softmax, over samples: what bias correction takes away.
fn mean_errors(graph: &Graph, options: &Quantize, samples: &[&[f32]]) -> Vec<f32> {
    let integer = quantize(graph, samples, options).expect("quantises");
    let scores = |g: &Graph, x: &[f32]| {
        let id = g.nodes.last().expect("a softmax").inputs[0];
        match (&g.evaluate(x).expect("runs")[id.0], &g[id].quant) {
            (Some(Value::F32(v)), _) => v.clone(),
            (Some(Value::I8(v)), Some(q)) => {
                v.iter().map(|&c| q.scales[0] * (f32::from(c) - q.zero_point as f32)).collect()
            }
            other => panic!("{other:?}"),
        }
    };
    let mut sums = vec![0.0; graph[graph.outputs[0]].element_count()];
    for x in samples {
        let (a, b) = (scores(graph, x), scores(&integer, x));
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += (a - b) / samples.len() as f32);
    }
    sums
}

#[test]
fn bias_correction_takes_the_mean_error_of_four_bits_away() {
    let int4 = Quantize {
        weights: Precision::Int4,
        ends: Precision::Int4,
        weight_calibration: Calibration::Mse,
        calibration: Calibration::MinMax,
        ..Quantize::default()
    };
    for (name, input, classes) in NETWORKS {
        let graph = network(name, &input, classes, 4);
        let samples = samples(&input, 5);
        let views: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
        let size = |errors: Vec<f32>| errors.iter().map(|e| e.abs()).sum::<f32>();
        let plain = size(mean_errors(&graph, &int4, &views));
        let corrected = size(mean_errors(&graph, &Quantize { bias_correction: true, ..int4.clone() }, &views));
        assert!(corrected < 0.35 * plain, "{name}: {plain} became {corrected}");
    }
}

#[test]
fn four_bit_codes_are_marked_and_the_ends_keep_eight_unless_asked() {
    let graph = network("ds-cnn", &[21, 10, 1], 12, 4);
    let samples = samples(&[21, 10, 1], 5);
    let views: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
    let bits = |ends: Precision| {
        let options = Quantize { weights: Precision::Int4, ends, ..Quantize::default() };
        let integer = quantize(&graph, &views, &options).expect("quantises");
        let mut bits = Vec::new();
        for node in integer.nodes.iter().filter(|n| scheme::weight_axis(&n.op).is_some()) {
            let w = &integer[node.inputs[1]];
            let Some(Data::I8(codes)) = &w.data else { panic!("codes") };
            let largest = codes.iter().map(|c| c.unsigned_abs()).max().expect("weights");
            assert_eq!(largest, if w.code_bits == 4 { 7 } else { 127 }, "{}", w.name);
            bits.push(w.code_bits);
        }
        bits
    };
    let inner = bits(Precision::Int8);
    assert_eq!((inner[0], inner[inner.len() - 1]), (8, 8));
    assert!(inner[1..inner.len() - 1].iter().all(|&b| b == 4) && inner.len() > 4);
    assert!(bits(Precision::Int4).iter().all(|&b| b == 4));
}

#[test]
fn inner_layers_get_a_codebook_where_there_is_a_layout_for_it() {
    let graph = network("ds-cnn", &[21, 10, 1], 12, 4);
    let samples = samples(&[21, 10, 1], 5);
    let views: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
    let options = Quantize { weights: Precision::Codebook, ..Quantize::default() };
    let integer = quantize(&graph, &views, &options).expect("quantises");
    let weighted: Vec<_> = integer.nodes.iter().filter(|n| scheme::weight_axis(&n.op).is_some()).collect();
    for (n, node) in weighted.iter().enumerate() {
        let few = pack_layer(&integer, node, Layout::Codebook).is_ok();
        let inner = n > 0 && n + 1 < weighted.len();
        assert_eq!(few, inner && node.op.is::<ops::Conv2d>(), "{}", node.name);
    }
    let trained = Quantize { qat_epochs: 1, ..options };
    assert!(quantize(&graph, &views, &trained).expect_err("refused").to_string().contains("after training"));
}

#[test]
fn reconstruction_brings_four_bits_closer_to_float() {
    let graph = network("small-cnn", &[8, 8, 1], 10, 4);
    let samples: Vec<Vec<f32>> = (0..24).flat_map(|seed| samples(&[8, 8, 1], seed)).collect();
    let (calibration, rest) = samples.split_at(128);
    let views = |part: &[Vec<f32>]| part.iter().map(|x| x.to_vec()).collect::<Vec<_>>();
    let (calibration, rest) = (views(calibration), views(rest));
    let of = |part: &'static str, samples: &Vec<Vec<f32>>, reconstruct: usize| {
        let calibration: Vec<&[f32]> = calibration.iter().map(Vec::as_slice).collect();
        let options = Quantize {
            weights: Precision::Int4,
            ends: Precision::Int4,
            weight_calibration: Calibration::Mse,
            reconstruct,
            ..Quantize::default()
        };
        let integer = quantize(&graph, &calibration, &options).expect("quantises");
        let samples: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
        let f = fidelity::fidelity(&graph, &integer, &samples).expect("compares");
        println!("{part}, {reconstruct} steps: {f:?}");
        f.mean_error
    };
    let (plain, better) = (of("others", &rest, 0), of("others", &rest, 400));
    assert!(better < 0.8 * plain, "on samples that were not looked at: {plain} became {better}");
}

#[test]
fn codes_of_a_fixed_meaning_cannot_be_concatenated_with_others() {
    let mut graph = Graph::default();
    let x = graph.input("x", &[2, 2, 1]);
    let gate = graph.push("gate", ops::Logistic, &[x]).expect("fits");
    let wide = graph.push("wide", ops::HardSwish, &[x]).expect("fits");
    let last = graph.push("last", ops::Concat { axis: 2 }, &[wide, gate]).expect("fits");
    graph.outputs.push(last);
    let refusal = |graph: &Graph| {
        post_training(graph, &[&[0.1, 0.2, 0.3, 0.4]], Calibration::MinMax).expect_err("two meanings").to_string()
    };
    assert!(refusal(&graph).contains("hard_swish `wide`: its output is concatenated"), "{}", refusal(&graph));
    graph.nodes[2].inputs = vec![x, gate];
    assert!(refusal(&graph).contains("input `x` is concatenated"), "{}", refusal(&graph));
}
