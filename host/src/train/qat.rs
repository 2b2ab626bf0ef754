//! Quantisation-aware training: the last phase, in which every step computes what the exported network will.
//!
//! Batch norms are folded with their running statistics before the first step, and the folded weights are trained: the
//! statistics are frozen from the start, so that the weights that are rounded are those that the file holds. Activations
//! keep the ranges that calibration chose; the scale of a filter follows its largest weight. With `lsq` both are trained.
//! Each step rounds the weights it has into an integer network, goes forward in that and back through it as
//! [`crate::engine::EngineOf::quantize`] says; the network of the last step's weights is the one that is exported.

use super::run::{Around, Run, Step, Stepped};
use super::samples::Samples;
use super::{Phase, TrainError, weights};
use crate::engine::{Engine, EngineError, Slots};
use crate::graph::{Graph, TensorId};
use crate::ops::WeightLayout;
use crate::quantize::{Quantize, QuantizeError, Scheme, folded, prepare, with_steps};
use crate::sparsify::options::Method;

/// Weights of the network that quantisation-aware training ends with, before they are rounded, in a run folder.
pub const QAT_FILE: &str = "qat.safetensors";

/// What every step of the phase rounds with.
struct Rounding {
    scheme: Scheme,
    steps: Vec<(TensorId, TensorId)>,
    /// Values that stay zero: weights that a sparsity method has dropped but that could not leave the network.
    held: Vec<usize>,
    /// The float network of the engine's values.
    float: Graph,
}

impl Rounding {
    /// Lets `engine` compute with its values as they are rounded now.
    fn round(&mut self, engine: &mut Engine) -> Result<(), TrainError> {
        engine.store(&mut self.float);
        Ok(engine.quantize(&self.scheme.apply(&self.float)?, &self.steps)?)
    }

    /// Sets what was dropped back to zero in any flat vector of the engine.
    fn hold(&self, flat: &mut [f32]) {
        for &i in &self.held {
            flat[i] = 0.0;
        }
    }
}

impl Around for Rounding {
    fn begin(&mut self, engine: &mut Engine) -> Result<(), TrainError> {
        self.round(engine)
    }

    fn update(&mut self, engine: &mut Engine, slots: &mut Slots, at: &Step<'_>) -> Result<Stepped, TrainError> {
        at.optimize(engine, slots)?;
        self.hold(engine.values_mut());
        slots.flat_mut().into_iter().for_each(|slot| self.hold(slot));
        // What is no number has no quantised value.
        if engine.values().iter().any(|v| !v.is_finite()) {
            return Ok(Stepped::Diverged);
        }
        match self.round(engine) {
            Err(TrainError::Engine(_)) => Ok(Stepped::Diverged),
            rounded => rounded.map(|()| Stepped::Done),
        }
    }
}

/// The tensors of the network in this phase, for one that has those of `graph` before it.
pub(super) fn structure(graph: &Graph, options: &Quantize) -> Result<Graph, QuantizeError> {
    let folded = folded(graph, options)?;
    Ok(if options.lsq { with_steps(&folded) } else { folded })
}

/// The phase from the trained network `float` on, or from where it was interrupted; the integer network.
pub(super) fn train(run: &mut Run<'_>, samples: &mut Samples<'_>, float: &Graph) -> Result<Graph, TrainError> {
    let (options, train) = (&samples.recipe.quantize, &samples.data.train);
    let calibration = options.samples.min(train.len());
    let calibration: Vec<&[f32]> = (0..calibration).map(|i| train.sample(i)).collect();
    let (mut start, mut scheme) = prepare(float, &calibration, options)?;
    if options.lsq {
        scheme.learn_steps(&mut start);
    }
    if samples.at.progress.phase != Phase::Qat {
        samples.at.graph = start.clone();
        samples.at.enter(Phase::Qat);
    }
    samples.teacher = if options.qat_distill > 0.0 { Some(samples.engine(float)?) } else { None };
    let sparsity = &samples.recipe.sparsity;
    let dropped = sparsity.method != Method::None && !sparsity.groups.is_removed();
    let held = if dropped { zeros(samples, &start)? } else { Vec::new() };
    let float = samples.at.graph.clone();
    let mut rounding = Rounding { steps: scheme.steps(&start), scheme, held, float };
    samples.phase(run, &mut rounding)?;
    weights::save(&samples.dir.join(QAT_FILE), &samples.at.graph)?;
    Ok(rounding.scheme.apply(&samples.at.graph)?)
}

/// The places of the layers' weights that are zero in the engine's flat vectors.
fn zeros(samples: &Samples<'_>, graph: &Graph) -> Result<Vec<usize>, EngineError> {
    let layers = graph.nodes.iter().filter(|n| n.op.rules().weights.is_some_and(WeightLayout::gather));
    let weights: Vec<TensorId> = layers.filter_map(|n| n.inputs.get(1).copied()).collect();
    let engine = samples.engine(graph)?;
    let ranges = engine.parameters().iter().filter(|p| weights.contains(&p.tensor));
    Ok(ranges.flat_map(|p| p.range.clone()).filter(|&i| engine.values()[i] == 0.0).collect())
}

#[cfg(test)]
mod tests;
