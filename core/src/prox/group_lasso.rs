//! Group lasso: a penalty on the norm of each group, whose prox shrinks every norm by one amount.

use super::wgsef::{Kind, Weights, check_lambda, check_scales};
use crate::error::ProxError;
use crate::real::Real;

/// `Σ w_j ||θ_j||` with `w_j > 0`, for example `√|group|` (specs/optimizers.md §6).
///
/// In a diagonal metric that is constant within each group, the factors of `argmin λ Σ w_j ||θ_j|| + ½ Σ D_j ||θ_j − t_j||²`
/// are those for the norms of `t` and the weights `w_j / D_j`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupLasso<'a, T> {
    weights: Weights<'a, T>,
}

impl<'a, T: Real> GroupLasso<'a, T> {
    /// # Errors
    /// [`ProxError::Weight`] names the first weight that is not positive and finite.
    pub fn try_new(weights: Weights<'a, T>) -> Result<Self, ProxError> {
        match weights.bad() {
            Some(group) => Err(ProxError::Weight { group }),
            None => Ok(Self { weights }),
        }
    }

    /// The penalty from the norms of the groups.
    ///
    /// # Errors
    /// [`ProxError::Len`].
    pub fn value(&self, norms: &[T]) -> Result<T, ProxError> {
        self.weights.check_len("weights", norms.len())?;
        let each = norms.iter().zip(self.weights.of(norms.len()));
        Ok(T::from_f64(each.map(|(n, w)| w.to_f64() * n.to_f64()).sum()))
    }

    /// The factors `max(0, 1 − λ w_j / ||t_j||)` of the prox (group soft-thresholding), with `lambda = α λ` after a
    /// gradient step of rate `α`; 0 for norms below [`Real::TINY`], NaN for those that are not finite.
    ///
    /// # Shapes
    /// `norms, scales: [groups]`
    /// # Numerics
    /// In `f64`, rounded once.
    /// # Errors
    /// [`ProxError::Lambda`], [`ProxError::Len`]; nothing is written then.
    pub fn prox_scales(&self, norms: &[T], lambda: T, scales: &mut [T]) -> Result<(), ProxError> {
        self.weights.check_len("weights", norms.len())?;
        check_scales(norms, scales)?;
        check_lambda(lambda)?;
        for ((n, w), s) in norms.iter().zip(self.weights.of(norms.len())).zip(scales) {
            *s = match Kind::of(*n) {
                Kind::Diverged => T::NAN,
                Kind::Zero => T::ZERO,
                Kind::Alive => T::from_f64((1.0 - lambda.to_f64() * w.to_f64() / n.to_f64()).max(0.0)),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test may panic: that is how it fails")]

    use super::{GroupLasso, Weights};
    use crate::error::ProxError;
    use crate::prox::lcg::Lcg;
    use std::{vec, vec::Vec};

    /// The one tolerance table of this file: absolute, factors lie in `[0, 1]`.
    const ROUNDING: f64 = 1e-12;

    fn factors(weights: Weights<'_, f64>, norms: &[f64], lambda: f64) -> Vec<f64> {
        let mut scales = vec![7.0; norms.len()];
        let lasso = GroupLasso::try_new(weights).expect("positive");
        assert_eq!(lasso.prox_scales(norms, lambda, &mut scales), Ok(()));
        scales
    }

    #[test]
    fn every_norm_shrinks_by_its_threshold_and_no_further_than_to_zero() {
        assert_eq!(factors(Weights::One, &[4.0, 2.0, 1.0, 0.5, 0.0], 1.0), [0.75, 0.5, 0.0, 0.0, 0.0]);
        assert_eq!(factors(Weights::Each(&[1.0, 2.0]), &[4.0; 2], 1.0), [0.75, 0.5]);
        assert_eq!(factors(Weights::One, &[3.0, 0.0, 1e-160], 0.0), [1.0, 0.0, 0.0]);
        let diverged = factors(Weights::One, &[f64::NAN, f64::INFINITY, 2.0], 1.0);
        assert!(diverged.iter().take(2).all(|s| s.is_nan()) && diverged.last() == Some(&0.5));
    }

    #[test]
    fn it_is_optimal_also_in_a_metric_that_is_constant_within_groups() {
        let mut lcg = Lcg(8);
        for _ in 0..2000 {
            let (n, w, metric) = (lcg.heavy().abs() + 1e-6, lcg.between(0.1, 3.0), lcg.between(-3.0, 3.0).exp());
            let lambda = lcg.between(0.0, 2.0);
            let s = factors(Weights::Each(&[w / metric]), &[n], lambda).into_iter().sum::<f64>();
            // 0 in λ w ∂||x|| + D (x - t): D (t - x) has the norm λ w where x is not zero, and at most that at zero.
            let pull = metric * n * (1.0 - s);
            let misses = if s > 0.0 { (pull - lambda * w).abs() } else { (pull - lambda * w).max(0.0) };
            assert!(misses <= ROUNDING * metric * n.max(1.0), "{misses:e}");
        }
    }

    #[test]
    fn the_value_is_weighted_and_wrong_operands_are_named() {
        let weights = [2.0_f32, 0.5];
        let lasso = GroupLasso::try_new(Weights::Each(&weights)).expect("positive");
        assert_eq!(lasso.value(&[3.0, 4.0]), Ok(8.0));
        assert_eq!(lasso.value(&[3.0]), Err(ProxError::Len { operand: "weights", expected: 1, got: 2 }));
        assert_eq!(GroupLasso::try_new(Weights::Each(&[1.0, -1.0_f32])), Err(ProxError::Weight { group: 1 }));
        let mut scales = [9.0; 2];
        assert_eq!(lasso.prox_scales(&[1.0; 2], f32::NAN, &mut scales), Err(ProxError::Lambda));
        assert_eq!(scales, [9.0; 2]);
    }
}
