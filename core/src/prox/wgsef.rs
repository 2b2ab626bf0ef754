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
//! Everything depends on the norms of the groups alone, so the functions here see `m` norms and write `m` factors;
//! [`super::groups`] makes the norms from tensors and applies the factors.
//!
//! # How to train with it
//! - Proximal SGD: step with rate `α`, then [`Wgsef::prox_scales`] with `lambda = α λ`. Give these tensors no other weight
//!   decay: the envelope contains ridge.
//! - After Adam the same, again with `α λ` and in the Euclidean metric: one call, `u` and its budget as above. It is a
//!   forward–backward step whose two halves use different metrics, which is what the field does in practice. The exact
//!   step in Adam's own diagonal metric `D_i = √v̂_i + ε` has thresholds `α λ / D_i` that differ *within* a group, so a
//!   group no longer scales as one (specs/optimizers.md §6); it is not offered here.
//! - One prox seldom leaves exactly `k` groups. Raise `λ`, then finish with [`Wgsef::hard_scales`], freeze the support and
//!   fine-tune.
//!
//! # Numerics
//! Sums over groups in `f64`. `η` is found by bisection over bit patterns (no allocation, no sort, at most 32 passes for
//! `f32` and 64 for `f64`), then one exact linear solve on the piece that it ends in. In `f32` the factors are right to
//! some `1e-7`; the budget `Σ u_j = k` to `1e-7 Σ (u_j + λ d_j)`.
//! Norms below [`Real::TINY`] count as zero. A group whose norm is not finite takes no part and gets the factor NaN in
//! every function that writes factors: a diverged group is never silently zeroed.

use crate::error::ProxError;
use crate::real::Real;

/// The weights `d_j` of the groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weights<'a, T> {
    /// Every group weighs 1.
    One,
    /// One positive weight a group, for example its size.
    Each(&'a [T]),
}

/// The envelope `F` for a budget of `k` groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wgsef<'a, T> {
    k: usize,
    weights: Weights<'a, T>,
}

impl<'a, T: Real> Wgsef<'a, T> {
    /// The envelope with a budget of `k` groups; a `k` above their number makes it ridge.
    ///
    /// # Errors
    /// [`ProxError::Weight`] names the first weight that is not positive and finite.
    pub fn try_new(k: usize, weights: Weights<'a, T>) -> Result<Self, ProxError> {
        if let Weights::Each(each) = weights
            && let Some(group) = each.iter().position(|d| !(d.is_finite() && *d > T::ZERO))
        {
            return Err(ProxError::Weight { group });
        }
        Ok(Self { k, weights })
    }

    /// The budget.
    pub const fn k(&self) -> usize {
        self.k
    }

    /// `F(θ)` from the norms of the groups; infinite for `k = 0` unless all are zero, NaN if a norm is.
    ///
    /// # Errors
    /// [`ProxError::Len`].
    pub fn value(&self, norms: &[T]) -> Result<T, ProxError> {
        self.expect_groups(norms)?;
        let roots = || self.roots(norms);
        let squares: f64 = roots().map(|b| b * b).sum();
        if self.k == 0 {
            return Ok(if squares > 0.0 { T::INFINITY } else { T::from_f64(squares) });
        }
        let Some(tau) = self.saturation(norms) else { return Ok(T::from_f64(0.5 * squares)) };
        // On the piece that tau lies in, the minimum over u has a closed form.
        let (mut full, mut head, mut tail) = (0_usize, 0.0, 0.0);
        for b in roots() {
            if b >= tau {
                full += 1;
                head += b * b;
            } else {
                tail += b;
            }
        }
        let open = self.k.saturating_sub(full);
        let rest = if open == 0 { tau * tail } else { tail * tail / open as f64 };
        Ok(T::from_f64(0.5 * (head + rest)))
    }

    /// `f*(y) = F*(y)`: half the sum of the `k` largest `||y_j||² / d_j`; NaN if a norm is.
    ///
    /// # Errors
    /// [`ProxError::Len`].
    pub fn conjugate(&self, norms: &[T]) -> Result<T, ProxError> {
        self.expect_groups(norms)?;
        let keys = || self.pairs(norms).map(|(n, d)| n.to_f64() * n.to_f64() / d.to_f64());
        let cut = Cut::at(self.k, keys);
        let above: f64 = keys().filter(|a| *a > cut.key || a.is_nan()).sum();
        let ties = if cut.ties == 0 { 0.0 } else { cut.key * cut.ties as f64 };
        Ok(T::from_f64(0.5 * (above + ties)))
    }

