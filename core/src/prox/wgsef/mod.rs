//! The weighted group sparse envelope: the tightest convex function below "ridge with at most `k` non-zero groups".
//!
//! For groups `θ_1 … θ_m` with weights `d_j > 0` and a budget `k`
//! ```text
//! f(θ) = ½ Σ d_j ||θ_j||²  +  { 0 if at most k groups are not zero, else ∞ }
//! F    = f** = ½ min { Σ d_j ||θ_j||² / u_j  :  0 ≤ u_j ≤ 1, Σ u_j ≤ k }          the envelope
//! prox_{λF}(t)_j = u_j / (u_j + λ d_j) · t_j,   u_j = clip(η √d_j ||t_j|| − λ d_j, 0, 1),   Σ u_j = k
//! ```
//! (Refael, Arbel, Huleihel, arXiv 2212.12921; derivation and vectors in specs/sparse_and_graph.md §2.) A large group is
//! only shrunk like ridge, a small one is zeroed, and those between are soft-thresholded at a level that the budget sets.
//! Everything depends on the norms of the groups alone, so the functions here read `m` norms and write `m` factors;
//! [`super::groups`] computes the norms of tensors and applies the factors.
//!
//! # Budgets with costs
//! Where groups cost differently (MACs, bytes, instructions), [`Budget`] replaces "at most `k` groups" by
//! `Σ w_j u_j ≤ K` (§2.9):
//! ```text
//! u_j = clip(η √(d_j / w_j) ||t_j|| − λ d_j, 0, 1),   Σ w_j u_j = K
//! ```
//! This `F` is convex and its prox exact, but it is a relaxation: it is below the envelope of "support that costs at
//! most `K`" where a group fits only in part. `k` groups are the case `w_j = 1`, and all functions are written for both.
//!
//! # Which solver for `η`
//! | [`Solver`] | time | memory of the caller | when |
//! | --- | --- | --- | --- |
//! | [`Solver::Bisection`] | at most 32 (`f32`) or 64 (`f64`) passes | none | on a chip, and for some hundred groups |
//! | [`Solver::Pivoting`] | expected `O(m)`, 3 to 5 visits to each group | one [`Ramp`] for each group | many groups: weights, blocks |
//! | [`Solver::Sorting`] | `O(m log m)` for every input | two numbers for each group | time that depends on no seed |
//!
//! # How to train with it
//! - Proximal SGD: step with rate `α`, then [`Wgsef::prox_scales`] with `lambda = α λ`. Give these tensors no other weight
//!   decay: the envelope contains ridge.
//! - After Adam the same, with `α λ` and in the Euclidean metric. It is a forward–backward step whose two halves use
//!   different metrics, which is common practice.
//! - Adam's own diagonal metric `D_i = √v̂_i + ε` differs *within* a group, so that its exact prox would not scale a group
//!   as one. With `D_j` constant in a group (the mean of its `D_i`) it does (specs/optimizers.md §6): substitute
//!   `φ_j = √D_j θ_j`, that is give [`Wgsef::prox_scales`] the norms `√D_j ||t_j||` and the weights `d_j / D_j`; costs and
//!   budget stay. The factors are those of `argmin λF(θ) + ½ Σ D_j ||θ_j − t_j||²`, and a threshold `λ` becomes `λ / D_j`.
//! - One prox seldom leaves exactly `k` groups. Raise `λ`, then finish with [`Wgsef::hard_scales`], freeze the support and
//!   fine-tune.
//!
//! # Numerics
//! Sums over groups in `f64`. A solver ends in two points with no kink of `Σ w_j u_j(η)` between them (bisection: in
//! neighbouring floats); from there one solve in `f64` and one function compute the factors, the same for all solvers. In
//! `f32` the factors are right to some `1e-7`; the budget to `1e-7 Σ w_j (u_j + λ d_j)`.
//! Norms below [`Real::TINY`] count as zero. A group whose norm is not finite takes no part and gets the factor NaN in
//! every function that writes factors: a diverged group is never silently zeroed. So does one whose
//! `√(d_j / w_j) ||t_j||` leaves the range of the type.

mod cut;
mod solver;

pub use solver::{Ramp, Search, Solver, points_len, ramps_len};

use crate::error::ProxError;
use crate::real::Real;
use cut::Cut;
use solver::{Ramps, factor};

/// The weights `d_j` of the groups, or their costs `w_j`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weights<'a, T> {
    /// Every group weighs 1.
    One,
    /// One positive weight for each group, for example its size.
    Each(&'a [T]),
}

