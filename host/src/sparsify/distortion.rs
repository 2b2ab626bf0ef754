//! Rate–distortion allocation: what dropping groups of each layer does to the outputs, and the counts that do least.
//!
//! specs/compression.md §5. Distortions of layers are taken to add up, which makes it a knapsack with one choice a layer
//! ([`super::knapsack`]). Of the reference's table that solver has neither fault: the first layer is paid for at every
//! capacity, and no layer takes a choice that only comes near the capacity.

use super::allocate::{Ranking, Spread};
use super::error::SparsifyError;
use super::knapsack::{Choice, solve};
use super::parameter_groups::{KeptGroups, ParameterGroups};
use crate::engine::Engine;

/// Counts of each layer that are measured.
const MEASURED: usize = 16;
/// Counts of each layer that may be chosen; between measured ones a curve is a straight line.
const CHOICES: usize = 256;
/// Shares that are tried to meet a budget.
const SHARES: usize = 64;

/// What distortions are measured with.
pub struct Calibration<'a> {
    /// The network.
    pub engine: &'a mut Engine,
    /// Samples, one after the other.
    pub x: &'a [f32],
    /// How many there are.
    pub samples: usize,
    /// Samples that the engine takes at once.
    pub batch: usize,
}

impl Calibration<'_> {
    /// The scores of all samples before the softmax.
    fn logits(&mut self) -> Result<Vec<f32>, SparsifyError> {
        let sample_len = self.x.len() / self.samples.max(1);
        let mut all = Vec::new();
        for x in self.x.chunks((self.batch * sample_len).max(1)) {
            all.extend_from_slice(self.engine.logits(x, x.len() / sample_len)?);
        }
        Ok(all)
    }
}

/// The counts that may be chosen for each layer, ascending from 1 to all, with what they cost and what they do.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    counts: Vec<Vec<usize>>,
    choices: Vec<Vec<Choice>>,
    /// The cost of all groups.
    total: f64,
}

impl Curves {
    /// Measures the distortion of each layer by itself: the mean, over samples and outputs, of the square of what the
    /// scores change by when all but the best of its groups are zero. A kept group costs its weight `d_j`.
    ///
    /// # Errors
    /// [`SparsifyError`].
    pub fn measure(
        mut calibration: Calibration<'_>,
        layers: &ParameterGroups,
        ranking: &Ranking,
        weights: &[Vec<f64>],
    ) -> Result<Self, SparsifyError> {
        let values = calibration.engine.values().to_vec();
        let reference = calibration.logits()?;
        let sizes = ranking.sizes();
        let mut curves = Self { counts: Vec::new(), choices: Vec::new(), total: weights.iter().flatten().sum() };
        for (f, weights) in weights.iter().enumerate() {
            let mut with = sizes.clone();
            let mut measured = Vec::new();
            for count in evenly(sizes[f], MEASURED) {
                with[f] = count;
                calibration.engine.values_mut().copy_from_slice(&values);
                for i in layers.dropped_values(&ranking.best(&with))? {
                    calibration.engine.values_mut()[i] = 0.0;
                }
                measured.push((count, mean_square(&reference, &calibration.logits()?)));
            }
            let counts = evenly(sizes[f], CHOICES);
            let choice = |&count: &usize| {
                with[f] = count;
                let cost = ranking.best(&with)[f].iter().map(|&j| weights[j]).sum();
                Choice { cost, error: interpolated(&measured, count) }
            };
            curves.choices.push(counts.iter().map(choice).collect());
            curves.counts.push(counts);
        }
        calibration.engine.values_mut().copy_from_slice(&values);
        Ok(curves)
    }
}

/// The least distortion for a share of the cost of all groups.
pub struct Distortion<'a> {
    /// The groups, the best first.
    pub ranking: &'a Ranking,
    /// What counts cost and do.
    pub curves: &'a Curves,
}

impl Spread for Distortion<'_> {
    fn shares(&self) -> Vec<f64> {
        (1..=SHARES).map(|n| n as f64 / SHARES as f64).collect()
    }

    /// Costs at most the share of all groups' costs, or one group a layer where that costs more. A larger share never
    /// allows less, but where weights differ it may buy fewer groups.
    fn kept(&self, share: f64) -> KeptGroups {
        let Curves { counts, choices, total } = self.curves;
        // A share of whole groups must not lose one to rounding.
        let capacity = share * total * (1.0 + 1e-12);
        let chosen = solve(choices, capacity).unwrap_or_else(|| vec![0; choices.len()]);
        let counts: Vec<usize> = counts.iter().zip(chosen).map(|(counts, o)| counts[o]).collect();
        self.ranking.rounded(&counts)
    }
}

