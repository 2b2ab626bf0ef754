use super::*;
use crate::engine::{Engine, EngineOptions, Slots};
use crate::sparsify::method::Moment;
use crate::sparsify::parameter_groups::ParameterGroups;
use crate::zoo;
use rand_chacha::rand_core::SeedableRng;

/// The one tolerance table of this file: the vector has eight digits.
const DIGITS: f64 = 1e-8;

/// Where a ramp is, and all that a stage borrows.
struct Bench {
    layers: ParameterGroups,
    values: Vec<f32>,
    gradients: Vec<f32>,
    slots: Slots,
    alive: Alive,
    at: Moment,
}

impl Bench {
    /// A small network of which the first `keep` of every layer's groups are left.
    fn new(groups: GroupKind, keep: f64) -> Self {
        let graph = zoo::by_name("small-cnn").expect("in the zoo").build(&[8, 8, 1], 10, 1).expect("fits");
        let engine = Engine::new(&graph, EngineOptions { batch: 1, threads: 1 }).expect("a network");
        let options = Sparsity { groups, ..Sparsity::default() };
        let layers = ParameterGroups::new(&graph, engine.parameters(), &options).expect("has groups");
        let kept = layers.list.iter().map(|f| (0..(keep * f.groups as f64) as usize).collect()).collect();
        let alive = Alive::new(&layers, kept).expect("fits");
        let mut values = engine.values().to_vec();
        alive.hold(&mut values);
        let gradients = (0..values.len()).map(|i| (i * 7919 % 1009) as f32 - 500.0).collect();
        let at = Moment { epoch: 1, epochs: 8, step: 100, steps: 800, lr: 0.1, lambda: 0.0, half_space: false };
        let ones = ["m", "v"].map(|name| (name.to_owned(), vec![1.0; values.len()]));
        Self { slots: Slots::with_values(ones), layers, values, gradients, alive, at }
    }

    fn stage(&mut self) -> Stage<'_> {
        let Self { layers, values, gradients, slots, alive, at } = self;
        Stage { layers, values, gradients, slots, alive, at: *at }
    }

    fn counts(&self) -> Vec<usize> {
        self.alive.kept().iter().map(Vec::len).collect()
    }
}

/// How many of `kept` are not in `others`.
fn new_ones(kept: &KeptGroups, others: &KeptGroups) -> usize {
    kept.iter().zip(others).map(|(kept, others)| kept.iter().filter(|j| !others.contains(j)).count()).sum()
}

#[test]
fn the_share_that_rigl_exchanges_follows_the_published_cosine() {
    for (t, expected) in [(0.0, 0.3), (18750.0, 0.25606602), (37500.0, 0.15), (56250.0, 0.04393398)] {
        assert!((exchanged(t, 75000.0) - expected).abs() < DIGITS, "{t}");
    }
}

#[test]
fn an_exchange_changes_groups_but_not_their_number_in_any_layer() {
    for groups in [GroupKind::Weight, GroupKind::Filter, GroupKind::FilterShape] {
        let mut bench = Bench::new(groups, 0.4);
        let (counts, before) = (bench.counts(), bench.alive.kept().clone());
        Dynamic::exchange_by_gradient(&mut bench.stage(), 0.3).expect("fits");
        assert_eq!(bench.counts(), counts, "{groups:?}");
        assert!(new_ones(bench.alive.kept(), &before) > 0, "{groups:?}");
        let before = bench.alive.kept().clone();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        Dynamic::exchange_at_random(&mut bench.stage(), &mut rng).expect("fits");
        assert_eq!(bench.counts(), counts, "{groups:?}");
        assert!(new_ones(bench.alive.kept(), &before) > 0, "{groups:?}");
        assert!(bench.alive.kept().iter().all(|kept| kept.is_sorted_by(|a, b| a < b)));
    }
}

#[test]
fn rigl_lets_the_smallest_go_and_the_largest_gradients_in() {
    let mut bench = Bench::new(GroupKind::Weight, 0.5);
    let before = bench.alive.kept().clone();
    let n = before[0].len();
    let squares = bench.layers.list[0].squares(&bench.values).expect("fits").to_vec();
    let pull = bench.layers.list[0].squares(&bench.gradients).expect("fits").to_vec();
    Dynamic::exchange_by_gradient(&mut bench.stage(), 0.1).expect("fits");
    let stay = ascending(largest(before[0].clone(), &squares, n - n / 10));
    let kept = &bench.alive.kept()[0];
    assert!(stay.iter().all(|j| kept.contains(j)), "the largest stay");
    let came: Vec<usize> = kept.iter().copied().filter(|j| !stay.contains(j)).collect();
    let least = came.iter().map(|&j| pull[j]).fold(f64::INFINITY, f64::min);
    let out = others(squares.len(), kept);
    assert!(out.iter().all(|&j| pull[j] <= least), "nothing outside has a larger gradient");
}

#[test]
fn rigl_replaces_the_step_of_an_exchange_and_stops_after_three_quarters() {
    let mut bench = Bench::new(GroupKind::Weight, 0.5);
    let mut rigl = Dynamic { growth: Growth::Gradient, first: KeptGroups::new() };
    for (step, expected) in [(99, Update::Optimizer), (100, Update::Replaced), (600, Update::Optimizer)] {
        bench.at.step = step;
        let before = bench.alive.clone();
        assert_eq!(rigl.before_step(&mut bench.stage()).expect("fits"), expected, "{step}");
        assert_eq!(before != bench.alive, expected == Update::Replaced, "{step}");
    }
}

#[test]
fn set_counts_positive_and_negative_weights_for_themselves() {
    // Ten positive weights, all smaller than the ten negative ones, and a zero; one more is not there.
    let values: Vec<f64> =
        (1..=10).map(f64::from).chain((1..=10).map(|i| -100.0 - f64::from(i))).chain([0.0, 9.0]).collect();
    let alive: Vec<usize> = (0..21).collect();
    let expected: Vec<usize> = (3..10).chain(13..21).collect();
    assert_eq!(stay_by_sign(&alive, &values), expected);
}

#[test]
fn what_set_lets_in_starts_at_zero_with_fresh_moments() {
    let mut bench = Bench::new(GroupKind::Weight, 0.5);
    let ones = vec![1.0; bench.values.len()];
    let values = bench.layers.list[0].products(&bench.values, &ones).expect("fits").to_vec();
    let stay = stay_by_sign(&bench.alive.kept()[0], &values);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    Dynamic::exchange_at_random(&mut bench.stage(), &mut rng).expect("fits");
    let came: Vec<usize> = bench.alive.kept()[0].iter().copied().filter(|j| !stay.contains(j)).collect();
    assert!(!came.is_empty());
    for flat in std::iter::once(&bench.values[..]).chain(bench.slots.iter().map(|(_, slot)| slot)) {
        let flat = bench.layers.list[0].products(flat, &ones).expect("fits");
        assert!(came.iter().all(|&j| flat[j] == 0.0) && stay.iter().all(|&j| flat[j] != 0.0));
    }
}