    /// The factors `d_j / u_j` of the gradient `∇F(θ)_j = (d_j / u_j) θ_j`; 0 at zero groups, where that is the
    /// subgradient of least norm.
    ///
    /// # Errors
    /// [`ProxError::Len`]; nothing is written then.
    pub fn gradient_scales(&self, norms: &[T], scales: &mut [T]) -> Result<(), ProxError> {
        self.expect_groups(norms)?;
        expect_scales(norms, scales)?;
        let tau = self.saturation(norms).unwrap_or(0.0);
        for ((n, d), s) in self.pairs(norms).zip(scales) {
            let b = d.to_f64().sqrt() * n.to_f64();
            let u = if b >= tau { 1.0 } else { b / tau };
            *s = match Kind::of(n) {
                Kind::Diverged => T::NAN,
                Kind::Zero => T::ZERO,
                Kind::Alive => T::from_f64(d.to_f64() / u),
            };
        }
        Ok(())
    }

    /// The factors of `prox_{λF}(t)`, with `lambda = α λ` after a gradient step of rate `α`.
    ///
    /// # Shapes
    /// `norms, scales: [groups]`
    /// # Errors
    /// [`ProxError::Lambda`], [`ProxError::Len`]; nothing is written then.
    pub fn prox_scales(&self, norms: &[T], lambda: T, scales: &mut [T]) -> Result<(), ProxError> {
        self.expect_groups(norms)?;
        expect_scales(norms, scales)?;
        expect_lambda(lambda)?;
        // `scales` holds c_j = √d_j ||t_j|| until the end: 0 for zero groups, NaN for diverged ones.
        let (mut alive, mut lo, mut hi) = (0_usize, T::INFINITY, T::ZERO);
        for ((n, d), c) in self.pairs(norms).zip(scales.iter_mut()) {
            *c = match (Kind::of(n), self.weights) {
                (Kind::Diverged, _) => T::NAN,
                (Kind::Zero, _) => T::ZERO,
                (Kind::Alive, Weights::One) => n,
                (Kind::Alive, Weights::Each(_)) => d.sqrt() * n,
            };
            if *c > T::ZERO {
                let ld = lambda * d;
                alive += 1;
                lo = lo.min(ld / *c);
                hi = hi.max((T::ONE + ld) / *c);
            }
        }
        let budget = self.k as f64;
        let weights = || self.weights_of(norms.len());
        if self.k == 0 || alive <= self.k || lambda == T::ZERO {
            let keep = if self.k == 0 { T::ZERO } else { T::ONE };
            for (c, d) in scales.iter_mut().zip(weights()) {
                let u = if *c > T::ZERO { keep } else { T::ZERO * *c };
                *c = u / (T::ONE + lambda * d);
            }
            return Ok(());
        }
        // S(η) = Σ u_j(η) does not fall, S(lo) = 0 and S(hi) = alive > k.
        while let Some(mid) = T::between(lo, hi) {
            let sum: f64 = scales.iter().zip(weights()).map(|(c, d)| unit(mid * *c - lambda * d).to_f64()).sum();
            if sum >= budget { hi = mid } else { lo = mid }
        }
        // Neighbouring floats enclose η. S is linear there, so the rest of the step is known: η = hi − back.
        let (mut sum, mut slope) = (0.0, 0.0);
        for (c, d) in scales.iter().zip(weights()) {
            let u = unit(hi * *c - lambda * d);
            sum += u.to_f64();
            slope += if u > T::ZERO && u < T::ONE { c.to_f64() } else { 0.0 };
        }
        let back = if slope > 0.0 { T::from_f64((sum - budget) / slope) } else { T::ZERO };
        for (c, d) in scales.iter_mut().zip(weights()) {
            let ld = lambda * d;
            let at_hi = hi * *c - ld;
            // A group at its bound stays there.
            let u = if at_hi < T::ONE { unit(at_hi - back * *c) } else { unit(at_hi) };
            *c = if c.is_finite() { u / (u + ld) } else { T::NAN };
        }
        Ok(())
    }

    /// The factors of the exact prox of the non-convex `λ f`: the `k` groups with the largest
    /// `||t_j||² / (1 + λ d_j)` get `1 / (1 + λ d_j)`, the others 0. Ties go to the lower index.
    ///
    /// # Errors
    /// [`ProxError::Lambda`], [`ProxError::Len`]; nothing is written then.
    pub fn hard_scales(&self, norms: &[T], lambda: T, scales: &mut [T]) -> Result<(), ProxError> {
        self.expect_groups(norms)?;
        expect_scales(norms, scales)?;
        expect_lambda(lambda)?;
        let shrink = |d: T| 1.0 + lambda.to_f64() * d.to_f64();
        let key = |(n, d): (T, T)| match Kind::of(n) {
            Kind::Alive => n.to_f64() * n.to_f64() / shrink(d),
            Kind::Zero | Kind::Diverged => 0.0,
        };
        let cut = Cut::at(self.k, || self.pairs(norms).map(key));
        let mut ties = cut.ties;
        for ((n, d), s) in self.pairs(norms).zip(scales) {
            let key = key((n, d));
            let tie = key == cut.key && ties > 0;
            ties -= usize::from(tie);
            let keep = Kind::of(n) == Kind::Alive && (key > cut.key || tie);
            *s = match (Kind::of(n), keep) {
                (Kind::Diverged, _) => T::NAN,
                (_, true) => T::from_f64(1.0 / shrink(d)),
                (_, false) => T::ZERO,
            };
        }
        Ok(())
    }

