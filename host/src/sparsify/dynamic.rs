//! Dynamic sparse training: a fixed number of groups, of which the smallest are exchanged for others again and again.
//!
//! SET and RigL (specs/sparse_and_graph.md §6.2, §6.3), published for single weights and used here for any group. Unlike
//! the papers' networks, which are sparse from their first step, these start from the largest groups of a dense network,
//! as every other method here does.

use super::alive::Alive;
use super::erdos_renyi;
use super::error::SparsifyError;
use super::method::{Method, Stage, Start, Update};
use super::options::{GroupKind, Sparsity};
use super::parameter_groups::KeptGroups;
use rand_chacha::{ChaCha8Rng, rand_core::Rng};

/// SET: share of the groups that is exchanged after an epoch (`zeta`).
const EXCHANGED: f64 = 0.3;
/// RigL: share of the groups that is exchanged first (`alpha`).
const FIRST_EXCHANGED: f64 = 0.3;
/// RigL: steps from one exchange to the next (`ΔT`).
const INTERVAL: usize = 100;
/// RigL: share of all steps after which nothing is exchanged.
const LAST_EXCHANGE: f64 = 0.75;

/// What comes in for the groups that go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Groups at random, after every epoch but the last (SET).
    Random,
    /// The groups whose gradient is largest, every 100 steps of the first three quarters, in place of the optimizer's
    /// step (RigL). A channel that feeds a rectifier has no gradient while it is zero: with `groups = "filter"` the
    /// groups that just went are the only candidates with one.
    Gradient,
}

/// Dynamic sparse training.
pub struct Dynamic {
    growth: Growth,
    /// The groups that are there in the first step.
    first: KeptGroups,
}

impl Dynamic {
    /// As many groups as `start.kept` has: for single weights without a budget they are spread over the layers by ERK
    /// densities, otherwise as in `start.kept`, since another spread might not meet the budget.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn new(growth: Growth, options: &Sparsity, start: Start<'_>) -> Result<Self, SparsifyError> {
        let mut counts: Vec<usize> = start.kept.iter().map(Vec::len).collect();
        if options.groups == GroupKind::Weight && options.budget.is_none() {
            counts = erdos_renyi::counts(&shapes(&start), counts.iter().sum());
        }
        let mut first = KeptGroups::new();
        for (layer, count) in start.layers.list.iter_mut().zip(counts) {
            let all = (0..layer.groups).collect();
            first.push(ascending(largest(all, layer.squares(start.values)?, count)));
        }
        Ok(Self { growth, first })
    }

    /// SET after an epoch: the smallest go, as many come in at random, at zero and with fresh moments.
    fn exchange_at_random(stage: &mut Stage<'_>, rng: &mut ChaCha8Rng) -> Result<(), SparsifyError> {
        let before = stage.alive.kept().clone();
        let ones = vec![1.0; stage.values.len()];
        let mut kept = KeptGroups::new();
        for (layer, alive) in stage.layers.list.iter_mut().zip(&before) {
            kept.push(if layer.sizes.iter().all(|size| *size == 1) {
                stay_by_sign(alive, layer.products(stage.values, &ones)?)
            } else {
                let gone = (EXCHANGED * alive.len() as f64) as usize;
                ascending(largest(alive.clone(), layer.squares(stage.values)?, alive.len() - gone))
            });
        }
        let stay = Alive::new(stage.layers, kept)?;
        stay.hold(stage.values);
        stage.slots.flat_mut().into_iter().for_each(|slot| stay.hold(slot));
        let mut kept = stay.kept().clone();
        for ((layer, kept), before) in stage.layers.list.iter().zip(&mut kept).zip(&before) {
            let mut empty = others(layer.groups, kept);
            for i in 0..before.len() - kept.len() {
                // The bias of the remainder is below 2^-32 for any network that fits in memory.
                let at = i + (rng.next_u64() % (empty.len() - i) as u64) as usize;
                empty.swap(i, at);
                kept.push(empty[i]);
            }
            kept.sort_unstable();
        }
        *stage.alive = Alive::new(stage.layers, kept)?;
        Ok(())
    }

    /// RigL's exchange: a share `f` of the groups, the smallest, for those with the largest gradients. What just went may
    /// come back, with its values; what was away starts at zero, where it was held.
    fn exchange_by_gradient(stage: &mut Stage<'_>, share: f64) -> Result<(), SparsifyError> {
        let mut kept = KeptGroups::new();
        for (layer, alive) in stage.layers.list.iter_mut().zip(stage.alive.kept()) {
            let gone = (share * alive.len() as f64) as usize;
            let mut stay = largest(alive.clone(), layer.squares(stage.values)?, alive.len() - gone);
            stay.sort_unstable();
            let empty = others(layer.groups, &stay);
            stay.extend(largest(empty, layer.squares(stage.gradients)?, gone));
            kept.push(ascending(stay));
        }
        *stage.alive = Alive::new(stage.layers, kept)?;
        Ok(())
    }
}

