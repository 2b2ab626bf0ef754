//! Forward and backward of a [`Graph`] on the CPU, over buffers that are planned once.
//!
//! The batch is cut into at most 16 lanes of consecutive samples, each with buffers of its own. Threads run whole
//! lanes; what lanes sum up is merged in lane order. So the same step gives the same bits for any number of threads.
//! After [`EngineOf::new`] a step allocates nothing; only the GEMM crate takes a packing buffer for each product. Once
//! [`EngineOf::quantize`] has been called, steps go forward in core's integers, and allocate.
//!
//! Trained are f32 networks of the convolutions, dense layers, batch norm, pools, softmax and clamps; of sums,
//! differences and products of two operands, the second of which may repeat along the leading axes or be constant; of
//! concatenation, borders, slices, transposition and the nearest resize; of means over leading axes; of the logistic,
//! tanh, leaky ReLU and hard swish. [`EngineOf::new`] refuses all else by name.
//!
//! ```
//! use niwaki::engine::{Engine, Options};
//! use niwaki::zoo;
//!
//! let graph = zoo::by_name("small-cnn").unwrap().build(&[8, 8, 1], 10, 1)?;
//! let mut engine = Engine::new(&graph, Options { batch: 4, threads: 1 })?;
//! let loss = engine.loss_and_gradients(&[0.5; 4 * 64], &[3, 1, 4, 1])?;
//! let (values, gradients) = engine.values_and_gradients();
//! for (value, gradient) in values.iter_mut().zip(gradients) {
//!     *value -= 0.1 * gradient;
//! }
//! assert!(loss.mean > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aligned;
mod batch_norm;
mod buffers;
mod conv2d;
mod dense;
mod depthwise;
mod distill;
mod elementwise;
mod error;
pub(crate) mod gemm;
mod lane;
mod loss;
mod movement;
pub mod nodes;
mod pairwise;
mod plan;
mod pool;
mod quantized;
mod real;
mod resolve;
mod simd;
mod slots;
mod unary;
mod window;

#[cfg(test)]
mod tests;

pub use distill::Distillation;
pub use error::EngineError;
pub use loss::Loss;
pub use real::Real;
pub use slots::Slots;

use crate::graph::{Data, Graph, Role, TensorId};
use aligned::Aligned;
use batch_norm::{Factors, Moments};
use lane::{Batch, Lane, Shared, Workspace};
use loss::LossSum;
use niwaki_core::shape::MAX_LEN;
use plan::{Barrier, Plan, Step};
use pulp::Arch;
use quantized::Quantized;
use rayon::prelude::*;
use resolve::{Constant, Kernel};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// The engine as it trains: in f32.
pub type Engine = EngineOf<f32>;

/// How much to plan for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
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
    plan: Plan,
    options: Options,
    arch: Arch,
    threads: Option<rayon::ThreadPool>,
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
    /// One a thread.
    workspaces: Vec<Mutex<Workspace<T>>>,
    output: Vec<T>,
    /// What is computed in place of the float network, if anything is.
    quantized: Option<Quantized<T>>,
}