/// Up to `most` counts from 1 to `groups`.
fn evenly(groups: usize, most: usize) -> Vec<usize> {
    let n = groups.min(most);
    (0..n).map(|i| 1 + i * (groups - 1) / (n - 1).max(1)).collect()
}

/// The value at `count` of the line through `points`, ascending, the first of them at 1 and the last at all groups.
fn interpolated(points: &[(usize, f64)], count: usize) -> f64 {
    let after = points.partition_point(|point| point.0 < count);
    match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
        (_, Some(&(at, error))) if at == count => error,
        (Some(&(from, low)), Some(&(to, high))) => low + (high - low) * ((count - from) as f64 / (to - from) as f64),
        (before, after) => after.or(before).map_or(0.0, |point| point.1),
    }
}

fn mean_square(reference: &[f32], other: &[f32]) -> f64 {
    let squares = reference.iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    squares.sum::<f64>() / reference.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;
    use crate::sparsify::options::Sparsity;
    use crate::zoo;

    fn sum(kept: &KeptGroups) -> usize {
        kept.iter().map(Vec::len).sum()
    }

    #[test]
    fn measured_counts_run_from_one_to_all_and_curves_are_straight_between_them() {
        assert_eq!(evenly(1, 16), [1]);
        assert_eq!(evenly(3, 16), [1, 2, 3]);
        assert_eq!(evenly(7, 3), [1, 4, 7]);
        let points = [(1, 8.0), (4, 2.0), (7, 0.0)];
        let errors: Vec<f64> = (1..=7).map(|count| interpolated(&points, count)).collect();
        assert_eq!(errors[..4], [8.0, 6.0, 4.0, 2.0]);
        assert_eq!(errors[6], 0.0);
        assert!(errors.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn a_layer_whose_groups_do_nothing_is_given_up_first() {
        let mut graph = zoo::by_name("small-cnn").expect("in the zoo").build(&[8, 8, 1], 10, 1).expect("fits");
        let options = EngineOptions { batch: 8, threads: 1 };
        let engine = Engine::new(&graph, options).expect("a network");
        let mut layers = ParameterGroups::new(&graph, engine.parameters(), &Sparsity::default()).expect("has channels");
        // All but the first three channels of the second layer are zero.
        let kept: KeptGroups = layers.list.iter().map(|layer| (0..layer.groups).collect()).collect();
        let mut few = kept.clone();
        few[1].truncate(3);
        let mut engine = engine;
        for i in layers.dropped_values(&few).expect("fits") {
            engine.values_mut()[i] = 0.0;
        }
        engine.store(&mut graph);
        let values = engine.values().to_vec();
        let scores: Vec<Vec<f64>> =
            layers.list.iter_mut().map(|layer| layer.squares(&values).expect("fits").to_vec()).collect();
        let weights: Vec<Vec<f64>> = scores.iter().map(|scores| vec![1.0; scores.len()]).collect();
        let ranking = Ranking::new(&scores, &vec![1.0; scores.len()], &weights, 1);
        let x: Vec<f32> = (0..20 * 64).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
        let calibration = Calibration { engine: &mut engine, x: &x, samples: 20, batch: 8 };
        let curves = Curves::measure(calibration, &layers, &ranking, &weights).expect("fits");
        assert_eq!(engine.values(), values);
        for (choices, layer) in curves.choices.iter().zip(&layers.list) {
            assert_eq!(choices.last().expect("has all").error, 0.0, "{}", layer.name);
            assert!(choices[0].error > 0.0, "{}", layer.name);
        }
        let spread = Distortion { ranking: &ranking, curves: &curves };
        let all = layers.groups();
        let counts: Vec<usize> = spread.kept((all - 29) as f64 / all as f64).iter().map(Vec::len).collect();
        assert_eq!(counts[1], 3);
        let lost = curves.choices.iter().zip(&counts).map(|(choices, &count)| choices[count - 1].error).sum::<f64>();
        assert_eq!(lost, 0.0);
        assert!(spread.shares().windows(2).all(|pair| sum(&spread.kept(pair[0])) <= sum(&spread.kept(pair[1]))));
        assert!(sum(&spread.kept(1.0)) <= all - 29, "groups that do nothing are not worth their cost");
        assert_eq!(sum(&spread.kept(1e-9)), layers.list.len());
    }
}