impl Method for Dynamic {
    fn begin_epoch(&mut self, stage: &mut Stage<'_>, rng: &mut ChaCha8Rng) -> Result<(), SparsifyError> {
        if stage.at.epoch == 0 {
            *stage.alive = Alive::new(stage.layers, self.first.clone())?;
            // The trainer holds them from the end of this step on.
            stage.alive.hold(stage.values);
        } else if self.growth == Growth::Random {
            Self::exchange_at_random(stage, rng)?;
        }
        Ok(())
    }

    fn before_step(&mut self, stage: &mut Stage<'_>) -> Result<Update, SparsifyError> {
        let end = LAST_EXCHANGE * stage.at.steps as f64;
        let step = stage.at.step;
        if self.growth == Growth::Random || !step.is_multiple_of(INTERVAL) || step as f64 >= end {
            return Ok(Update::Optimizer);
        }
        Self::exchange_by_gradient(stage, exchanged(step as f64, end))?;
        Ok(Update::Replaced)
    }

    fn decides(&self) -> bool {
        true
    }
}

/// RigL's share of the groups that is exchanged at step `t`, which falls to 0 at `end` (§6.3).
fn exchanged(t: f64, end: f64) -> f64 {
    0.5 * FIRST_EXCHANGED * (1.0 + (std::f64::consts::PI * t / end).cos())
}

/// The weight shapes of the layers, each the second input of the node that the layer is named after.
fn shapes(start: &Start<'_>) -> Vec<Vec<usize>> {
    let shape = |name: &str| {
        let node = start.graph.nodes.iter().find(|node| node.name == name)?;
        node.inputs.get(1).map(|&weights| start.graph[weights].shape.clone())
    };
    start.layers.list.iter().map(|layer| shape(&layer.name).unwrap_or_else(|| vec![layer.groups])).collect()
}

/// The single weights of `alive` that stay when the smallest of the positive ones and of the negative ones go.
fn stay_by_sign(alive: &[usize], values: &[f64]) -> Vec<usize> {
    let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    let side = |sign: f64| alive.iter().copied().filter(|&j| values[j] * sign > 0.0).collect::<Vec<_>>();
    let stay = |side: Vec<usize>| {
        let gone = (EXCHANGED * side.len() as f64) as usize;
        let count = side.len() - gone;
        largest(side, &sizes, count)
    };
    let mut kept = stay(side(1.0));
    kept.extend(stay(side(-1.0)));
    // Neither positive nor negative: zeros that came in and did not move, and values that are not numbers.
    kept.extend(alive.iter().copied().filter(|&j| values[j] == 0.0 || values[j].is_nan()));
    ascending(kept)
}

/// The `count` groups that are worth most; ties to the lower index.
fn largest(mut groups: Vec<usize>, worth: &[f64], count: usize) -> Vec<usize> {
    groups.sort_by(|&a, &b| worth[b].total_cmp(&worth[a]).then(a.cmp(&b)));
    groups.truncate(count);
    groups
}

fn ascending(mut groups: Vec<usize>) -> Vec<usize> {
    groups.sort_unstable();
    groups
}

/// The groups of `0..len` that are not in `groups`, both ascending.
fn others(len: usize, groups: &[usize]) -> Vec<usize> {
    let mut there = vec![false; len];
    groups.iter().for_each(|&j| there[j] = true);
    (0..len).filter(|&j| !there[j]).collect()
}

#[cfg(test)]
mod tests;
