//! The models of tests, budgets and goldens.

pub mod elementwise;
pub mod movement;
pub mod nodes;

use niwaki::export::{export, export_for};
use niwaki::graph::{Activation, Data, Graph, GraphError, Padding, Quant, Role, Sliding, TensorId};
use niwaki::hardware::Isa;
use niwaki::io::AlignedBytes;
use niwaki::ops;
use niwaki::quantize::{Calibration, fold_batch_norm, fuse_activations, post_training};
use niwaki::zoo;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::error::Error;

/// `len` values in `[-1, 1]`.
pub fn random(rng: &mut ChaCha8Rng, len: usize) -> Vec<f32> {
    (0..len).map(|_| rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
}

/// A network of the zoo with random weights, biases and statistics, so that nothing is trivially zero.
///
/// # Errors
/// There is no such network, or the input does not fit it.
pub fn trainable(name: &str, input: &[usize], classes: usize, seed: u64) -> Result<Graph, Box<dyn Error>> {
    let entry = zoo::by_name(name).ok_or_else(|| format!("no network `{name}`"))?;
    let mut graph = entry.build(input, classes, seed)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for t in graph.tensors.iter_mut().filter(|t| t.shape.len() == 1 && t.role != Role::Activation) {
        let offset = if t.name.ends_with("running_var") || t.name.ends_with("norm.weight") { 1.5 } else { 0.0 };
        let len = t.element_count();
        t.data = Some(Data::F32(random(&mut rng, len).iter().map(|v| v * 0.3 + offset).collect()));
    }
    Ok(graph)
}

/// [`trainable`] with batch norm folded and clamps fused.
///
/// # Errors
/// As [`trainable`].
pub fn network(name: &str, input: &[usize], classes: usize, seed: u64) -> Result<Graph, Box<dyn Error>> {
    Ok(fuse_activations(&fold_batch_norm(&trainable(name, input, classes, seed)?)?))
}

/// `graph` in int8, calibrated on random samples.
///
/// # Errors
/// As [`post_training`].
pub fn quantised(graph: &Graph, seed: u64) -> Result<Graph, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let len = graph.inputs.first().map_or(0, |&id| graph[id].element_count());
    let samples: Vec<Vec<f32>> = (0..8).map(|_| random(&mut rng, len)).collect();
    let samples: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
    Ok(post_training(graph, &samples, Calibration::MinMax)?)
}

/// The models whose cost has a budget, by name, as files: one of plain operators, the others for chips with DSP.
///
/// # Errors
/// A bug in the zoo or in the exporter.
pub fn reference() -> Result<Vec<(&'static str, AlignedBytes)>, Box<dyn Error>> {
    let mut files = vec![("format-v1", export(&every_operator()?)?.0)];
    let networks = [("small-cnn", [8, 8, 1], 10), ("tiny-resnet", [12, 12, 3], 5), ("ds-cnn", [49, 10, 1], 12)];
    for (name, input, classes) in networks {
        let graph = quantised(&network(name, &input, classes, 1)?, 2)?;
        files.push((name, export_for(&graph, Isa::ArmDsp)?.0));
    }
    Ok(files)
}

