//! Networks by name, with seeded initial weights.

use crate::graph::{Activation, Graph, GraphError, Op, Padding, Sliding, TensorId};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A network that recipes can name.
pub struct Entry {
    /// The name in `[model] zoo = "…"`.
    pub name: &'static str,
    /// One line for help texts.
    pub about: &'static str,
    build: fn(&mut Init, &[usize], usize) -> Result<Graph, GraphError>,
}

impl Entry {
    /// Builds the network for inputs of `input = [H, W, C]` and `classes` outputs.
    ///
    /// # Errors
    /// [`GraphError::Shape`] when the input does not fit the network.
    pub fn build(&self, input: &[usize], classes: usize, seed: u64) -> Result<Graph, GraphError> {
        (self.build)(&mut Init::new(seed), input, classes)
    }
}

/// Every network of the zoo.
pub const ENTRIES: &[Entry] = &[
    Entry {
        name: "small-cnn",
        about: "three 3x3 convolutions (16, 32, 32 filters) and two max pools, for images of about 8x8 to 32x32",
        build: small_cnn,
    },
    Entry {
        name: "ds-cnn",
        about: "convolution, four depthwise-separable blocks of 64 filters with batch norm (keyword spotting)",
        build: ds_cnn,
    },
    Entry { name: "tiny-resnet", about: "two residual blocks (16, 32 filters) with batch norm", build: tiny_resnet },
];

/// The network called `name`.
pub fn by_name(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|e| e.name == name)
}

/// Seeded initial weights: He's uniform distribution, `|w| < sqrt(6 / fan_in)` (He et al. 2015, eq. 10), zero biases.
struct Init {
    rng: ChaCha8Rng,
}

impl Init {
    fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn weights(&mut self, len: usize, fan_in: usize) -> Vec<f32> {
        let bound = (6.0 / fan_in as f32).sqrt();
        // 24 random bits: every value exact in f32.
        (0..len).map(|_| ((self.rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0) * bound).collect()
    }
}

/// Adds layers to a graph with names that end in `.weight`, `.bias`, … as in PyTorch's state dicts.
struct Layers<'a> {
    graph: Graph,
    init: &'a mut Init,
}

impl Layers<'_> {
    fn channels(&self, x: TensorId) -> usize {
        self.graph[x].shape.last().copied().unwrap_or(0)
    }

    fn conv2d(
        &mut self,
        name: &str,
        x: TensorId,
        filters: usize,
        kernel: [usize; 2],
        stride: usize,
        then: Then,
    ) -> Result<TensorId, GraphError> {
        let c = self.channels(x);
        let fan_in = kernel[0] * kernel[1] * c;
        let values = self.init.weights(filters * fan_in, fan_in);
        let w = self.graph.parameter(&format!("{name}.weight"), &[filters, kernel[0], kernel[1], c], values);
        let sliding = Sliding::strided(stride, Padding::Same);
        self.finish(name, |activation| Op::Conv2d { sliding, activation }, x, w, filters, then)
    }

    fn depthwise(&mut self, name: &str, x: TensorId, kernel: usize, then: Then) -> Result<TensorId, GraphError> {
        let c = self.channels(x);
        let values = self.init.weights(kernel * kernel * c, kernel * kernel);
        let w = self.graph.parameter(&format!("{name}.weight"), &[kernel, kernel, c], values);
        let sliding = Sliding::unit(Padding::Same);
        self.finish(name, |activation| Op::DepthwiseConv2d { sliding, activation }, x, w, c, then)
    }

    /// The operator with a bias and a fused clamp, or without either and followed by batch norm.
    fn finish(
        &mut self,
        name: &str,
        op: impl Fn(Activation) -> Op,
        x: TensorId,
        w: TensorId,
        filters: usize,
        then: Then,
    ) -> Result<TensorId, GraphError> {
        match then {
            Then::Bias(activation) => {
                let b = self.graph.parameter(&format!("{name}.bias"), &[filters], vec![0.0; filters]);
                self.graph.push(name, op(activation), &[x, w, b])
            }
            Then::BatchNorm(activation) => {
                let y = self.graph.push(name, op(Activation::None), &[x, w])?;
                let bn = format!("{name}.norm");
                let constant = |v: f32| vec![v; filters];
                let gamma = self.graph.parameter(&format!("{bn}.weight"), &[filters], constant(1.0));
                let beta = self.graph.parameter(&format!("{bn}.bias"), &[filters], constant(0.0));
                let mean = self.graph.buffer(&format!("{bn}.running_mean"), &[filters], constant(0.0));
                let var = self.graph.buffer(&format!("{bn}.running_var"), &[filters], constant(1.0));
                let norm = Op::BatchNorm { epsilon: 1e-3, momentum: 0.1, activation };
                self.graph.push(&bn, norm, &[y, gamma, beta, mean, var])
            }
        }
    }

    /// Global average pooling to `[1, 1, C]`.
    fn global_average(&mut self, x: TensorId) -> Result<TensorId, GraphError> {
        let &[h, w, _] = self.graph[x].shape.as_slice() else {
            return Err(GraphError::Eval("global pooling needs an [H, W, C] tensor".into()));
        };
        let pool = Op::AveragePool2d { kernel: [h, w], sliding: Sliding::unit(Padding::Valid) };
        self.graph.push("pool", pool, &[x])
    }

    /// Flatten, dense, softmax.
    fn classifier(&mut self, x: TensorId, classes: usize) -> Result<(), GraphError> {
        let features = self.graph[x].element_count();
        let flat = self.graph.push("flatten", Op::Reshape { shape: vec![features] }, &[x])?;
        let values = self.init.weights(classes * features, features);
        let w = self.graph.parameter("classifier.weight", &[classes, features], values);
        let b = self.graph.parameter("classifier.bias", &[classes], vec![0.0; classes]);
        let logits = self.graph.push("classifier", Op::Dense { activation: Activation::None }, &[flat, w, b])?;
        let y = self.graph.push("softmax", Op::Softmax, &[logits])?;
        self.graph.outputs.push(y);
        Ok(())
    }
}