impl<'a, T: Real> Weights<'a, T> {
    /// The first weight that is not positive and finite.
    pub(super) fn bad(&self) -> Option<usize> {
        match self {
            Self::One => None,
            Self::Each(each) => each.iter().position(|d| !(d.is_finite() && *d > T::ZERO)),
        }
    }

    /// The weights of `groups` groups.
    pub(super) fn of(&self, groups: usize) -> impl Iterator<Item = T> + use<'a, T> {
        let (each, ones): (&[T], _) = match self {
            Self::One => (&[], groups),
            Self::Each(each) => (each, 0),
        };
        each.iter().copied().chain(core::iter::repeat_n(T::ONE, ones))
    }

    pub(super) fn check_len(&self, operand: &'static str, groups: usize) -> Result<(), ProxError> {
        match self {
            Self::Each(each) if each.len() != groups => {
                Err(ProxError::Len { operand, expected: groups, got: each.len() })
            }
            _ => Ok(()),
        }
    }
}

/// What the groups that stay may cost together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget<'a, T> {
    /// The bound `K ≥ 0` of `Σ w_j u_j`, in the unit of the costs.
    pub total: f64,
    /// What each group costs: `w_j`.
    pub costs: Weights<'a, T>,
}

/// The envelope `F` for a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wgsef<'a, T> {
    budget: f64,
    costs: Weights<'a, T>,
    weights: Weights<'a, T>,
}

/// What is known of a group: its norm, weight and cost.
#[derive(Clone, Copy)]
struct Group<T> {
    norm: T,
    weight: T,
    cost: T,
}

impl<'a, T: Real> Wgsef<'a, T> {
    /// The envelope with a budget of `k` groups; a `k` above their number makes it ridge.
    ///
    /// # Errors
    /// [`ProxError::Weight`] names the first weight that is not positive and finite.
    pub fn try_new(k: usize, weights: Weights<'a, T>) -> Result<Self, ProxError> {
        Self::try_with_budget(Budget { total: k as f64, costs: Weights::One }, weights)
    }

    /// The convex relaxation with a cost for each group (specs/sparse_and_graph.md §2.9).
    ///
    /// # Errors
    /// [`ProxError::Weight`] and [`ProxError::Cost`] name the first weight or cost that is not positive and finite,
    /// [`ProxError::Budget`] a budget that is negative or not finite.
    pub fn try_with_budget(budget: Budget<'a, T>, weights: Weights<'a, T>) -> Result<Self, ProxError> {
        if let Some(group) = weights.bad() {
            return Err(ProxError::Weight { group });
        }
        if let Some(group) = budget.costs.bad() {
            return Err(ProxError::Cost { group });
        }
        if !(budget.total.is_finite() && budget.total >= 0.0) {
            return Err(ProxError::Budget);
        }
        Ok(Self { budget: budget.total, costs: budget.costs, weights })
    }

    /// `F(θ)` from the norms of the groups; infinite for a budget of 0 unless all are zero, NaN if a norm is.
    ///
    /// # Errors
    /// [`ProxError::Len`].
    pub fn value(&self, norms: &[T]) -> Result<T, ProxError> {
        self.check_groups(norms)?;
        let squares: f64 = self.levels(norms).map(|(b, w)| w * b * b).sum();
        if self.budget == 0.0 {
            return Ok(if squares > 0.0 { T::INFINITY } else { T::from_f64(squares) });
        }
        let Some(tau) = self.saturation(norms) else { return Ok(T::from_f64(0.5 * squares)) };
        let (mut head, mut tail) = (0.0, 0.0);
        for (b, w) in self.levels(norms) {
            if b >= tau {
                head += w * b * b;
            } else {
                tail += w * b;
            }
        }
        Ok(T::from_f64(0.5 * (head + tau * tail)))
    }

    /// `F*(y)`: half the sum of the `k` largest `||y_j||² / d_j`, which is also `f*(y)`; with costs, half the best
    /// fractional filling of the budget with them. NaN if a norm is.
    ///
    /// # Errors
    /// [`ProxError::Len`].
    pub fn conjugate(&self, norms: &[T]) -> Result<T, ProxError> {
        self.check_groups(norms)?;
        let gains = || {
            self.groups(norms).map(|Group { norm, weight, cost }| {
                let cost = cost.to_f64();
                (norm.to_f64() * norm.to_f64() / weight.to_f64() / cost, cost)
            })
        };
        let cut = Cut::at(self.budget, gains);
        let above: f64 = gains().filter(|(gain, _)| *gain > cut.gain || gain.is_nan()).map(|(gain, w)| w * gain).sum();
        let filled = if cut.rest > 0.0 { cut.gain * cut.rest } else { 0.0 };
        Ok(T::from_f64(0.5 * (above + filled)))
    }

