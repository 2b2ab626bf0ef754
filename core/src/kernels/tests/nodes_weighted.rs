//! Weighted sums over neighbours and edges that are left out, against the real thing.

use crate::graph::{Csr, propagate};
use crate::kernels::nodes::{Attention, NeighbourWeights, Ranks, Slope, keep_edges};
use crate::kernels::suite::{Bits, Constants, Lcg, Matrix, Weights};
use crate::kernels::{
    BackEnd as _, Clamp, Gathering, KeptEdges, Portable, Propagate, RowConstants, RowScaling, Sparse, Weighted,
    reference,
};
use crate::num::{Multiplier, Rounding};
use std::vec::Vec;

const CASES: usize = 300;

#[test]
fn a_slope_is_its_multiplier() {
    let (mut rng, mut slopes) = (Lcg(57), 0);
    for shift in -31..=30 {
        for mantissa_q31 in [0, (1 << 30) - 1, 1 << 30, (1 << 30) + 1 + rng.below(1 << 30) as i32, i32::MAX] {
            let multiplier = Multiplier { mantissa_q31, shift };
            if !Slope::fits(multiplier) {
                continue;
            }
            slopes += 1;
            let slope = Slope::new(multiplier);
            let ends = [0, 1, -1, 3 << 29, -(3 << 29)];
            let halves = (0..31).flat_map(|bit| [-1, 0, 1].map(|d| (1_i32 << bit) + d)).filter(|q| *q <= 3 << 29);
            let random: Vec<i32> = (0..50).map(|_| rng.below(3 << 30) as i32 - (3 << 29)).collect();
            for q in ends.into_iter().chain(halves.flat_map(|q| [q, -q])).chain(random) {
                assert_eq!(slope.apply(q), multiplier.apply(q, Rounding::Double), "{multiplier:?} {q}");
            }
        }
    }
    assert_eq!(slopes, 59 * 3);
}

/// Codes back in reals, of a scale of 1/64 and zero point 3.
fn reals(codes: &[i8]) -> Vec<f64> {
    codes.iter().map(|&code| (f64::from(code) - 3.0) / 64.0).collect()
}

fn scaling<'a>(channels: usize, unit: f64, zeros: &'a [i32], words: &'a mut (Vec<i32>, Vec<i32>)) -> RowScaling<'a> {
    let m = Multiplier::from_real(unit, Rounding::Double);
    *words = (vec![m.mantissa_q31; channels], vec![m.shift; channels]);
    RowScaling::new(RowConstants {
        factors: &[],
        bias: &zeros[..channels],
        multipliers_q31: &words.0,
        shifts: &words.1,
        output_zero_point: 3,
        clamp: Clamp { min: -128, max: 127 },
        rounding: Rounding::Double,
    })
}

#[test]
fn attention_is_within_a_code_of_the_softmax_in_reals() {
    let (mut rng, mut worst) = (Lcg(32), 0.0_f64);
    for _ in 0..CASES {
        let (nodes, heads, part) = (1 + rng.below(30), 1 + rng.below(4), 1 + rng.below(8));
        let channels = heads * part;
        let graph = Matrix::random(&mut rng, nodes, nodes).without_loops(&mut rng);
        let weights = Weights::new(&mut rng, graph.view(), channels, heads, 1.0 / (64.0 * 100.0));
        let (zeros, mut words) = (vec![0; channels], Default::default());
        let op = Weighted {
            graph: graph.view(),
            kept: KeptEdges::ALL,
            channels,
            weights: weights.view(),
            input_zero_point: 3,
            scaling: scaling(channels, 0.5_f64.powi(22), &zeros, &mut words),
        };
        let (x, mut y) = (rng.int8s(nodes * channels), vec![0; nodes * channels]);
        reference::weighted_int8(&op, &x, &mut y).unwrap();
        let vectors: Vec<f64> = weights.vectors.iter().map(|&code| f64::from(code) / 100.0).collect();
        let (source, target) = vectors.split_at(channels);
        let by = propagate::AttentionVectors { heads, slope: 0.2, source, target };
        let csr = Csr::try_new(&graph.offsets, &graph.columns, nodes).unwrap();
        let mut want = vec![0.0; nodes * channels];
        propagate::attention(&csr, &by, &reals(&x), &mut want).unwrap();
        let errors = reals(&y).into_iter().zip(want).map(|(y, want)| (64.0 * (y - want)).abs());
        worst = errors.fold(worst, f64::max);
    }
    assert!(worst < 0.6, "half a code is rounding, the rest that of weights: {worst}");
}

