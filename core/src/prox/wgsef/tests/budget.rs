//! Budgets with costs: certificates of optimality, the greedy finish, and the unweighted case to the bit.

use super::super::{Budget, Weights, Wgsef};
use super::{SOLVERS, by_each_solver, cast, wide, worst};
use crate::error::ProxError;
use crate::prox::lcg::Lcg;
use crate::real::Real;
use std::{vec, vec::Vec};

/// The one tolerance table of this file.
struct Tolerance {
    /// Fenchel–Young gap relative to `max(1, <x, y>)`.
    gap: f64,
    /// `Σ w u − K`, with `u` from the factors, relative to what their rounding can do to it.
    budget: f64,
    /// Factors between solvers, absolute.
    scale: f64,
    /// Value and conjugate against sorted forms in `f64`, relative.
    value: f64,
}
const F32: Tolerance = Tolerance { gap: 1e-5, budget: 2e-7, scale: 5e-7, value: 5e-7 };
const F64: Tolerance = Tolerance { gap: 1e-12, budget: 1e-15, scale: 1e-12, value: 1e-12 };

/// `F` and `F*` from sorted orders, in `f64`.
mod sorted {
    use std::vec::Vec;

    /// Pairs in descending order of the first.
    fn descending(mut v: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
        v.sort_by(|a, b| b.0.total_cmp(&a.0));
        v
    }

    /// The fractional knapsack: the best for its cost first, the last one in part.
    pub(super) fn conjugate(n: &[f64], d: &[f64], w: &[f64], budget: f64) -> f64 {
        let gains = n.iter().zip(d).zip(w).map(|((n, d), w)| (n * n / d / w, *w)).collect();
        let mut rest = budget;
        let mut sum = 0.0;
        for (gain, w) in descending(gains) {
            let part = w.min(rest);
            sum += gain * part;
            rest -= part;
        }
        0.5 * sum
    }

    pub(super) fn value(n: &[f64], d: &[f64], w: &[f64], budget: f64) -> f64 {
        let levels = descending(n.iter().zip(d).zip(w).map(|((n, d), w)| ((d / w).sqrt() * n, *w)).collect());
        let alive: f64 = levels.iter().filter(|(b, _)| *b > 0.0).map(|(_, w)| w).sum();
        if alive <= budget {
            return 0.5 * levels.iter().map(|(b, w)| w * b * b).sum::<f64>();
        }
        // Saturate one group after the other until the next one is below the level of the rest.
        let (mut head, mut full) = (0.0, 0.0);
        for (q, (b, w)) in levels.iter().enumerate() {
            let tail: f64 = levels.iter().skip(q).map(|(b, w)| w * b).sum();
            if *b * (budget - full) < tail {
                return 0.5 * (head + tail * tail / (budget - full));
            }
            head += w * b * b;
            full += w;
        }
        f64::NAN
    }
}

/// Norms (some zero), weights, costs, budget, λ.
type Case<F> = (Vec<F>, Vec<F>, Vec<F>, f64, f64);

fn case<F: Real>(lcg: &mut Lcg, number: usize) -> Case<F> {
    let m = lcg.size(1, 120);
    let norms: Vec<f64> = (0..m).map(|_| if lcg.size(0, 9) == 0 { 0.0 } else { lcg.heavy().abs() }).collect();
    let d: Vec<f64> = (0..m).map(|_| lcg.between(0.2, 5.0)).collect();
    // Alike, like the channels of layers of different width, and across four decades.
    let w = (0..m).map(|_| match number % 3 {
        0 => lcg.between(0.5, 2.0),
        1 => [9.0, 144.0, 1152.0][lcg.size(0, 2)],
        _ => lcg.between(-4.6, 4.6).exp(),
    });
    let w: Vec<f64> = w.collect();
    let budget = lcg.between(0.01, 1.1) * w.iter().sum::<f64>();
    let lambda = F::from_f64(lcg.between(-4.0, 3.0).exp()).to_f64();
    (cast(&norms), cast(&d), cast(&w), budget, lambda)
}