impl<T: Real> EngineOf<T> {
    /// Checks the graph, plans every buffer and copies the graph's values.
    ///
    /// # Errors
    /// [`EngineError`] names the node, tensor or option that cannot be trained with.
    pub fn new(graph: &Graph, options: Options) -> Result<Self, EngineError> {
        for (name, value) in [("batch", options.batch), ("threads", options.threads)] {
            if value == 0 {
                return Err(EngineError::Option { name });
            }
        }
        let parameters = resolve::flat_ranges(graph, Role::Parameter);
        let buffer_ranges = resolve::flat_ranges(graph, Role::Buffer);
        let resolved = resolve::resolve(graph, &parameters, &buffer_ranges)?;
        let plan = Plan::new(resolved, graph.tensors.iter().map(|t| t.element_count()).collect());
        let len = plan.largest_len().saturating_mul(options.batch);
        if len > MAX_LEN {
            return Err(EngineError::TooLarge { batch: options.batch, len, limit: MAX_LEN });
        }
        let threads = match options.threads {
            1 => None,
            threads => Some(start_threads(threads)?),
        };
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
            threads,
            names: graph.tensors.iter().map(|t| t.name.clone()).collect(),
            output_name: graph[graph.outputs[0]].name.clone(),
            output_shape: graph[graph.outputs[0]].shape.clone(),
            parameters: named(parameters),
            gradients: Aligned::zeros(values.len(), 1),
            buffer_ranges: named(buffer_ranges),
            factors: channels.iter().map(|&c| Factors::new(c)).collect(),
            moments: channels.iter().map(|&c| Moments::new(c)).collect(),
            workspaces: (0..options.threads).map(|_| workspace()).collect(),
            lanes: (0..plan.lane_count(options.batch)).map(|_| lane()).collect(),
            output: vec![T::ZERO; options.batch * plan.value_lens[plan.output]],
            quantized: None,
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
        &mut self.values
    }

