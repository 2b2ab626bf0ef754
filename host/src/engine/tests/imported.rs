//! What networks of other tools are made of: the gradients against central differences, the outputs against core.

use super::gradients::{CLASSES, SOURCE, check};
use super::*;
use crate::engine::Engine;
use crate::graph::{Grid, Padding, Sliding};
use crate::ops;

/// [`check`]s the gradients of `graph`, and compares its outputs with those of core's reference kernels.
fn check_both(name: &str, graph: &Graph) {
    check(name, graph);
    let (batch, len) = (5, graph[graph.inputs[0]].element_count());
    let mut engine: Engine = engine(graph, batch, 2);
    let x = Values::new(98).f32s(batch * len);
    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let got = wide(engine.forward(&x, batch).expect("a valid batch"));
    let core = |x| graph.predict(x).expect("core runs what the engine trains");
    let want: Vec<f32> = x.chunks_exact(len).flat_map(core).collect();
    let error = relative_error(&got, &wide(&want));
    assert!(error <= tolerance::F32_OUTPUT, "{name}: {error:.2e} from core");
}

/// A batch norm whose output the engine computes again in every phase that reads it.
fn norm(bench: &mut Bench, name: &str, x: TensorId, activation: Activation) -> TensorId {
    let channels = bench.graph[x].shape.last().copied().unwrap_or(1);
    let [gamma, beta] = ["gamma", "beta"].map(|kind| bench.parameter(&format!("{name}.{kind}"), &[channels]));
    let mean = bench.graph.buffer(&format!("{name}.mean"), &[channels], vec![0.5; channels]);
    let var = bench.graph.buffer(&format!("{name}.var"), &[channels], vec![2.0; channels]);
    bench.push(name, ops::BatchNorm { epsilon: 1e-3, momentum: 0.1, activation }, &[x, gamma, beta, mean, var])
}

fn conv(bench: &mut Bench, name: &str, x: TensorId, filters: usize) -> TensorId {
    let channels = bench.graph[x].shape[2];
    let w = bench.parameter(&format!("{name}.weight"), &[filters, 2, 2, channels]);
    let sliding = Sliding::unit(Padding::Same);
    bench.push(name, ops::Conv2d { sliding, activation: Activation::None }, &[x, w])
}

#[test]
fn movements_train_and_equal_core() {
    let grid = Grid::default();
    let ops = [
        Op::from(ops::Pad { pads: vec![[1, 2], [0, 1], [0, 0]], value: 0.0 }),
        Op::from(ops::Pad { pads: vec![[0, 0], [1, 0], [2, 1]], value: -0.75 }),
        Op::from(ops::Slice { begin: vec![3, 0, 1], size: vec![2, 3, 2], stride: vec![-2, 1, 1] }),
        Op::from(ops::Transpose { order: vec![2, 0, 1] }),
        Op::from(ops::ResizeNearest { size: [7, 2], grid }),
    ];
    for op in ops {
        let mut bench = Bench::new(20);
        let x = bench.source(SOURCE, &[4, 3, 3]);
        let name = format!("{op:?}");
        let y = bench.push("op", op, &[x]);
        check_both(&name, &bench.finish(y, CLASSES));
    }
}

#[test]
fn concatenations_train_and_equal_core() {
    for axis in 0..3 {
        let mut bench = Bench::new(21);
        let x = bench.source(SOURCE, &[3, 3, 3]);
        let other = conv(&mut bench, "other", x, 3);
        // The first operand comes twice, and has another reader.
        let y = bench.push("op", ops::Concat { axis }, &[x, other, x]);
        let len = bench.graph[y].element_count();
        let w = bench.parameter("back.weight", &[27, len]);
        let back = bench.push("back", ops::Dense { activation: Activation::None }, &[y, w]);
        let back = bench.push("back.shape", ops::Reshape { shape: vec![3, 3, 3] }, &[back]);
        let y = bench.push("sum", ops::Add { activation: Activation::Relu6 }, &[x, back]);
        check_both(&format!("concat along {axis}"), &bench.finish(y, CLASSES));
    }
}

/// Batch norms in front of operators of several operands: their outputs live in buffers of one tile, at once.
#[test]
fn operators_of_several_recomputed_operands_train_and_equal_core() {
    for kind in ["concat", "mul", "sub", "add"] {
        let mut bench = Bench::new(22);
        let x = bench.source(SOURCE, &[4, 3, 3]);
        let branch = |bench: &mut Bench, name: &str, x: TensorId, activation| {
            let y = conv(bench, &format!("{name}.conv"), x, 5);
            norm(bench, name, y, activation)
        };
        let a = branch(&mut bench, "a", x, Activation::Relu);
        let b = branch(&mut bench, "b", x, Activation::None);
        let c = branch(&mut bench, "c", a, Activation::Relu6);
        let activation = Activation::Relu;
        let y = match kind {
            "concat" => bench.push("op", ops::Concat { axis: 2 }, &[a, b, c]),
            "mul" => bench.push("op", ops::Mul { activation }, &[b, c]),
            "sub" => bench.push("op", ops::Sub { activation }, &[c, b]),
            _ => bench.push("op", ops::Add { activation }, &[c, b]),
        };
        // Another barrier after it, and a second reader of what comes before it.
        let y = conv(&mut bench, "next", y, 5);
        let y = norm(&mut bench, "next.norm", y, Activation::None);
        let y = bench.push("join", ops::Mul { activation: Activation::None }, &[y, a]);
        check_both(&format!("norms before {kind}"), &bench.finish(y, CLASSES));
    }
}