fn certified<F: Real>(tolerance: &Tolerance) {
    let mut lcg = Lcg(20_240_608);
    let (mut gap, mut excess, mut scale, mut value) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    for number in 0..3000 {
        let (norms, d, w, budget, lambda) = case::<F>(&mut lcg, number);
        let envelope = Wgsef::try_with_budget(Budget { total: budget, costs: Weights::Each(&w) }, Weights::Each(&d));
        let envelope = envelope.expect("positive");
        let relative = |got: Result<F, ProxError>, want: f64| {
            (got.expect("lengths agree").to_f64() - want).abs() / want.abs().max(f64::MIN_POSITIVE)
        };
        let solutions = by_each_solver(&envelope, &norms, F::from_f64(lambda));
        let (n, d, w) = (wide(&norms), wide(&d), wide(&w));
        value = value.max(relative(envelope.value(&norms), sorted::value(&n, &d, &w, budget)));
        value = value.max(relative(envelope.conjugate(&norms), sorted::conjugate(&n, &d, &w, budget)));
        let first = wide(&solutions[0].0);
        for ((scales, search), name) in solutions.iter().zip(SOLVERS) {
            let s = wide(scales);
            scale = scale.max(worst(&s, &first));
            // Groups of one dimension: x = s t, y = (t - x) / λ.
            let x: Vec<f64> = n.iter().zip(&s).map(|(n, s)| n * s).collect();
            let y: Vec<f64> = n.iter().zip(&s).map(|(n, s)| n * (1.0 - s) / lambda).collect();
            let inner: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
            let certificate = sorted::value(&x, &d, &w, budget) + sorted::conjugate(&y, &d, &w, budget) - inner;
            gap = gap.max(certificate.abs() / inner.max(1.0));
            if search.eta.is_finite() {
                let used = |s: f64, d: f64| if s < 1.0 { s * lambda * d / (1.0 - s) } else { 1.0 };
                let sum: f64 = s.iter().zip(&d).zip(&w).map(|((s, d), w)| w * used(*s, *d)).sum();
                // What a change of s by a part of 1 does to u = s λd / (1 - s).
                let noise: f64 = s.iter().zip(&d).zip(&w).map(|((s, d), w)| w * lambda * d / (1.0 - s).powi(2)).sum();
                assert!(noise > 0.0, "{name} leaves nothing open");
                excess = excess.max((sum - budget).abs() / noise);
            }
        }
    }
    std::println!("gap {gap:.1e}, budget {excess:.1e}, between solvers {scale:.1e}, value {value:.1e}");
    assert!(gap <= tolerance.gap && excess <= tolerance.budget, "{gap:e} {excess:e}");
    assert!(scale <= tolerance.scale && value <= tolerance.value, "{scale:e} {value:e}");
}

#[test]
fn single_precision_is_certified() {
    certified::<f32>(&F32);
}

#[test]
fn double_precision_is_certified() {
    certified::<f64>(&F64);
}

#[test]
fn costs_of_one_have_the_bits_of_no_costs() {
    let mut lcg = Lcg(4);
    for number in 0..300 {
        let (norms, d, w, ..) = case::<f32>(&mut lcg, number);
        let (ones, k) = (vec![1.0; w.len()], lcg.size(0, w.len()));
        let plain = Wgsef::try_new(k, Weights::Each(&d)).expect("positive");
        let budget = Budget { total: k as f64, costs: Weights::Each(&ones) };
        let costly = Wgsef::try_with_budget(budget, Weights::Each(&d)).expect("positive");
        let (a, b) = (by_each_solver(&plain, &norms, 0.3), by_each_solver(&costly, &norms, 0.3));
        assert_eq!(a, b);
        assert_eq!((plain.value(&norms), plain.conjugate(&norms)), (costly.value(&norms), costly.conjugate(&norms)));
    }
}

#[test]
fn the_three_regimes_lie_where_the_norms_say() {
    let mut lcg = Lcg(5);
    let mut seen = [0; 3];
    for number in 0..300 {
        let (norms, d, w, budget, lambda) = case::<f64>(&mut lcg, number);
        let budget = Budget { total: budget, costs: Weights::Each(&w) };
        let envelope = Wgsef::try_with_budget(budget, Weights::Each(&d)).expect("positive");
        let [(scales, search), ..] = by_each_solver(&envelope, &norms, lambda);
        for (((n, d), w), s) in norms.iter().zip(&d).zip(&w).zip(&scales).filter(|(((n, _), _), _)| **n > 0.0) {
            let (c, soft) = ((d / w).sqrt(), lambda * (d * w).sqrt() / search.eta);
            let (regime, want) = if *n <= soft {
                (0, 0.0)
            } else if *n >= (1.0 + lambda * d) / (search.eta * c) {
                (1, 1.0 / (1.0 + lambda * d))
            } else {
                (2, 1.0 - soft / n)
            };
            assert!((s - want).abs() <= F64.scale, "regime {regime}: {s}, not {want}");
            seen[regime] += 1;
        }
    }
    assert!(seen.iter().all(|n| *n > 100), "{seen:?}");
}

