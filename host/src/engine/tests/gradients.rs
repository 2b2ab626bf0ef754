//! Every operator's gradients, of parameters and inputs, against central differences of the f64 engine's own loss.

use super::*;
use crate::engine::{Distillation, Engine, Loss};
use crate::graph::{Padding, Sliding};
use crate::ops;
use crate::zoo;

const BATCH: usize = 3;
pub(super) const SOURCE: usize = 4;
pub(super) const CLASSES: usize = 3;

/// Compares all gradients of `graph` and prints the worst.
pub(super) fn check(name: &str, graph: &Graph) {
    check_step(name, graph, |engine, x, labels| engine.loss_and_gradients(x, labels).expect("a valid batch"));
}

/// [`check`] for the loss of another kind of training step.
fn check_step(name: &str, graph: &Graph, mut step_of: impl FnMut(&mut EngineOf<f64>, &[f64], &[u32]) -> Loss) {
    let mut engine = engine::<f64>(graph, BATCH, 1);
    let x = Values::new(99).reals::<f64>(BATCH * graph[graph.inputs[0]].element_count());
    let labels = labels(BATCH, CLASSES);
    step_of(&mut engine, &x, &labels);
    let gradients = engine.gradients().to_vec();
    let parameters = engine.parameters().to_vec();
    let step = tolerance::DIFFERENCE_STEP;
    let mut worst: f64 = 0.0;
    for parameter in parameters {
        let mut differences = Vec::new();
        for i in parameter.range.clone() {
            let value = engine.values()[i];
            let mut at = |v: f64| {
                engine.values_mut()[i] = v;
                step_of(&mut engine, &x, &labels).mean
            };
            differences.push((at(value + step) - at(value - step)) / (2.0 * step));
            at(value);
        }
        let error = relative_error(&gradients[parameter.range], &differences);
        assert!(error <= tolerance::GRADIENT, "{name}: `{}` is off by {error:.2e}", graph[parameter.tensor].name);
        worst = worst.max(error);
    }
    println!("{name:<44} {worst:.1e}");
}

fn sliding(stride: [usize; 2], dilation: [usize; 2], padding: Padding) -> Sliding {
    Sliding { stride, dilation, padding }
}

fn slidings() -> Vec<Sliding> {
    let explicit = Padding::Explicit { top: 0, bottom: 2, left: 1, right: 0 };
    vec![
        sliding([1, 1], [1, 1], Padding::Same),
        sliding([2, 1], [1, 1], Padding::Same),
        sliding([1, 2], [2, 1], Padding::Valid),
        sliding([2, 2], [1, 2], Padding::Same),
        sliding([2, 3], [2, 2], explicit),
    ]
}

#[test]
fn conv2d_gradients_equal_central_differences() {
    for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
        for sliding in slidings() {
            let mut bench = Bench::new(1);
            let x = bench.source(SOURCE, &[7, 6, 3]);
            let w = bench.parameter("w", &[9, 3, 2, 3]);
            let b = bench.parameter("b", &[9]);
            let y = bench.push("op", ops::Conv2d { sliding, activation }, &[x, w, b]);
            check(
                &format!("conv2d {activation:?} {:?} {:?}", sliding.stride, sliding.dilation),
                &bench.finish(y, CLASSES),
            );
        }
    }
}

#[test]
fn pointwise_conv2d_gradients_equal_central_differences() {
    for stride in [1, 2] {
        let mut bench = Bench::new(2);
        let x = bench.source(SOURCE, &[4, 3, 5]);
        let w = bench.parameter("w", &[6, 1, 1, 5]);
        let op = ops::Conv2d { sliding: Sliding::strided(stride, Padding::Same), activation: Activation::Relu };
        let y = bench.push("op", op, &[x, w]);
        check(&format!("conv2d 1x1 stride {stride}"), &bench.finish(y, CLASSES));
    }
}

#[test]
fn depthwise_conv2d_gradients_equal_central_differences() {
    for (channels, multiplier) in [(43, 1), (2, 3), (1, 8)] {
        for sliding in slidings() {
            let mut bench = Bench::new(3);
            let x = bench.source(SOURCE, &[7, 6, channels]);
            let w = bench.parameter("w", &[3, 2, channels * multiplier]);
            let b = bench.parameter("b", &[channels * multiplier]);
            let y = bench.push("op", ops::DepthwiseConv2d { sliding, activation: Activation::Relu6 }, &[x, w, b]);
            let name = format!("depthwise {channels}x{multiplier} {:?} {:?}", sliding.stride, sliding.dilation);
            check(&name, &bench.finish(y, CLASSES));
        }
    }
}

