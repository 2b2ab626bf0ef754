//! The envelope against the vectors of specs/sparse_and_graph.md §2.6, a sorting solver and Fenchel–Young certificates.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic: that is how it fails")]

use super::{Ramp, Search, Solver, Weights, Wgsef, points_len, ramps_len};
use crate::error::ProxError;
use crate::prox::groups::{self, GroupLayout};
use crate::prox::lcg::Lcg;
use crate::real::Real;
use std::{vec, vec::Vec};

mod budget;
mod search;

/// The one tolerance table of this file.
struct Tolerance {
    /// Against printed vectors, absolute.
    vector: f64,
    /// Fenchel–Young gap relative to `max(1, <x, y>)`.
    gap: f64,
    /// Factors against the sorting solver in `f64`, absolute (factors lie in `[0, 1]`).
    scale: f64,
    /// Value, conjugate and gradient against sorted forms in `f64`, relative.
    value: f64,
}
const F32: Tolerance = Tolerance { vector: 1e-6, gap: 1e-5, scale: 5e-7, value: 2e-7 };
/// Vectors are printed with eight digits.
const F64: Tolerance = Tolerance { vector: 1e-8, gap: 1e-12, scale: 1e-13, value: 1e-13 };

/// The same operators by sorting, in `f64` (specs/sparse_and_graph.md §2.3, §2.5 a).
mod sorted {
    use std::vec::Vec;

    fn descending(mut v: Vec<f64>) -> Vec<f64> {
        v.sort_by(|a, b| b.total_cmp(a));
        v
    }

    pub(super) fn conjugate(n: &[f64], d: &[f64], k: usize) -> f64 {
        0.5 * descending(n.iter().zip(d).map(|(n, d)| n * n / d).collect()).iter().take(k).sum::<f64>()
    }

    pub(super) fn value(n: &[f64], d: &[f64], k: usize) -> f64 {
        let b = descending(n.iter().zip(d).map(|(n, d)| d.sqrt() * n).collect());
        let squares = |b: &[f64]| b.iter().map(|b| b * b).sum::<f64>();
        if b.iter().filter(|b| **b > 0.0).count() <= k {
            return 0.5 * squares(&b);
        }
        let pieces = (0..k).map(|r| (b.split_at(k - r - 1), r as f64 + 1.0));
        // Every r gives a lower bound of the maximum over its piece; the right one is where the levels are in order.
        let right = pieces.filter(|((head, tail), open)| {
            let tau = tail.iter().sum::<f64>() / open;
            head.last().is_none_or(|b| *b > tau) && tail.first().is_some_and(|b| tau >= *b * (1.0 - 1e-15))
        });
        let values = right.map(|((head, tail), open)| 0.5 * (squares(head) + tail.iter().sum::<f64>().powi(2) / open));
        values.fold(f64::NAN, f64::max)
    }

    pub(super) fn prox_scales(n: &[f64], d: &[f64], k: usize, lambda: f64) -> Vec<f64> {
        let alive = n.iter().filter(|n| **n > 0.0).count();
        let eta = if alive <= k { f64::INFINITY } else { eta(n, d, k, lambda) };
        let each = n.iter().zip(d).map(|(n, d)| {
            let u = if *n > 0.0 { (eta * d.sqrt() * n - lambda * d).clamp(0.0, 1.0) } else { 0.0 };
            u / (u + lambda * d)
        });
        each.collect()
    }

    fn eta(n: &[f64], d: &[f64], k: usize, lambda: f64) -> f64 {
        let mut points = Vec::new();
        for (n, d) in n.iter().zip(d).filter(|(n, _)| **n > 0.0) {
            let (c, ld) = (d.sqrt() * n, lambda * d);
            points.push((ld / c, c, -ld));
            points.push(((1.0 + ld) / c, -c, ld + 1.0));
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut slope, mut intercept, mut last) = (0.0, 0.0, 0.0);
        for (x, c, i) in &points {
            if slope > 0.0 && slope * x + intercept >= k as f64 {
                return on_piece(n, d, k, lambda, 0.5 * (last + x));
            }
            last = *x;
            slope += c;
            intercept += i;
        }
        points.last().map_or(0.0, |p| p.0)
    }

    /// The root on the piece around `inside`, from sums that have lost nothing to cancellation.
    fn on_piece(n: &[f64], d: &[f64], k: usize, lambda: f64, inside: f64) -> f64 {
        let (mut slope, mut intercept) = (0.0, 0.0);
        for (n, d) in n.iter().zip(d) {
            let (c, ld) = (d.sqrt() * n, lambda * d);
            let u = inside * c - ld;
            slope += if u > 0.0 && u < 1.0 { c } else { 0.0 };
            intercept += if u >= 1.0 {
                1.0
            } else if u > 0.0 {
                -ld
            } else {
                0.0
            };
        }
        (k as f64 - intercept) / slope
    }
}

