//! From a dense network to a sparse one: the method's start, the choice at the end of its ramp, and the cut.

use super::TrainError;
use super::checkpoint::Checkpoint;
use super::run::{Run, Sparse};
use crate::graph::Graph;
use crate::recipe::Recipe;
use crate::sparsify::alive::Alive;
use crate::sparsify::allocate::{Global, Ranking, Spread, Uniform, choose};
use crate::sparsify::cost::{Meter, group_weights};
use crate::sparsify::distortion::{Calibration, Curves, Distortion};
use crate::sparsify::family::{Families, Kept};
use crate::sparsify::method::{self, AdamMetric, Start};
use crate::sparsify::options::{Allocation, Method};
use crate::sparsify::wgsef::Prox;
use niwaki_core::optim::SECOND_MOMENT;

/// Training samples that distortions are measured with, the first ones.
const CALIBRATION: usize = 512;

/// What the choice of groups depends on besides the scores.
pub(super) struct Chooser<'a> {
    recipe: &'a Recipe,
    dense: &'a Graph,
    meter: &'a mut dyn Meter,
    /// The mean score of each family in the dense network.
    reference: Vec<f64>,
    weights: Vec<Vec<f64>>,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        dense: &'a Graph,
        families: &mut Families,
        values: &[f32],
        meter: &'a mut dyn Meter,
    ) -> Result<Self, TrainError> {
        let weights = group_weights(dense, families, recipe.sparsity.weights, meter)?;
        let mut reference = Vec::new();
        for family in &mut families.list {
            let squares = family.squares(values)?;
            reference.push(squares.iter().sum::<f64>() / squares.len() as f64);
        }
        Ok(Self { recipe, dense, meter, reference, weights })
    }

    /// The groups of `graph` that stay, by their scores.
    pub(super) fn choose(
        &mut self,
        run: &Run<'_>,
        families: &mut Families,
        scores: &[Vec<f64>],
        graph: &Graph,
    ) -> Result<Kept, TrainError> {
        let options = &self.recipe.sparsity;
        let ranking = Ranking::new(scores, &self.reference, &self.weights, options.multiple);
        let allocation = match options.method {
            Method::RateDistortion => Allocation::RateDistortion,
            _ => options.allocation,
        };
        let mut choose = |spread: &dyn Spread| choose(options, spread, &ranking, families, self.dense, self.meter);
        let kept = match allocation {
            Allocation::Uniform => choose(&Uniform(&ranking)),
            Allocation::Global => choose(&Global(&ranking)),
            Allocation::RateDistortion => {
                let (train, batch) = (&run.data.train, self.recipe.train.batch);
                let samples = train.len().min(CALIBRATION);
                let x = &train.x[..train.x.len() / train.len().max(1) * samples];
                let calibration = Calibration { engine: &mut run.engine(graph)?, x, samples, batch };
                let curves = Curves::measure(calibration, families, &ranking, &self.weights)?;
                choose(&Distortion { ranking: &ranking, curves: &curves })
            }
        };
        Ok(kept?)
    }
}

/// The ramp of `recipe`'s method from the dense network on, or from where it was interrupted.
pub(super) fn ramp(
    run: &mut Run<'_>,
    at: &mut Checkpoint,
    dense: &Graph,
    prox: Prox,
    meter: &mut dyn Meter,
) -> Result<(), TrainError> {
    let recipe = run.recipe;
    let engine = run.engine(dense)?;
    let values = engine.values();
    let mut families = Families::new(dense, engine.parameters(), &recipe.sparsity)?;
    let mut chooser = Chooser::new(recipe, dense, &mut families, values, meter)?;
    let scores = method::Method::scores(&mut crate::sparsify::magnitude::Magnitude, &mut families, values)?;
    let kept = chooser.choose(run, &mut families, &scores, dense)?;
    let optimizer = &recipe.optimizer;
    let adam = optimizer.name.slots(&optimizer.hyper(optimizer.lr)).contains(&SECOND_MOMENT);
    let start = Start {
        graph: dense,
        families: &mut families,
        values,
        kept: &kept,
        weights: &chooser.weights,
        prox,
        adam: adam.then_some(AdamMetric { beta2: optimizer.beta2, epsilon: optimizer.epsilon }),
    };
    let method = method::start(&recipe.sparsity, start)?;
    let alive = match Alive::from_bytes(&families, &at.alive)? {
        Some(alive) => alive,
        None => Alive::new(&families, families.all())?,
    };
    let mut sparse = Sparse { families, alive, method };
    run.phase(at, Some(&mut sparse), None)?;

    let Sparse { mut families, alive, method } = sparse;
    let engine = run.engine(&at.graph)?;
    let values = engine.values();
    let kept = match method {
        // A ramp of no epochs has decided nothing.
        Some(method) if method.decides() && alive.is_masked() => alive.kept().clone(),
        Some(mut method) => {
            let scores = method.scores(&mut families, values)?;
            chooser.choose(run, &mut families, &scores, &at.graph)?
        }
        None => families.all(),
    };
    at.graph = families.cut(&at.graph, &kept)?;
    at.progress.left_out = families.left_out(&kept);
    at.enter(super::Phase::Finetune);
    if !recipe.sparsity.groups.is_removed() {
        at.alive = Alive::new(&families, kept)?.to_bytes(&families);
    }
    Ok(())
}

/// What holds dropped weights at zero while the network is repaired; none where they have left the network.
pub(super) fn held(run: &Run<'_>, at: &Checkpoint) -> Result<Option<Sparse>, TrainError> {
    let options = &run.recipe.sparsity;
    if options.groups.is_removed() || options.method == Method::None {
        return Ok(None);
    }
    let engine = run.engine(&at.graph)?;
    let families = Families::new(&at.graph, engine.parameters(), options)?;
    let alive = Alive::from_bytes(&families, &at.alive)?;
    Ok(alive.map(|alive| Sparse { families, alive, method: None }))
}

#[cfg(test)]
mod tests;