#[test]
fn a_metric_that_is_constant_within_groups_is_norms_and_weights() {
    let mut lcg = Lcg(6);
    let mut gap = 0.0_f64;
    for number in 0..500 {
        let (norms, d, w, budget, lambda) = case::<f64>(&mut lcg, number);
        let metric: Vec<f64> = norms.iter().map(|_| lcg.between(-3.0, 3.0).exp()).collect();
        let seen: Vec<f64> = norms.iter().zip(&metric).map(|(n, m)| m.sqrt() * n).collect();
        let weights: Vec<f64> = d.iter().zip(&metric).map(|(d, m)| d / m).collect();
        let total = Budget { total: budget, costs: Weights::Each(&w) };
        let envelope = Wgsef::try_with_budget(total, Weights::Each(&weights)).expect("positive");
        let [(scales, _), ..] = by_each_solver(&envelope, &seen, lambda);
        // Optimal in that metric: D (t - x) / λ is a subgradient of F, with the weights d, at x.
        let x: Vec<f64> = norms.iter().zip(&scales).map(|(n, s)| n * s).collect();
        let y = norms.iter().zip(&scales).zip(&metric).map(|((n, s), m)| m * n * (1.0 - s) / lambda);
        let y: Vec<f64> = y.collect();
        let inner: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
        let certificate = sorted::value(&x, &d, &w, budget) + sorted::conjugate(&y, &d, &w, budget) - inner;
        gap = gap.max(certificate.abs() / inner.max(1.0));
    }
    assert!(gap <= F64.gap, "{gap:e}");
}

/// The greedy finish by sorting.
fn greedy(norms: &[f64], d: &[f64], w: &[f64], budget: f64, lambda: f64) -> Vec<f64> {
    let gain = |j: &usize| norms[*j] * norms[*j] / (1.0 + lambda * d[*j]) / w[*j];
    let mut order: Vec<usize> = (0..norms.len()).filter(|j| norms[*j] > 0.0).collect();
    order.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    let (mut rest, mut scales) = (budget, vec![0.0; norms.len()]);
    for j in order {
        if w[j] <= rest {
            rest -= w[j];
            scales[j] = 1.0 / (1.0 + lambda * d[j]);
        }
    }
    scales
}

#[test]
fn hard_prox_fills_the_budget_greedily() {
    let mut lcg = Lcg(7);
    let mut skipped = 0;
    for _ in 0..1000 {
        let m = lcg.size(1, 40);
        // Few different values, so that ties are frequent; whole costs, so that sums are exact.
        let norms: Vec<f64> = (0..m).map(|_| lcg.size(0, 5) as f64).collect();
        let d: Vec<f64> = (0..m).map(|_| lcg.size(1, 2) as f64).collect();
        let w: Vec<f64> = (0..m).map(|_| [1.0, 2.0, 7.0, 30.0][lcg.size(0, 3)]).collect();
        let (budget, lambda) = (lcg.size(0, 8 * m) as f64 + 0.5, lcg.between(0.0, 3.0));
        let total = Budget { total: budget, costs: Weights::Each(&w) };
        let envelope = Wgsef::try_with_budget(total, Weights::Each(&d)).expect("positive");
        let mut scales = vec![0.5; m];
        assert_eq!(envelope.hard_scales(&norms, lambda, &mut scales), Ok(()));
        assert_eq!(scales, greedy(&norms, &d, &w, budget, lambda), "{norms:?} {d:?} {w:?} {budget}");
        let spent: f64 = scales.iter().zip(&w).filter(|(s, _)| **s > 0.0).map(|(_, w)| w).sum();
        assert!(spent <= budget);
        skipped += usize::from(budget - spent > 1.0);
    }
    assert!(skipped > 100, "a group that does not fit must happen: {skipped}");
}

#[test]
fn impossible_budgets_are_refused() {
    let of = |total, costs| Wgsef::try_with_budget(Budget { total, costs }, Weights::<f32>::One).map(|_| ());
    assert_eq!(of(1.0, Weights::Each(&[1.0, 0.0])), Err(ProxError::Cost { group: 1 }));
    for total in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(of(total, Weights::One), Err(ProxError::Budget));
    }
    let costs = [1.0_f32; 3];
    let budget = Budget { total: 1.0, costs: Weights::Each(&costs) };
    let envelope = Wgsef::try_with_budget(budget, Weights::One).expect("positive");
    let wrong = ProxError::Len { operand: "costs", expected: 2, got: 3 };
    assert_eq!(envelope.value(&[1.0; 2]), Err(wrong));
}
