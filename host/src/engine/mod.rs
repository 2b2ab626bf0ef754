//! Forward and backward of a [`Graph`] on the CPU, over buffers that are planned once.
//!
//! The batch is cut into at most 16 lanes of consecutive samples, each with buffers of its own. Threads run whole
//! lanes; what lanes sum up is merged in lane order. So the same step gives the same bits for any number of threads.
//! After [`EngineOf::new`] a step allocates nothing; only the GEMM crate takes a packing buffer for each product. Once
//! [`EngineOf::quantize`] has been called, steps go forward in core's integers, and allocate.
//!
//! A network over a graph has its data in it and takes no input: it is one sample, whose rows are the nodes
//! ([`EngineOf::loss_and_gradients_of_nodes`]). Its kernels share their rows among the threads, each in parts of its own
//! that do not depend on how many threads there are. What neither a step's randomness nor a batch changes is computed
//! once until a value moves.
//!
//! Trained are f32 networks of the convolutions, dense layers, batch norm, pools, softmax and clamps; of sums,
//! differences and products of two operands, the second of which may repeat along the leading axes or be constant; of
//! concatenation, borders, slices, transposition and the nearest resize; of means over leading axes; of the logistic,
//! tanh, leaky ReLU and hard swish; over nodes also of sparse features, convolutions of one tap, propagation over edges,
//! attention over neighbours and dropout. [`EngineOf::new`] refuses all else by name.
//!
//! ```
//! use niwaki::engine::{Engine, EngineOptions};
//! use niwaki::zoo;
//!
//! let graph = zoo::by_name("small-cnn").unwrap().build(&[8, 8, 1], 10, 1)?;
//! let mut engine = Engine::new(&graph, EngineOptions { batch: 4, threads: 1 })?;
//! let loss = engine.loss_and_gradients(&[0.5; 4 * 64], &[3, 1, 4, 1])?;
//! let (values, gradients) = engine.values_and_gradients();
//! for (value, gradient) in values.iter_mut().zip(gradients) {
//!     *value -= 0.1 * gradient;
//! }
//! assert!(loss.mean > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aligned;
mod attention;
mod batch_norm;
mod buffers;
mod conv2d;
mod convergent;
mod dense;
mod depthwise;
mod distill;
mod dropout;
mod elementwise;
mod error;
pub(crate) mod gemm;
mod kernel;
mod lane;
mod loss;
mod movement;
mod nodes;
mod objective;
mod pairwise;
mod passes;
mod plan;
mod pointwise;
mod pool;
mod project;
mod propagate;
mod quantized;
mod real;
mod resolve;
mod simd;
mod slots;
mod sparse_dense;
mod threads;
mod unary;
mod update;
mod window;

#[cfg(test)]
mod tests;

pub use convergent::{Convergent, ConvergentGradients};
pub use distill::Distillation;
pub use dropout::Randomness;
pub use error::{EngineError, Untrainable};
pub use loss::{Loss, softmax};
pub use nodes::EdgeMask;
pub use objective::{NodeTeacher, Objective};
pub use real::Real;
pub use slots::Slots;

use crate::graph::{Data, Graph, Role, TensorId};
use aligned::Aligned;
use batch_norm::{Factors, Moments};
use kernel::Kernel;
use lane::{Lane, Workspace};
use niwaki_core::shape::MAX_LEN;
use plan::Plan;
use pulp::Arch;
use quantized::Quantized;
use std::ops::Range;
use std::sync::Mutex;
use threads::Threads;

/// The engine as it trains: in f32.
pub type Engine = EngineOf<f32>;

/// How much to plan for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Largest batch, at least 1.
    pub batch: usize,
    /// Threads, at least 1; the results do not depend on it. More than 16 find no work.
    pub threads: usize,
}

/// Where a tensor's values lie in a flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The tensor in the graph.
    pub tensor: TensorId,
    /// Its part of the flat vector.
    pub range: Range<usize>,
}

/// A network that runs: its plan, its values and all its buffers.
pub struct EngineOf<T: Real> {
    plan: Plan<T>,
    options: EngineOptions,
    arch: Arch,
    threads: Threads,
    /// By tensor.
    names: Vec<String>,
    output_name: String,
    output_shape: Vec<usize>,
    parameters: Vec<Parameter>,
    values: Aligned<T>,
    gradients: Aligned<T>,
    buffer_ranges: Vec<Parameter>,
    buffers: Vec<T>,
    factors: Vec<Factors<T>>,
    moments: Vec<Moments>,
    lanes: Vec<Lane<T>>,
    /// One a thread that runs whole lanes.
    workspaces: Vec<Mutex<Workspace<T>>>,
    output: Vec<T>,
    /// What is computed in place of the float network, if anything is.
    quantized: Option<Quantized<T>>,
    /// Whether what [`Plan::fixed`] operators computed last belongs to the values as they are.
    fresh: bool,
    edges: Option<EdgeMask<T>>,
}

