//! Quantisation-aware training: the last phase, in which every step computes what the exported network will.
//!
//! Batch norms are folded with their running statistics before the first step, and the folded weights are trained: the
//! statistics are frozen from the start, so that the weights that are rounded are those that the file holds. Activations
//! keep the ranges that calibration chose; the scale of a filter follows its largest weight. With `lsq` both are trained.
//! Each step rounds the weights it has into an integer network, goes forward in that and back through it as
//! [`crate::engine::EngineOf::quantize`] says; the network of the last step's weights is the one that is exported.

use super::checkpoint::Checkpoint;
use super::run::Run;
use super::{Phase, TrainError, weights};
use crate::engine::{Engine, EngineError};
use crate::graph::{Graph, TensorId};
use crate::ops::Weights;
use crate::quantize::{Quantize, QuantizeError, Scheme, folded, prepare, with_steps};
use crate::sparsify::options::Method;

/// Weights of the network that quantisation-aware training ends with, before they are rounded, in a run folder.
pub const QAT_FILE: &str = "qat.safetensors";

/// What every step of the phase rounds with.
pub(super) struct Rounding {
    scheme: Scheme,
    steps: Vec<(TensorId, TensorId)>,
    /// Values that stay zero: weights that a sparsity method has dropped but that could not leave the network.
    held: Vec<usize>,
}

impl Rounding {
    /// Lets `engine` compute with its values as they are rounded now; `graph` is the float network that it was made of.
    pub(super) fn round(&self, engine: &mut Engine, graph: &mut Graph) -> Result<(), TrainError> {
        engine.store(graph);
        Ok(engine.quantize(&self.scheme.apply(graph)?, &self.steps)?)
    }

    /// Sets what was dropped back to zero in any flat vector of the engine.
    pub(super) fn hold(&self, flat: &mut [f32]) {
        for &i in &self.held {
            flat[i] = 0.0;
        }
    }
}

/// The tensors of the network in this phase, for one that has those of `graph` before it.
pub(super) fn structure(graph: &Graph, options: &Quantize) -> Result<Graph, QuantizeError> {
    let folded = folded(graph, options)?;
    Ok(if options.lsq { with_steps(&folded) } else { folded })
}

/// The phase from the trained network `float` on, or from where it was interrupted; the integer network.
pub(super) fn train(run: &mut Run<'_>, at: &mut Checkpoint, float: &Graph) -> Result<Graph, TrainError> {
    let options = &run.recipe.quantize;
    let samples = options.samples.min(run.data.train.len());
    let samples: Vec<&[f32]> = (0..samples).map(|i| run.data.train.sample(i)).collect();
    let (mut start, mut scheme) = prepare(float, &samples, options)?;
    if options.lsq {
        scheme.learn_steps(&mut start);
    }
    if at.progress.phase != Phase::Qat {
        at.graph = start.clone();
        at.enter(Phase::Qat);
    }
    run.teacher = if options.qat_distill > 0.0 { Some(run.engine(float)?) } else { None };
    let sparsity = &run.recipe.sparsity;
    let dropped = sparsity.method != Method::None && !sparsity.groups.is_removed();
    let held = if dropped { zeros(run, &start)? } else { Vec::new() };
    let rounding = Rounding { steps: scheme.steps(&start), scheme, held };
    run.phase(at, None, Some(&rounding))?;
    weights::save(&run.dir.join(QAT_FILE), &at.graph)?;
    Ok(rounding.scheme.apply(&at.graph)?)
}

/// The places of the layers' weights that are zero in the engine's flat vectors.
fn zeros(run: &Run<'_>, graph: &Graph) -> Result<Vec<usize>, EngineError> {
    let layers = graph.nodes.iter().filter(|n| n.op.rules().weights.is_some_and(Weights::gather));
    let weights: Vec<TensorId> = layers.filter_map(|n| n.inputs.get(1).copied()).collect();
    let engine = run.engine(graph)?;
    let ranges = engine.parameters().iter().filter(|p| weights.contains(&p.tensor));
    Ok(ranges.flat_map(|p| p.range.clone()).filter(|&i| engine.values()[i] == 0.0).collect())
}

#[cfg(test)]
mod tests;
