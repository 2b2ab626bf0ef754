//! Forward and backward of a network over a graph: one sample, the whole node set, through every layer at once.
//!
//! The engine beside it cuts a batch into lanes of samples, each with buffers of its own; here there is one sample whose
//! rows read each other, most of the work is sparse, and dropout leaves the first layers of a training step the same as
//! those of the evaluation before it, so they are computed once. So this is an engine of its own over the same [`Graph`].
//!
//! Trained are sparse products, convolutions of one tap as the dense layer of every node, propagation, clamps, sums of
//! two operands, products with a number, and dropout. [`NodeEngineOf::new`] refuses all else by name.

mod attention;
mod backward;
mod convergent;
mod dropout;
mod gather;
mod linear;
mod loss;
mod pool;
mod project;
mod resolve;
mod sparse_dense;
mod update;

#[cfg(test)]
mod tests;

pub use super::loss::softmax;
pub use convergent::{Convergent, ConvergentGradients};
pub use loss::{NodeTeacher, Objective};

use super::real::Real;
use super::{EngineError, Parameter};
use crate::graph::{Data, Graph, TensorId};
use dropout::Mask;
use pool::Pool;
use pulp::Arch;
use resolve::{Kernel, Step};

/// The engine as it trains: in f32.
pub type NodeEngine = NodeEngineOf<f32>;

/// The random numbers of one training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Randomness {
    /// Of the run.
    pub seed: u64,
    /// Counts the steps.
    pub step: u64,
}

/// A network over a graph that runs: its steps, its values and all its buffers.
pub struct NodeEngineOf<T: Real> {
    steps: Vec<Step<T>>,
    arch: Arch,
    pool: Pool,
    names: Vec<String>,
    output: usize,
    classes: usize,
    nodes: usize,
    parameters: Vec<Parameter>,
    values: Vec<T>,
    gradients: Vec<T>,
    /// By tensor; empty for those that are no value.
    activations: Vec<Vec<T>>,
    /// By slot.
    slots: Vec<Vec<T>>,
    /// By tensor: where its gradient lies.
    slot_of: Vec<usize>,
    /// By step; empty for all but attention.
    memories: Vec<attention::Memory<T>>,
    scratch: Vec<T>,
    /// Whether the activations before any dropout belong to the values as they are.
    fresh: bool,
    mask: Option<EdgeMask<T>>,
}

/// What every directed edge counts, and the gradient of that.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeMask<T> {
    /// In the order of the graph's edges; those of GCN leave self loops out.
    pub values: Vec<T>,
    /// Of the last step, summed over the layers.
    pub gradients: Vec<T>,
}