fn cast<T: Real>(v: &[f64]) -> Vec<T> {
    v.iter().map(|x| T::from_f64(*x)).collect()
}

fn wide<T: Real>(v: &[T]) -> Vec<f64> {
    v.iter().map(|x| x.to_f64()).collect()
}

fn worst(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).fold(0.0, |a, (g, w)| a.max((g - w).abs()))
}

/// Norms of consecutive groups with these sizes, through the crate's own pass.
fn norms_of<T: Real>(t: &[T], sizes: &[usize]) -> Vec<T> {
    let (mut rest, mut sums) = (t, vec![0.0; sizes.len()]);
    for (size, sum) in sizes.iter().zip(sums.chunks_mut(1)) {
        let (head, tail) = rest.split_at(*size);
        let layout = GroupLayout::rows(1, *size).expect("sizes are positive");
        assert_eq!(groups::accumulate_squared_norms(head, &layout, sum), Ok(()));
        rest = tail;
    }
    let mut norms = vec![T::ZERO; sizes.len()];
    assert_eq!(groups::norms(&sums, &mut norms), Ok(()));
    norms
}

fn scaled<T: Real>(t: &[T], sizes: &[usize], scales: &[T]) -> Vec<T> {
    let mut x = t.to_vec();
    let mut rest = x.as_mut_slice();
    for (size, s) in sizes.iter().zip(scales.chunks(1)) {
        let (head, tail) = rest.split_at_mut(*size);
        let layout = GroupLayout::rows(1, *size).expect("sizes are positive");
        assert_eq!(groups::scale(head, &layout, s), Ok(()));
        rest = tail;
    }
    x
}

/// Names of the solvers in the order of [`by_each_solver`].
const SOLVERS: [&str; 3] = ["bisection", "sorting", "pivoting"];

/// The factors of one prox by each solver, with memory full of rubbish.
fn by_each_solver<T: Real>(envelope: &Wgsef<'_, T>, norms: &[T], lambda: T) -> [(Vec<T>, Search); 3] {
    let m = norms.len();
    let (mut points, mut ramps) = (vec![T::NAN; points_len(m)], vec![]);
    ramps.resize_with(ramps_len(m), || Ramp { slope: T::NAN, offset: T::ONE, cost: T::INFINITY });
    let solvers = [
        Solver::Bisection,
        Solver::Sorting { points: &mut points },
        Solver::Pivoting { ramps: &mut ramps, seed: m as u64 },
    ];
    solvers.map(|solver| {
        let mut scales = vec![T::ONE; m];
        let search = envelope.prox_scales_by(solver, norms, lambda, &mut scales);
        (scales, search.expect("lengths agree"))
    })
}

/// The factors by bisection, those of the other solvers being the same within the tolerance of the type.
fn prox<T: Real>(k: usize, weights: Weights<'_, T>, norms: &[T], lambda: f64) -> Vec<T> {
    let envelope = Wgsef::try_new(k, weights).expect("weights are positive");
    let [(first, _), others @ ..] = by_each_solver(&envelope, norms, T::from_f64(lambda));
    let tolerance = if size_of::<T>() == 4 { F32.scale } else { F64.scale };
    for ((other, _), name) in others.iter().zip(&SOLVERS[1..]) {
        for (j, (a, b)) in first.iter().zip(other).enumerate() {
            let same = (a.to_f64().is_nan() && b.to_f64().is_nan()) || (a.to_f64() - b.to_f64()).abs() <= tolerance;
            assert!(same, "{name}: group {j} of {}: {b:?}, not {a:?}", norms.len());
        }
    }
    first
}

