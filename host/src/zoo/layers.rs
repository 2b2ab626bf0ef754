//! The layers that the networks are made of, with seeded initial weights.

use super::ZooError;
use crate::graph::{Activation, Graph, Op, Padding, Sliding, TensorId};
use crate::ops;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Seeded initial weights: He's uniform distribution, `|w| < sqrt(6 / fan_in)` (He et al. 2015, eq. 10), zero biases.
pub(super) struct Init {
    rng: ChaCha8Rng,
}

impl Init {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn weights(&mut self, len: usize, fan_in: usize) -> Vec<f32> {
        self.uniform(len, (6.0 / fan_in as f32).sqrt())
    }

    /// Values in `-bound..bound`.
    pub(super) fn uniform(&mut self, len: usize, bound: f32) -> Vec<f32> {
        // 24 random bits: every value exact in f32.
        (0..len).map(|_| ((self.rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0) * bound).collect()
    }
}

/// Adds layers to a graph with names that end in `.weight`, `.bias`, … as in PyTorch's state dicts.
pub(super) struct Layers<'a> {
    pub(super) graph: Graph,
    init: &'a mut Init,
}

impl Layers<'_> {
    fn channels(&self, x: TensorId) -> usize {
        self.graph[x].shape.last().copied().unwrap_or(0)
    }

    pub(super) fn conv2d(
        &mut self,
        name: &str,
        x: TensorId,
        filters: usize,
        kernel: [usize; 2],
        stride: usize,
        then: Then,
    ) -> Result<TensorId, ZooError> {
        let c = self.channels(x);
        let fan_in = kernel[0] * kernel[1] * c;
        let values = self.init.weights(filters * fan_in, fan_in);
        let w = self.graph.parameter(&format!("{name}.weight"), &[filters, kernel[0], kernel[1], c], values);
        let sliding = Sliding::strided(stride, Padding::Same);
        self.finish(name, |activation| ops::Conv2d { sliding, activation }, x, w, filters, then)
    }

    pub(super) fn depthwise(
        &mut self,
        name: &str,
        x: TensorId,
        kernel: usize,
        stride: usize,
        then: Then,
    ) -> Result<TensorId, ZooError> {
        let c = self.channels(x);
        let values = self.init.weights(kernel * kernel * c, kernel * kernel);
        let w = self.graph.parameter(&format!("{name}.weight"), &[kernel, kernel, c], values);
        let sliding = Sliding::strided(stride, Padding::Same);
        self.finish(name, |activation| ops::DepthwiseConv2d { sliding, activation }, x, w, c, then)
    }

    /// The operator with a bias and a fused clamp, or without either and followed by batch norm.
    fn finish<O: Into<Op>>(
        &mut self,
        name: &str,
        op: impl Fn(Activation) -> O,
        x: TensorId,
        w: TensorId,
        filters: usize,
        then: Then,
    ) -> Result<TensorId, ZooError> {
        match then {
            Then::Bias(activation) => {
                let b = self.graph.parameter(&format!("{name}.bias"), &[filters], vec![0.0; filters]);
                Ok(self.graph.push(name, op(activation), &[x, w, b])?)
            }
            Then::BatchNorm(activation) => {
                let y = self.graph.push(name, op(Activation::None), &[x, w])?;
                let bn = format!("{name}.norm");
                let constant = |v: f32| vec![v; filters];
                let gamma = self.graph.parameter(&format!("{bn}.weight"), &[filters], constant(1.0));
                let beta = self.graph.parameter(&format!("{bn}.bias"), &[filters], constant(0.0));
                let mean = self.graph.buffer(&format!("{bn}.running_mean"), &[filters], constant(0.0));
                let var = self.graph.buffer(&format!("{bn}.running_var"), &[filters], constant(1.0));
                let norm = Op::from(ops::BatchNorm { epsilon: 1e-3, momentum: 0.1, activation });
                Ok(self.graph.push(&bn, norm, &[y, gamma, beta, mean, var])?)
            }
        }
    }

    /// Global average pooling to `[1, 1, C]`.
    pub(super) fn global_average(&mut self, x: TensorId) -> Result<TensorId, ZooError> {
        let &[h, w, _] = self.graph[x].shape.as_slice() else {
            return Err(ZooError::Pooling { shape: self.graph[x].shape.clone() });
        };
        let pool = Op::from(ops::AveragePool2d { kernel: [h, w], sliding: Sliding::unit(Padding::Valid) });
        Ok(self.graph.push("pool", pool, &[x])?)
    }

    /// 2x2 max pooling that halves each side, rounded down.
    pub(super) fn halve(&mut self, name: &str, x: TensorId) -> Result<TensorId, ZooError> {
        let pool = Op::from(ops::MaxPool2d { kernel: [2, 2], sliding: Sliding::strided(2, Padding::Valid) });
        Ok(self.graph.push(name, pool, &[x])?)
    }

    /// Flatten, dense, softmax.
    pub(super) fn classifier(&mut self, x: TensorId, classes: usize) -> Result<(), ZooError> {
        let features = self.graph[x].element_count();
        let flat = self.graph.push("flatten", ops::Reshape { shape: vec![features] }, &[x])?;
        let values = self.init.weights(classes * features, features);
        let w = self.graph.parameter("classifier.weight", &[classes, features], values);
        let b = self.graph.parameter("classifier.bias", &[classes], vec![0.0; classes]);
        let logits = self.graph.push("classifier", ops::Dense { activation: Activation::None }, &[flat, w, b])?;
        let y = self.graph.push("softmax", ops::Softmax, &[logits])?;
        self.graph.outputs.push(y);
        Ok(())
    }
}

/// What follows a convolution.
#[derive(Clone, Copy)]
pub(super) enum Then {
    Bias(Activation),
    BatchNorm(Activation),
}

pub(super) fn start<'a>(init: &'a mut Init, input: &[usize]) -> (Layers<'a>, TensorId) {
    let mut graph = Graph::default();
    let x = graph.input("input", input);
    (Layers { graph, init }, x)
}
