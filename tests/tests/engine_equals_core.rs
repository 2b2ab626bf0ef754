//! The engine's float operators are a faster spelling of core's: whole networks give the same outputs.

use niwaki::engine::{Distillation, Engine, EngineOptions};
use niwaki::graph::{Activation, Graph, Padding, Sliding};
use niwaki::import;
use niwaki::io::npy::{self, AnyArray};
use niwaki::ops;
use niwaki_tests::models;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::path::Path;

/// Largest difference of an output: f32 rounding in sums of up to 600 terms, in another order. Probabilities, or
/// outputs relative to the largest of the network.
const OUTPUT: f32 = 2e-5;

fn error(got: &[f32], want: &[f32]) -> f32 {
    let largest = want.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
    got.iter().zip(want).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f32::max)
}

fn assert_equals_core(name: &str, graph: &Graph, x: &[f32]) {
    let len = graph[graph.inputs[0]].element_count();
    let batch = x.len() / len;
    let mut engine = Engine::new(graph, EngineOptions { batch, threads: 2 }).expect("trains");
    let fast = engine.forward(x, batch).expect("runs");
    let core: Vec<f32> = x.chunks(len).flat_map(|x| graph.predict(x).expect("runs")).collect();
    assert_eq!(fast.len(), core.len(), "{name}");
    let error = error(fast, &core);
    assert!(error <= OUTPUT, "{name}: {error}");
}

#[test]
fn networks_give_the_probabilities_of_core() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for (name, input) in [("small-cnn", [9, 8, 2]), ("ds-cnn", [21, 11, 1]), ("tiny-resnet", [13, 12, 3])] {
        let graph = models::trainable(name, &input, 9, 1).expect("fits");
        let x = models::random(&mut rng, 7 * input.iter().product::<usize>());
        assert_equals_core(name, &graph, &x);
    }
}

#[test]
fn operators_of_imported_networks_give_the_outputs_of_core() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut graph = Graph::default();
    let mut x = graph.input("x", &[9, 8, 3]);
    for (block, filters) in [(1, 5), (2, 4)] {
        let channels = graph[x].shape[2];
        let mut conv = |graph: &mut Graph, name: &str, x, kernel: usize, stride, activation| {
            let shape = [filters, kernel, kernel, channels];
            let values = models::random(&mut rng, shape.iter().product());
            let w = graph.parameter(&format!("{name}{block}.weight"), &shape, values);
            let op = ops::Conv2d { sliding: Sliding::strided(stride, Padding::Valid), activation };
            graph.push(&format!("{name}{block}"), op, &[x, w]).expect("fits")
        };
        let pads = vec![[1, 1], [1, 1], [0, 0]];
        let padded = graph.push(&format!("pad{block}"), ops::Pad { pads, value: 0.0 }, &[x]).expect("fits");
        let wide = conv(&mut graph, "wide", padded, 3, 1, Activation::None);
        let gate = graph.push(&format!("gate{block}"), ops::Logistic, &[wide]).expect("fits");
        let swish = graph.push(&format!("swish{block}"), ops::Mul { activation: Activation::None }, &[wide, gate]);
        let swish = swish.expect("fits");
        let narrow = conv(&mut graph, "narrow", x, 1, 1, Activation::Relu6);
        let hard = graph.push(&format!("hard{block}"), ops::HardSwish, &[narrow]).expect("fits");
        let operands = [swish, hard, x];
        x = graph.push(&format!("concat{block}"), ops::Concat { axis: 2 }, &operands).expect("fits");
    }
    let mean = graph.push("mean", ops::Mean { axes: vec![0, 1], keep_axes: false }, &[x]).expect("fits");
    let y = graph.push("y", ops::Softmax, &[mean]).expect("fits");
    graph.outputs.push(y);
    let samples = models::random(&mut ChaCha8Rng::seed_from_u64(13), 7 * 9 * 8 * 3);
    assert_equals_core("an inception of swishes", &graph, &samples);
}

#[test]
fn published_float_networks_run_and_teach() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let Some(folder) = root.ancestors().skip(1).map(|f| f.join("shared/models")).find(|f| f.is_dir()) else {
        println!("skipped: the published models are not at ../shared/models");
        return;
    };
    let array = |name: String| match npy::read_any(&folder.join(name)).expect("is an array") {
        AnyArray::F32(a) => a.values,
        other => panic!("not f32: {other:?}"),
    };
    for name in ["hello_world_float", "pretrainedResnet"] {
        let graph = import::read(&folder.join(format!("{name}.tflite"))).expect("imports");
        let (x, want) = (array(format!("{name}.in.npy")), array(format!("{name}.out.npy")));
        let batch = x.len() / graph[graph.inputs[0]].element_count();
        let mut engine = Engine::new(&graph, EngineOptions { batch, threads: 1 }).expect("trains");
        let error = error(engine.forward(&x, batch).expect("runs"), &want);
        assert!(error <= OUTPUT, "{name}: {error}");
        // Its own teacher: the divergence from itself is 0, and so is its gradient.
        let logits = engine.logits(&x, batch).expect("runs").to_vec();
        let options = Distillation { weight: 1.0, temperature: 2.0 };
        let loss = engine.distill(&x, &vec![0; batch], &logits, options).expect("a valid batch");
        assert_eq!(loss.mean, 0.0, "{name}");
        assert!(engine.gradients().iter().all(|&g| g == 0.0), "{name}");
    }
}
