//! WGSEF in training: a proximal step after every optimizer step, then half-space steps if asked for, then the ranking.
//!
//! specs/sparse_and_graph.md §2.8 (proximal steps) and §2.7 (rank, then freeze): the prox alone never leaves exactly
//! `k` groups, so it shrinks and ranks them, and the largest stay.

use super::error::SparsifyError;
use super::half_space::{Floor, HalfSpace};
use super::method::{AdamMetric, Method, Prox, Stage, Start, Update};
use super::options::{Allocation, Metric, Sparsity};
use super::parameter_groups::{LayerGroups, ParameterGroups};
use niwaki_core::optim::SECOND_MOMENT;
use niwaki_core::prox::wgsef::{Weights, Wgsef as Envelope};
use niwaki_kernels::WgsefSpec;
use std::ops::Range;

/// The regulariser of a network.
pub struct Wgsef {
    /// So many groups of each layer, which competes for itself, or of all layers together.
    budget: Floor,
    /// `d_j`, all layers one after the other.
    weights: Vec<f32>,
    prox: Prox,
    adam: Option<AdamMetric>,
    /// Roots of Adam's metric, one a value; empty in the Euclidean metric.
    roots: Vec<f32>,
    norms: Vec<f32>,
    /// `d_j` in the metric of the step.
    metric_weights: Vec<f32>,
    scales: Vec<f32>,
    half_space: Option<HalfSpace>,
}

impl Wgsef {
    /// The regulariser whose budgets are the sizes of `start.kept`.
    ///
    /// # Errors
    /// [`SparsifyError`].
    pub fn new(options: &Sparsity, start: Start<'_>) -> Result<Self, SparsifyError> {
        let m = start.layers.groups();
        let counts = start.kept.iter().map(Vec::len);
        let (budget, weights) = match options.allocation {
            Allocation::Global => (Floor::All(counts.sum()), across(start.layers, start.values, start.weights)?),
            Allocation::Uniform | Allocation::RateDistortion => (Floor::Each(counts.collect()), vec![1.0; m]),
        };
        let adam = start.adam.filter(|_| options.metric == Metric::Adam);
        let roots = vec![0.0; if adam.is_some() { start.values.len() } else { 0 }];
        let half_space = match options.half_space_epochs {
            0 => None,
            _ => Some(HalfSpace::new(start.layers, budget.clone())?),
        };
        let scratch = || vec![0.0; m];
        Ok(Self {
            budget,
            weights,
            prox: start.prox,
            adam,
            roots,
            norms: scratch(),
            metric_weights: scratch(),
            scales: scratch(),
            half_space,
        })
    }

    /// `values <- prox_{lambda F}(values)`; `lambda` is the penalty times the learning rate.
    fn step(&mut self, stage: &mut Stage<'_>) -> Result<(), SparsifyError> {
        let lambda = (stage.at.lr * stage.at.lambda) as f32;
        if self.on_gpu(stage, lambda)? {
            return Ok(());
        }
        self.measure(stage)?;
        for Block { groups, k, name } in blocks(&self.budget, stage.layers) {
            let refused = |error| SparsifyError::Prox { layer: name.into(), error };
            let envelope =
                Envelope::try_new(k, Weights::Each(&self.metric_weights[groups.clone()])).map_err(refused)?;
            let scales = &mut self.scales[groups.clone()];
            envelope.prox_scales(&self.norms[groups], lambda, scales).map_err(refused)?;
        }
        let mut first = 0;
        for layer in &stage.layers.list {
            layer.scale(stage.values, &self.scales[first..first + layer.groups])?;
            first += layer.groups;
        }
        Ok(())
    }

    /// `self.scales <- λ d_j / u_j`, the factors of the envelope's gradient in the Euclidean metric.
    fn gradient(&mut self, stage: &mut Stage<'_>) -> Result<(), SparsifyError> {
        let mut first = 0;
        for layer in &mut stage.layers.list {
            self.norms[first..first + layer.groups].copy_from_slice(layer.norms(stage.values)?);
            first += layer.groups;
        }
        for Block { groups, k, name } in blocks(&self.budget, stage.layers) {
            let refused = |error| SparsifyError::Prox { layer: name.into(), error };
            let envelope = Envelope::try_new(k, Weights::Each(&self.weights[groups.clone()])).map_err(refused)?;
            envelope.gradient_scales(&self.norms[groups.clone()], &mut self.scales[groups]).map_err(refused)?;
        }
        self.scales.iter_mut().for_each(|scale| *scale = (stage.at.lambda * f64::from(*scale)) as f32);
        Ok(())
    }

