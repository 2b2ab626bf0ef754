//! What the solvers take, and that no norm of any size leads them astray.

use super::super::{Ramp, Solver, Weights, Wgsef};
use super::{SOLVERS, by_each_solver, cast, wide};
use crate::prox::lcg::Lcg;
use crate::real::Real;
use std::{format, string::String, vec, vec::Vec};

/// The one tolerance table of this file.
struct Tolerance {
    /// Visits a group by pivoting: all its sweeps and the exact solve.
    visits: f64,
    /// Between solvers, absolute (factors lie in `[0, 1]`).
    scale: f64,
    /// Against a scaled problem, relative.
    eta: f64,
}
const F32: Tolerance = Tolerance { visits: 6.0, scale: 5e-7, eta: 1e-6 };
const F64: Tolerance = Tolerance { visits: 6.0, scale: 1e-12, eta: 1e-12 };

/// Names and norms of families that are hard in different ways.
fn families(m: usize) -> Vec<(&'static str, Vec<f64>)> {
    let mut lcg = Lcg(17);
    let mut of = |norm: &dyn Fn(&mut Lcg, usize) -> f64| (0..m).map(|j| norm(&mut lcg, j)).collect::<Vec<f64>>();
    vec![
        ("uniform", of(&|lcg, _| lcg.between(0.0, 1.0))),
        ("heavy tails", of(&|lcg, _| lcg.heavy().abs())),
        ("six decades", of(&|lcg, _| lcg.between(-7.0, 7.0).exp())),
        ("all the same", of(&|_, _| 0.75)),
        ("seven values", of(&|lcg, _| 1.0 + lcg.size(0, 6) as f64)),
        ("ascending", of(&|_, j| 1.0 + j as f64)),
        ("one giant", of(&|_, j| if j == m / 2 { 1e9 } else { 1.0 / (1.0 + j as f64) })),
        ("mostly zero", of(&|lcg, j| if j % 10 == 0 { lcg.between(0.5, 1.0) } else { 0.0 })),
    ]
}

fn visits_stay_low<T: Real + Default>(tolerance: &Tolerance) {
    let m = 1_000_000;
    let mut lcg = Lcg(18);
    let d: Vec<T> = (0..m).map(|_| T::from_f64(lcg.between(0.2, 5.0))).collect();
    let mut scales = vec![T::ZERO; m];
    let mut ramps = vec![Ramp::default(); m];
    let mut report = String::new();
    let mut worst = 0.0_f64;
    for (name, norms) in families(m) {
        let norms: Vec<T> = cast(&norms);
        for (share, lambda, each, seed) in [(0.2, 0.3, true, 1), (0.5, 0.01, false, 2), (0.02, 3.0, true, 3)] {
            let weights = if each { Weights::Each(&d) } else { Weights::One };
            let k = (share * m as f64) as usize;
            let envelope = Wgsef::try_new(k, weights).expect("weights are positive");
            let solver = Solver::Pivoting { ramps: &mut ramps, seed };
            let search = envelope.prox_scales_by(solver, &norms, T::from_f64(lambda), &mut scales);
            let visits = search.expect("lengths agree").visits as f64 / m as f64;
            report += &format!(" {name} {share}: {visits:.2};");
            worst = worst.max(visits);
        }
    }
    std::println!("visits a group:{report} worst {worst:.2}");
    assert!(worst <= tolerance.visits, "{worst}");
}

#[test]
fn a_million_groups_take_at_most_six_visits_each_by_pivoting() {
    visits_stay_low::<f32>(&F32);
    visits_stay_low::<f64>(&F64);
}

/// Every solver on norms across the range of the type, with zeros and diverged groups between them.
fn extremes_agree<T: Real>(tolerance: &Tolerance, largest: f64, tiny: f64) {
    let mut lcg = Lcg(19);
    for case in 0..2000 {
        let m = lcg.size(1, 40);
        let norms: Vec<T> = (0..m)
            .map(|_| match lcg.size(0, 9) {
                0 => T::ZERO,
                1 => T::NAN,
                2 => T::INFINITY,
                3 => T::from_f64(largest * lcg.between(0.1, 1.0)),
                4 => T::from_f64(tiny * lcg.between(0.5, 2.0)),
                5 => T::from_f64(tiny * tiny),
                _ => T::from_f64(lcg.between(0.0, 2.0)),
            })
            .collect();
        let k = lcg.size(0, m);
        let lambda = T::from_f64([0.0, 1e-12, 0.3, 1e6][case % 4]);
        let envelope = Wgsef::try_new(k, Weights::One).expect("no weights");
        let [(first, search), others @ ..] = by_each_solver(&envelope, &norms, lambda);
        let alive = norms.iter().filter(|n| n.is_finite() && **n >= T::TINY).count();
        assert_eq!(search.eta.is_finite(), k == 0 || (alive > k && lambda > T::ZERO), "{norms:?}");
        for (n, s) in norms.iter().zip(&first) {
            assert_eq!(s.is_finite(), n.is_finite(), "only a diverged group has no factor");
            assert!(!n.is_finite() || (*s >= T::ZERO && *s <= T::ONE), "{s:?}");
            assert!(*n >= T::TINY || n.to_f64().is_nan() || *s == T::ZERO, "a zero group stays zero");
        }
        for ((other, _), name) in others.iter().zip(&SOLVERS[1..]) {
            for (a, b) in wide(&first).iter().zip(wide(other)) {
                let same = (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance.scale;
                assert!(same, "case {case}, {name}: {b}, not {a}: {norms:?}, k = {k}, {lambda:?}");
            }
        }
    }
}

#[test]
fn zero_diverged_huge_and_tiny_norms_are_the_same_to_every_solver() {
    extremes_agree::<f32>(&F32, f64::from(f32::MAX), 1e-20);
    extremes_agree::<f64>(&F64, f64::MAX, 1e-150);
}

#[test]
fn a_seed_changes_the_visits_and_not_the_factors() {
    let norms: Vec<f64> = families(5000).swap_remove(1).1;
    let envelope = Wgsef::try_new(700, Weights::One).expect("no weights");
    let mut ramps = vec![Ramp::default(); norms.len()];
    let mut run = |seed| {
        let mut scales = vec![0.0; norms.len()];
        let solver = Solver::Pivoting { ramps: &mut ramps, seed };
        let search = envelope.prox_scales_by(solver, &norms, 0.3, &mut scales).expect("lengths agree");
        (scales, search.visits)
    };
    let (first, again, other) = (run(1), run(1), run(2));
    assert_eq!(first, again);
    assert_eq!((first.0 == other.0, first.1 == other.1), (true, false));
}

#[test]
fn eta_scales_with_the_norms() {
    let norms: Vec<f64> = families(300).swap_remove(1).1;
    let half: Vec<f64> = norms.iter().map(|n| 0.5 * n).collect();
    let envelope = Wgsef::try_new(50, Weights::One).expect("no weights");
    let (whole, half) = (by_each_solver(&envelope, &norms, 0.3), by_each_solver(&envelope, &half, 0.3));
    for ((_, whole), (_, half)) in whole.iter().zip(&half) {
        assert!((2.0 * whole.eta / half.eta - 1.0).abs() <= F64.eta);
    }
    let single: Vec<f32> = cast(&norms);
    let envelope = Wgsef::try_new(50, Weights::One).expect("no weights");
    for ((_, single), (_, double)) in by_each_solver(&envelope, &single, 0.3).iter().zip(&whole) {
        assert!((single.eta / double.eta - 1.0).abs() <= F32.eta);
    }
}