/// A small int8 network with every operator of the format, written down in integers: no training, no calibration and
/// no float that is not exact, so that its file has the same bytes on every machine.
///
/// # Errors
/// A bug in the graph's shape rules.
pub fn every_operator() -> Result<Graph, GraphError> {
    let mut g = Graph::default();
    let x = g.input("input", &[6, 6, 2]);
    set_quant(&mut g, x, 0.0625, -3);
    let w = weights(&mut g, "conv.weight", &[4, 3, 3, 2], 0);
    let b = bias(&mut g, "conv.bias", 4);
    let sliding = Sliding::unit(Padding::Same);
    let a = g.push("conv", ops::Conv2d { sliding, activation: Activation::Relu }, &[x, w, b])?;
    set_quant(&mut g, a, 0.046_875, -128);
    let w = weights(&mut g, "depthwise.weight", &[3, 3, 4], 2);
    let b = bias(&mut g, "depthwise.bias", 4);
    let sliding = Sliding::strided(2, Padding::Same);
    let d = g.push("depthwise", ops::DepthwiseConv2d { sliding, activation: Activation::None }, &[a, w, b])?;
    set_quant(&mut g, d, 0.031_25, 5);
    let sliding = Sliding::strided(2, Padding::Valid);
    let p = g.push("max_pool", ops::MaxPool2d { kernel: [2, 2], sliding }, &[a])?;
    set_quant(&mut g, p, 0.046_875, -128);
    let s = g.push("add", ops::Add { activation: Activation::None }, &[p, d])?;
    set_quant(&mut g, s, 0.078_125, -20);
    let c = g.push("relu6", ops::Clamp(Activation::Relu6), &[s])?;
    set_quant(&mut g, c, 0.031_25, -128);
    let sliding = Sliding::unit(Padding::Explicit { top: 1, bottom: 0, left: 0, right: 1 });
    let m = g.push("average_pool", ops::AveragePool2d { kernel: [2, 3], sliding }, &[c])?;
    set_quant(&mut g, m, 0.031_25, -128);
    let len = g[m].element_count();
    let r = g.push("flatten", ops::Reshape { shape: vec![len] }, &[m])?;
    set_quant(&mut g, r, 0.031_25, -128);
    let w = weights(&mut g, "dense.weight", &[5, len], 0);
    let b = bias(&mut g, "dense.bias", 5);
    let l = g.push("dense", ops::Dense { activation: Activation::None }, &[r, w, b])?;
    set_quant(&mut g, l, 0.25, 10);
    let y = g.push("softmax", ops::Softmax, &[l])?;
    set_quant(&mut g, y, 1.0 / 256.0, -128);
    g.outputs.push(y);
    Ok(g)
}

/// [`every_operator`] without quantisation: the f32 spelling of every operator.
///
/// # Errors
/// As [`every_operator`].
pub fn every_operator_f32() -> Result<Graph, GraphError> {
    let mut graph = every_operator()?;
    for tensor in &mut graph.tensors {
        tensor.quant = None;
        tensor.element = niwaki_core::format::DType::F32;
        let floats: Option<Vec<f32>> = match &tensor.data {
            Some(Data::I8(codes)) => Some(codes.iter().map(|&code| f32::from(code) / 256.0).collect()),
            Some(Data::I32(codes)) => Some(codes.iter().map(|&code| code as f32 / 4096.0).collect()),
            _ => None,
        };
        if let Some(floats) = floats {
            tensor.data = Some(Data::F32(floats));
        }
    }
    Ok(graph)
}

fn set_quant(graph: &mut Graph, id: TensorId, scale: f32, zero_point: i32) {
    graph.quantise(id, Quant { scales: vec![scale], zero_point, axis: None });
}

/// Constant int8 weights without a visible pattern, with a scale for each channel of `axis`.
fn weights(graph: &mut Graph, name: &str, shape: &[usize], axis: usize) -> TensorId {
    let id = graph.parameter(name, shape, Vec::new());
    let codes = (0..shape.iter().product::<usize>()).map(|i| ((i * i * 31 + i * 57 + 101) % 255) as i32 - 127);
    graph[id].data = Some(Data::I8(codes.map(|code| code as i8).collect()));
    let scales = (0..shape[axis]).map(|channel| (channel + 4) as f32 / 4096.0).collect();
    graph[id].quant = Some(Quant { scales, zero_point: 0, axis: Some(axis) });
    id
}

fn bias(graph: &mut Graph, name: &str, len: usize) -> TensorId {
    let id = graph.parameter(name, &[len], Vec::new());
    graph[id].data = Some(Data::I32((0..len as i32).map(|i| i * 977 % 1000 - 300).collect()));
    id
}
