//! From a dense network to a sparse one: the method's start, the choice at the end of its ramp, and the cut.

use super::TrainError;
use super::epoch::method_rng;
use super::run::{Around, Run, Step, Stepped};
use super::samples::Samples;
use crate::engine::{Engine, Slots};
use crate::graph::Graph;
use crate::recipe::Recipe;
use crate::sparsify;
use crate::sparsify::alive::Alive;
use crate::sparsify::allocate::{Global, Ranking, Spread, Uniform, choose};
use crate::sparsify::cost::{Meter, group_weights};
use crate::sparsify::distortion::{Calibration, Curves, Distortion};
use crate::sparsify::method::{AdamMetric, Method, Prox, Stage, Start, Update};
use crate::sparsify::options::{self, Allocation};
use crate::sparsify::parameter_groups::{KeptGroups, ParameterGroups};
use niwaki_core::optim::SECOND_MOMENT;

/// Training samples that distortions are measured with, the first ones.
const CALIBRATION: usize = 512;

/// Parameter groups, those of them that are left, and the method that chooses.
pub(super) struct Sparse {
    layers: ParameterGroups,
    alive: Alive,
    /// Ranks and empties groups; none once the choice is made.
    method: Option<Box<dyn Method>>,
    seed: u64,
}

impl Around for Sparse {
    fn update(&mut self, engine: &mut Engine, slots: &mut Slots, at: &Step<'_>) -> Result<Stepped, TrainError> {
        let Self { layers, alive, method, seed } = self;
        let mut update = Update::Optimizer;
        if let Some(method) = method {
            let (values, gradients) = engine.values_and_gradients_mut();
            let mut stage = Stage { layers, values, gradients, slots, alive, at: at.moment };
            if at.is_first {
                method.begin_epoch(&mut stage, &mut method_rng(*seed, at.moment.epoch))?;
            }
            update = method.before_step(&mut stage)?;
        }
        if update == Update::Optimizer {
            at.optimize(engine, slots)?;
        }
        let (values, gradients) = engine.values_and_gradients_mut();
        if let Some(method) = method {
            method.after_step(&mut Stage { layers, values, gradients, slots, alive, at: at.moment })?;
        }
        alive.hold(engine.values_mut());
        slots.flat_mut().into_iter().for_each(|slot| alive.hold(slot));
        Ok(Stepped::Done)
    }

    fn alive_groups(&mut self, values: &[f32]) -> Result<Option<usize>, TrainError> {
        let mut alive = 0;
        for layer in &mut self.layers.list {
            alive += layer.squares(values)?.iter().filter(|sum| **sum != 0.0).count();
        }
        Ok(Some(alive))
    }

    fn alive(&self) -> Option<Vec<u8>> {
        Some(self.alive.to_bytes(&self.layers))
    }
}

/// What the choice of groups depends on besides the scores.
pub(super) struct Chooser<'a> {
    recipe: &'a Recipe,
    dense: &'a Graph,
    meter: &'a mut dyn Meter,
    /// The mean score of each layer in the dense network.
    reference: Vec<f64>,
    weights: Vec<Vec<f64>>,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        dense: &'a Graph,
        layers: &mut ParameterGroups,
        values: &[f32],
        meter: &'a mut dyn Meter,
    ) -> Result<Self, TrainError> {
        let weights = group_weights(dense, layers, recipe.sparsity.weights, meter)?;
        let mut reference = Vec::new();
        for layer in &mut layers.list {
            let squares = layer.squares(values)?;
            reference.push(squares.iter().sum::<f64>() / squares.len() as f64);
        }
        Ok(Self { recipe, dense, meter, reference, weights })
    }

    /// The groups of `graph` that stay, by their scores.
    pub(super) fn choose(
        &mut self,
        samples: &Samples<'_>,
        layers: &mut ParameterGroups,
        scores: &[Vec<f64>],
        graph: &Graph,
    ) -> Result<KeptGroups, TrainError> {
        let sparsity = &self.recipe.sparsity;
        let ranking = Ranking::new(scores, &self.reference, &self.weights, sparsity.multiple);
        let allocation = match sparsity.method {
            options::Method::RateDistortion => Allocation::RateDistortion,
            _ => sparsity.allocation,
        };
        let mut choose = |spread: &dyn Spread| choose(sparsity, spread, &ranking, layers, self.dense, self.meter);
        let kept = match allocation {
            Allocation::Uniform => choose(&Uniform(&ranking)),
            Allocation::Global => choose(&Global(&ranking)),
            Allocation::RateDistortion => {
                let (train, batch) = (&samples.data.train, self.recipe.train.batch);
                let count = train.len().min(CALIBRATION);
                let x = &train.x[..train.x.len() / train.len().max(1) * count];
                let calibration = Calibration { engine: &mut samples.engine(graph)?, x, samples: count, batch };
                let curves = Curves::measure(calibration, layers, &ranking, &self.weights)?;
                choose(&Distortion { ranking: &ranking, curves: &curves })
            }
        };
        Ok(kept?)
    }
}