/// `(k, λ, u, x, F(t), F(x), f*(t))`, NaN where §2.6 prints nothing.
type Vector = (usize, f64, [f64; 4], [f64; 8], f64, f64, f64);
const SIZES: [usize; 4] = [2, 2, 1, 3];
const D: [f64; 4] = [1.0, 2.0, 0.5, 1.5];
const T: [f64; 8] = [3.0, 4.0, 1.0, -2.0, 0.75, 0.5, -0.5, 1.0];
const VECTORS: [Vector; 4] = [
    (
        1,
        0.2,
        [0.77784235, 0.2184418, 0.00371584, 0.0],
        [2.38640416, 3.18187221, 0.35321319, -0.70642639, 0.02687037, 0.0, 0.0, 0.0],
        51.9446263325,
        13.0729116655,
        12.5,
    ),
    (
        2,
        0.2,
        [1.0, 0.69619291, 0.08383714, 0.21996995],
        [2.5, 3.33333333, 0.63510072, -1.27020145, 0.34203021, 0.21152179, -0.21152179, 0.42304358],
        25.9723131663,
        12.8415393834,
        13.75,
    ),
    (
        2,
        1.0,
        [1.0, 0.99733212, 0.00266788, 0.0],
        [1.5, 2.0, 0.33273994, -0.66547989, 0.00398058, 0.0, 0.0, 0.0],
        f64::NAN,
        3.6815449782,
        f64::NAN,
    ),
    (
        3,
        0.05,
        [1.0, 1.0, 0.26232426, 0.73767574],
        [2.85714286, 3.80952381, 0.90909091, -1.81818182, 0.68474272, 0.45385613, -0.45385613, 0.90771227],
        19.5611201288,
        17.1735049508,
        14.3125,
    ),
];

fn vectors_hold<F: Real>(tolerance: &Tolerance) {
    let (t, d): (Vec<F>, Vec<F>) = (cast(&T), cast(&D));
    let norms = norms_of(&t, &SIZES);
    let near = |got: F, want: f64, what: &str| {
        let e = (got.to_f64() - want).abs() / want.abs().max(1.0);
        assert!(want.is_nan() || e <= tolerance.vector, "{what}: {got:?}, not {want}");
    };
    let mut most = 0.0_f64;
    for (k, lambda, u, x, f_t, f_x, conjugate) in VECTORS {
        let envelope = Wgsef::try_new(k, Weights::Each(&d)).expect("weights are positive");
        let scales = prox(k, Weights::Each(&d), &norms, lambda);
        let got = wide(&scaled(&t, &SIZES, &scales));
        // s = u / (u + λd), without dividing by 1 - s.
        let residuals: Vec<f64> =
            wide(&scales).iter().zip(u).zip(D).map(|((s, u), d)| s * (u + lambda * d) - u).collect();
        most = most.max(worst(&got, &x)).max(worst(&residuals, &[0.0; 4]));
        near(envelope.value(&norms).expect("lengths agree"), f_t, "F(t)");
        near(envelope.conjugate(&norms).expect("lengths agree"), conjugate, "f*(t)");
        near(envelope.value(&norms_of(&cast::<F>(&got), &SIZES)).expect("lengths agree"), f_x, "F(x)");
    }
    std::println!("vectors: {most:.1e}");
    assert!(most <= tolerance.vector, "{most:e}");
    let single: [F; 3] = [3.0, 2.0, 1.0].map(F::from_f64);
    let scales = prox(1, Weights::One, &single, 0.5);
    assert!(worst(&wide(&scaled(&single, &[1; 3], &scales)), &[1.75, 0.75, 0.0]) <= tolerance.vector);
}

#[test]
fn vectors_of_the_specification_hold() {
    vectors_hold::<f32>(&F32);
    vectors_hold::<f64>(&F64);
}