impl<T: Real> NodeEngineOf<T> {
    /// Checks the graph, plans every buffer and copies the graph's values.
    ///
    /// # Errors
    /// [`EngineError`] names the node, tensor or option that cannot be trained with.
    pub fn new(graph: &Graph, threads: usize) -> Result<Self, EngineError> {
        if threads == 0 {
            return Err(EngineError::Option { name: "threads" });
        }
        let resolved = resolve::resolve::<T>(graph)?;
        let shape = &graph.tensors[resolved.output].shape;
        let (&nodes, &classes) = shape.first().zip(shape.last()).ok_or(EngineError::Option { name: "nodes" })?;
        let mut values = Vec::new();
        for (tensor, _) in &resolved.parameters {
            values.extend(graph[*tensor].f32s().unwrap_or_default().iter().copied().map(T::from_f32));
        }
        let mut activations: Vec<Vec<T>> = vec![Vec::new(); graph.tensors.len()];
        let mut scratch_len = nodes * classes;
        for step in &resolved.steps {
            activations[step.output] = vec![T::ZERO; graph.tensors[step.output].element_count()];
            if let Kernel::Linear { op, .. } = &step.kernel {
                scratch_len = scratch_len.max(op.scratch_len());
            }
        }
        let (slot_of, lens) = backward::slots(&resolved.steps, &activations);
        let memory = |step: &Step<T>| match &step.kernel {
            Kernel::Attention { op, .. } => op.memory(),
            _ => attention::Memory::default(),
        };
        Ok(Self {
            arch: Arch::new(),
            pool: Pool::new(threads)?,
            names: graph.tensors.iter().map(|t| t.name.clone()).collect(),
            output: resolved.output,
            memories: resolved.steps.iter().map(memory).collect(),
            steps: resolved.steps,
            classes,
            nodes,
            parameters: resolved.parameters.into_iter().map(|(tensor, range)| Parameter { tensor, range }).collect(),
            gradients: vec![T::ZERO; values.len()],
            values,
            activations,
            slots: lens.into_iter().map(|len| vec![T::ZERO; len]).collect(),
            slot_of,
            scratch: vec![T::ZERO; scratch_len],
            fresh: false,
            mask: None,
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

    /// The gradient of the loss of the last [`loss_and_gradients`](Self::loss_and_gradients).
    pub fn gradients(&self) -> &[T] {
        &self.gradients
    }

    /// Values to change by their gradients.
    pub fn values_and_gradients(&mut self) -> (&mut [T], &[T]) {
        self.fresh = false;
        (&mut self.values, &self.gradients)
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Weights of the edges of every propagation, 1 to begin with, that gradients are computed for; `None` takes them
    /// away.
    ///
    /// # Errors
    /// [`EngineError::Len`] unless there is one an edge.
    pub fn set_edge_mask(&mut self, mask: Option<Vec<T>>) -> Result<(), EngineError> {
        self.fresh = false;
        let entries = self.steps.iter().find_map(|step| match &step.kernel {
            Kernel::Gather { op, .. } => Some(op.entries()),
            _ => None,
        });
        if let Some(values) = &mask {
            let expected = entries.unwrap_or(0);
            if values.len() != expected {
                return Err(EngineError::Len { what: "edge mask", batch: 1, expected, got: values.len() });
            }
        }
        self.mask = mask.map(|values| EdgeMask { gradients: vec![T::ZERO; values.len()], values });
        Ok(())
    }

    /// The weights of edges and their gradients, if they were set.
    pub fn edge_mask(&mut self) -> Option<&mut EdgeMask<T>> {
        self.fresh = false;
        self.mask.as_mut()
    }

    /// Inference: the graph's output, `[nodes, classes]`.
    pub fn logits(&mut self) -> &[T] {
        self.forward(None);
        &self.activations[at_inference(&self.steps, self.output)]
    }

    /// A training step without its update: dropout, loss, [`gradients`](Self::gradients).
    ///
    /// # Numerics
    /// The same bits for any number of threads.
    ///
    /// # Errors
    /// [`EngineError`] names what does not fit; nothing has changed then.
    pub fn loss_and_gradients(
        &mut self,
        objective: &Objective<'_, T>,
        randomness: Randomness,
    ) -> Result<f64, EngineError> {
        self.check(objective)?;
        self.forward(Some(randomness));
        let (output, classes) = (self.output, self.classes);
        let slot = &mut self.slots[self.slot_of[output]];
        let scratch = &mut self.scratch[..self.nodes * classes];
        let loss = loss::loss_and_gradient(classes, &self.activations[output], objective, scratch, slot);
        self.backward(randomness);
        Ok(loss)
    }

    /// The gradients of a loss that the caller has: `gradient` is its derivative by the graph's output as it was at the last
    /// [`logits`](Self::logits).
    ///
    /// # Errors
    /// [`EngineError::Len`]; [`EngineError::Tensor`] for a network with dropout, whose training is not its inference.
    pub fn gradients_from(&mut self, gradient: &[T], randomness: Randomness) -> Result<(), EngineError> {
        let slot = &mut self.slots[self.slot_of[self.output]];
        if gradient.len() != slot.len() {
            let (expected, got) = (slot.len(), gradient.len());
            return Err(EngineError::Len { what: "gradient", batch: self.nodes, expected, got });
        }
        if let Some(step) = self.steps.iter().find(|step| !step.shared) {
            let what = "it depends on dropout: gradients of a loss outside the engine are those of inference".into();
            return Err(EngineError::Tensor { tensor: self.names[step.output].clone(), what });
        }
        slot.copy_from_slice(gradient);
        self.backward(randomness);
        Ok(())
    }

    /// Writes parameters back to the graph that this engine was made from.
    pub fn store(&self, graph: &mut Graph) {
        for p in &self.parameters {
            graph[p.tensor].data = Some(Data::F32(self.values[p.range.clone()].iter().map(|v| v.to_f32()).collect()));
        }
    }

    /// The name of a tensor.
    pub fn name(&self, tensor: TensorId) -> &str {
        &self.names[tensor.0]
    }

    fn check(&self, objective: &Objective<'_, T>) -> Result<(), EngineError> {
        let len = |what: &'static str, expected: usize, got: usize| match expected == got {
            true => Ok(()),
            false => Err(EngineError::Len { what, batch: self.nodes, expected, got }),
        };
        len("labels", self.nodes, objective.labels.len())?;
        if let Some(teacher) = objective.teacher {
            len("teacher", self.nodes * self.classes, teacher.probabilities.len())?;
        }
        let label = |node: u32| objective.labels.get(node as usize).copied().unwrap_or(u32::MAX);
        match objective.rows.iter().find(|node| label(**node) as usize >= self.classes) {
            Some(&node) => Err(EngineError::Label { sample: node as usize, label: label(node), classes: self.classes }),
            None => Ok(()),
        }
    }

    /// All steps; those before any dropout only where their operands have changed.
    fn forward(&mut self, training: Option<Randomness>) {
        for step in 0..self.steps.len() {
            let Step { kernel, output, shared, .. } = &self.steps[step];
            let idle = training.is_none() && matches!(kernel, Kernel::Dropout { .. });
            if idle || (*shared && self.fresh) {
                continue;
            }
            let output = *output;
            let mut y = std::mem::take(&mut self.activations[output]);
            self.step(step, training, &mut y);
            self.activations[output] = y;
        }
        self.fresh = true;
    }

    fn step(&mut self, step: usize, training: Option<Randomness>, y: &mut [T]) {
        let Self { arch, pool, values: all, steps, activations, memories, mask, .. } = self;
        let (arch, Step { kernel, inputs, .. }) = (*arch, &steps[step]);
        let operand = |i: usize| {
            let value = if training.is_some() { inputs[i] } else { at_inference(steps, inputs[i]) };
            &activations[value][..]
        };
        let mask = mask.as_ref().map(|mask| &mask.values[..]);
        let bias_of = |bias: &Option<std::ops::Range<usize>>| bias.clone().map(|range| &all[range]);
        match kernel {
            Kernel::SparseDense { op, w, bias } => op.forward(arch, pool, &all[w.clone()], bias_of(bias), y),
            Kernel::Linear { op, w, bias } => op.forward(arch, pool, operand(0), &all[w.clone()], bias_of(bias), y),
            Kernel::Gather { op, eps, activation } => {
                op.forward(arch, pool, mask, own(op.own, eps, all), *activation, operand(0), y);
            }
            Kernel::Attention { op, source, target, activation } => {
                let (source, target) = (&all[source.clone()], &all[target.clone()]);
                op.forward(arch, pool, source, target, *activation, &mut memories[step], operand(0), y);
            }
            Kernel::Activation(activation) => super::elementwise::activation(arch, *activation, operand(0), y),
            Kernel::Add(activation) => super::elementwise::add(arch, *activation, operand(0), operand(1), y),
            Kernel::Bias { bias, activation } => {
                y.copy_from_slice(operand(0));
                super::elementwise::bias_activation(arch, Some(&all[bias.clone()]), *activation, y);
            }
            Kernel::Scale(factor) => {
                for (y, x) in y.iter_mut().zip(operand(0)) {
                    *y = *factor * *x;
                }
            }
            Kernel::Dropout { rate, layer } => {
                if let Some(Randomness { seed, step }) = training {
                    Mask::new(*rate, seed, step, *layer).apply(arch, pool, *rate, operand(0), y);
                }
            }
        }
    }
}

/// Where a value lies at inference, when dropout hands on its operand.
fn at_inference<T>(steps: &[Step<T>], value: usize) -> usize {
    match steps.iter().find(|step| step.output == value) {
        Some(Step { kernel: Kernel::Dropout { .. }, inputs, .. }) => at_inference(steps, inputs[0]),
        _ => value,
    }
}

/// What a node itself counts.
fn own<T: Real>(constant: T, eps: &Option<std::ops::Range<usize>>, values: &[T]) -> T {
    match eps {
        Some(range) => T::ONE + values[range.start],
        None => constant,
    }
}