    /// The level `tau` with `Σ min(1, b_j / tau) = k` for `b_j = √d_j ||θ_j||`, to the last bit from above; none when at
    /// most `k` groups are not zero, and for `k = 0`.
    fn saturation(&self, norms: &[T]) -> Option<f64> {
        let budget = self.k as f64;
        let roots = || self.roots(norms).filter(|b| b.is_finite());
        if self.k == 0 || roots().filter(|b| *b > 0.0).count() <= self.k {
            return None;
        }
        // min(1, b/tau) <= b/tau, so the root lies below Σb / k.
        let (mut lo, mut hi) = (0.0, roots().sum::<f64>() / budget);
        while let Some(mid) = f64::between(lo, hi) {
            let sum: f64 = roots().map(|b| if b >= mid { 1.0 } else { b / mid }).sum();
            if sum > budget { lo = mid } else { hi = mid }
        }
        Some(hi)
    }

    /// `√d_j ||θ_j||` in `f64`, 0 below [`Real::TINY`].
    fn roots(&self, norms: &[T]) -> impl Iterator<Item = f64> {
        let tiny = |n: T| if n < T::TINY { T::ZERO } else { n };
        self.pairs(norms).map(move |(n, d)| d.to_f64().sqrt() * tiny(n).to_f64())
    }

    fn pairs(&self, norms: &[T]) -> impl Iterator<Item = (T, T)> {
        norms.iter().copied().zip(self.weights_of(norms.len()))
    }

    fn weights_of(&self, groups: usize) -> impl Iterator<Item = T> + use<'a, T> {
        let each = match self.weights {
            Weights::One => None,
            Weights::Each(each) => Some(each),
        };
        let ones = if each.is_none() { groups } else { 0 };
        each.into_iter().flatten().copied().chain(core::iter::repeat_n(T::ONE, ones))
    }

    fn expect_groups(&self, norms: &[T]) -> Result<(), ProxError> {
        match self.weights {
            Weights::Each(each) if each.len() != norms.len() => {
                Err(ProxError::Len { operand: "weights", expected: norms.len(), got: each.len() })
            }
            _ => Ok(()),
        }
    }
}

/// What a norm says about its group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Zero,
    Alive,
    Diverged,
}

impl Kind {
    fn of<T: Real>(norm: T) -> Self {
        match (norm.is_finite(), norm < T::TINY) {
            (false, _) => Self::Diverged,
            (true, true) => Self::Zero,
            (true, false) => Self::Alive,
        }
    }
}

/// Where the `k` largest of non-negative keys end.
struct Cut {
    /// All larger keys are among them.
    key: f64,
    /// So many keys equal to `key` are, too.
    ties: usize,
}

impl Cut {
    /// Bisects over bit patterns; keys that are not a number count as larger than all others.
    fn at<I: Iterator<Item = f64>>(k: usize, keys: impl Fn() -> I) -> Self {
        let above = |x: f64| keys().filter(|key| *key > x || key.is_nan()).count();
        let (mut lo, mut hi) = (0.0, f64::INFINITY);
        if above(lo) > k {
            while let Some(mid) = f64::between(lo, hi) {
                if above(mid) > k { lo = mid } else { hi = mid }
            }
        } else {
            hi = lo;
        }
        // The smallest key with at most k keys above it.
        Self { key: hi, ties: k.saturating_sub(above(hi)) }
    }
}

/// Clips to `[0, 1]`; NaN gives 0.
#[inline]
fn unit<T: Real>(x: T) -> T {
    if x >= T::ONE {
        T::ONE
    } else if x > T::ZERO {
        x
    } else {
        T::ZERO
    }
}

fn expect_scales<T>(norms: &[T], scales: &[T]) -> Result<(), ProxError> {
    if scales.len() == norms.len() {
        Ok(())
    } else {
        Err(ProxError::Len { operand: "scales", expected: norms.len(), got: scales.len() })
    }
}

fn expect_lambda<T: Real>(lambda: T) -> Result<(), ProxError> {
    if lambda.is_finite() && lambda >= T::ZERO { Ok(()) } else { Err(ProxError::Lambda) }
}