    /// The factors `d_j / u_j` of the gradient `∇F(θ)_j = (d_j / u_j) θ_j`; 0 at zero groups, where that is the
    /// subgradient of least norm.
    ///
    /// # Errors
    /// [`ProxError::Len`]; nothing is written then.
    pub fn gradient_scales(&self, norms: &[T], scales: &mut [T]) -> Result<(), ProxError> {
        self.check_groups(norms)?;
        check_scales(norms, scales)?;
        let tau = self.saturation(norms).unwrap_or(0.0);
        for ((group, (b, _)), s) in self.groups(norms).zip(self.levels(norms)).zip(scales) {
            let u = if b >= tau { 1.0 } else { b / tau };
            *s = match Kind::of(group.norm) {
                Kind::Diverged => T::NAN,
                Kind::Zero => T::ZERO,
                Kind::Alive => T::from_f64(group.weight.to_f64() / u),
            };
        }
        Ok(())
    }

    /// The factors of `prox_{λF}(t)`, with `lambda = α λ` after a gradient step of rate `α`, by [`Solver::Bisection`].
    ///
    /// # Shapes
    /// `norms, scales: [groups]`
    /// # Errors
    /// [`ProxError::Lambda`], [`ProxError::Len`]; nothing is written then.
    pub fn prox_scales(&self, norms: &[T], lambda: T, scales: &mut [T]) -> Result<(), ProxError> {
        self.prox_scales_by(Solver::Bisection, norms, lambda, scales).map(|_| ())
    }

    /// The factors of `prox_{λF}(t)` by a solver of the caller's choice, and the result of its search.
    ///
    /// # Shapes
    /// `norms, scales: [groups]`
    /// # Errors
    /// [`ProxError::Lambda`], [`ProxError::Len`], [`ProxError::Scratch`]; nothing is written to `scales` then.
    pub fn prox_scales_by(
        &self,
        solver: Solver<'_, T>,
        norms: &[T],
        lambda: T,
        scales: &mut [T],
    ) -> Result<Search, ProxError> {
        self.check_groups(norms)?;
        check_scales(norms, scales)?;
        check_lambda(lambda)?;
        solver.check_memory(norms.len())?;
        // `scales` holds c_j = √(d_j / w_j) ||t_j|| until the end: 0 for zero groups, NaN for diverged ones.
        for (group, c) in self.groups(norms).zip(scales.iter_mut()) {
            *c = match Kind::of(group.norm) {
                Kind::Diverged => T::NAN,
                Kind::Zero => T::ZERO,
                Kind::Alive => {
                    let c = (group.weight / group.cost).sqrt() * group.norm;
                    if c.is_finite() { c } else { T::NAN }
                }
            };
        }
        let groups = norms.len();
        let search = {
            let coefficients: &[T] = scales;
            let ramps = || {
                let each = coefficients.iter().zip(self.weights.of(groups)).zip(self.costs.of(groups));
                let ramp = move |((c, d), cost): ((&T, T), T)| Ramp { slope: *c, offset: lambda * d, cost };
                each.map(ramp).filter(|ramp| ramp.slope > T::ZERO)
            };
            let everything: f64 = ramps().map(|ramp| ramp.cost.to_f64()).sum();
            if self.budget == 0.0 {
                Search { eta: 0.0, visits: 0 }
            } else if everything <= self.budget || lambda == T::ZERO {
                Search { eta: f64::INFINITY, visits: 0 }
            } else {
                solver.solve(&Ramps { each: ramps, budget: self.budget })
            }
        };
        for (c, d) in scales.iter_mut().zip(self.weights.of(groups)) {
            *c = factor(search.eta, *c, lambda * d);
        }
        Ok(search)
    }