#[test]
fn dense_gradients_equal_central_differences() {
    for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
        let mut bench = Bench::new(4);
        let x = bench.source(SOURCE, &[2, 3, 2]);
        let (w, b) = (bench.parameter("w", &[7, 12]), bench.parameter("b", &[7]));
        let y = bench.push("op", ops::Dense { activation }, &[x, w, b]);
        check(&format!("dense {activation:?}"), &bench.finish(y, CLASSES));
    }
}

#[test]
fn batch_norm_gradients_equal_central_differences() {
    for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
        let mut bench = Bench::new(5);
        let x = bench.source(SOURCE, &[3, 2, 11]);
        let (gamma, beta) = (bench.parameter("gamma", &[11]), bench.parameter("beta", &[11]));
        let mean = bench.graph.buffer("mean", &[11], vec![0.0; 11]);
        let var = bench.graph.buffer("var", &[11], vec![1.0; 11]);
        let op = ops::BatchNorm { epsilon: 1e-3, momentum: 0.1, activation };
        let y = bench.push("op", op, &[x, gamma, beta, mean, var]);
        check(&format!("batch_norm {activation:?}"), &bench.finish(y, CLASSES));
    }
}

#[test]
fn activation_gradients_equal_central_differences() {
    for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
        let mut bench = Bench::new(6);
        let x = bench.source(SOURCE, &[20]);
        let y = bench.push("op", ops::Clamp(activation), &[x]);
        check(&format!("activation {activation:?}"), &bench.finish(y, CLASSES));
    }
}

#[test]
fn add_gradients_equal_central_differences() {
    for same in [false, true] {
        let mut bench = Bench::new(7);
        let x = bench.source(SOURCE, &[2, 2, 3]);
        let flat = bench.push("flat", ops::Reshape { shape: vec![12] }, &[x]);
        let w = bench.parameter("w", &[12, 12]);
        let other = bench.push("other", ops::Dense { activation: Activation::None }, &[flat, w]);
        let operands = if same { [flat, flat] } else { [other, flat] };
        let y = bench.push("op", ops::Add { activation: Activation::Relu }, &operands);
        check(&format!("add, same operand: {same}"), &bench.finish(y, CLASSES));
    }
}

#[test]
fn pool_gradients_equal_central_differences() {
    for (kernel, sliding) in [
        ([2, 2], Sliding::strided(2, Padding::Valid)),
        ([3, 2], Sliding::unit(Padding::Same)),
        ([3, 3], Sliding::strided(2, Padding::Same)),
        ([5, 6], Sliding::unit(Padding::Valid)),
    ] {
        for op in [Op::from(ops::MaxPool2d { kernel, sliding }), Op::from(ops::AveragePool2d { kernel, sliding })] {
            let mut bench = Bench::new(8);
            let x = bench.source(SOURCE, &[5, 6, 10]);
            let name = format!("{} {kernel:?} {:?}", op.name(), sliding.stride);
            let y = bench.push("op", op, &[x]);
            check(&name, &bench.finish(y, CLASSES));
        }
    }
}

#[test]
fn distillation_gradients_equal_central_differences() {
    for options in [
        Distillation { weight: 0.3, temperature: 1.0 },
        Distillation { weight: 0.7, temperature: 4.0 },
        Distillation { weight: 1.0, temperature: 0.5 },
    ] {
        let mut bench = Bench::new(11);
        let x = bench.source(SOURCE, &[5]);
        let graph = bench.finish(x, CLASSES);
        let teacher = Values::new(12).reals::<f64>(BATCH * CLASSES);
        check_step(&format!("{options:?}"), &graph, |engine, x, labels| {
            engine.distill(x, labels, &teacher, options).expect("a valid batch")
        });
    }
}

#[test]
fn softmax_gradients_equal_central_differences() {
    let mut bench = Bench::new(9);
    let x = bench.source(SOURCE, &[3, 5]);
    let y = bench.push("op", ops::Softmax, &[x]);
    check("softmax", &bench.finish(y, CLASSES));
}