/// What follows a convolution.
#[derive(Clone, Copy)]
enum Then {
    Bias(Activation),
    BatchNorm(Activation),
}

fn start<'a>(init: &'a mut Init, input: &[usize]) -> (Layers<'a>, TensorId) {
    let mut graph = Graph::default();
    let x = graph.input("input", input);
    (Layers { graph, init }, x)
}

fn small_cnn(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, GraphError> {
    let (mut net, x) = start(init, input);
    let relu = Then::Bias(Activation::Relu);
    let x = net.conv2d("conv1", x, 16, [3, 3], 1, relu)?;
    let x = net.conv2d("conv2", x, 32, [3, 3], 1, relu)?;
    let pool = Op::MaxPool2d { kernel: [2, 2], sliding: Sliding::strided(2, Padding::Valid) };
    let x = net.graph.push("pool1", pool.clone(), &[x])?;
    let x = net.conv2d("conv3", x, 32, [3, 3], 1, relu)?;
    let x = net.graph.push("pool2", pool, &[x])?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

fn ds_cnn(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, GraphError> {
    let (mut net, x) = start(init, input);
    let relu = Then::BatchNorm(Activation::Relu);
    let mut x = net.conv2d("conv", x, 64, [10, 4], 2, relu)?;
    for block in 1..=4 {
        x = net.depthwise(&format!("block{block}.depthwise"), x, 3, relu)?;
        x = net.conv2d(&format!("block{block}.pointwise"), x, 64, [1, 1], 1, relu)?;
    }
    let x = net.global_average(x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

fn tiny_resnet(init: &mut Init, input: &[usize], classes: usize) -> Result<Graph, GraphError> {
    let (mut net, x) = start(init, input);
    let (relu, linear) = (Then::BatchNorm(Activation::Relu), Then::BatchNorm(Activation::None));
    let add = Op::Add { activation: Activation::Relu };
    let x = net.conv2d("stem", x, 16, [3, 3], 1, relu)?;
    let y = net.conv2d("block1.conv1", x, 16, [3, 3], 1, relu)?;
    let y = net.conv2d("block1.conv2", y, 16, [3, 3], 1, linear)?;
    let x = net.graph.push("block1.add", add.clone(), &[x, y])?;
    let y = net.conv2d("block2.conv1", x, 32, [3, 3], 2, relu)?;
    let y = net.conv2d("block2.conv2", y, 32, [3, 3], 1, linear)?;
    let x = net.conv2d("block2.skip", x, 32, [1, 1], 2, linear)?;
    let x = net.graph.push("block2.add", add, &[x, y])?;
    let x = net.global_average(x)?;
    net.classifier(x, classes)?;
    Ok(net.graph)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_valid_and_depends_on_the_seed_alone() {
        for entry in ENTRIES {
            let build = |seed| entry.build(&[16, 12, 3], 7, seed).expect("fits");
            let graph = build(1);
            graph.validate().expect("a network");
            assert_eq!(graph[graph.outputs[0]].shape, [7], "{}", entry.name);
            assert_eq!(graph, build(1));
            assert_ne!(graph, build(2));
        }
    }

    #[test]
    fn the_keyword_network_is_the_published_one() {
        let graph = by_name("ds-cnn").expect("in the zoo").build(&[49, 10, 1], 12, 1).expect("fits");
        assert_eq!(graph.macs(), 2_656_768);
    }

    #[test]
    fn an_input_without_channels_is_refused_by_shape() {
        let error = by_name("small-cnn").expect("in the zoo").build(&[64], 10, 1).expect_err("no image");
        assert!(error.to_string().contains("conv2d `conv1`: x must be [H, W, C] (input shapes [[64]"), "{error}");
    }
}
