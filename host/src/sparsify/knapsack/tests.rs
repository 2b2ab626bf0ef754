use super::*;
use good_lp::{Expression, Solution, SolverModel, constraint, microlp, variable, variables};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// The one tolerance table of this file: sums of errors below 100 in another order.
const ROUNDING: f64 = 1e-9;
/// What the integer program's solver is trusted to: errors of its objective are below this.
const INTEGER_PROGRAM: f64 = 1e-6;

fn below(rng: &mut ChaCha8Rng, end: u64) -> u64 {
    rng.next_u64() % end
}

/// Up to six layers of up to five choices with costs below 40.
fn instance(rng: &mut ChaCha8Rng) -> (Vec<Vec<Choice>>, f64) {
    let layers = 1 + below(rng, 6);
    let choice = |rng: &mut ChaCha8Rng| Choice {
        cost: below(rng, 40) as f64,
        error: below(rng, 1 << 20) as f64 / f64::from(1 << 16),
    };
    let layer = |rng: &mut ChaCha8Rng| (0..1 + below(rng, 5)).map(|_| choice(rng)).collect();
    let all = (0..layers).map(|_| layer(rng)).collect();
    (all, below(rng, 30 * layers) as f64)
}

/// The least error by trying everything.
fn brute_force(layers: &[Vec<Choice>], capacity: f64) -> Option<f64> {
    let Some((first, rest)) = layers.split_first() else { return Some(0.0) };
    let errors = first.iter().filter(|c| c.cost <= capacity);
    let errors = errors.filter_map(|c| Some(c.error + brute_force(rest, capacity - c.cost)?));
    errors.min_by(f64::total_cmp)
}

fn integer_program(layers: &[Vec<Choice>], capacity: f64) -> Option<f64> {
    let mut variables = variables!();
    let taken: Vec<Vec<_>> =
        layers.iter().map(|layer| layer.iter().map(|_| variables.add(variable().binary())).collect()).collect();
    let sum = |of: fn(&Choice) -> f64| -> Expression {
        let each = layers.iter().flatten().zip(taken.iter().flatten());
        each.map(|(choice, taken)| of(choice) * *taken).sum()
    };
    let (error, cost) = (sum(|c| c.error), sum(|c| c.cost));
    let mut model = variables.minimise(error.clone()).using(microlp).with(constraint!(cost <= capacity));
    for layer in &taken {
        model = model.with(constraint!(layer.iter().sum::<Expression>() == 1));
    }
    Some(model.solve().ok()?.eval(error))
}

#[test]
fn three_hundred_random_instances_are_solved_as_by_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut impossible = 0;
    for _ in 0..300 {
        let (layers, capacity) = instance(&mut rng);
        let got = solve(&layers, capacity).map(|chosen| sums(&layers, &chosen));
        assert!(got.is_none_or(|(cost, _)| cost <= capacity));
        match (got, brute_force(&layers, capacity)) {
            (Some((_, error)), Some(least)) => assert!((error - least).abs() < ROUNDING, "{layers:?} {capacity}"),
            (None, None) => impossible += 1,
            other => panic!("{other:?}: {layers:?} {capacity}"),
        }
    }
    assert!((1..150).contains(&impossible), "{impossible}");
}

#[test]
fn two_hundred_random_instances_are_solved_as_by_an_integer_program() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..200 {
        let (layers, capacity) = instance(&mut rng);
        let got = solve(&layers, capacity).map(|chosen| sums(&layers, &chosen).1);
        match (got, integer_program(&layers, capacity)) {
            (Some(error), Some(least)) => assert!((error - least).abs() < INTEGER_PROGRAM, "{layers:?} {capacity}"),
            (None, None) => {}
            other => panic!("{other:?}: {layers:?} {capacity}"),
        }
    }
}

#[test]
fn costs_that_are_no_whole_numbers_are_never_exceeded_and_lose_little() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..20 {
        let (mut layers, capacity) = instance(&mut rng);
        layers.iter_mut().flatten().for_each(|c| c.cost *= 1.0 / 3.0);
        let capacity = capacity / 3.0 + 0.1;
        let chosen = solve(&layers, capacity);
        assert_eq!(chosen.is_some(), brute_force(&layers, capacity).is_some());
        let Some(chosen) = chosen else { continue };
        let (cost, error) = sums(&layers, &chosen);
        assert!(cost <= capacity);
        // A bucket is a 65536th of the capacity, far below the least difference between two costs.
        assert!((error - brute_force(&layers, capacity).expect("has one")).abs() < ROUNDING);
    }
}

#[test]
fn the_lagrangian_is_feasible_whenever_something_is_and_one_layer_from_the_best() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for _ in 0..300 {
        let (layers, capacity) = instance(&mut rng);
        let (got, least) = (lagrangian(&layers, capacity), brute_force(&layers, capacity));
        assert_eq!(got.is_some(), least.is_some());
        let (Some(chosen), Some(least)) = (got, least) else { continue };
        let (cost, error) = sums(&layers, &chosen);
        assert!(cost <= capacity);
        let spread = |layer: &Vec<Choice>| {
            let errors = || layer.iter().map(|c| c.error);
            errors().fold(0.0, f64::max) - errors().fold(f64::INFINITY, f64::min)
        };
        let one_layer = layers.iter().map(spread).fold(0.0, f64::max);
        assert!(error - least <= one_layer + ROUNDING, "{layers:?} {capacity}");
    }
}

#[test]
fn the_first_layer_has_to_be_paid_for_and_what_is_not_a_number_is_not_taken() {
    let choice = |cost, error| Choice { cost, error };
    // The reference's table starts the second layer from nothing where the budget is 0, and lets the first overdraw.
    let layers = [vec![choice(3.0, 0.0), choice(1.0, 5.0)], vec![choice(2.0, 0.0), choice(0.0, 1.0)]];
    assert_eq!(solve(&layers, 0.0), None);
    assert_eq!(solve(&layers, 2.0), Some(vec![1, 1]));
    assert_eq!(solve(&layers, 3.0), Some(vec![0, 1]));
    assert_eq!(solve(&layers, f64::INFINITY), Some(vec![0, 0]));
    assert_eq!(solve(&layers, f64::NAN), None);
    assert_eq!(solve(&[vec![choice(1.0, f64::NAN), choice(1.0, 9.0)]], 1.0), Some(vec![1]));
    assert_eq!(solve(&[vec![choice(f64::INFINITY, 0.0)]], 1.0), None);
    assert_eq!(solve(&[], 0.0), Some(vec![]));
}
