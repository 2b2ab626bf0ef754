//! Sparsity-informed adaptive pruning (SAP): after every round, the PQ index of a layer says how much of it can go.
//!
//! specs/sparse_and_graph.md §5, with a layer's groups, by their norms, where the paper has its weights.

use super::alive::Alive;
use super::error::SparsifyError;
use super::method::{Method, Stage, Start, Update};
use rand_chacha::ChaCha8Rng;

/// How much may go in a round (§5.1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The smaller exponent of the index.
    pub p: f64,
    /// The larger one.
    pub q: f64,
    /// What the largest entries may miss of the `p`-norm.
    pub eta: f64,
    /// How much of what the index allows is pruned.
    pub gamma: f64,
    /// The largest share that goes in one round.
    pub beta: f64,
}

impl Rule {
    /// The paper's, §5.3.
    pub const PUBLISHED: Self = Self { p: 0.5, q: 1.0, eta: 0.0, gamma: 1.0, beta: 0.9 };

    /// The PQ index `1 − d^(1/q − 1/p) ||w||_p / ||w||_q` of `d` entries, none of them pruned: 0 where all are of one
    /// size, the larger the sparser. 0 for no entries and for zeros alone, NaN where an entry is not finite.
    pub fn index(&self, entries: &[f64]) -> f64 {
        let d = entries.len() as f64;
        let norm = |p: f64| entries.iter().map(|w| w.abs().powf(p)).sum::<f64>().powf(1.0 / p);
        let large = norm(self.q);
        if large == 0.0 {
            return 0.0;
        }
        let index = 1.0 - d.powf(1.0 / self.q - 1.0 / self.p) * norm(self.p) / large;
        // Rounding can make the index of equal entries negative; NaN stays.
        if index < 0.0 { 0.0 } else { index }
    }

    /// How many of `entries` can do without the others (`r` of §5.1), at least one of any.
    pub fn needed(&self, entries: &[f64]) -> usize {
        let d = entries.len();
        let Self { p, q, eta, .. } = *self;
        let bound = (1.0 + eta).powf(-q / (q - p)) * (1.0 - self.index(entries)).powf(p * q / (q - p));
        // A whole number that rounding has lifted must not count as the next one. NaN needs all.
        let needed = (d as f64 * bound * (1.0 - 1e-12)).ceil();
        if needed.is_nan() { d } else { (needed as usize).clamp(d.min(1), d) }
    }

    /// How many of `entries` go in a round (`c` of §5.1): `floor(d min(gamma (1 − r/d), beta))`, with `d − r` exact.
    pub fn pruned(&self, entries: &[f64]) -> usize {
        let d = entries.len();
        let spare = (d - self.needed(entries)) as f64;
        (self.gamma * spare).min(self.beta * d as f64).max(0.0) as usize
    }
}

/// SAP over the epochs of a ramp, each of them a round.
///
/// After a round the groups that are left go back to their values in the dense network, the rewind point, with fresh
/// moments; batch statistics, which are not trained, stay as they are, and so does Adam's step count. No layer falls below
/// the groups that it keeps in `start.kept`. What the rounds leave too many, the ranking by norms takes at the cut.
pub struct Sap {
    rule: Rule,
    /// Groups that each layer keeps.
    counts: Vec<usize>,
    dense: Vec<f32>,
    rewound: bool,
}

impl Sap {
    /// SAP with the paper's constants.
    pub fn new(start: &Start<'_>) -> Self {
        let counts = start.kept.iter().map(Vec::len).collect();
        Self { rule: Rule::PUBLISHED, counts, dense: start.values.to_vec(), rewound: false }
    }
}