/// The ramp of `recipe`'s method from the dense network on, or from where it was interrupted.
pub(super) fn ramp(
    run: &mut Run<'_>,
    samples: &mut Samples<'_>,
    dense: &Graph,
    prox: Prox,
    meter: &mut dyn Meter,
) -> Result<(), TrainError> {
    let recipe = samples.recipe;
    let engine = samples.engine(dense)?;
    let values = engine.values();
    let mut layers = ParameterGroups::new(dense, engine.parameters(), &recipe.sparsity)?;
    let mut chooser = Chooser::new(recipe, dense, &mut layers, values, meter)?;
    let scores = Method::scores(&mut sparsify::magnitude::Magnitude, &mut layers, values)?;
    let kept = chooser.choose(samples, &mut layers, &scores, dense)?;
    let optimizer = &recipe.optimizer;
    let adam = optimizer.name.slots(&optimizer.hyper(optimizer.lr)).contains(&SECOND_MOMENT);
    let start = Start {
        graph: dense,
        layers: &mut layers,
        values,
        kept: &kept,
        weights: &chooser.weights,
        prox,
        adam: adam.then_some(AdamMetric { beta2: optimizer.beta2, epsilon: optimizer.epsilon }),
    };
    let method = sparsify::start(&recipe.sparsity, start)?;
    let alive = match Alive::from_bytes(&layers, &samples.at.alive)? {
        Some(alive) => alive,
        None => Alive::new(&layers, layers.all())?,
    };
    let mut sparse = Sparse { layers, alive, method, seed: recipe.train.seed };
    samples.phase(run, &mut sparse)?;

    let Sparse { mut layers, alive, method, .. } = sparse;
    let engine = samples.engine(&samples.at.graph)?;
    let values = engine.values();
    let kept = match method {
        // A ramp of no epochs has decided nothing.
        Some(method) if method.decides() && alive.is_masked() => alive.kept().clone(),
        Some(mut method) => {
            let scores = method.scores(&mut layers, values)?;
            chooser.choose(samples, &mut layers, &scores, &samples.at.graph)?
        }
        None => layers.all(),
    };
    let at = &mut samples.at;
    at.graph = layers.cut(&at.graph, &kept)?;
    at.progress.left_out = layers.left_out(&kept);
    at.enter(super::Phase::Finetune);
    if !recipe.sparsity.groups.is_removed() {
        at.alive = Alive::new(&layers, kept)?.to_bytes(&layers);
    }
    Ok(())
}

/// What holds dropped weights at zero while the network is repaired; none where they have left the network.
pub(super) fn held(samples: &Samples<'_>) -> Result<Option<Sparse>, TrainError> {
    let (at, sparsity) = (&samples.at, &samples.recipe.sparsity);
    if sparsity.groups.is_removed() || sparsity.method == options::Method::None {
        return Ok(None);
    }
    let engine = samples.engine(&at.graph)?;
    let layers = ParameterGroups::new(&at.graph, engine.parameters(), sparsity)?;
    let alive = Alive::from_bytes(&layers, &at.alive)?;
    Ok(alive.map(|alive| Sparse { layers, alive, method: None, seed: samples.recipe.train.seed }))
}

#[cfg(test)]
mod tests;
