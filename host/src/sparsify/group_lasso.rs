//! Group lasso in training: the norm of every group is a penalty, which shrinks all of them by one amount a step.

use super::error::SparsifyError;
use super::half_space::{Floor, HalfSpace};
use super::method::{Method, Stage, Start, Update};
use super::parameter_groups::ParameterGroups;
use niwaki_core::prox::group_lasso::GroupLasso as Penalty;
use niwaki_core::prox::wgsef::Weights;

/// Keeps the regulariser's gradient finite at zero (HSPG, specs/sparse_and_graph.md §2.8).
const SMOOTHING: f64 = 1e-6;

/// `λ Σ w_j ||θ_j||` with `w_j = √|group|` (specs/optimizers.md §6), by a proximal step after every optimizer step.
///
/// A group at zero may come back by its gradient, unless what it feeds passes none on: the gradient of a dead rectifier
/// is zero. With half-space steps this is HSPG (specs/sparse_and_graph.md §2.8).
pub struct GroupLasso {
    /// `w_j`, one list a layer.
    weights: Vec<Vec<f32>>,
    scales: Vec<f32>,
    half_space: Option<HalfSpace>,
}

impl GroupLasso {
    /// Group lasso alone: the proximal steps go on to the end.
    pub fn new(layers: &ParameterGroups) -> Self {
        let root = |size: &usize| (*size as f64).sqrt() as f32;
        let weights = layers.list.iter().map(|f| f.sizes.iter().map(root).collect()).collect();
        Self { weights, scales: vec![0.0; layers.groups()], half_space: None }
    }

    /// Group lasso, then half-space steps that leave at least as many groups of each layer as `start.kept`.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn with_half_space(start: &Start<'_>) -> Result<Self, SparsifyError> {
        let floor = Floor::Each(start.kept.iter().map(Vec::len).collect());
        Ok(Self { half_space: Some(HalfSpace::new(start.layers, floor)?), ..Self::new(start.layers) })
    }
}

impl Method for GroupLasso {
    fn before_step(&mut self, stage: &mut Stage<'_>) -> Result<Update, SparsifyError> {
        let Some(half_space) = self.half_space.as_mut().filter(|_| stage.at.half_space) else {
            return Ok(Update::Optimizer);
        };
        let mut first = 0;
        for (layer, weights) in stage.layers.list.iter_mut().zip(&self.weights) {
            let scales = &mut self.scales[first..first + layer.groups];
            first += layer.groups;
            for ((scale, norm), weight) in scales.iter_mut().zip(layer.norms(stage.values)?).zip(weights) {
                *scale = (stage.at.lambda * f64::from(*weight) / (f64::from(*norm) + SMOOTHING)) as f32;
            }
        }
        half_space.pull(stage, &self.scales)?;
        Ok(Update::Optimizer)
    }

    fn after_step(&mut self, stage: &mut Stage<'_>) -> Result<(), SparsifyError> {
        if let Some(half_space) = self.half_space.as_mut().filter(|_| stage.at.half_space) {
            return half_space.drop_reversed(stage);
        }
        let lambda = (stage.at.lr * stage.at.lambda) as f32;
        for (layer, weights) in stage.layers.list.iter_mut().zip(&self.weights) {
            let name = layer.name.clone();
            let refused = |error| SparsifyError::Prox { layer: name.clone(), error };
            let scales = &mut self.scales[..layer.groups];
            let penalty = Penalty::try_new(Weights::Each(weights)).map_err(refused)?;
            penalty.prox_scales(layer.norms(stage.values)?, lambda, scales).map_err(refused)?;
            layer.scale(stage.values, scales)?;
        }
        Ok(())
    }
}
