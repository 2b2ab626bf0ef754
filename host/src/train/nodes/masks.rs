//! UGS (Chen et al. 2021): masks on edges and weights that are trained beside the weights, cut a little each round.

use super::{Fit, Fitted, NodeTask, Weights};
use crate::engine::{Engine, EngineOptions, Objective, Randomness};
use crate::graph::Graph;
use crate::sparsify::teddy::{EDGES_A_LEVEL, WEIGHTS_A_LEVEL};
use crate::train::{Phase, TrainError};
use crate::zoo::{Entry, NodeSizes};
use niwaki_core::optim::{Decay, Optimizer, adam::Adam};
use niwaki_core::real::Real;
use niwaki_core::select::Cut;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

/// What a round is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Masked {
    /// Weight of the absolute values of edge masks in the loss.
    pub edge_penalty: f64,
    /// Weight of those of weight masks.
    pub weight_penalty: f64,
    /// Rounds.
    pub rounds: u32,
}

impl Default for Masked {
    fn default() -> Self {
        Self { edge_penalty: 1e-6, weight_penalty: 1e-5, rounds: 20 }
    }
}

/// Runs the rounds and hands each one's retrained network to `done(round, task, fitted)`.
///
/// A round trains masks and weights together for `fit.epochs`, cuts 5 % of the edges and 10 % of the weights that are
/// left by the masks at the best epoch, takes the weights back to where they began, and trains them as long again. The
/// two directions of an edge are cut together, by the sum of their masks.
///
/// # Errors
/// [`TrainError`].
pub fn iterative_masks(
    (entry, sizes): (&Entry, NodeSizes),
    task: &NodeTask,
    masked: Masked,
    fit: Fit<'_>,
    done: &mut dyn FnMut(u32, &NodeTask, &Fitted),
) -> Result<(), TrainError> {
    let mut task = task.clone();
    let count = entry.build_over(&task.input, sizes, fit.seed)?.parameter_count();
    let mut kept = vec![true; count];
    for round in 1..=masked.rounds {
        let graph = entry.build_over(&task.input, sizes, fit.seed)?;
        let (edges, weights) = train_masks(&graph, &task, &kept, masked, fit, round)?;
        cut_weights(&mut kept, &weights);
        task = cut_edges(&task, &edges)?;
        let graph = entry.build_over(&task.input, sizes, fit.seed)?;
        let graph = held(graph, &kept);
        let fitted = Fit { weights: Weights::Held(&kept), teacher: None, ..fit }.run(
            &graph,
            &task,
            Phase::Finetune,
            &mut |_| (),
        )?;
        done(round, &task, &fitted);
    }
    Ok(())
}

/// The initial network with its dropped weights at zero.
fn held(mut graph: Graph, kept: &[bool]) -> Graph {
    let mut flags = kept.iter();
    for tensor in graph.tensors.iter_mut().filter(|t| t.role == crate::graph::Role::Parameter) {
        for (value, kept) in tensor.f32s_mut().into_iter().flatten().zip(&mut flags) {
            *value = if *kept { *value } else { 0.0 };
        }
    }
    graph
}

/// What a round trains, and the moments of each.
struct Trained {
    weights: Vec<f32>,
    weight_mask: Vec<f32>,
    edge_mask: Vec<f32>,
    states: [[Vec<f32>; 2]; 3],
}

/// The steps of weights and of masks.
struct Rules {
    masked: Masked,
    weights: Adam,
    masks: Adam,
}

impl Trained {
    /// Gives the engine the masked weights and the weights of the edges.
    fn show(&self, engine: &mut Engine) {
        let product = self.weights.iter().zip(&self.weight_mask).map(|(w, m)| w * m);
        engine.values_mut().iter_mut().zip(product).for_each(|(value, product)| *value = product);
        engine.edge_mask().into_iter().for_each(|mask| mask.values.copy_from_slice(&self.edge_mask));
    }

    /// One step of all three from the engine's gradients; masks of what was dropped stay at zero.
    fn step(&mut self, engine: &mut Engine, kept: &[bool], rules: &Rules, t: NonZeroU32) -> Result<(), TrainError> {
        let Self { weights, weight_mask, edge_mask, states } = self;
        let Rules { masked, weights: of_weights, masks: of_masks } = rules;
        let gradients = engine.gradients();
        let of_mask = |(((g, w), m), on): (((&f32, &f32), &f32), &bool)| {
            if *on { g * w + masked.weight_penalty as f32 * m.signum() } else { 0.0 }
        };
        let d_masks: Vec<f32> = gradients.iter().zip(&*weights).zip(&*weight_mask).zip(kept).map(of_mask).collect();
        let d_weights: Vec<f32> = gradients.iter().zip(&*weight_mask).map(|(g, m)| g * m).collect();
        let d_edges: Vec<f32> = engine.edge_mask().map_or_else(Vec::new, |mask| {
            let pairs = mask.gradients.iter().zip(&*edge_mask);
            pairs.map(|(g, m)| g + masked.edge_penalty as f32 * m.signum()).collect()
        });
        let all =
            [(weights, d_weights, of_weights), (&mut *weight_mask, d_masks, of_masks), (edge_mask, d_edges, of_masks)];
        for ((values, gradients, rule), [m, v]) in all.into_iter().zip(states) {
            rule.step(values, &gradients, &mut [m, v], t)?;
        }
        weight_mask.iter_mut().zip(kept).filter(|(_, on)| !**on).for_each(|(mask, _)| *mask = 0.0);
        Ok(())
    }
}

