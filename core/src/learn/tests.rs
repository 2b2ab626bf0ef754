//! The tests of specs/sparse_and_graph.md §3.7 and §4.6.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

use super::fixed_point::{Contraction, Phi, Stop, degree_weights, degree_weights_gradient};
use super::single_forward::{Outputs, normalize_rows};
use crate::error::GraphError;
use crate::graph::Csr;

/// The one table of tolerances.
mod tolerance {
    /// Step of central differences.
    pub(super) const STEP: f64 = 1e-5;
    /// Closed-form gradients of the single-forward loss.
    pub(super) const SINGLE_FORWARD: f64 = 1e-8;
    /// Fixed points and implicit gradients.
    pub(super) const FIXED_POINT: f64 = 1e-6;
    /// Values written with ten decimals.
    pub(super) const DECIMALS: f64 = 5e-11;
}

fn values(len: usize, seed: f64) -> Vec<f64> {
    (0..len).map(|i| ((i as f64 + 1.0) * seed).sin()).collect()
}

const EXACT: Stop = Stop { tolerance: 1e-13, steps: 200 };

#[test]
fn single_forward_gradients_are_the_differences_of_the_loss() {
    const NODES: usize = 7;
    const CLASSES: usize = 3;
    const WIDTH: usize = 5;
    let labels: Vec<u32> = (0..NODES as u32).map(|node| node % 3).collect();
    // Before the ReLU, so that its mask is part of what is tested.
    let z = [values(NODES * WIDTH, 0.7), values(CLASSES * WIDTH, 1.9)];
    let relu = |z: &[f64]| z.iter().map(|z| z.max(0.0)).collect::<Vec<_>>();
    let loss = |z: &[Vec<f64>; 2], gradients: &mut [Vec<f64>; 2]| {
        let (hidden, anchors) = (relu(&z[0]), relu(&z[1]));
        let outputs = Outputs { hidden: &hidden, anchors: &anchors, width: WIDTH, temperature: 0.8 };
        let [d_hidden, d_anchors] = gradients;
        outputs.loss_and_gradients(&labels, &mut [0.0; CLASSES], d_hidden, d_anchors).expect("fits")
    };
    let mut gradients = [vec![9.0; NODES * WIDTH], vec![9.0; CLASSES * WIDTH]];
    loss(&z, &mut gradients);
    let mut spare = gradients.clone();
    for (part, found) in gradients.iter().enumerate() {
        for (at, gradient) in found.iter().enumerate() {
            let mut moved = |step: f64| {
                let mut z = z.clone();
                z[part][at] += step;
                loss(&z, &mut spare)
            };
            let difference = (moved(tolerance::STEP) - moved(-tolerance::STEP)) / (2.0 * tolerance::STEP);
            assert!((gradient - difference).abs() < tolerance::SINGLE_FORWARD, "{part} {at}: {gradient} {difference}");
        }
    }
}

#[test]
fn renaming_classes_renames_their_votes() {
    let (hidden, anchors) = (values(4 * 6, 0.3), values(3 * 6, 1.1));
    let vote = |anchors: &[f64]| {
        let mut votes = [0.0; 12];
        let outputs = Outputs { hidden: &[], anchors, width: 6, temperature: 1.0 };
        outputs.vote(&hidden, &mut [0.0; 3], &mut votes).expect("fits");
        votes
    };
    let turned: Vec<f64> = [1, 2, 0].iter().flat_map(|class| anchors[class * 6..(class + 1) * 6].to_vec()).collect();
    let (votes, renamed) = (vote(&anchors), vote(&turned));
    for node in 0..4 {
        for (class, from) in [1, 2, 0].into_iter().enumerate() {
            assert!((renamed[node * 3 + class] - votes[node * 3 + from]).abs() < tolerance::DECIMALS);
        }
    }
}

#[test]
fn rows_of_zeros_stay_zeros_when_normalised() {
    let mut x = [3.0_f32, 4.0, 0.0, 0.0];
    normalize_rows(&mut x, 2).expect("fits");
    assert!((x[0] - 0.6).abs() < 1e-6 && (x[1] - 0.8).abs() < 1e-6);
    assert_eq!(x[2..], [0.0, 0.0]);
    assert_eq!(normalize_rows(&mut x, 3), Err(GraphError::Len { operand: "x", expected: 3, got: 4 }));
}

