//! Straight-through gradients and those of learned scales against their definitions, and bits against thread counts.

use super::*;
use crate::graph::{Data, Padding, Sliding, eval::Value};
use crate::ops;
use crate::quantize::{Granularity, Precision, Quantize, Scheme, prepare};

/// Largest difference of a gradient: the engine sums in f32, the test in f64.
const GRADIENT: f64 = 1e-4;

/// A float network whose scales are learned, its scheme and the integer network of its values.
fn rounded(graph: &Graph, options: &Quantize, samples: &[&[f32]]) -> (Graph, Scheme, Graph) {
    let (mut float, mut scheme) = prepare(graph, samples, options).expect("calibrates");
    scheme.learn_steps(&mut float);
    let integer = scheme.apply(&float).expect("rounds");
    (float, scheme, integer)
}

fn scale(integer: &Graph, id: TensorId) -> f64 {
    integer[id].quant.as_ref().expect("is quantised").scales[0].into()
}

fn reals(integer: &Graph, id: TensorId, values: &[Option<Value>]) -> Vec<f64> {
    let quant = integer[id].quant.as_ref().expect("is quantised");
    let Some(Value::I8(codes)) = &values[id.0] else { panic!("int8 codes") };
    codes.iter().map(|&c| scale(integer, id) * f64::from(i32::from(c) - quant.zero_point)).collect()
}

/// One layer of weights `[o, i]`, as the definition has it: rounded weights, and the gradient of the scale's logarithm.
struct Defined {
    rounded: Vec<f64>,
    scale: f64,
    largest: f64,
}

impl Defined {
    fn new(weights: &[f32], scale: f64, largest: f64) -> Self {
        let code = |w: &f32| (f64::from(*w) / scale).round().clamp(-largest, largest);
        Self { rounded: weights.iter().map(|w| scale * code(w)).collect(), scale, largest }
    }

    /// `Σ g { round(v / s) - v / s inside, the end outside } s / sqrt(N largest)`
    fn step_gradient(&self, weights: &[f32], g: &[f64]) -> f64 {
        let of = |(w, g): (&f32, &f64)| {
            let v = f64::from(*w) / self.scale;
            let code = v.round().clamp(-self.largest, self.largest);
            g * if v.round().abs() <= self.largest { code - v } else { code }
        };
        weights.iter().zip(g).map(of).sum::<f64>() * self.scale / (weights.len() as f64 * self.largest).sqrt()
    }
}

#[test]
fn gradients_pass_through_rounding_and_reach_every_learned_scale() {
    let (inputs, hidden, classes) = (3, 4, 3);
    let mut bench = Bench::new(21);
    let x = bench.graph.input("x", &[inputs]);
    let w1 = bench.scaled("w1", &[hidden, inputs], 1.0);
    let b1 = bench.scaled("b1", &[hidden], 0.5);
    let h = bench.push("hidden", ops::Dense { activation: Activation::Relu }, &[x, w1, b1]);
    let w2 = bench.scaled("w2", &[classes, hidden], 1.0);
    let logits = bench.push("logits", ops::Dense { activation: Activation::None }, &[h, w2]);
    let y = bench.push("y", ops::Softmax, &[logits]);
    bench.graph.outputs.push(y);
    let samples: Vec<Vec<f32>> = (0..16).map(|_| bench.values.f32s(inputs)).collect();
    let samples: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
    let int4 = Precision::Int4;
    let options = Quantize {
        weights: int4,
        ends: int4,
        weight_calibration: int4.weight_calibration(),
        granularity: Granularity::Tensor,
        qat_epochs: 1,
        ..Quantize::default()
    };
    let (float, scheme, integer) = rounded(&bench.graph, &options, &samples);
    let mut engine = engine::<f32>(&float, 1, 1);
    let steps = scheme.steps(&float);
    engine.quantize(&integer, &steps).expect("computes in integers");

    let (sample, label) = (samples[3], 1);
    engine.loss_and_gradients(sample, &[label]).expect("a valid batch");
    let name = |id: TensorId| float[id].name.clone();
    let gradient = |tensor: &str| {
        let p = engine.parameters().iter().find(|p| name(p.tensor) == tensor).expect("is trained");
        engine.gradients()[p.range.clone()].iter().map(|&g| f64::from(g)).collect::<Vec<f64>>()
    };

    let values = integer.evaluate(sample).expect("runs");
    let (x_hat, h_hat, z_hat) =
        (reals(&integer, x, &values), reals(&integer, h, &values), reals(&integer, logits, &values));
    let of = |id: TensorId| float[id].f32s().expect("is f32");
    let (first, second) =
        (Defined::new(of(w1), scale(&integer, w1), 7.0), Defined::new(of(w2), scale(&integer, w2), 7.0));
    // Softmax minus the label, then back layer by layer; no score stands at an end of its codes.
    let top = z_hat.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = z_hat.iter().map(|z| (z - top).exp()).sum();
    let mut dz: Vec<f64> = z_hat.iter().map(|z| (z - top).exp() / sum).collect();
    dz[label as usize] -= 1.0;
    let row = |o: usize, n: usize| o * n..(o + 1) * n;
    let dw2: Vec<f64> = dz.iter().flat_map(|g| h_hat.iter().map(move |h| g * h)).collect();
    let dh: Vec<f64> =
        (0..hidden).map(|i| (0..classes).map(|o| dz[o] * second.rounded[o * hidden + i]).sum()).collect();
    let unit = scale(&integer, x) * scale(&integer, w1);
    let Some(Data::I32(bias)) = &integer[b1].data else { panic!("an int32 bias") };
    let bias: Vec<f64> = bias.iter().map(|&b| f64::from(b) * unit).collect();
    let before = |o: usize| -> f64 {
        let w = &first.rounded[row(o, inputs)];
        w.iter().zip(&x_hat).map(|(w, x)| w * x).sum::<f64>() + bias[o]
    };
    let quant = integer[h].quant.as_ref().expect("is quantised");
    let last = scale(&integer, h) * f64::from(127 - quant.zero_point);
    let passed: Vec<f64> = dh.iter().zip(&h_hat).map(|(g, h)| if *h > 0.0 && *h < last { *g } else { 0.0 }).collect();
    let dw1: Vec<f64> = passed.iter().flat_map(|g| x_hat.iter().map(move |x| g * x)).collect();
    let close = |tensor: &str, want: &[f64]| {
        let error = relative_error(&gradient(tensor), want);
        assert!(error <= GRADIENT, "{tensor}: {error:.2e}, {:?} is not {want:?}", gradient(tensor));
    };
    assert!(passed.contains(&0.0) && passed.iter().any(|g| *g != 0.0), "some outputs are clamped: {h_hat:?}");
    // What lies outside the range of its codes is not moved.
    let moved = |w: &[f32], d: &Defined, g: &[f64]| -> Vec<f64> {
        let inside = |w: &f32| (f64::from(*w) / d.scale).round().abs() <= d.largest;
        w.iter().zip(g).map(|(w, g)| if inside(w) { *g } else { 0.0 }).collect()
    };
    close("w2", &moved(of(w2), &second, &dw2));
    close("w1", &moved(of(w1), &first, &dw1));
    close("b1", &passed);
    close("w2.step", &[second.step_gradient(of(w2), &dw2)]);
    close("w1.step", &[first.step_gradient(of(w1), &dw1)]);
    // A hidden value moves with its scale by its rounding error, at an end by its code.
    let s = scale(&integer, h);
    let factor = |o: usize| {
        let centred = h_hat[o] / s;
        centred - if h_hat[o] > 0.0 && h_hat[o] < last { before(o) / s } else { 0.0 }
    };
    let largest = f64::from(127 - quant.zero_point);
    let want: f64 = (0..hidden).map(|o| dh[o] * factor(o)).sum::<f64>() * s / (hidden as f64 * largest).sqrt();
    close("hidden.step", &[want]);
}

