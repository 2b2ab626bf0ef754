//! How many groups of each layer stay: a share, or as many as a budget allows, found by bisection.

use super::cost::{Meter, total};
use super::error::SparsifyError;
use super::options::Sparsity;
use super::parameter_groups::{KeptGroups, ParameterGroups};
use crate::graph::Graph;

/// A budget of which this share is used is used up.
const USED_UP: f64 = 0.97;

/// A way to turn one number into a choice of groups.
pub trait Spread {
    /// Shares at which the choice changes, ascending; the last is 1.
    fn shares(&self) -> Vec<f64>;

    /// The choice for a share in `(0, 1]`: never fewer groups for a larger share, and at least one a layer.
    fn kept(&self, share: f64) -> KeptGroups;
}

/// Groups ranked within their layers, the best first; ties to the lower index.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// One list a layer.
    order: Vec<Vec<usize>>,
    /// How much each group is worth beside those of other layers, in the order of `order`.
    worth: Vec<Vec<f64>>,
    /// What counts are rounded up to.
    multiple: usize,
}

impl Ranking {
    /// Ranks by `scores`. Between layers, a score counts relative to `reference` (the layer's mean score in the
    /// dense network) and to the group's weight. Layers keep multiples of `multiple` groups, or all.
    pub fn new(scores: &[Vec<f64>], reference: &[f64], weights: &[Vec<f64>], multiple: usize) -> Self {
        let mut order = Vec::with_capacity(scores.len());
        let mut worth = Vec::with_capacity(scores.len());
        for ((scores, reference), weights) in scores.iter().zip(reference).zip(weights) {
            let mut best: Vec<usize> = (0..scores.len()).collect();
            best.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
            let scale = reference.max(f64::MIN_POSITIVE);
            worth.push(best.iter().map(|&j| scores[j] / scale / weights[j]).collect());
            order.push(best);
        }
        Self { order, worth, multiple }
    }

    /// The best of each layer, about `counts` of them: as many as fill whole multiples.
    pub(super) fn rounded(&self, counts: &[usize]) -> KeptGroups {
        let counts: Vec<usize> = counts.iter().map(|n| n.next_multiple_of(self.multiple)).collect();
        self.best(&counts)
    }

    /// The best of each layer, `counts` of them, ascending.
    pub fn best(&self, counts: &[usize]) -> KeptGroups {
        let best = |(order, &count): (&Vec<usize>, &usize)| {
            let mut kept = order[..count.clamp(1, order.len())].to_vec();
            kept.sort_unstable();
            kept
        };
        self.order.iter().zip(counts).map(best).collect()
    }

    /// Groups of each layer.
    pub fn sizes(&self) -> Vec<usize> {
        self.order.iter().map(Vec::len).collect()
    }
}

/// Groups that a layer of `groups` keeps: `ceil(share * groups)`, at least one.
pub fn count(groups: usize, share: f64) -> usize {
    ((share * groups as f64).ceil() as usize).clamp(1, groups)
}

/// The same share of every layer.
pub struct Uniform<'a>(pub &'a Ranking);

impl Spread for Uniform<'_> {
    fn shares(&self) -> Vec<f64> {
        let mut shares: Vec<f64> = Vec::new();
        for m in self.0.sizes() {
            shares.extend((1..=m).map(|n| n as f64 / m as f64));
        }
        shares.sort_by(f64::total_cmp);
        shares.dedup();
        shares
    }

    fn kept(&self, share: f64) -> KeptGroups {
        let counts: Vec<usize> = self.0.sizes().into_iter().map(|m| count(m, share)).collect();
        self.0.rounded(&counts)
    }
}

/// The groups worth most, whatever their layer.
pub struct Global<'a>(pub &'a Ranking);

impl Spread for Global<'_> {
    fn shares(&self) -> Vec<f64> {
        let m: usize = self.0.sizes().iter().sum();
        (1..=m).map(|n| n as f64 / m as f64).collect()
    }

    fn kept(&self, share: f64) -> KeptGroups {
        let sizes = self.0.sizes();
        let k = count(sizes.iter().sum(), share);
        let mut all: Vec<(usize, usize)> =
            sizes.iter().enumerate().flat_map(|(f, &m)| (0..m).map(move |rank| (f, rank))).collect();
        let worth = |&(f, rank): &(usize, usize)| self.0.worth[f][rank];
        // The first of a layer comes before all others: no layer is left empty.
        all.sort_by(|a, b| {
            let first = (b.1 == 0).cmp(&(a.1 == 0));
            first.then(worth(b).total_cmp(&worth(a))).then(a.cmp(b))
        });
        let mut counts = vec![0; sizes.len()];
        all.iter().take(k).for_each(|(f, _)| counts[*f] += 1);
        self.0.rounded(&counts)
    }
}

/// The choice that `options` ask for: a share, or the largest that a budget allows, then single groups while they fit.
///
/// # Errors
/// [`SparsifyError::Budget`] when the smallest choice costs too much; [`SparsifyError::Meter`].
pub fn choose(
    options: &Sparsity,
    spread: &dyn Spread,
    ranking: &Ranking,
    layers: &ParameterGroups,
    graph: &Graph,
    meter: &mut dyn Meter,
) -> Result<KeptGroups, SparsifyError> {
    let Some(budget) = options.budget else { return Ok(spread.kept(options.keep)) };
    let limit = budget.of(total(graph, budget.unit, meter)?);
    let mut cost = |kept: &KeptGroups| total(&layers.cut(graph, kept)?, budget.unit, meter);
    let shares = spread.shares();
    let physical = options.groups.is_removed();
    let refused = |least| SparsifyError::Budget { unit: budget.unit.name(), limit, least, physical };
    let Some(&smallest) = shares.first() else { return Err(refused(f64::NAN)) };
    let least = cost(&spread.kept(smallest))?;
    if least > limit {
        return Err(refused(least));
    }
    // shares[fits] meets the budget, shares[too_much] does not.
    let (mut fits, mut too_much) = (0, shares.len());
    while too_much - fits > 1 {
        let middle = fits.midpoint(too_much);
        if cost(&spread.kept(shares[middle]))? <= limit { fits = middle } else { too_much = middle }
    }
    let mut counts: Vec<usize> = spread.kept(shares[fits]).iter().map(Vec::len).collect();
    if physical && too_much < shares.len() {
        for step in [options.multiple, 1] {
            top_up(&mut counts, step, ranking, limit, &mut cost)?;
        }
    }
    Ok(ranking.best(&counts))
}

/// Adds `step` groups to the layer that has lost the largest share, while they fit, until the budget is used up; a
/// layer whose next groups do not fit is done.
fn top_up(
    counts: &mut [usize],
    step: usize,
    ranking: &Ranking,
    limit: f64,
    cost: &mut dyn FnMut(&KeptGroups) -> Result<f64, SparsifyError>,
) -> Result<(), SparsifyError> {
    let sizes = ranking.sizes();
    let mut open: Vec<usize> = (0..counts.len()).collect();
    let mut used = cost(&ranking.best(counts))?;
    while used < USED_UP * limit {
        open.retain(|&f| counts[f] < sizes[f]);
        let share = |f: usize| counts[f] as f64 / sizes[f] as f64;
        let Some(&f) = open.iter().min_by(|&&a, &&b| share(a).total_cmp(&share(b)).then(a.cmp(&b))) else { break };
        let before = counts[f];
        counts[f] = (before + step).min(sizes[f]);
        let now = cost(&ranking.best(counts))?;
        if now > limit {
            counts[f] = before;
            open.retain(|&other| other != f);
        } else {
            used = now;
        }
    }
    Ok(())
}
