//! Passes over a batch: inference, loss, and a training step through all its phases.

use super::error::EngineError;
use super::kernel::{Constant, Kernel};
use super::lane::{Batch, Lane, Shared};
use super::loss::{Loss, LossSum};
use super::plan::{Barrier, Step};
use super::real::Real;
use super::threads::Threads;
use super::{EngineOf, elementwise, gemm};
use rayon::prelude::*;
use std::sync::PoisonError;

/// Which steps to run.
#[derive(Clone, Copy)]
pub(super) enum StepList {
    Eval,
    EvalLoss,
    Train(usize),
    /// The way back alone.
    Backward,
}

impl<T: Real> EngineOf<T> {
    /// Inference: the graph's output, `[batch, output]`.
    ///
    /// # Shapes
    /// `x: [batch, input]`
    ///
    /// # Errors
    /// [`EngineError::Batch`] or [`EngineError::Len`].
    pub fn forward(&mut self, x: &[T], batch: usize) -> Result<&[T], EngineError> {
        self.check_input(x, batch)?;
        Ok(self.infer(self.plan.output, x, batch))
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

    /// A value of the batch at inference.
    pub(super) fn infer(&mut self, value: usize, x: &[T], batch: usize) -> &[T] {
        self.begin(batch);
        self.inference_factors();
        self.run(StepList::Eval, &Batch::unlabelled(x, batch));
        self.fresh = true;
        self.collect(value, x, batch)
    }

    pub(super) fn check_input(&self, x: &[T], batch: usize) -> Result<(), EngineError> {
        let planned = self.options.batch;
        if batch == 0 || batch > planned {
            return Err(EngineError::Batch { batch, planned });
        }
        let expected = batch * self.plan.input.map_or(0, |input| self.plan.value_lens[input]);
        if x.len() != expected {
            return Err(EngineError::Len { what: "x", batch, expected, got: x.len() });
        }
        Ok(())
    }

    pub(super) fn check_labels(&self, x: &[T], labels: &[u32]) -> Result<(), EngineError> {
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
    pub(super) fn begin(&mut self, batch: usize) {
        let (samples, used) = (self.plan.lane_samples(batch), self.lanes_used(batch));
        for (i, lane) in self.lanes[..used].iter_mut().enumerate() {
            lane.samples = i * samples..batch.min((i + 1) * samples);
            lane.loss = LossSum::default();
        }
    }

    /// The input as a quantised network has it: the gradient of the first layer's weights must see what that layer saw.
    pub(super) fn rounded_input(&self, x: &[T]) -> Option<Vec<T>> {
        self.quantized.as_ref().map(|quantized| quantized.rounded_input(self.arch, x))
    }

    /// Every phase of a training step over a batch that was checked.
    pub(super) fn training_step(&mut self, batch: &Batch<'_, T>) -> Loss {
        self.begin(batch.len);
        self.forget_gradients(batch.len);
        for phase in 0..self.plan.train.len() {
            self.run(StepList::Train(phase), batch);
            match self.plan.train[phase].barrier {
                Some(Barrier::Statistics(i)) => self.finish_statistics(i, batch.len),
                Some(Barrier::GradientSums(i)) => self.finish_gradient_sums(i, batch.len),
                None => {}
            }
        }
        self.fresh = true;
        self.reduce_gradients(batch.len);
        if let Some(quantized) = &self.quantized {
            quantized.finish_gradients(&self.values, &mut self.gradients);
        }
        self.collect_loss(batch)
    }

    pub(super) fn run(&mut self, list: StepList, batch: &Batch<'_, T>) {
        let used = self.lanes_used(batch.len);
        let Self { plan, arch, values, buffers, factors, lanes, threads, workspaces, quantized, edges, .. } = self;
        let quantized = quantized.as_ref();
        let steps: &[Step] = match list {
            StepList::Eval => &plan.eval,
            StepList::EvalLoss => &plan.eval_loss,
            StepList::Train(phase) => &plan.train[phase].steps,
            StepList::Backward => &plan.backward,
        };
        let parameters = quantized.map_or(&**values, |quantized| &*quantized.values);
        let (edges, fresh) = (edges.as_ref().map(|edges| &edges.values[..]), self.fresh);
        // Over nodes there is one lane, and threads share the rows of each kernel.
        let of_kernels = if plan.input.is_some() { Threads::ALONE } else { &*threads };
        let (arch, threads_of_lanes) = (*arch, threads.pool());
        let shared =
            Shared { arch, threads: of_kernels, plan, parameters, buffers, factors, batch, quantized, fresh, edges };
        let lanes = &mut lanes[..used];
        let run = |lane: &mut Lane<T>, thread: usize| {
            // A workspace holds nothing from one lane to the next, so one that a panic left is as good as new.
            let mut workspace = workspaces[thread].lock().unwrap_or_else(PoisonError::into_inner);
            lane.run(&shared, &mut workspace, steps);
        };
        match threads_of_lanes {
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

    pub(super) fn inference_factors(&mut self) {
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

    pub(super) fn forget_gradients(&mut self, batch: usize) {
        let used = self.lanes_used(batch);
        self.lanes[..used].iter_mut().for_each(|lane| lane.forget_gradients(&self.plan));
    }

    /// Sums the lanes' partial gradients in lane order.
    pub(super) fn reduce_gradients(&mut self, batch: usize) {
        let used = self.lanes_used(batch);
        let (first, rest) = self.lanes[..used].split_at_mut(1);
        // The lane sums up anew in the next step, whatever its buffer holds.
        std::mem::swap(&mut self.gradients, &mut first[0].partial);
        for lane in rest {
            elementwise::deliver(self.arch, &lane.partial, gemm::Into::Add, &mut self.gradients);
        }
        if let Some(edges) = &mut self.edges {
            std::mem::swap(&mut edges.gradients, &mut first[0].edge_gradients);
        }
    }

    /// Gathers a value that the lanes keep, or the graph's input, for the whole batch.
    pub(super) fn collect(&mut self, value: usize, x: &[T], batch: usize) -> &[T] {
        let value = self.plan.at_inference[value];
        let len = self.plan.value_lens[value];
        for lane in &self.lanes[..self.lanes_used(batch)] {
            let range = lane.samples.start * len..lane.samples.end * len;
            let from = if Some(value) == self.plan.input { &x[range.clone()] } else { lane.value(&self.plan, value) };
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
        if let Some(objective) = batch.objective {
            return Loss { mean: objective.total(&sum), correct: sum.correct };
        }
        let total = batch.teacher.as_ref().map_or(sum.total, |teacher| teacher.total(&sum));
        Loss { mean: total / batch.len as f64, correct: sum.correct }
    }
}

fn constant<'a, T>(values: &'a [T], buffers: &'a [T], constant: &Constant) -> &'a [T] {
    match constant {
        Constant::Parameter(range) => &values[range.clone()],
        Constant::Buffer(range) => &buffers[range.clone()],
    }
}