#[test]
fn weights_by_degree_are_gcn_on_the_edges_that_are_left() {
    let (mut rng, mut worst) = (Lcg(33), 0.0_f64);
    for _ in 0..CASES {
        let (nodes, channels) = (1 + rng.below(30), 1 + rng.below(8));
        let graph = Matrix::random(&mut rng, nodes, nodes).without_loops(&mut rng);
        let bits = Bits::random(&mut rng, graph.columns.len());
        let weights = Weights::new(&mut rng, graph.view(), channels, 0, 1.0);
        let (zeros, mut words) = (vec![0; channels], Default::default());
        let op = Weighted {
            graph: graph.view(),
            kept: bits.view(),
            channels,
            weights: weights.view(),
            input_zero_point: 3,
            scaling: scaling(channels, 0.25 * 0.5_f64.powi(16), &zeros, &mut words),
        };
        let (x, mut y) = (rng.int8s(nodes * channels), vec![0; nodes * channels]);
        reference::weighted_int8(&op, &x, &mut y).unwrap();
        let left = graph.filtered(&mut rng, bits.view());
        let csr = Csr::try_new(&left.offsets, &left.columns, nodes).unwrap();
        let (mut factors, mut want) = (vec![0.0; nodes], vec![0.0; nodes * channels]);
        propagate::gcn_factors(&csr, &mut factors).unwrap();
        // One-way edges: a neighbour's degree is that of its own row.
        propagate::gcn(&csr, &factors, &reals(&x), &mut want).unwrap();
        let code = |want: f64| (64.0 * want / 4.0 + 3.0).clamp(-128.0, 127.0);
        let errors = y.iter().zip(want).map(|(&y, want)| (f64::from(y) - code(want)).abs());
        worst = errors.fold(worst, f64::max);
    }
    assert!(worst < 0.6, "half a code is rounding, the rest that of factors: {worst}");
}

#[test]
fn sums_without_some_edges_are_those_of_the_smaller_graph() {
    let mut rng = Lcg(34);
    for case in 0..CASES {
        let (nodes, channels) = (1 + rng.below(90), 1 + rng.below(20));
        let graph = Matrix::random(&mut rng, nodes, nodes);
        let bits = Bits::random(&mut rng, graph.columns.len());
        let left = graph.filtered(&mut rng, bits.view());
        let constants = Constants::random(&mut rng, nodes, channels, 60_000.0);
        let gathering =
            if case % 2 == 0 { Gathering::Mean } else { Gathering::Sum { own_weight: 300, fraction_bits: 8 } };
        let of = |graph, kept| Propagate {
            graph,
            kept,
            channels,
            gathering,
            input_zero_point: -7,
            scaling: constants.view(),
        };
        let x = rng.int8s(nodes * channels);
        let (mut want, mut got) = (vec![1; x.len()], vec![2; x.len()]);
        reference::propagate_int8(&of(left.view(), KeptEdges::ALL), &x, &mut want).unwrap();
        Portable::propagate_int8(&of(graph.view(), bits.view()), &x, &mut got).unwrap();
        assert_eq!(got, want);
    }
}

#[test]
fn bits_say_which_ranks_stay_and_the_largest_number_always_does() {
    let ranks = [3_u16, 0, u16::MAX, 1, 2, 9, 8, 7, 4];
    let mut bits = [0; 2];
    let mut kept = |drop| {
        keep_edges(Ranks::Narrow(&ranks), drop, &mut bits).unwrap();
        let kept = KeptEdges::of(&bits);
        let flags: Vec<usize> = (0..9).filter(|&edge| kept.has(edge)).collect();
        assert_eq!(kept.count(0..9), flags.len());
        assert_eq!(kept.count(3..5), flags.iter().filter(|edge| (3..5).contains(*edge)).count());
        flags
    };
    assert_eq!(kept(0).len(), 9);
    assert_eq!(kept(-5).len(), 9);
    assert_eq!(kept(3), [0, 2, 5, 6, 7, 8]);
    assert_eq!(kept(1 << 20), [2]);
    let wide = [70_000_u32, u32::MAX, 5];
    let mut bits = [0];
    keep_edges(Ranks::Wide(&wide), i32::MAX, &mut bits).unwrap();
    assert_eq!(bits, [0b010]);
    assert!(keep_edges(Ranks::Wide(&wide), 0, &mut [0; 2]).is_err());
    assert_eq!((KeptEdges::of(&bits).count(0..400), KeptEdges::ALL.count(7..9)), (1, 2));
}

#[test]
fn sums_of_weights_that_may_be_too_large_are_noticed() {
    let offsets = [0_u16, 1, 2];
    let graph = Sparse::Narrow(Csr::try_new(&offsets, &[1_u16, 0], 2).unwrap());
    let (zeros, mut words) = (vec![0; 9_000], Default::default());
    let scaling = scaling(9_000, 1e-6, &zeros, &mut words);
    let slopes = [1 << 30, 0, 1 << 30, 0];
    let of = |channels: usize, weights| Weighted {
        graph,
        kept: KeptEdges::ALL,
        channels,
        weights,
        input_zero_point: 0,
        scaling,
    };
    let vectors = [0; 2];
    let attention = |heads| {
        NeighbourWeights::Attention(Attention { vectors: &vectors, slopes: if heads == 0 { &[] } else { &slopes } })
    };
    assert!(of(1, attention(1)).is_exact());
    assert!(!of(1 << 20, attention(1)).is_exact(), "products with the vectors");
    assert!(of(1, attention(0)).check(2, 2).is_err(), "no heads");
    assert!(of(1, NeighbourWeights::ByDegree(&[1])).check(2, 2).is_err(), "a factor for each degree");
}