/// One value read by every kind of operator: all but one of the gradients are added, not written.
#[test]
fn gradients_of_several_consumers_add_up() {
    let mut bench = Bench::new(10);
    let none = Activation::None;
    let unit = Sliding::unit(Padding::Same);
    let x = bench.source(SOURCE, &[4, 4, 3]);
    let (w3, w1) = (bench.parameter("w3", &[3, 3, 3, 3]), bench.parameter("w1", &[3, 1, 1, 3]));
    let (dw, dwm) = (bench.parameter("dw", &[3, 3, 3]), bench.parameter("dwm", &[3, 3, 6]));
    let (gamma, beta) = (bench.parameter("gamma", &[3]), bench.parameter("beta", &[3]));
    let mean = bench.graph.buffer("mean", &[3], vec![0.0; 3]);
    let var = bench.graph.buffer("var", &[3], vec![1.0; 3]);
    let norm = Op::from(ops::BatchNorm { epsilon: 1e-3, momentum: 0.1, activation: Activation::Relu });
    let same: Vec<TensorId> = vec![
        bench.push("conv", ops::Conv2d { sliding: unit, activation: none }, &[x, w3]),
        bench.push("pointwise", ops::Conv2d { sliding: unit, activation: none }, &[x, w1]),
        // Weights shared between two nodes.
        bench.push("again", ops::Conv2d { sliding: unit, activation: Activation::Relu }, &[x, w3]),
        bench.push("depthwise", ops::DepthwiseConv2d { sliding: unit, activation: none }, &[x, dw]),
        bench.push("norm", norm, &[x, gamma, beta, mean, var]),
        bench.push("relu", ops::Clamp(Activation::Relu), &[x]),
        bench.push("max", ops::MaxPool2d { kernel: [3, 3], sliding: unit }, &[x]),
        bench.push("average", ops::AveragePool2d { kernel: [3, 3], sliding: unit }, &[x]),
        bench.push("twice", ops::Add { activation: none }, &[x, x]),
        bench.push("softmax", ops::Softmax, &[x]),
    ];
    let multiplied = bench.push("multiplied", ops::DepthwiseConv2d { sliding: unit, activation: none }, &[x, dwm]);
    let back = bench.parameter("back", &[48, 96]);
    let back = bench.push("back.dense", ops::Dense { activation: none }, &[multiplied, back]);
    let mut sum = bench.push("back.shape", ops::Reshape { shape: vec![4, 4, 3] }, &[back]);
    for (i, &branch) in same.iter().enumerate() {
        sum = bench.push(&format!("sum{i}"), ops::Add { activation: none }, &[branch, sum]);
    }
    check("several consumers of one value", &bench.finish(sum, CLASSES));
}

/// Relative to the largest gradient of the network: the first batch norm's scale, for one, is taken away again by the
/// next batch norm, and its gradient is nothing but rounding.
#[test]
fn f32_gradients_agree_with_f64() {
    let inputs = [[12, 12, 1], [49, 10, 1], [16, 16, 3], [16, 16, 1], [16, 16, 1], [16, 16, 1], [16, 16, 3]];
    assert_eq!(inputs.len(), zoo::of_samples().count());
    for (entry, input) in zoo::of_samples().zip(inputs) {
        let graph = entry.build(&input, 10, 5).expect("the input fits");
        let x = Values::new(6).f32s(20 * input.iter().product::<usize>());
        let wide: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
        let labels = labels(20, 10);
        let mut narrow_engine: Engine = engine(&graph, 20, 1);
        let mut wide_engine = engine::<f64>(&graph, 20, 1);
        narrow_engine.loss_and_gradients(&x, &labels).expect("a valid batch");
        wide_engine.loss_and_gradients(&wide, &labels).expect("a valid batch");
        let got: Vec<f64> = narrow_engine.gradients().iter().map(|&v| f64::from(v)).collect();
        let error = relative_error(&got, wide_engine.gradients());
        println!("{:<12} f32 against f64: {error:.1e}", entry.name);
        assert!(error <= tolerance::F32_GRADIENT, "{}: {error:.2e}", entry.name);
    }
}