/// Largest errors over 10,000 cases: `[gap, scale, value]`.
fn random_cases<F: Real>(tolerance: &Tolerance) {
    let mut lcg = Lcg(20_240_607);
    let (mut gap, mut scale, mut value) = (0.0_f64, 0.0_f64, 0.0_f64);
    for case in 0..10_000 {
        // Squared, so that small families are frequent.
        let m = 1 + (400.0 * lcg.between(0.0, 1.0).powi(2)) as usize;
        let (k, lambda) = (lcg.size(1, m), lcg.between(-4.0, 3.0).exp());
        let lambda = F::from_f64(lambda).to_f64();
        let sizes: Vec<usize> = (0..m).map(|_| lcg.size(1, 4)).collect();
        let d: Vec<F> = (0..m).map(|_| F::from_f64(lcg.between(0.2, 5.0))).collect();
        let weights = if case % 5 == 0 { vec![F::ONE; m] } else { d };
        let t: Vec<F> = (0..sizes.iter().sum()).map(|_| F::from_f64(lcg.heavy())).collect();
        let norms = norms_of(&t, &sizes);
        let each = if case % 5 == 0 { Weights::One } else { Weights::Each(&weights) };
        let envelope = Wgsef::try_new(k, each).expect("weights are positive");
        let [(scales, _), others @ ..] = by_each_solver(&envelope, &norms, F::from_f64(lambda));
        let x = scaled(&t, &sizes, &scales);

        let (t, x, d) = (wide(&t), wide(&x), wide(&weights));
        let y: Vec<f64> = t.iter().zip(&x).map(|(t, x)| (t - x) / lambda).collect();
        let (nt, nx, ny) = (norms_of(&t, &sizes), norms_of(&x, &sizes), norms_of(&y, &sizes));
        let inner: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
        let certificate = sorted::value(&nx, &d, k) + sorted::conjugate(&ny, &d, k) - inner;
        gap = gap.max(certificate.abs() / inner.max(1.0));
        let exact = sorted::prox_scales(&nt, &d, k, lambda);
        scale = scale.max(worst(&wide(&scales), &exact));
        for (scales, _) in &others {
            scale = scale.max(worst(&wide(scales), &exact));
        }

        let relative = |got: Result<F, ProxError>, want: f64| {
            (got.expect("lengths agree").to_f64() - want).abs() / want.abs().max(f64::MIN_POSITIVE)
        };
        let exact = wide(&norms);
        value = value.max(relative(envelope.value(&norms), sorted::value(&exact, &d, k)));
        value = value.max(relative(envelope.conjugate(&norms), sorted::conjugate(&exact, &d, k)));
        // Euler: F is 2-homogeneous, so <θ, ∇F(θ)> = 2 F(θ).
        let mut factors = vec![F::ZERO; m];
        assert_eq!(envelope.gradient_scales(&norms, &mut factors), Ok(()));
        let twice: f64 = wide(&factors).iter().zip(&exact).map(|(f, n)| f * n * n).sum();
        value = value.max((twice / 2.0 / sorted::value(&exact, &d, k) - 1.0).abs());
    }
    std::println!("gap {gap:.1e}, scale {scale:.1e}, value {value:.1e}");
    assert!(gap <= tolerance.gap && scale <= tolerance.scale && value <= tolerance.value);
}

#[test]
fn single_precision_is_certified() {
    random_cases::<f32>(&F32);
}

#[test]
fn double_precision_is_certified() {
    random_cases::<f64>(&F64);
}

#[test]
fn no_budget_leaves_nothing_and_a_full_budget_is_ridge() {
    let (norms, d) = ([3.0_f32, 0.0, 2.0, 1.0], [1.0, 2.0, 3.0, 0.5]);
    assert_eq!(prox(0, Weights::Each(&d), &norms, 0.5), [0.0; 4]);
    for k in [3, 4, 9] {
        assert_eq!(prox(k, Weights::Each(&d), &norms, 0.5), [1.0 / 1.5, 0.0, 1.0 / 2.5, 1.0 / 1.25]);
    }
    assert_eq!(prox(1, Weights::Each(&d), &norms, 0.0), [1.0, 0.0, 1.0, 1.0]);
    let nothing = Wgsef::try_new(0, Weights::One).expect("no weights");
    assert_eq!((nothing.value(&norms), nothing.value(&[0.0; 4])), (Ok(f32::INFINITY), Ok(0.0)));
    assert_eq!(nothing.conjugate(&norms), Ok(0.0));
}

#[test]
fn zeros_and_no_groups_stay() {
    assert_eq!(prox(1, Weights::One, &[0.0_f32; 3], 0.5), [0.0; 3]);
    assert_eq!(prox::<f32>(1, Weights::One, &[], 0.5), []);
}

#[test]
fn ties_share_the_budget() {
    // u = k/3 each and λd = 1/2.
    for k in [1, 2] {
        let u = k as f64 / 3.0;
        let scales = prox(k, Weights::One, &[5.0_f64; 3], 0.5);
        assert!(worst(&scales, &[u / (u + 0.5); 3]) <= F64.scale);
        let scales = wide(&prox(k, Weights::One, &[5.0_f32; 3], 0.5));
        assert!(worst(&scales, &[u / (u + 0.5); 3]) <= F32.scale);
        assert!(scales.windows(2).all(|w| w[0] == w[1]));
    }
}

#[test]
fn tiny_norms_neither_win_nor_overflow() {
    for tiny in [1e-30_f32, 1e-19, f32::MIN_POSITIVE, 1e-45] {
        let scales = prox(1, Weights::One, &[tiny, 5.0, 1.0], 0.5);
        let without = prox(1, Weights::One, &[5.0, 1.0], 0.5);
        assert_eq!((scales[0], &scales[1..]), (0.0, without.as_slice()));
    }
    // Too many survivors is not the answer to a huge ratio either.
    assert_eq!(prox(2, Weights::One, &[1e-18_f32, 1e18, 1.0], 0.5)[0], 0.0);
}

