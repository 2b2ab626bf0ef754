//! Transposed convolution, int16 activations and binary16 weights, from graph to file to bytes.

use super::*;
use crate::graph::{Padding, Quant, Sliding};
use crate::ops;

fn quant(scale: f32, zero_point: i32) -> Quant {
    Quant { scales: vec![scale], zero_point, axis: None }
}

/// How the constants of a network are stored, and its activations with them.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    F32,
    F16,
    I8,
    /// int16 activations with an i64 bias, an i32 one, or none.
    I16(Option<DType>),
}

const FORMATS: [Format; 6] = [
    Format::F32,
    Format::F16,
    Format::I8,
    Format::I16(Some(DType::I64)),
    Format::I16(Some(DType::I32)),
    Format::I16(None),
];

/// Weighted operators one after the other, from `[5, 6, 3]` to `[4]`.
fn network(format: Format) -> Graph {
    let mut g = Graph::default();
    let same = Sliding::strided(2, Padding::Same);
    let activation = Activation::Relu;
    let layers: [(&str, Op, Vec<usize>, usize); 4] = [
        ("conv", Op::from(ops::Conv2d { sliding: same, activation }), vec![5, 3, 2, 3], 0),
        ("up", Op::from(ops::TransposeConv2d { sliding: same, size: [6, 5], activation }), vec![4, 3, 2, 5], 0),
        ("depthwise", Op::from(ops::DepthwiseConv2d { sliding: same, activation: Activation::None }), vec![3, 3, 8], 2),
        ("dense", Op::from(ops::Dense { activation: Activation::None }), vec![4, 72], 0),
    ];
    let mut x = g.input("x", &[5, 6, 3]);
    activation_as(&mut g, x, format);
    for (name, op, shape, axis) in layers {
        let (w, bias) = constants(&mut g, name, &shape, axis, format);
        let inputs: Vec<TensorId> = [Some(x), Some(w), bias].into_iter().flatten().collect();
        x = g.push(name, op, &inputs).expect("fits");
        activation_as(&mut g, x, format);
    }
    g.outputs.push(x);
    g
}

fn activation_as(g: &mut Graph, id: TensorId, format: Format) {
    match format {
        Format::I8 => g.quantise(id, quant(0.03, 4)),
        Format::I16(_) => {
            g.quantise(id, quant(0.0004, 0));
            g[id].element = DType::I16;
        }
        Format::F32 | Format::F16 => {}
    }
}

fn constants(g: &mut Graph, name: &str, shape: &[usize], axis: usize, format: Format) -> (TensorId, Option<TensorId>) {
    let len: usize = shape.iter().product();
    let codes = (0..len).map(|i| ((i * i * 31 + i * 57 + 101) % 255) as i32 - 127);
    let bias = (0..shape[axis] as i32).map(|i| i * 977 % 1000 - 300);
    let float = |scale: f32| move |code: i32| code as f32 * scale;
    let (weights, bias) = match format {
        Format::F32 => {
            (Data::F32(codes.map(float(0.004)).collect()), Some(Data::F32(bias.map(float(0.001)).collect())))
        }
        Format::F16 => {
            let half = |values: Vec<f32>| Data::F16(values.into_iter().map(half::f16::from_f32).collect());
            (half(codes.map(float(0.004)).collect()), Some(half(bias.map(float(0.001)).collect())))
        }
        Format::I8 | Format::I16(Some(DType::I32)) => {
            (Data::I8(codes.map(|c| c as i8).collect()), Some(Data::I32(bias.collect())))
        }
        Format::I16(bias_type) => {
            let wide = bias_type.map(|_| Data::I64(bias.map(|b| i64::from(b) << 3).collect()));
            (Data::I8(codes.map(|c| c as i8).collect()), wide)
        }
    };
    let w = g.constant(&format!("{name}.weight"), shape, weights);
    if matches!(format, Format::I8 | Format::I16(_)) {
        let scales = (0..shape[axis]).map(|channel| (channel + 4) as f32 / 4096.0).collect();
        g[w].quant = Some(Quant { scales, zero_point: 0, axis: Some(axis) });
    }
    (w, bias.map(|bias| g.constant(&format!("{name}.bias"), &[shape[axis]], bias)))
}

fn input() -> Vec<f32> {
    (0..90).map(|i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0).collect()
}

#[test]
fn weighted_operators_give_the_same_bytes_in_a_file_and_in_the_evaluator() {
    for format in FORMATS {
        let bytes = file_equals_evaluation(&network(format), &input());
        assert!(bytes.iter().any(|&b| b != bytes[0]), "{format:?}: {bytes:?}");
    }
}

#[test]
fn a_row_of_binary16_weights_has_their_type_and_half_their_bytes() {
    let file = |format| export(&network(format)).expect("exports").0;
    let (half, full) = (file(Format::F16), file(Format::F32));
    let model = Model::verify(&half, niwaki_core::ops::ALL).expect("verifies");
    assert!((0..4).all(|n| model.operator(n).is_some_and(|o| o.dtype == DType::F16.code())));
    let weights: usize = [90, 120, 72, 288].iter().sum();
    let saved = full.len() - half.len();
    // Each constant starts at a multiple of 16 bytes.
    assert!(saved.abs_diff(2 * weights) < 4 * ALIGN, "{saved} of {weights} weights");
    let floats = network(Format::F16).predict(&input()).expect("runs");
    let close = network(Format::F32).predict(&input()).expect("runs");
    assert!(floats.iter().zip(close).all(|(a, b)| (a - b).abs() < 0.02), "eleven bits of every weight remain");
}

#[test]
fn a_transposed_convolution_whose_sizes_do_not_fit_is_refused() {
    let mut g = Graph::default();
    let x = g.input("x", &[3, 3, 1]);
    let w = g.constant("w", &[1, 3, 3, 1], Data::F32(vec![0.0; 9]));
    let sliding = Sliding::strided(2, Padding::Same);
    let op = ops::TransposeConv2d { sliding, size: [7, 6], activation: Activation::None };
    let error = g.push("up", op, &[x, w]).expect_err("7 rows need 4").to_string();
    assert!(error.contains("a convolution of [7, 6] gives [4, 3], x is [3, 3]"), "{error}");
}
