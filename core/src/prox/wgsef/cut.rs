//! Where a budget ends among groups in descending order of gain per cost, without sorting them.

use crate::real::Real;

/// The group at which the budget ends.
pub(super) struct Cut {
    /// All groups with a larger gain than this fit together.
    pub(super) gain: f64,
    /// What they leave of the budget for groups with exactly this gain.
    pub(super) rest: f64,
}

impl Cut {
    /// The smallest non-negative gain such that all groups above it fit, by bisection over bit patterns.
    ///
    /// `groups` gives gains per cost, and costs; gains that are not a number count as larger than all others.
    pub(super) fn at<I: Iterator<Item = (f64, f64)>>(budget: f64, groups: impl Fn() -> I) -> Self {
        let above = |x: f64| groups().filter(|(gain, _)| *gain > x || gain.is_nan()).map(|(_, cost)| cost).sum::<f64>();
        let (mut lo, mut hi) = (0.0, f64::INFINITY);
        if above(lo) > budget {
            while let Some(mid) = f64::between(lo, hi) {
                if above(mid) > budget { lo = mid } else { hi = mid }
            }
        } else {
            hi = lo;
        }
        Self { gain: hi, rest: budget - above(hi) }
    }
}