impl<T: Real> EngineOf<T> {
    /// Checks the graph, plans every buffer and copies the graph's values.
    ///
    /// # Errors
    /// [`EngineError`] names the node, tensor or option that cannot be trained with.
    pub fn new(graph: &Graph, options: EngineOptions) -> Result<Self, EngineError> {
        for (name, value) in [("batch", options.batch), ("threads", options.threads)] {
            if value == 0 {
                return Err(EngineError::Option { name });
            }
        }
        let parameters = resolve::flat_ranges(graph, Role::Parameter);
        let buffer_ranges = resolve::flat_ranges(graph, Role::Buffer);
        let resolved = resolve::resolve(graph, &parameters, &buffer_ranges)?;
        let lens = graph.tensors.iter().map(|t| t.element_count()).collect();
        let output_shape = graph[graph.outputs[0]].shape.clone();
        let trained = parameters.last().map_or(0, |(_, range)| range.end);
        let plan = Plan::new(resolved, lens, output_shape.last().copied().unwrap_or(1), trained);
        let len = plan.largest_len().saturating_mul(options.batch);
        if len > MAX_LEN {
            return Err(EngineError::TooLarge { batch: options.batch, len, limit: MAX_LEN });
        }
        let initial: Vec<T> = flat_values(graph, &parameters);
        let mut values = Aligned::zeros(initial.len(), 0);
        values.copy_from_slice(&initial);
        let buffers = flat_values(graph, &buffer_ranges);
        let channels: Vec<usize> = batch_norm_channels(&plan);
        let lane_samples = plan.lane_samples(options.batch);
        let lane = || Lane::new(&plan, lane_samples, values.len());
        let workspace = || Mutex::new(Workspace::new(&plan, lane_samples));
        let named = |ranges: Vec<(TensorId, Range<usize>)>| {
            ranges.into_iter().map(|(tensor, range)| Parameter { tensor, range }).collect()
        };
        Ok(Self {
            arch: Arch::new(),
            threads: Threads::new(options.threads)?,
            names: graph.tensors.iter().map(|t| t.name.clone()).collect(),
            output_name: graph[graph.outputs[0]].name.clone(),
            output_shape,
            parameters: named(parameters),
            gradients: Aligned::zeros(values.len(), 1),
            buffer_ranges: named(buffer_ranges),
            factors: channels.iter().map(|&c| Factors::new(c)).collect(),
            moments: channels.iter().map(|&c| Moments::new(c)).collect(),
            workspaces: (0..if plan.input.is_some() { options.threads } else { 1 }).map(|_| workspace()).collect(),
            lanes: (0..plan.lane_count(options.batch)).map(|_| lane()).collect(),
            output: vec![T::ZERO; options.batch * plan.value_lens[plan.output]],
            quantized: None,
            fresh: false,
            edges: None,
            options,
            values,
            buffers,
            plan,
        })
    }

    /// Where each trained tensor lies in [`values`](Self::values) and [`gradients`](Self::gradients), in graph order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// All trained values.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// All trained values, to change.
    pub fn values_mut(&mut self) -> &mut [T] {
        self.fresh = false;
        &mut self.values
    }

    /// The gradient of the mean loss of the last [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn gradients(&self) -> &[T] {
        &self.gradients
    }

    /// Values to change by their gradients.
    pub fn values_and_gradients(&mut self) -> (&mut [T], &[T]) {
        self.fresh = false;
        (&mut self.values, &self.gradients)
    }

    /// Values and gradients, both to change.
    pub fn values_and_gradients_mut(&mut self) -> (&mut [T], &mut [T]) {
        self.fresh = false;
        (&mut self.values, &mut self.gradients)
    }

    /// Where each buffer tensor lies in [`buffers`](Self::buffers), in graph order.
    pub fn buffer_ranges(&self) -> &[Parameter] {
        &self.buffer_ranges
    }

    /// All values that are kept with the weights but not trained by gradient.
    pub fn buffers(&self) -> &[T] {
        &self.buffers
    }

    /// The same, to change.
    pub fn buffers_mut(&mut self) -> &mut [T] {
        self.fresh = false;
        &mut self.buffers
    }

    /// The first value, gradient or buffer that is infinite or NaN, looked for in this order: the name of its tensor
    /// and its index in that tensor.
    pub fn first_non_finite(&self) -> Option<(&str, usize)> {
        let first = |ranges: &[Parameter], all: &[T]| {
            ranges.iter().find_map(|p| {
                let index = all[p.range.clone()].iter().position(|v| !v.to_f64().is_finite())?;
                Some((p.tensor, index))
            })
        };
        let found = first(&self.parameters, &self.values)
            .or_else(|| first(&self.parameters, &self.gradients))
            .or_else(|| first(&self.buffer_ranges, &self.buffers));
        found.map(|(tensor, index)| (self.names[tensor.0].as_str(), index))
    }

    /// Writes parameters and buffers back to the graph that this engine was made from.
    pub fn store(&self, graph: &mut Graph) {
        for (ranges, values) in [(&self.parameters, &*self.values), (&self.buffer_ranges, &*self.buffers)] {
            for p in ranges {
                graph[p.tensor].data = Some(Data::F32(values[p.range.clone()].iter().map(|v| v.to_f32()).collect()));
            }
        }
    }
}

fn flat_values<T: Real>(graph: &Graph, ranges: &[(TensorId, Range<usize>)]) -> Vec<T> {
    ranges.iter().flat_map(|(id, _)| graph[*id].f32s().unwrap_or(&[])).map(|&v| T::from_f32(v)).collect()
}

fn batch_norm_channels<T>(plan: &Plan<T>) -> Vec<usize> {
    let channels = |kernel: &Kernel<T>| match kernel {
        Kernel::BatchNorm { op, .. } => Some(op.channels),
        _ => None,
    };
    plan.operators.iter().filter_map(|operator| channels(&operator.kernel)).collect()
}
