//! Gradients against central differences, bits against thread counts, refusals against their messages.

mod determinism;
mod distill;
mod gradients;
mod imported;
mod nodes;
mod operators;
mod quantized;
mod refusals;
mod semantics;

use super::{EngineOf, EngineOptions, Real};
use crate::graph::{Activation, Graph, Op, TensorId};
use crate::ops;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// The one table of tolerances: all are relative to the largest magnitude of what is compared.
mod tolerance {
    /// Step of the central differences in f64: truncation and rounding both stay near 1e-10.
    pub(super) const DIFFERENCE_STEP: f64 = 1e-5;
    /// Gradient of the f64 engine against f64 central differences.
    pub(super) const GRADIENT: f64 = 1e-6;
    /// Gradient of the f32 engine against the f64 engine, over whole networks of the zoo.
    pub(super) const F32_GRADIENT: f64 = 1e-5;
    /// The loss of the f64 engine against its definition.
    pub(super) const LOSS: f64 = 1e-12;
    /// Outputs of the f32 engine against the same sums in another order.
    pub(super) const F32_OUTPUT: f64 = 1e-5;
}

/// Seeded values in -1..1.
struct Values(ChaCha8Rng);

impl Values {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn f32s(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.0.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
    }

    fn reals<T: Real>(&mut self, len: usize) -> Vec<T> {
        self.f32s(len).into_iter().map(T::from_f32).collect()
    }
}

/// Builds graphs around the operator under test, with seeded parameters.
struct Bench {
    graph: Graph,
    values: Values,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self { graph: Graph::default(), values: Values::new(seed) }
    }

    fn parameter(&mut self, name: &str, shape: &[usize]) -> TensorId {
        self.scaled(name, shape, 1.0)
    }

    fn scaled(&mut self, name: &str, shape: &[usize], scale: f32) -> TensorId {
        let values = self.values.f32s(shape.iter().product()).into_iter().map(|v| v * scale).collect();
        self.graph.parameter(name, shape, values)
    }

    fn push(&mut self, name: &str, op: impl Into<Op>, inputs: &[TensorId]) -> TensorId {
        self.graph.push(name, op, inputs).expect("the test's shapes fit")
    }

    /// `[inputs] -> shape` through a dense layer, so that the input gradient of what follows shows, element by
    /// element, in the gradient of this layer's weights. Its values reach beyond 6 on both sides.
    fn source(&mut self, inputs: usize, shape: &[usize]) -> TensorId {
        let x = self.graph.input("input", &[inputs]);
        let len = shape.iter().product();
        let w = self.scaled("source.weight", &[len, inputs], 6.0);
        let b = self.scaled("source.bias", &[len], 6.0);
        let y = self.push("source", ops::Dense { activation: Activation::None }, &[x, w, b]);
        self.push("source.shape", ops::Reshape { shape: shape.to_vec() }, &[y])
    }

    /// A dense layer to `classes` and a softmax.
    fn finish(mut self, x: TensorId, classes: usize) -> Graph {
        let len = self.graph[x].element_count();
        let w = self.scaled("head.weight", &[classes, len], 0.1);
        let logits = self.push("head", ops::Dense { activation: Activation::None }, &[x, w]);
        let y = self.push("head.softmax", ops::Softmax, &[logits]);
        self.graph.outputs.push(y);
        self.graph
    }
}

fn engine<T: Real>(graph: &Graph, batch: usize, threads: usize) -> EngineOf<T> {
    EngineOf::new(graph, EngineOptions { batch, threads }).expect("the test's graph can be trained")
}

fn labels(batch: usize, classes: usize) -> Vec<u32> {
    (0..batch).map(|i| (i * 7 % classes) as u32).collect()
}

/// Largest difference relative to the largest magnitude of `want`.
fn relative_error(got: &[f64], want: &[f64]) -> f64 {
    let magnitude = want.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let difference = got.iter().zip(want).fold(0.0, |m: f64, (g, w)| m.max((g - w).abs()));
    if difference == 0.0 { 0.0 } else { difference / magnitude }
}