impl Method for Sap {
    fn begin_epoch(&mut self, stage: &mut Stage<'_>, _rng: &mut ChaCha8Rng) -> Result<(), SparsifyError> {
        if stage.at.epoch == 0 {
            return Ok(());
        }
        let mut kept = stage.alive.kept().clone();
        for ((layer, kept), count) in stage.layers.list.iter_mut().zip(&mut kept).zip(&self.counts) {
            let squares = layer.squares(stage.values)?;
            let norms: Vec<f64> = kept.iter().map(|&j| squares[j].sqrt()).collect();
            let gone = self.rule.pruned(&norms).min(kept.len().saturating_sub(*count));
            // The smallest go; of equal ones those with the higher index, as in every ranking here.
            kept.sort_by(|&a, &b| squares[b].total_cmp(&squares[a]).then(a.cmp(&b)));
            kept.truncate(kept.len() - gone);
            kept.sort_unstable();
        }
        *stage.alive = Alive::new(stage.layers, kept)?;
        if stage.values.iter().all(|value| value.is_finite()) {
            stage.values.copy_from_slice(&self.dense);
            stage.alive.hold(stage.values);
            stage.slots.flat_mut().into_iter().for_each(|slot| slot.fill(0.0));
            self.rewound = true;
        }
        Ok(())
    }

    fn before_step(&mut self, _stage: &mut Stage<'_>) -> Result<Update, SparsifyError> {
        // The gradients of this step belong to the values before they were taken back.
        Ok(if std::mem::take(&mut self.rewound) { Update::Replaced } else { Update::Optimizer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one tolerance table of this file: the vectors have ten digits.
    const DIGITS: f64 = 1e-9;

    const ONE_TWO: Rule = Rule { p: 1.0, q: 2.0, ..Rule::PUBLISHED };

    fn assert_index(rule: Rule, entries: &[f64], expected: f64) {
        let got = rule.index(entries);
        assert!((got - expected).abs() < DIGITS, "{got} is not {expected}");
    }

    #[test]
    fn the_vectors_of_the_spec_hold() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        assert_index(Rule::PUBLISHED, &ten, 0.0821390461);
        assert_eq!((Rule::PUBLISHED.needed(&ten), Rule::PUBLISHED.pruned(&ten)), (10, 0));
        assert_index(ONE_TWO, &ten, 0.1135947396);
        // In binary fractions 10 (1 - 8/10) is below 2.
        assert_eq!((ONE_TWO.needed(&ten), ONE_TWO.pruned(&ten)), (8, 2));
        let eager = Rule { eta: 0.001, gamma: 1.2, ..ONE_TWO };
        assert_eq!((eager.needed(&ten), eager.pruned(&ten)), (8, 2));
    }

    #[test]
    fn one_entry_among_zeros_is_all_that_is_needed() {
        let mut one_hot = [0.0; 10];
        one_hot[3] = -2.0;
        assert_index(Rule::PUBLISHED, &one_hot, 0.9);
        assert_eq!((Rule::PUBLISHED.needed(&one_hot), Rule::PUBLISHED.pruned(&one_hot)), (1, 9));
        let careful = Rule { beta: 0.5, ..Rule::PUBLISHED };
        assert_eq!(careful.pruned(&one_hot), 5);
    }

    #[test]
    fn nothing_goes_where_the_index_says_nothing() {
        for rule in [Rule::PUBLISHED, ONE_TWO] {
            for entries in [&[][..], &[0.0; 7], &[0.3], &[0.1; 9], &[1e-30; 5], &[1.0, f64::NAN, 0.0], &[f64::INFINITY]]
            {
                assert_eq!(rule.pruned(entries), 0, "{rule:?} {entries:?}");
            }
            assert_eq!((rule.index(&[]), rule.index(&[0.0; 3])), (0.0, 0.0));
        }
    }

    #[test]
    fn the_index_knows_neither_scale_nor_repetition() {
        let entries = [0.3, -1.0, 2.5, 0.01];
        for rule in [Rule::PUBLISHED, ONE_TWO] {
            let index = rule.index(&entries);
            assert_index(rule, &entries.map(|w| 1e3 * w), index);
            assert_index(rule, &[entries, entries].concat(), index);
        }
    }
}