#[test]
fn rounding_gives_the_same_bits_for_any_number_of_threads() {
    let mut bench = Bench::new(22);
    let x = bench.graph.input("x", &[9, 8, 2]);
    let w = bench.parameter("w", &[5, 3, 3, 2]);
    let op = ops::Conv2d { sliding: Sliding::unit(Padding::Same), activation: Activation::Relu };
    let conv = bench.push("conv", op, &[x, w]);
    let kernel = [2, 2];
    let max = bench.push("max", ops::MaxPool2d { kernel, sliding: Sliding::strided(2, Padding::Same) }, &[conv]);
    let mean = bench.push("mean", ops::AveragePool2d { kernel, sliding: Sliding::strided(2, Padding::Same) }, &[conv]);
    let gate = bench.push("gate", ops::HardSwish, &[mean]);
    let sum = bench.push("sum", ops::Add { activation: Activation::None }, &[max, gate]);
    let graph = bench.finish(sum, 4);
    let samples = Values::new(23).f32s(70 * 144);
    let calibration: Vec<&[f32]> = samples.chunks(144).take(8).collect();
    let (float, scheme, integer) = rounded(&graph, &Quantize::default(), &calibration);
    let step = |threads: usize| {
        let mut engine = engine::<f32>(&float, 70, threads);
        engine.quantize(&integer, &scheme.steps(&float)).expect("computes in integers");
        let loss = engine.loss_and_gradients(&samples, &labels(70, 4)).expect("a valid batch");
        (loss, engine.gradients().iter().map(|g| g.to_bits()).collect::<Vec<u32>>())
    };
    let (loss, gradients) = step(1);
    assert!(gradients.iter().filter(|g| **g != 0).count() > gradients.len() / 2);
    for threads in [2, 5] {
        assert_eq!(step(threads), (loss, gradients.clone()), "{threads} threads");
    }
}

#[test]
fn eight_bits_have_almost_the_gradients_of_float() {
    let graph = crate::zoo::by_name("small-cnn").expect("in the zoo").build(&[8, 8, 1], 10, 3).expect("fits");
    let samples = Values::new(24).f32s(32 * 64);
    let calibration: Vec<&[f32]> = samples.chunks(64).collect();
    let (float, scheme) = prepare(&graph, &calibration, &Quantize::default()).expect("calibrates");
    let gradients = |integer: Option<&Graph>| {
        let mut engine = engine::<f32>(&float, 32, 1);
        if let Some(integer) = integer {
            engine.quantize(integer, &[]).expect("computes in integers");
        }
        engine.loss_and_gradients(&samples, &labels(32, 10)).expect("a valid batch");
        engine.gradients().iter().map(|&g| f64::from(g)).collect::<Vec<f64>>()
    };
    let (exact, rounded) = (gradients(None), gradients(Some(&scheme.apply(&float).expect("rounds"))));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = dot(&exact, &rounded) / (dot(&exact, &exact) * dot(&rounded, &rounded)).sqrt();
    assert!(cosine > 0.98, "{cosine}");
}

#[test]
fn batch_norm_must_be_folded_before_rounding() {
    let graph = crate::zoo::by_name("ds-cnn").expect("in the zoo").build(&[9, 9, 1], 4, 1).expect("fits");
    let mut engine = engine::<f32>(&graph, 1, 1);
    let error = engine.quantize(&graph, &[]).expect_err("is not folded").to_string();
    assert!(error.contains("batch_norm") || error.contains("not quantised"), "{error}");
}
