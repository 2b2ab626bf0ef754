//! Distillation against its definition and at its ends, the scores that a teacher hands over, and where a NaN lies.

use super::*;
use crate::engine::{Distillation, Engine};
use crate::ops;
use crate::zoo;

const INPUT: [usize; 3] = [12, 12, 1];
const LEN: usize = 144;
const CLASSES: usize = 10;
const BATCH: usize = 9;

fn network(seed: u64) -> Graph {
    zoo::ENTRIES[0].build(&INPUT, CLASSES, seed).expect("the input fits")
}

/// `ln softmax(row / temperature)`
fn log_softmax(row: &[f64], temperature: f64) -> Vec<f64> {
    let sum: f64 = row.iter().map(|z| (z / temperature).exp()).sum();
    row.iter().map(|z| z / temperature - sum.ln()).collect()
}

#[test]
fn the_loss_equals_its_definition() {
    // Without batch norm, so that training and inference see the same scores.
    let mut bench = Bench::new(3);
    let source = bench.source(LEN, &[7]);
    let mut engine: EngineOf<f64> = engine(&bench.finish(source, CLASSES), BATCH, 1);
    let x = Values::new(1).reals::<f64>(BATCH * LEN);
    let labels = labels(BATCH, CLASSES);
    let teacher: Vec<f64> = Values::new(2).reals::<f64>(BATCH * CLASSES).iter().map(|v| v * 4.0).collect();
    let scores = engine.logits(&x, BATCH).expect("a valid batch").to_vec();
    let (weight, temperature) = (0.6, 3.0);
    let got = engine.distill(&x, &labels, &teacher, Distillation { weight, temperature }).expect("a valid batch");
    let rows = scores.chunks(CLASSES).zip(teacher.chunks(CLASSES)).zip(&labels);
    let one = |((z, t), &label): ((&[f64], &[f64]), &u32)| {
        let (q, p) = (log_softmax(z, temperature), log_softmax(t, temperature));
        let divergence: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
        let cross_entropy = -log_softmax(z, 1.0)[label as usize];
        (1.0 - weight) * cross_entropy + weight * temperature * temperature * divergence
    };
    let want = rows.map(one).sum::<f64>() / BATCH as f64;
    assert!(relative_error(&[got.mean], &[want]) <= tolerance::LOSS, "{} {want}", got.mean);
    assert_eq!(got.correct, engine.loss(&x, &labels).expect("a valid batch").correct);
}

#[test]
fn without_weight_a_teacher_changes_no_bit() {
    let x = Values::new(1).f32s(BATCH * LEN);
    let labels = labels(BATCH, CLASSES);
    let mut alone: Engine = engine(&network(1), BATCH, 1);
    let mut taught: Engine = engine(&network(1), BATCH, 1);
    let options = Distillation { weight: 0.0, temperature: 2.0 };
    let want = alone.loss_and_gradients(&x, &labels).expect("a valid batch");
    let got = taught.distill(&x, &labels, &[f32::NAN; BATCH * CLASSES], options).expect("a valid batch");
    assert_eq!((got.mean.to_bits(), got.correct), (want.mean.to_bits(), want.correct));
    let bits = |engine: &Engine| engine.gradients().iter().map(|g| g.to_bits()).collect::<Vec<_>>();
    assert!(bits(&alone) == bits(&taught));
}

#[test]
fn a_teacher_of_the_same_opinion_teaches_nothing() {
    let mut bench = Bench::new(3);
    let source = bench.source(LEN, &[7]);
    let mut engine: Engine = engine(&bench.finish(source, CLASSES), BATCH, 1);
    let x = Values::new(1).f32s(BATCH * LEN);
    let scores = engine.logits(&x, BATCH).expect("a valid batch").to_vec();
    let options = Distillation { weight: 1.0, temperature: 4.0 };
    let loss = engine.distill(&x, &labels(BATCH, CLASSES), &scores, options).expect("a valid batch");
    assert_eq!(loss.mean, 0.0);
    assert!(engine.gradients().iter().all(|&g| g == 0.0));
}

#[test]
fn scores_are_the_probabilities_before_their_softmax() {
    let mut engine: Engine = engine(&network(4), 40, 2);
    let x = Values::new(5).f32s(33 * LEN);
    let probabilities = engine.forward(&x, 33).expect("a valid batch").to_vec();
    let scores: Vec<f64> = engine.logits(&x, 33).expect("a valid batch").iter().map(|&z| f64::from(z)).collect();
    for (row, want) in scores.chunks(CLASSES).zip(probabilities.chunks(CLASSES)) {
        let got: Vec<f64> = log_softmax(row, 1.0).into_iter().map(f64::exp).collect();
        let want: Vec<f64> = want.iter().map(|&p| f64::from(p)).collect();
        assert!(relative_error(&got, &want) <= tolerance::F32_OUTPUT);
    }
}

#[test]
fn any_number_of_threads_distils_to_the_same_bits() {
    let x = Values::new(1).f32s(40 * LEN);
    let teacher = Values::new(2).f32s(40 * CLASSES);
    let run = |threads| {
        let mut engine: Engine = engine(&network(1), 40, threads);
        let options = Distillation { weight: 0.5, temperature: 2.0 };
        let loss = engine.distill(&x, &labels(40, CLASSES), &teacher, options).expect("a valid batch");
        (loss.mean.to_bits(), engine.gradients().iter().map(|g| g.to_bits()).collect::<Vec<_>>())
    };
    assert!(run(1) == run(3));
}

#[test]
fn a_softmax_of_the_input_has_a_loss_and_no_gradient() {
    let mut bench = Bench::new(1);
    let x = bench.graph.input("x", &[3]);
    let y = bench.push("softmax", ops::Softmax, &[x]);
    bench.graph.outputs.push(y);
    let mut engine: Engine = engine(&bench.graph, 2, 1);
    let x = [0.0, 0.0, 0.0, 1.0, 2.0, 3.0];
    assert_eq!(engine.logits(&x, 2).expect("a valid batch"), x);
    let loss = engine.loss_and_gradients(&x, &[0, 2]).expect("a valid batch");
    assert_eq!((loss.correct, engine.gradients().len()), (2, 0));
}

#[test]
fn the_first_number_that_is_not_finite_is_named() {
    let graph = network(3);
    let mut engine: Engine = engine(&graph, 1, 1);
    assert_eq!(engine.first_non_finite(), None);
    let mut x = vec![0.5; LEN];
    x[20] = f32::NAN;
    assert!(engine.loss_and_gradients(&x, &[0]).expect("a valid batch").mean.is_nan());
    let (name, _) = engine.first_non_finite().expect("gradients of a NaN");
    assert_eq!(name, "conv1.weight");
    let second = engine.parameters()[1].clone();
    engine.values_mut()[second.range.start + 3] = f32::INFINITY;
    assert_eq!(engine.first_non_finite(), Some((graph[second.tensor].name.as_str(), 3)));
}