#[test]
fn a_label_without_a_class_is_refused() {
    let outputs = Outputs { hidden: &[1.0_f32; 4], anchors: &[1.0; 4], width: 2, temperature: 1.0 };
    let refused = outputs.loss_and_gradients(&[0, 2], &mut [0.0; 2], &mut [0.0; 4], &mut [0.0; 4]);
    assert_eq!(refused, Err(GraphError::Class { position: 1, class: 2, classes: 2 }));
}

/// A = [[0, .5, .5], [.25, 0, .5], [1, 0, 0]]
const OFFSETS: &[u16] = &[0, 2, 4, 5];
const COLUMNS: &[u16] = &[1, 2, 0, 2, 0];
const WEIGHTS: &[f64] = &[0.5, 0.5, 0.25, 0.5, 1.0];
const TRANSPOSED: (&[u16], &[u16]) = (&[0, 2, 3, 5], &[1, 2, 0, 0, 1]);
const B: &[f64] = &[1.0, -2.0, 0.5];

fn pattern() -> [Csr<'static, u16, u16>; 2] {
    let of = |offsets, columns| Csr::try_new(offsets, columns, 3).expect("rows rise");
    [of(OFFSETS, COLUMNS), of(TRANSPOSED.0, TRANSPOSED.1)]
}

fn map(weights: &[f64], phi: Phi) -> Contraction<'_, u16, u16, f64> {
    let [graph, transposed] = pattern();
    Contraction::try_new(graph, transposed, weights, 1, 0.5, phi).expect("a contraction")
}

#[test]
fn the_fixed_point_is_that_of_the_specification_from_anywhere() {
    for start in [[0.0; 3], [100.0, -7.0, 3.0]] {
        let mut x = start;
        map(WEIGHTS, Phi::Identity).solve(B, EXACT, &mut x, &mut [0.0; 3]).expect("converges");
        for (x, expected) in x.iter().zip([0.807_692_307_7, -1.673_076_923_1, 0.903_846_153_8]) {
            assert!((x - expected).abs() < tolerance::DECIMALS, "{x} instead of {expected}");
        }
    }
}

#[test]
fn every_step_brings_the_error_down_by_gamma() {
    let (mut exact, mut x) = ([0.0; 3], [10.0, -10.0, 10.0]);
    let map = map(WEIGHTS, Phi::Tanh);
    map.solve(B, EXACT, &mut exact, &mut [0.0; 3]).expect("converges");
    let error = |x: &[f64]| x.iter().zip(&exact).fold(0.0, |most, (a, b)| f64::max(most, (a - b).abs()));
    for _ in 0..10 {
        let before = error(&x);
        let _ = map.solve(B, Stop { tolerance: 0.0, steps: 1 }, &mut x, &mut [0.0; 3]);
        assert!(error(&x) <= 0.5 * before + 1e-12, "{} after {before}", error(&x));
    }
}

#[test]
fn implicit_gradients_are_the_differences_of_the_fixed_point() {
    let g = [0.3, -1.2, 0.8];
    for phi in [Phi::Identity, Phi::Tanh, Phi::Relu] {
        let value = |weights: &[f64], b: &[f64]| {
            let mut x = [0.0; 3];
            map(weights, phi).solve(b, EXACT, &mut x, &mut [0.0; 3]).expect("converges");
            x.iter().zip(g).map(|(x, g)| x * g).sum::<f64>()
        };
        // Inside the contraction, so that it can be moved both ways.
        let weights: Vec<f64> = WEIGHTS.iter().map(|weight| 0.9 * weight).collect();
        let (mut x, mut db, mut da) = ([0.0; 3], [9.0; 3], [9.0; 5]);
        map(&weights, phi).solve(B, EXACT, &mut x, &mut [0.0; 3]).expect("converges");
        map(&weights, phi).gradients(&x, &g, EXACT, (&mut db, &mut da), &mut [0.0; 3]).expect("converges");
        let step = tolerance::STEP;
        let moved = |of: &[f64], at: usize, by: f64| {
            let mut of = of.to_vec();
            of[at] += by;
            of
        };
        for (at, db) in db.iter().enumerate() {
            let difference =
                (value(&weights, &moved(B, at, step)) - value(&weights, &moved(B, at, -step))) / (2.0 * step);
            assert!((db - difference).abs() < tolerance::FIXED_POINT, "{phi:?} b[{at}]: {db} {difference}");
        }
        for (at, da) in da.iter().enumerate() {
            let difference =
                (value(&moved(&weights, at, step), B) - value(&moved(&weights, at, -step), B)) / (2.0 * step);
            assert!((da - difference).abs() < tolerance::FIXED_POINT, "{phi:?} a[{at}]: {da} {difference}");
        }
    }
}