#[test]
fn differences_and_products_train_and_equal_core() {
    for same in [false, true] {
        for activation in [Activation::None, Activation::Relu] {
            for op in [Op::from(ops::Sub { activation }), Op::from(ops::Mul { activation })] {
                let mut bench = Bench::new(23);
                let x = bench.source(SOURCE, &[3, 2, 3]);
                let other = if same { x } else { conv(&mut bench, "other", x, 3) };
                let name = format!("{} {activation:?}, same operand: {same}", op.name());
                let y = bench.push("op", op, &[other, x]);
                // A product of one value with itself reaches far.
                let y = bench.push("squash", ops::Tanh, &[y]);
                check_both(&name, &bench.finish(y, CLASSES));
            }
        }
    }
}

/// `x ∘ b` for every form of `b`: whole, a channel's, a row's, a scalar; constant or computed; in either place.
#[test]
fn operands_that_repeat_train_and_equal_core() {
    let activation = Activation::Relu6;
    for shape in [&[3, 2, 4][..], &[1, 1, 4], &[4], &[1, 2, 4], &[1]] {
        for (constant, first) in [(true, false), (true, true), (false, false), (false, true)] {
            for op in [
                Op::from(ops::Add { activation }),
                Op::from(ops::Sub { activation }),
                Op::from(ops::Mul { activation }),
            ] {
                if first && op.is::<ops::Sub>() {
                    continue;
                }
                let mut bench = Bench::new(26);
                let x = bench.source(SOURCE, &[3, 2, 4]);
                let b = if constant {
                    bench.scaled("b", shape, 2.0)
                } else {
                    let w = bench.parameter("b.weight", &[shape.iter().product(), 24]);
                    let b = bench.push("b.dense", ops::Dense { activation: Activation::None }, &[x, w]);
                    let b = bench.push("b.tanh", ops::Tanh, &[b]);
                    bench.push("b.shape", ops::Reshape { shape: shape.to_vec() }, &[b])
                };
                let name = format!("{} of {shape:?}, constant: {constant}, first: {first}", op.name());
                let y = bench.push("op", op, &if first { [b, x] } else { [x, b] });
                // Its second reader adds to the gradient of x.
                let y = bench.push("again", ops::Mul { activation: Activation::None }, &[y, x]);
                check_both(&name, &bench.finish(y, CLASSES));
            }
        }
    }
}

/// Constants that are not trained have values and no gradient.
#[test]
fn buffers_that_repeat_equal_core() {
    let mut bench = Bench::new(27);
    let x = bench.source(SOURCE, &[3, 2, 4]);
    let b = bench.graph.buffer("b", &[4], vec![0.5, -1.0, 2.0, 0.25]);
    let y = bench.push("op", ops::Mul { activation: Activation::None }, &[x, b]);
    check_both("mul by a buffer", &bench.finish(y, CLASSES));
}

#[test]
fn means_over_positions_train_and_equal_core() {
    for (shape, axes, keep_axes) in [
        (&[4, 3, 5][..], vec![0, 1], false),
        (&[4, 3, 5], vec![0, 1], true),
        (&[4, 3, 5], vec![0], false),
        (&[1, 6, 5], vec![1], true),
        (&[3, 2], vec![0, 1], false),
    ] {
        let mut bench = Bench::new(24);
        let x = bench.source(SOURCE, shape);
        let name = format!("mean of {shape:?} over {axes:?}");
        let y = bench.push("op", ops::Mean { axes, keep_axes }, &[x]);
        check_both(&name, &bench.finish(y, CLASSES));
    }
}

#[test]
fn smooth_and_leaky_activations_train_and_equal_core() {
    for op in [
        Op::from(ops::Logistic),
        Op::from(ops::Tanh),
        Op::from(ops::LeakyRelu { alpha: 0.125 }),
        Op::from(ops::HardSwish),
    ] {
        let mut bench = Bench::new(25);
        let x = bench.source(SOURCE, &[4, 3, 3]);
        let x = norm(&mut bench, "norm", x, Activation::None);
        let name = op.name();
        let y = bench.push("op", op, &[x]);
        // A second reader, so that the gradient is added to.
        let y = bench.push("gate", ops::Mul { activation: Activation::None }, &[x, y]);
        check_both(name, &bench.finish(y, CLASSES));
    }
}