/// Both masks as they were at the best epoch: of edges that are no self loops, and of weights.
fn train_masks(
    graph: &Graph,
    task: &NodeTask,
    kept: &[bool],
    masked: Masked,
    fit: Fit<'_>,
    round: u32,
) -> Result<(Vec<f32>, Vec<f32>), TrainError> {
    let mut engine = Engine::new(graph, EngineOptions { batch: 1, threads: fit.threads })?;
    let loops = task.input.adjacency.csr().self_loops();
    let mut rng = ChaCha8Rng::seed_from_u64(fit.seed);
    rng.set_stream(u64::from(round));
    let mut noisy = |on: bool| match on {
        // A little noise tells equal masks apart.
        true => 1.0 + 1e-5 * ((rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0),
        false => 0.0,
    };
    // A GCN has a weight for every edge but self loops, the other rules for those too.
    let edges = task.input.adjacency.edges();
    let lens = [edges, edges - loops];
    let len = lens.into_iter().find(|len| engine.set_edge_mask(Some(vec![1.0; *len])).is_ok());
    let len = len.ok_or(TrainError::AttentionMasks)?;
    let edge_mask: Vec<f32> = (0..len).map(|_| noisy(true)).collect();
    let weight_mask: Vec<f32> = kept.iter().map(|on| noisy(*on)).collect();
    let weights = engine.values().to_vec();
    let states = [weights.len(), weight_mask.len(), len].map(|len| [vec![0.0; len], vec![0.0; len]]);
    let mut trained = Trained { weights, weight_mask, edge_mask, states };
    let objective = Objective { labels: &task.labels, rows: &task.train, teacher: None };
    let mut best = (f64::NEG_INFINITY, trained.edge_mask.clone(), trained.weight_mask.clone());
    let adam = Adam { lr: fit.optimizer.lr, ..Adam::default() };
    let rules =
        Rules { masked, weights: Adam { decay: Decay::Coupled(fit.optimizer.weight_decay), ..adam }, masks: adam };
    for epoch in 1..=fit.epochs {
        trained.show(&mut engine);
        if epoch > 1 {
            let val_accuracy = task.accuracy(engine.logits(&[], 1)?, &task.val);
            if val_accuracy >= best.0 {
                best = (val_accuracy, trained.edge_mask.clone(), trained.weight_mask.clone());
            }
        }
        // Away from the steps of retraining.
        let randomness = Randomness { seed: fit.seed, step: u64::from(round) << 32 | epoch as u64 };
        let loss = engine.loss_and_gradients_of_nodes(&objective, randomness)?.mean;
        if !loss.is_finite() {
            let (phase, step, lr) = (Phase::Ramp, epoch as u32, adam.lr);
            return Err(TrainError::Diverged { phase, epoch, step, loss, lr, lambda: 0.0 });
        }
        let t = NonZeroU32::new(epoch as u32).unwrap_or(NonZeroU32::MIN);
        trained.step(&mut engine, kept, &rules, t)?;
        if fit.stop.load(Ordering::Relaxed) {
            return Err(TrainError::Interrupted { phase: Phase::Ramp, epoch: 0 });
        }
    }
    Ok((best.1, best.2))
}

/// Drops a tenth of the weights that are left, by their masks.
fn cut_weights(kept: &mut [bool], masks: &[f32]) {
    let alive = || kept.iter().zip(masks).filter(|(on, _)| **on).map(|(_, mask)| *mask);
    let drop = (alive().count() as f64 * WEIGHTS_A_LEVEL) as usize;
    let mut cut = Cut::above_smallest_of(alive, drop);
    for (on, mask) in kept.iter_mut().zip(masks).filter(|(on, _)| **on) {
        *on = !cut.takes(mask.magnitude_bits());
    }
}

/// Drops a twentieth of the edges that are left, both directions by the sum of their masks; self loops stay.
fn cut_edges(task: &NodeTask, masks: &[f32]) -> Result<NodeTask, TrainError> {
    let adjacency = &task.input.adjacency;
    let csr = adjacency.csr();
    let with_loops = masks.len() == adjacency.edges();
    let mut next = masks.iter();
    let by_entry: Vec<f32> = csr
        .entries()
        .map(|(from, to)| if from == to && !with_loops { 0.0 } else { next.next().copied().unwrap_or(0.0) })
        .collect();
    let magnitude = |from: usize, to: usize| {
        let of = |a, b| csr.entry(a, b).map_or(0.0, |at| by_entry[at].abs());
        of(from, to) + of(to, from)
    };
    let pairs = || csr.entries().filter(|(from, to)| from < to);
    let drop = (adjacency.edges() as f64 * EDGES_A_LEVEL) as usize / 2;
    let mut cut = Cut::above_smallest_of(|| pairs().map(|(from, to)| magnitude(from, to)), drop);
    let mut keep = vec![true; adjacency.edges()];
    for (from, to) in pairs() {
        if cut.takes(magnitude(from, to).magnitude_bits()) {
            for at in [csr.entry(from, to), csr.entry(to, from)].into_iter().flatten() {
                keep[at] = false;
            }
        }
    }
    Ok(task.with_edges(adjacency.filtered(&keep)))
}