#[test]
fn weights_from_logits_are_a_contraction_with_no_gradient_where_clipped() {
    let [graph, transposed] = pattern();
    let logits = [0.5, 7.0, -3.0, 0.25, 1.0];
    let mut weights = [9.0; 5];
    degree_weights(&graph, 1, &logits, &mut weights).expect("fits");
    assert_eq!(weights, [0.25, 0.5, 0.0, 0.125, 1.0]);
    assert!(Contraction::try_new(graph, transposed, &weights, 1, 0.5, Phi::Identity).is_ok());
    let mut gradients = [1.0; 5];
    degree_weights_gradient(&graph, 1, &logits, &mut gradients).expect("fits");
    assert_eq!(gradients, [0.5, 0.0, 0.0, 0.5, 0.0]);
}

#[test]
fn heads_are_solved_each_for_itself() {
    let [graph, transposed] = pattern();
    let two = |of: &[f64], other: f64| of.iter().flat_map(|v| [*v, v * other]).collect::<Vec<f64>>();
    let weights = two(WEIGHTS, 0.5);
    let map = Contraction::try_new(graph, transposed, &weights, 2, 0.5, Phi::Identity).expect("a contraction");
    let mut x = [0.0; 6];
    map.solve(&two(B, 1.0), EXACT, &mut x, &mut [0.0; 6]).expect("converges");
    assert!((x[0] - 0.807_692_307_7).abs() < tolerance::DECIMALS);
    let halves: Vec<f64> = WEIGHTS.iter().map(|weight| 0.5 * weight).collect();
    let mut alone = [0.0; 3];
    self::map(&halves, Phi::Identity).solve(B, EXACT, &mut alone, &mut [0.0; 3]).expect("converges");
    // Alone, a head that converges sooner takes fewer steps.
    assert!([x[1], x[3], x[5]].iter().zip(alone).all(|(x, alone)| (x - alone).abs() < tolerance::DECIMALS));
    assert!([x[0], x[2], x[4]].iter().zip(alone).all(|(x, alone)| (x - alone).abs() > tolerance::DECIMALS));
}

#[test]
fn what_is_no_contraction_is_refused_and_nodes_without_edges_keep_their_b() {
    let [graph, transposed] = pattern();
    let wide = [0.5, 0.6, 0.0, 0.0, 0.0];
    let refused = Contraction::try_new(graph, transposed, &wide, 1, 0.5, Phi::Identity).err();
    assert_eq!(refused, Some(GraphError::Contraction { row: 0 }));
    let nan = [f64::NAN; 5];
    assert!(Contraction::try_new(graph, transposed, &nan, 1, 0.5, Phi::Identity).is_err());
    assert!(Contraction::try_new(graph, transposed, WEIGHTS, 1, 1.0, Phi::Identity).is_err());
    let alone = Csr::try_new(&[0_u16, 0], &[] as &[u16], 1).expect("no entries");
    let map = Contraction::try_new(alone, alone, &[], 1, 0.5, Phi::Identity).expect("a contraction");
    let mut x = [0.0];
    assert_eq!(map.solve(&[3.5], Stop::default(), &mut x, &mut [0.0]), Ok(2));
    assert_eq!(x, [3.5]);
}