    /// The factors of the exact prox of the non-convex `λ f`: the `k` groups with the largest
    /// `||t_j||² / (1 + λ d_j)` get `1 / (1 + λ d_j)`, the others 0. Ties go to the lower index.
    ///
    /// With costs the exact prox is a knapsack. This is the greedy answer to it: in the order of
    /// `||t_j||² / ((1 + λ d_j) w_j)`, every group that still fits into the budget stays.
    ///
    /// # Numerics
    /// Without memory for a sort: one round, and one more each time a group is too expensive for what is left while later ones
    /// still fit; with equal costs two rounds. A round is at most 64 passes.
    /// # Errors
    /// [`ProxError::Lambda`], [`ProxError::Len`]; nothing is written then.
    pub fn hard_scales(&self, norms: &[T], lambda: T, scales: &mut [T]) -> Result<(), ProxError> {
        self.check_groups(norms)?;
        check_scales(norms, scales)?;
        check_lambda(lambda)?;
        let shrink = |d: T| 1.0 + lambda.to_f64() * d.to_f64();
        // Until the end `scales` says which groups stay. Those, and groups that do not fit, no longer compete.
        let entry = |group: Group<T>, stays: T, rest: f64| {
            let cost = group.cost.to_f64();
            let runs = Kind::of(group.norm) == Kind::Alive && stays == T::ZERO && cost <= rest;
            let square = group.norm.to_f64() * group.norm.to_f64();
            (if runs { square / shrink(group.weight) / cost } else { 0.0 }, cost)
        };
        scales.iter_mut().for_each(|s| *s = T::ZERO);
        let mut rest = self.budget;
        loop {
            let cut = Cut::at(rest, || self.groups(norms).zip(scales.iter()).map(|(g, s)| entry(g, *s, rest)));
            let (mut left, mut any) = (cut.rest, false);
            for (group, s) in self.groups(norms).zip(scales.iter_mut()) {
                let (gain, cost) = entry(group, *s, rest);
                let tie = gain > 0.0 && gain == cut.gain && cost <= left;
                if gain > cut.gain || tie {
                    *s = T::ONE;
                    any = true;
                    left -= if tie { cost } else { 0.0 };
                }
            }
            if !any {
                break;
            }
            rest = left;
        }
        for (group, s) in self.groups(norms).zip(scales) {
            *s = match Kind::of(group.norm) {
                Kind::Diverged => T::NAN,
                _ if *s > T::ZERO => T::from_f64(1.0 / shrink(group.weight)),
                _ => T::ZERO,
            };
        }
        Ok(())
    }

    /// The level `tau` with `Σ w_j min(1, b_j / tau) = K` for `b_j = √(d_j / w_j) ||θ_j||`, to the last bit from above;
    /// none when the groups that are not zero fit into the budget, and for a budget of 0.
    fn saturation(&self, norms: &[T]) -> Option<f64> {
        let levels = || self.levels(norms).filter(|(b, _)| b.is_finite());
        let cost: f64 = levels().filter(|(b, _)| *b > 0.0).map(|(_, w)| w).sum();
        if self.budget == 0.0 || cost <= self.budget {
            return None;
        }
        // min(1, b/tau) <= b/tau, so the root lies below Σwb / K.
        let (mut lo, mut hi) = (0.0, levels().map(|(b, w)| w * b).sum::<f64>() / self.budget);
        while let Some(mid) = f64::between(lo, hi) {
            let sum: f64 = levels().map(|(b, w)| if b >= mid { w } else { w * b / mid }).sum();
            if sum > self.budget { lo = mid } else { hi = mid }
        }
        Some(hi)
    }

    /// `√(d_j / w_j) ||θ_j||` in `f64`, 0 below [`Real::TINY`], and the cost.
    fn levels(&self, norms: &[T]) -> impl Iterator<Item = (f64, f64)> {
        let tiny = |n: T| if n < T::TINY { T::ZERO } else { n };
        self.groups(norms).map(move |Group { norm, weight, cost }| {
            let cost = cost.to_f64();
            ((weight.to_f64() / cost).sqrt() * tiny(norm).to_f64(), cost)
        })
    }

    fn groups(&self, norms: &[T]) -> impl Iterator<Item = Group<T>> {
        let each = norms.iter().copied().zip(self.weights.of(norms.len())).zip(self.costs.of(norms.len()));
        each.map(|((norm, weight), cost)| Group { norm, weight, cost })
    }

    fn check_groups(&self, norms: &[T]) -> Result<(), ProxError> {
        self.weights.check_len("weights", norms.len())?;
        self.costs.check_len("costs", norms.len())
    }
}

/// What the norm of a group says about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Zero,
    Alive,
    Diverged,
}

impl Kind {
    pub(super) fn of<T: Real>(norm: T) -> Self {
        match (norm.is_finite(), norm < T::TINY) {
            (false, _) => Self::Diverged,
            (true, true) => Self::Zero,
            (true, false) => Self::Alive,
        }
    }
}

pub(super) fn check_scales<T>(norms: &[T], scales: &[T]) -> Result<(), ProxError> {
    if scales.len() == norms.len() {
        Ok(())
    } else {
        Err(ProxError::Len { operand: "scales", expected: norms.len(), got: scales.len() })
    }
}

pub(super) fn check_lambda<T: Real>(lambda: T) -> Result<(), ProxError> {
    if lambda.is_finite() && lambda >= T::ZERO { Ok(()) } else { Err(ProxError::Lambda) }
}

#[cfg(test)]
mod tests;