    /// Norms and weights of all groups in the metric of the step.
    ///
    /// In a metric `D_j` that is constant within each group, the prox with weights `d_j` is the Euclidean one of the
    /// norms `√D_j ||t_j||` with the weights `d_j / D_j`: substitute `√D_j θ_j`.
    fn measure(&mut self, stage: &mut Stage<'_>) -> Result<(), SparsifyError> {
        if let Some(adam) = self.adam {
            let correction = 1.0 - adam.beta2.powi(i32::try_from(stage.at.step).unwrap_or(i32::MAX));
            let metric = |v: f32| (f64::from(v) / correction).sqrt() + adam.epsilon;
            let squares = stage.slots.get(SECOND_MOMENT).unwrap_or_default();
            self.roots.iter_mut().zip(squares).for_each(|(root, v)| *root = metric(*v).sqrt() as f32);
        }
        let mut first = 0;
        for layer in &mut stage.layers.list {
            let block = first..first + layer.groups;
            first = block.end;
            self.norms[block.clone()].copy_from_slice(layer.norms(stage.values)?);
            self.metric_weights[block.clone()].copy_from_slice(&self.weights[block.clone()]);
            if self.adam.is_some() {
                // The mean of D over a group, from the squares of the roots.
                let sizes = layer.sizes.clone();
                let sums = layer.squares(&self.roots)?;
                for ((j, sum), size) in block.zip(sums).zip(sizes) {
                    let d = sum / size as f64;
                    self.norms[j] *= d.sqrt() as f32;
                    self.metric_weights[j] /= d as f32;
                }
            }
        }
        Ok(())
    }

    /// Takes the step on the GPU, if there is one and it can.
    fn on_gpu(&mut self, stage: &mut Stage<'_>, lambda: f32) -> Result<bool, SparsifyError> {
        let (Prox::Gpu(gpu), Floor::Each(counts), None) = (&mut self.prox, &self.budget, self.adam) else {
            return Ok(false);
        };
        let mut left: Vec<(&LayerGroups, usize)> = Vec::new();
        for (layer, &k) in stage.layers.list.iter().zip(counts) {
            match layer.rows(stage.values) {
                Some(mut rows) => {
                    gpu.wgsef_prox_parts(&mut rows, layer.groups, Weights::One, WgsefSpec { k, lambda })?;
                }
                None => left.push((layer, k)),
            }
        }
        for (layer, k) in left {
            let refused = |error| SparsifyError::Prox { layer: layer.name.clone(), error };
            let mut layer = layer.clone();
            let mut scales = vec![0.0; layer.groups];
            let envelope = Envelope::try_new(k, Weights::One).map_err(refused)?;
            envelope.prox_scales(layer.norms(stage.values)?, lambda, &mut scales).map_err(refused)?;
            layer.scale(stage.values, &scales)?;
        }
        Ok(true)
    }
}

impl Method for Wgsef {
    fn before_step(&mut self, stage: &mut Stage<'_>) -> Result<Update, SparsifyError> {
        if self.half_space.is_some() && stage.at.half_space {
            self.gradient(stage)?;
        }
        if let Some(half_space) = self.half_space.as_mut().filter(|_| stage.at.half_space) {
            half_space.pull(stage, &self.scales)?;
        }
        Ok(Update::Optimizer)
    }

    fn after_step(&mut self, stage: &mut Stage<'_>) -> Result<(), SparsifyError> {
        match self.half_space.as_mut().filter(|_| stage.at.half_space) {
            Some(half_space) => half_space.drop_reversed(stage),
            None => self.step(stage),
        }
    }
}

/// Groups that share a budget.
struct Block<'a> {
    /// All layers one after the other.
    groups: Range<usize>,
    k: usize,
    name: &'a str,
}

fn blocks<'a>(budget: &Floor, layers: &'a ParameterGroups) -> Vec<Block<'a>> {
    match budget {
        Floor::All(k) => vec![Block { groups: 0..layers.groups(), k: *k, name: "all layers" }],
        Floor::Each(counts) => {
            let mut first = 0;
            let block = |(layer, &k): (&'a LayerGroups, &usize)| {
                let groups = first..first + layer.groups;
                first = groups.end;
                Block { groups, k, name: &layer.name }
            };
            layers.list.iter().zip(counts).map(block).collect()
        }
    }
}

/// Weights for groups of different layers: `d_j` over the mean square norm of the layer's groups, mean 1.
///
/// Layers have norms of their own scale `s`; in the coordinates `θ / s`, in which they can compete, the envelope has the
/// weights `d_j / s²` of the original norms.
fn across(layers: &mut ParameterGroups, values: &[f32], weights: &[Vec<f64>]) -> Result<Vec<f32>, SparsifyError> {
    let mut all = Vec::with_capacity(layers.groups());
    for (layer, weights) in layers.list.iter_mut().zip(weights) {
        let squares = layer.squares(values)?;
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        all.extend(weights.iter().map(|d| d / mean.max(f64::MIN_POSITIVE)));
    }
    let mean = all.iter().sum::<f64>() / all.len().max(1) as f64;
    Ok(all.into_iter().map(|d| (d / mean) as f32).collect())
}
