//! Operators that move elements, from graph to file to bytes.

use super::*;
use crate::graph::{Grid, Quant};
use crate::ops;

/// Gives every activation of `graph` elements of this type, all with one quantisation.
fn with_elements(mut graph: Graph, element: DType) -> Graph {
    let zero_point = if element == DType::I8 { -7 } else { 0 };
    for tensor in graph.tensors.iter_mut().filter(|t| t.role == Role::Activation) {
        tensor.element = element;
        tensor.quant = (element != DType::F32).then(|| Quant { scales: vec![0.03125], zero_point, axis: None });
    }
    graph
}

/// One operator between an input of this shape and the output.
fn network(shape: &[usize], op: impl Into<Op>) -> Graph {
    let mut graph = Graph::default();
    let x = graph.input("x", shape);
    let op = op.into();
    let inputs = if op.is::<ops::Concat>() { vec![x; 6] } else { vec![x] };
    let y = graph.push("op", op, &inputs).expect("fits");
    graph.outputs.push(y);
    graph
}

fn operators() -> Vec<(Vec<usize>, Op)> {
    let mut cases = vec![
        (vec![4, 5, 3], Op::from(ops::Pad { pads: vec![[1, 0], [2, 3], [0, 1]], value: -0.5 })),
        (vec![6], Op::from(ops::Pad { pads: vec![[3, 1]], value: 0.0 })),
        (vec![4, 5, 3], Op::from(ops::Slice { begin: vec![3, 0, 2], size: vec![2, 3, 1], stride: vec![-2, 2, 1] })),
        (
            vec![2, 3, 4, 5],
            Op::from(ops::Slice { begin: vec![0, 2, 1, 4], size: vec![2, 3, 2, 5], stride: vec![1, -1, 2, -1] }),
        ),
        (vec![4, 5, 3], Op::from(ops::Transpose { order: vec![2, 0, 1] })),
        (vec![2, 3, 4, 5], Op::from(ops::Transpose { order: vec![3, 1, 0, 2] })),
    ];
    cases.extend((0..3).map(|axis| (vec![2, 3, 4], Op::from(ops::Concat { axis }))));
    for (align_corners, half_pixel_centers) in [(false, false), (true, false), (false, true)] {
        let grid = Grid { align_corners, half_pixel_centers };
        for size in [[7, 9], [2, 3], [1, 1]] {
            cases.push((vec![4, 5, 3], Op::from(ops::ResizeNearest { size, grid })));
            cases.push((vec![4, 5, 3], Op::from(ops::ResizeBilinear { size, grid })));
        }
    }
    cases
}

#[test]
fn every_moving_operator_gives_the_same_bytes_in_a_file_and_in_the_evaluator() {
    for (shape, op) in operators() {
        for element in [DType::I8, DType::I16, DType::F32] {
            let graph = with_elements(network(&shape, op.clone()), element);
            let x: Vec<f32> = (0..shape.iter().product()).map(|i: usize| (i * 37 % 120) as f32 / 32.0 - 1.5).collect();
            let bytes = file_equals_evaluation(&graph, &x);
            assert_eq!(bytes.len(), graph[graph.outputs[0]].element_count() * element.element_bytes());
        }
    }
}

#[test]
fn a_border_is_the_code_of_its_real_value() {
    let graph = network(&[1], ops::Pad { pads: vec![[1, 2]], value: -0.5 });
    assert_eq!(
        file_equals_evaluation(&with_elements(graph.clone(), DType::I8), &[1.0]),
        [-23_i8, 25, -23, -23].map(|v| v as u8)
    );
    let codes: Vec<u8> = [-16_i16, 32, -16, -16].iter().flat_map(|code| code.to_le_bytes()).collect();
    assert_eq!(file_equals_evaluation(&with_elements(graph, DType::I16), &[1.0]), codes);
}

#[test]
fn a_constant_can_be_joined_to_an_activation() {
    let mut graph = Graph::default();
    let x = graph.input("x", &[2]);
    let first = graph.constant("first", &[3], Data::F32(vec![7.0, 8.0, 9.0]));
    let y = graph.push("join", ops::Concat { axis: 0 }, &[first, x]).expect("fits");
    graph.outputs.push(y);
    let bytes = file_equals_evaluation(&graph, &[1.0, 2.0]);
    assert_eq!(bytes, bytemuck::cast_slice::<f32, u8>(&[7.0, 8.0, 9.0, 1.0, 2.0]));
}

#[test]
fn operands_of_other_quantisation_are_refused_by_name() {
    let mut graph = with_elements(network(&[2, 3], ops::Transpose { order: vec![1, 0] }), DType::I8);
    graph.tensors[1].quant.as_mut().expect("is quantised").zero_point = 3;
    let error = export(&graph).expect_err("codes would change their meaning").to_string();
    assert!(error.contains("transpose `op`: `x` and the output must have one type and one quantisation"), "{error}");
}

#[test]
fn shapes_that_do_not_fit_are_refused_by_axis() {
    fn refuse(op: impl Into<Op>, shapes: &[&[usize]]) -> String {
        op.into().operator().shape(shapes).expect_err("does not fit").to_string()
    }
    let slice = |begin, size, stride| ops::Slice { begin: vec![begin], size: vec![size], stride: vec![stride] };
    assert_eq!(refuse(slice(1, 2, 3), &[&[4]]), "axis 0: 1 … 4 lies not in 0 … 4");
    assert_eq!(refuse(slice(2, 4, -1), &[&[4]]), "axis 0: 2 … -1 lies not in 0 … 4");
    assert_eq!(refuse(ops::Transpose { order: vec![0, 0] }, &[&[2, 2]]), "order [0, 0] is no permutation");
    assert!(refuse(ops::Concat { axis: 0 }, &[&[1][..]; 7]).contains("at most 6 inputs, got 7"));
    assert!(refuse(ops::Concat { axis: 0 }, &[&[1, 2], &[1, 3]]).contains("but for axis 0"));
    assert_eq!(refuse(ops::Pad { pads: vec![[1, 1]], value: 0.0 }, &[&[1, 2]]), "pads has 1 entries, x has 2 axes");
}