    /// The gradient of the mean loss of the last [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn gradients(&self) -> &[T] {
        &self.gradients
    }

    /// Values to change by their gradients.
    pub fn values_and_gradients(&mut self) -> (&mut [T], &[T]) {
        (&mut self.values, &self.gradients)
    }

    /// Values and gradients, both to change.
    pub fn values_and_gradients_mut(&mut self) -> (&mut [T], &mut [T]) {
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
        &mut self.buffers
    }

    /// Inference: the graph's output, `[batch, output]`.
    ///
    /// # Shapes
    /// `x: [batch, input]`
    ///
    /// # Errors
    /// [`EngineError::Batch`] or [`EngineError::Len`].
    pub fn forward(&mut self, x: &[T], batch: usize) -> Result<&[T], EngineError> {
        self.check_input(x, batch)?;
        self.begin(batch);
        self.inference_factors();
        self.run(StepList::Eval, &Batch::unlabelled(x, batch));
        Ok(self.collect(self.plan.output, x, batch))
    }

    /// Inference loss: the network as it will be used, nothing changes.
    ///
    /// # Shapes
    /// `x: [batch, input] · labels: [batch]`
    ///
    /// # Errors
    /// [`EngineError`] names what does not fit.
    pub fn loss(&mut self, x: &[T], labels: &[u32]) -> Result<Loss, EngineError> {
        self.check_labels(x, labels)?;
        self.begin(labels.len());
        self.inference_factors();
        let batch = Batch::labelled(x, labels);
        self.run(StepList::EvalLoss, &batch);
        Ok(self.collect_loss(&batch))
    }

    /// A training step without its update: batch statistics, mean loss, [`gradients`](Self::gradients).
    ///
    /// # Shapes
    /// `x: [batch, input] · labels: [batch]`
    ///
    /// # Numerics
    /// The same bits for any number of threads.
    ///
    /// # Errors
    /// [`EngineError`] names what does not fit; nothing has changed then.
    pub fn loss_and_gradients(&mut self, x: &[T], labels: &[u32]) -> Result<Loss, EngineError> {
        self.check_labels(x, labels)?;
        let rounded = self.rounded_input(x);
        Ok(self.training_step(&Batch::labelled(rounded.as_deref().unwrap_or(x), labels)))
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

    fn check_input(&self, x: &[T], batch: usize) -> Result<(), EngineError> {
        let planned = self.options.batch;
        if batch == 0 || batch > planned {
            return Err(EngineError::Batch { batch, planned });
        }
        let expected = batch * self.plan.value_lens[self.plan.input];
        if x.len() != expected {
            return Err(EngineError::Len { what: "x", batch, expected, got: x.len() });
        }
        Ok(())
    }

    fn check_labels(&self, x: &[T], labels: &[u32]) -> Result<(), EngineError> {
        self.check_input(x, labels.len())?;
        let classes = self.plan.value_lens[self.plan.logits];
        if self.output_shape.last() != Some(&classes) {
            return Err(EngineError::Classes { tensor: self.output_name.clone(), shape: self.output_shape.clone() });
        }
        match labels.iter().position(|&label| label as usize >= classes) {
            Some(sample) => Err(EngineError::Label { sample, label: labels[sample], classes }),
            None => Ok(()),
        }
    }

    fn lanes_used(&self, batch: usize) -> usize {
        batch.div_ceil(self.plan.lane_samples(batch))
    }

    /// Gives each lane its samples.
    fn begin(&mut self, batch: usize) {
        let (samples, used) = (self.plan.lane_samples(batch), self.lanes_used(batch));
        for (i, lane) in self.lanes[..used].iter_mut().enumerate() {
            lane.samples = i * samples..batch.min((i + 1) * samples);
            lane.reset();
        }
    }

    /// The input as a quantised network has it: the gradient of the first layer's weights must see what that layer saw.
    fn rounded_input(&self, x: &[T]) -> Option<Vec<T>> {
        self.quantized.as_ref().map(|quantized| quantized.rounded_input(self.arch, x))
    }

    /// Every phase of a training step over a batch that was checked.
    fn training_step(&mut self, batch: &Batch<'_, T>) -> Loss {
        self.begin(batch.len);
        for phase in 0..self.plan.train.len() {
            self.run(StepList::Train(phase), batch);
            match self.plan.train[phase].barrier {
                Some(Barrier::Statistics(i)) => self.finish_statistics(i, batch.len),
                Some(Barrier::GradientSums(i)) => self.finish_gradient_sums(i, batch.len),
                None => {}
            }
        }
        self.reduce_gradients(batch.len);
        if let Some(quantized) = &self.quantized {
            quantized.finish_gradients(&self.values, &mut self.gradients);
        }
        self.collect_loss(batch)
    }

    fn run(&mut self, list: StepList, batch: &Batch<'_, T>) {
        let used = self.lanes_used(batch.len);
        let Self { plan, arch, values, buffers, factors, lanes, threads, workspaces, quantized, .. } = self;
        let quantized = quantized.as_ref();
        let steps: &[Step] = match list {
            StepList::Eval => &plan.eval,
            StepList::EvalLoss => &plan.eval_loss,
            StepList::Train(phase) => &plan.train[phase].steps,
        };
        let parameters = quantized.map_or(&**values, |quantized| &*quantized.values);
        let shared = Shared { arch: *arch, plan, parameters, buffers, factors, batch, quantized };
        let lanes = &mut lanes[..used];
        let run = |lane: &mut Lane<T>, thread: usize| {
            // A workspace holds nothing from one lane to the next, so one that a panic left behind is as good as new.
            let mut workspace = workspaces[thread].lock().unwrap_or_else(PoisonError::into_inner);
            lane.run(&shared, &mut workspace, steps);
        };
        match threads {
            Some(pool) if used > 1 => pool.install(|| {
                let thread = || rayon::current_thread_index().unwrap_or(0);
                lanes.par_iter_mut().with_max_len(1).for_each(|lane| run(lane, thread()));
            }),
            // Every other phase goes backwards: it begins with the lanes that the cache still holds.
            _ if matches!(list, StepList::Train(phase) if phase % 2 == 1) => {
                lanes.iter_mut().rev().for_each(|lane| run(lane, 0));
            }
            _ => lanes.iter_mut().for_each(|lane| run(lane, 0)),
        }
    }

    fn inference_factors(&mut self) {
        for operator in &self.plan.operators {
            if let Kernel::BatchNorm { op, index, gamma, beta, mean, var } = &operator.kernel {
                let gamma = constant(&self.values, &self.buffers, gamma);
                let beta = constant(&self.values, &self.buffers, beta);
                let (mean, var) = (&self.buffers[mean.clone()], &self.buffers[var.clone()]);
                self.factors[*index].set_from_running(op, gamma, beta, mean, var);
            }
        }
    }

    fn finish_statistics(&mut self, i: usize, batch: usize) {
        let used = self.lanes_used(batch);
        let Kernel::BatchNorm { op, index, gamma, beta, mean, var } = &self.plan.operators[i].kernel else { return };
        let moments = &mut self.moments[*index];
        moments.clear();
        for lane in &self.lanes[..used] {
            moments.merge_statistics(&lane.moments[*index]);
        }
        let gamma = constant(&self.values, &self.buffers, gamma);
        let beta = constant(&self.values, &self.buffers, beta);
        self.factors[*index].set_from_batch(op, gamma, beta, moments);
        op.update_running(moments, &mut self.buffers, mean, var);
    }

    fn finish_gradient_sums(&mut self, i: usize, batch: usize) {
        let used = self.lanes_used(batch);
        let Kernel::BatchNorm { index, gamma, beta, .. } = &self.plan.operators[i].kernel else { return };
        let moments = &mut self.moments[*index];
        moments.clear();
        for lane in &self.lanes[..used] {
            moments.add(&lane.moments[*index]);
        }
        // The first lane carries the gradient of the whole batch into the sum over lanes.
        let partial = &mut self.lanes[0].partial;
        self.factors[*index].set_from_gradients(moments, |c, dgamma, dbeta| {
            for (parameter, gradient) in [(gamma, dgamma), (beta, dbeta)] {
                if let Constant::Parameter(range) = parameter {
                    partial[range.start + c] += gradient;
                }
            }
        });
    }

    /// Sums the lanes' partial gradients in lane order.
    fn reduce_gradients(&mut self, batch: usize) {
        let used = self.lanes_used(batch);
        let (first, rest) = self.lanes[..used].split_at(1);
        self.gradients.copy_from_slice(&first[0].partial);
        for lane in rest {
            elementwise::deliver(self.arch, &lane.partial, gemm::Into::Add, &mut self.gradients);
        }
    }

    /// Gathers a value that the lanes keep, or the graph's input, for the whole batch.
    fn collect(&mut self, value: usize, x: &[T], batch: usize) -> &[T] {
        let len = self.plan.value_lens[value];
        for lane in &self.lanes[..self.lanes_used(batch)] {
            let range = lane.samples.start * len..lane.samples.end * len;
            let from = if value == self.plan.input { &x[range.clone()] } else { lane.value(&self.plan, value) };
            self.output[range].copy_from_slice(from);
        }
        &self.output[..batch * len]
    }

    fn collect_loss(&self, batch: &Batch<'_, T>) -> Loss {
        let mut sum = LossSum::default();
        for lane in &self.lanes[..self.lanes_used(batch.len)] {
            sum.total += lane.loss.total;
            sum.divergence += lane.loss.divergence;
            sum.correct += lane.loss.correct;
        }
        let total = batch.teacher.as_ref().map_or(sum.total, |teacher| teacher.total(&sum));
        Loss { mean: total / batch.len as f64, correct: sum.correct }
    }
}

/// Which steps to run.
#[derive(Clone, Copy)]
enum StepList {
    Eval,
    EvalLoss,
    Train(usize),
}

fn constant<'a, T>(values: &'a [T], buffers: &'a [T], constant: &Constant) -> &'a [T] {
    match constant {
        Constant::Parameter(range) => &values[range.clone()],
        Constant::Buffer(range) => &buffers[range.clone()],
    }
}

fn flat_values<T: Real>(graph: &Graph, ranges: &[(TensorId, Range<usize>)]) -> Vec<T> {
    ranges.iter().flat_map(|(id, _)| graph[*id].f32s().unwrap_or(&[])).map(|&v| T::from_f32(v)).collect()
}

fn batch_norm_channels(plan: &Plan) -> Vec<usize> {
    let channels = |kernel: &Kernel| match kernel {
        Kernel::BatchNorm { op, .. } => Some(op.channels),
        _ => None,
    };
    plan.operators.iter().filter_map(|operator| channels(&operator.kernel)).collect()
}

fn start_threads(threads: usize) -> Result<rayon::ThreadPool, EngineError> {
    let name = |i| format!("engine-{i}");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
    pool.map_err(|e| EngineError::Threads { threads, what: e.to_string() })
}