#[test]
fn a_diverged_group_is_never_zeroed() {
    for bad in [f32::NAN, f32::INFINITY] {
        let norms = [1.0, bad, 2.0, 0.5];
        for k in 0..5 {
            let mut hard = [0.0; 4];
            let envelope = Wgsef::try_new(k, Weights::One).expect("no weights");
            assert_eq!(envelope.hard_scales(&norms, 0.5, &mut hard), Ok(()));
            let soft = prox(k, Weights::One, &norms, 0.5);
            let mut gradient = [0.0; 4];
            assert_eq!(envelope.gradient_scales(&norms, &mut gradient), Ok(()));
            assert!(soft[1].is_nan() && hard[1].is_nan() && gradient[1].is_nan(), "k = {k}");
            let others = prox(k, Weights::One, &[1.0, 2.0, 0.5], 0.5);
            assert_eq!([soft[0], soft[2], soft[3]], *others, "the others compete as if it were not there");
        }
    }
    let envelope = Wgsef::try_new(1, Weights::One).expect("no weights");
    assert!(envelope.value(&[1.0, f32::NAN]).is_ok_and(f32::is_nan));
    assert!(envelope.conjugate(&[1.0, f32::NAN]).is_ok_and(f32::is_nan));
}

#[test]
fn hard_prox_keeps_the_k_best_and_breaks_ties_downwards() {
    let hard = |k, norms: &[f64], d: &[f64], lambda| {
        let mut scales = vec![0.5; norms.len()];
        let envelope = Wgsef::try_new(k, Weights::Each(d)).expect("weights are positive");
        assert_eq!(envelope.hard_scales(norms, lambda, &mut scales), Ok(()));
        scales
    };
    assert_eq!(hard(2, &[2.0, 1.0, 2.0, 2.0], &[1.0; 4], 1.0), [0.5, 0.0, 0.5, 0.0]);
    assert_eq!(hard(3, &[0.0, 1.0, 0.0, 2.0], &[1.0; 4], 1.0), [0.0, 0.5, 0.0, 0.5]);
    // 9/(1+8) = 1 < 4/(1+2): the weight decides.
    assert_eq!(hard(1, &[3.0, 2.0], &[8.0, 2.0], 1.0), [0.0, 1.0 / 3.0]);
    let mut lcg = Lcg(3);
    for _ in 0..500 {
        let m = lcg.size(1, 30);
        let (k, lambda) = (lcg.size(0, m), lcg.between(0.0, 3.0));
        // Few different norms, so that ties are frequent.
        let norms: Vec<f64> = (0..m).map(|_| lcg.size(0, 5) as f64).collect();
        let d: Vec<f64> = (0..m).map(|_| lcg.size(1, 2) as f64).collect();
        let mut order: Vec<usize> = (0..m).filter(|j| norms[*j] > 0.0).collect();
        let key = |j: &usize| norms[*j] * norms[*j] / (1.0 + lambda * d[*j]);
        order.sort_by(|a, b| key(b).total_cmp(&key(a)));
        let mut want = vec![0.0; m];
        order.iter().take(k).for_each(|j| want[*j] = 1.0 / (1.0 + lambda * d[*j]));
        assert_eq!(hard(k, &norms, &d, lambda), want);
    }
}

#[test]
fn wrong_operands_are_named_and_nothing_is_written() {
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(Wgsef::try_new(1, Weights::Each(&[1.0, bad])), Err(ProxError::Weight { group: 1 }));
    }
    let weights = [1.0_f32; 3];
    let envelope = Wgsef::try_new(1, Weights::Each(&weights)).expect("weights are positive");
    let mut scales = [9.0; 3];
    let short = ProxError::Len { operand: "weights", expected: 2, got: 3 };
    assert_eq!(envelope.prox_scales(&[1.0; 2], 0.5, &mut scales[..2]), Err(short));
    let short = ProxError::Len { operand: "scales", expected: 3, got: 2 };
    assert_eq!(envelope.hard_scales(&[1.0; 3], 0.5, &mut scales[..2]), Err(short));
    assert_eq!(envelope.prox_scales(&[1.0; 3], -0.5, &mut scales), Err(ProxError::Lambda));
    let short = ProxError::Scratch { operand: "points", expected: 6, got: 5 };
    let solver = Solver::Sorting { points: &mut [0.0; 5] };
    assert_eq!(envelope.prox_scales_by(solver, &[1.0; 3], 0.5, &mut scales), Err(short));
    let short = ProxError::Scratch { operand: "ramps", expected: 3, got: 2 };
    let solver = Solver::Pivoting { ramps: &mut [Ramp::default(); 2], seed: 0 };
    assert_eq!(envelope.prox_scales_by(solver, &[1.0; 3], 0.5, &mut scales), Err(short));
    assert_eq!(scales, [9.0; 3]);
}
