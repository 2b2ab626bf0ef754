//! The networks: one function each.

use super::ZooError;
use super::layers::{Init, Layers, Then, start};
use crate::graph::{Activation, Graph, TensorId};
use crate::ops;

const RELU: Then = Then::BatchNorm(Activation::Relu);

pub(super) fn small_cnn(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, ZooError> {
    let (mut net, x) = start(init, input);
    let relu = Then::Bias(Activation::Relu);
    let x = net.conv2d("conv1", x, 16, [3, 3], 1, relu)?;
    let x = net.conv2d("conv2", x, 32, [3, 3], 1, relu)?;
    let x = net.halve("pool1", x)?;
    let x = net.conv2d("conv3", x, 32, [3, 3], 1, relu)?;
    let x = net.halve("pool2", x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

/// A strided stem, so that few values are large: about 1.42 M multiply-accumulates at 28x28x1.
pub(super) fn compact_cnn(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, ZooError> {
    strided(init, input, classes, [16, 32, 48, 64])
}

/// The compact network with twice the filters, about 5.5 M multiply-accumulates at 28x28x1: more than a chip would be
/// given, and so a better one to prune.
pub(super) fn wide_cnn(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, ZooError> {
    strided(init, input, classes, [32, 64, 96, 128])
}

/// Four convolutions, three of which halve rows and columns.
fn strided(init: &mut Init, input: &[usize], classes: usize, filters: [usize; 4]) -> Result<Graph, ZooError> {
    let (mut net, x) = start(init, input);
    let x = net.conv2d("conv1", x, filters[0], [5, 5], 2, RELU)?;
    let x = net.conv2d("conv2", x, filters[1], [3, 3], 2, RELU)?;
    let x = net.conv2d("conv3", x, filters[2], [3, 3], 1, RELU)?;
    let x = net.conv2d("conv4", x, filters[3], [3, 3], 2, RELU)?;
    let x = net.global_average(x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

/// DS-CNN S of "Hello Edge" (Zhang et al. 2017) as MLPerf Tiny has it.
pub(super) fn ds_cnn(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, ZooError> {
    let (mut net, x) = start(init, input);
    let mut x = net.conv2d("conv", x, 64, [10, 4], 2, RELU)?;
    for block in 1..=4 {
        x = separable(&mut net, &format!("block{block}"), x, 64, 1)?;
    }
    let x = net.global_average(x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

/// The first layers of MobileNet (Howard et al. 2017, table 1), for images too small for the rest: about 1.8 M
/// multiply-accumulates at 28x28x1.
pub(super) fn ds_cnn_image(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, ZooError> {
    let (mut net, x) = start(init, input);
    let x = net.conv2d("conv", x, 32, [3, 3], 2, RELU)?;
    let x = separable(&mut net, "block1", x, 64, 1)?;
    let x = separable(&mut net, "block2", x, 128, 2)?;
    let x = separable(&mut net, "block3", x, 128, 1)?;
    let x = net.global_average(x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

pub(super) fn tiny_resnet(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, ZooError> {
    let (mut net, x) = start(init, input);
    let skip = Then::BatchNorm(Activation::None);
    let x = net.conv2d("stem", x, 16, [3, 3], 1, RELU)?;
    let x = residual(&mut net, "block1", x, 16, 1, skip)?;
    let x = residual(&mut net, "block2", x, 32, 2, skip)?;
    let x = net.global_average(x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

/// The image classification network of MLPerf Tiny (Banbury et al. 2021): ResNet v1 (He et al. 2016) with three blocks,
/// whose strided skips have a bias and no batch norm.
pub(super) fn resnet_8(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, ZooError> {
    let (mut net, x) = start(init, input);
    let skip = Then::Bias(Activation::None);
    let x = net.conv2d("stem", x, 16, [3, 3], 1, RELU)?;
    let x = residual(&mut net, "block1", x, 16, 1, skip)?;
    let x = residual(&mut net, "block2", x, 32, 2, skip)?;
    let x = residual(&mut net, "block3", x, 64, 2, skip)?;
    let x = net.global_average(x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

/// Depthwise 3x3, then pointwise to `filters`, each with batch norm and ReLU.
fn separable(net: &mut Layers, name: &str, x: TensorId, filters: usize, stride: usize) -> Result<TensorId, ZooError> {
    let x = net.depthwise(&format!("{name}.depthwise"), x, 3, stride, RELU)?;
    net.conv2d(&format!("{name}.pointwise"), x, filters, [1, 1], 1, RELU)
}

/// Two 3x3 convolutions added to their input, which passes through a 1x1 convolution followed by `skip` where its shape
/// changes.
fn residual(
    net: &mut Layers,
    name: &str,
    x: TensorId,
    filters: usize,
    stride: usize,
    skip: Then,
) -> Result<TensorId, ZooError> {
    let y = net.conv2d(&format!("{name}.conv1"), x, filters, [3, 3], stride, RELU)?;
    let y = net.conv2d(&format!("{name}.conv2"), y, filters, [3, 3], 1, Then::BatchNorm(Activation::None))?;
    let same = net.graph[x].shape == net.graph[y].shape;
    let x = if same { x } else { net.conv2d(&format!("{name}.skip"), x, filters, [1, 1], stride, skip)? };
    Ok(net.graph.push(&format!("{name}.add"), ops::Add { activation: Activation::Relu }, &[x, y])?)
}
