//! What import makes of files written here, and what it says about those that it refuses.

use super::*;
use crate::graph::{Activation, Data, Op, Padding};
use crate::ops;
use flatbuffers::{FlatBufferBuilder, TableFinishedWIPOffset, WIPOffset};
use niwaki_core::format::DType;

type Finished = WIPOffset<TableFinishedWIPOffset>;
type Builder = FlatBufferBuilder<'static>;

/// A field of a table: its number and value.
enum Field {
    I8(u16, i8),
    I32(u16, i32),
    U32(u16, u32),
    At(u16, WIPOffset<flatbuffers::UnionWIPOffset>),
}

fn table(b: &mut Builder, fields: &[Field]) -> Finished {
    let start = b.start_table();
    for field in fields {
        match *field {
            Field::I8(id, v) => b.push_slot_always(4 + 2 * id, v),
            Field::I32(id, v) => b.push_slot_always(4 + 2 * id, v),
            Field::U32(id, v) => b.push_slot_always(4 + 2 * id, v),
            Field::At(id, at) => b.push_slot_always(4 + 2 * id, at),
        }
    }
    WIPOffset::new(b.end_table(start).value())
}

/// A tensor to be written.
#[derive(Clone)]
struct T {
    name: &'static str,
    shape: Vec<i32>,
    element: i8,
    scales: Vec<f32>,
    axis: i32,
    bytes: Vec<u8>,
}

fn tensor(name: &'static str, shape: &[i32], element: i8) -> T {
    T { name, shape: shape.to_vec(), element, scales: Vec::new(), axis: 0, bytes: Vec::new() }
}

impl T {
    fn scaled(self, scales: &[f32], axis: i32) -> Self {
        Self { scales: scales.to_vec(), axis, ..self }
    }

    fn holding<const N: usize>(self, values: impl IntoIterator<Item = [u8; N]>) -> Self {
        Self { bytes: values.into_iter().flatten().collect(), ..self }
    }

    fn int32(self, values: &[i32]) -> Self {
        self.holding(values.iter().map(|v| v.to_le_bytes()))
    }
}

/// An operator to be written: code, operands, results, kind and fields of its options.
struct O {
    code: i32,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    kind: i8,
    options: Vec<Field>,
}

/// A file of `subgraphs` equal networks.
fn file(tensors: &[T], operators: &[O], inputs: &[i32], outputs: &[i32], subgraphs: usize) -> Vec<u8> {
    let mut b = Builder::new();
    let mut buffers = vec![table(&mut b, &[])];
    let mut list = Vec::new();
    for t in tensors {
        let buffer = if t.bytes.is_empty() {
            0
        } else {
            let data = b.create_vector(&t.bytes);
            buffers.push(table(&mut b, &[Field::At(0, data.as_union_value())]));
            buffers.len() as u32 - 1
        };
        let shape = b.create_vector(&t.shape);
        let name = b.create_string(t.name);
        let mut fields = vec![
            Field::At(0, shape.as_union_value()),
            Field::I8(1, t.element),
            Field::U32(2, buffer),
            Field::At(3, name.as_union_value()),
        ];
        if !t.scales.is_empty() {
            let scales = b.create_vector(&t.scales);
            let zeros = b.create_vector(&vec![0_i64; t.scales.len()]);
            let quantization =
                [Field::At(2, scales.as_union_value()), Field::At(3, zeros.as_union_value()), Field::I32(6, t.axis)];
            fields.push(Field::At(4, table(&mut b, &quantization).as_union_value()));
        }
        list.push(table(&mut b, &fields));
    }
    let (mut codes, mut calls) = (Vec::new(), Vec::new());
    for (n, o) in operators.iter().enumerate() {
        codes.push(table(&mut b, &[Field::I8(0, o.code.min(127) as i8), Field::I32(3, o.code)]));
        let options = table(&mut b, &o.options);
        let (inputs, outputs) = (b.create_vector(&o.inputs), b.create_vector(&o.outputs));
        let fields = [
            Field::U32(0, n as u32),
            Field::At(1, inputs.as_union_value()),
            Field::At(2, outputs.as_union_value()),
            Field::I8(3, o.kind),
            Field::At(4, options.as_union_value()),
        ];
        calls.push(table(&mut b, &fields));
    }
    let [tensors, calls] = [list, calls].map(|l| b.create_vector(&l).as_union_value());
    let (inputs, outputs) = (b.create_vector(inputs), b.create_vector(outputs));
    let name = b.create_string("main");
    let fields = [
        Field::At(0, tensors),
        Field::At(1, inputs.as_union_value()),
        Field::At(2, outputs.as_union_value()),
        Field::At(3, calls),
        Field::At(4, name.as_union_value()),
    ];
    let graph = table(&mut b, &fields);
    let [graphs, codes, buffers] =
        [vec![graph; subgraphs], codes, buffers].map(|l| b.create_vector(&l).as_union_value());
    let model = table(&mut b, &[Field::U32(0, 3), Field::At(1, codes), Field::At(2, graphs), Field::At(4, buffers)]);
    b.finish(model, Some("TFL3"));
    b.finished_data().to_vec()
}

const F32: i8 = 0;
const F16: i8 = 1;
const I32: i8 = 2;
const I8: i8 = 9;
const I4: i8 = 17;

fn operator(code: i32, inputs: &[i32], outputs: &[i32], kind: i8, options: Vec<Field>) -> O {
    O { code, inputs: inputs.to_vec(), outputs: outputs.to_vec(), kind, options }
}

/// A network of one operator, whose first tensor is the input and whose last one is the output.
fn single(tensors: &[T], code: i32, kind: i8, options: Vec<Field>) -> Result<Graph, Fault> {
    let last = tensors.len() as i32 - 1;
    let inputs: Vec<i32> = (0..last).collect();
    from_bytes(&file(tensors, &[operator(code, &inputs, &[last], kind, options)], &[0], &[last], 1))
}

#[test]
fn int4_weights_are_expanded_and_scales_run_along_the_channels() {
    let tensors = [
        tensor("x", &[1, 1, 1, 3], I8).scaled(&[0.5], 0),
        // 1, -2, 7, -8, 0 and padding: the low nibble first.
        tensor("w", &[1, 1, 1, 3], I4).scaled(&[0.1, 0.2, 0.3], 3).holding([[0xE1], [0xF7]]),
        tensor("y", &[1, 1, 1, 3], I8).scaled(&[1.0], 0),
    ];
    let options = vec![Field::I8(0, 1), Field::I32(1, 1), Field::I32(2, 2), Field::I8(4, 3)];
    let graph = single(&tensors, 4, 2, options).expect("imports");
    let w = &graph[graph.nodes[0].inputs[1]];
    assert_eq!((w.shape.as_slice(), w.data.clone()), (&[1, 1, 3][..], Some(Data::I8(vec![1, -2, 7]))));
    assert_eq!(w.quant.as_ref().and_then(|q| q.axis), Some(2), "the file's axis 3 without the leading 1");
    let Some(&ops::DepthwiseConv2d { sliding, activation }) = graph.nodes[0].op.get() else { panic!("depthwise") };
    assert_eq!((sliding.stride, sliding.padding, activation), ([2, 1], Padding::Valid, Activation::Relu6));
}

#[test]
fn half_precision_weights_stay_so_and_lose_their_dequantize() {
    let half: Vec<[u8; 2]> = [1.5_f32, -2.0].map(|v| half::f16::from_f32(v).to_le_bytes()).to_vec();
    let tensors = [
        tensor("x", &[1, 2], F32),
        tensor("w16", &[1, 2], F16).holding(half.clone()),
        tensor("w", &[1, 2], F32),
        tensor("h", &[1, 1], F32),
        tensor("b16", &[1, 2], F16).holding(half),
        tensor("b", &[1, 2], F32),
        tensor("y", &[1, 2], F32),
    ];
    let operators = [
        operator(6, &[1], &[2], 38, vec![]),
        operator(9, &[0, 2, -1], &[3], 8, vec![]),
        operator(6, &[4], &[5], 38, vec![]),
        operator(0, &[0, 5], &[6], 11, vec![]),
    ];
    let graph = from_bytes(&file(&tensors, &operators, &[0], &[3, 6], 1)).expect("imports");
    assert_eq!(graph.nodes.len(), 2);
    assert_eq!(graph[graph.nodes[0].inputs[1]].dtype(), DType::F16, "weights");
    assert_eq!(graph[graph.nodes[1].inputs[1]].f32s(), Some(&[1.5, -2.0][..]), "an operand of an addition");
    assert_eq!(graph.outputs.len(), 2);
}

#[test]
fn the_batch_leaves_every_shape_and_axis() {
    let tensors =
        [tensor("x", &[1, 4, 3, 2], F32), tensor("axes", &[2], I32).int32(&[1, -2]), tensor("y", &[1, 1, 1, 2], F32)];
    let pool =
        vec![Field::I8(0, 1), Field::I32(1, 1), Field::I32(2, 1), Field::I32(3, 3), Field::I32(4, 4), Field::I8(5, 1)];
    let graph = single(&[tensors[0].clone(), tensors[2].clone()], 17, 5, pool).expect("imports");
    assert_eq!(graph[graph.inputs[0]].shape, [4, 3, 2]);
    assert_eq!(graph[graph.outputs[0]].shape, [1, 1, 2]);
    let names: Vec<&str> = graph.nodes.iter().map(|n| n.op.name()).collect();
    assert_eq!(names, ["max_pool2d", "relu"], "a pool's clamp is an operator of its own");
    match single(&tensors, 40, 27, vec![Field::I8(0, 1)]) {
        Ok(graph) => assert_eq!(graph.nodes[0].op, Op::from(ops::Mean { axes: vec![0, 1], keep_axes: true })),
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn a_result_of_other_axes_is_reshaped() {
    let tensors = [
        tensor("x", &[1, 2, 2], F32),
        tensor("w", &[3, 4], F32).holding((0..12).map(|v| (v as f32).to_le_bytes())),
        tensor("y", &[1, 1, 3], F32),
    ];
    let graph = single(&tensors, 9, 8, vec![Field::I8(2, 1)]).expect("imports");
    let names: Vec<&str> = graph.nodes.iter().map(|n| n.op.name()).collect();
    assert_eq!(names, ["dense", "reshape"]);
    assert_eq!(graph[graph.outputs[0]].shape, [1, 3]);
}

#[test]
fn a_refusal_names_the_operator_its_place_and_tensors_and_the_remedy() {
    let x = tensor("x", &[1, 8], F32);
    let y = tensor("y", &[1, 8], F32);
    let said = |result: Result<Graph, Fault>| result.expect_err("is refused").to_string();
    let gelu = said(single(&[x.clone(), y.clone()], 150, 0, vec![]));
    for part in ["operator 0 GELU", "niwaki has no such operator", "inputs float32[1, 8]; outputs float32[1, 8]"] {
        assert!(gelu.contains(part), "{gelu}");
    }
    assert!(gelu.contains("build the network from CONV_2D, "), "{gelu}");
    let uint8 = said(single(&[tensor("x", &[1, 8], 3), y.clone()], 14, 0, vec![]));
    assert!(uint8.contains("tensor 0 `x`") && uint8.contains("uint8") && uint8.contains("convert"), "{uint8}");
    let bare = said(single(&[tensor("x", &[1, 8], I8), tensor("y", &[1, 8], I8)], 14, 0, vec![]));
    assert!(bare.contains("`x` holds codes but has no scale"), "{bare}");
    let tanh = said(single(&[x.clone(), x.clone(), y.clone()], 0, 11, vec![Field::I8(0, 4)]));
    assert!(tanh.contains("operator 0 ADD: the fused activation TANH is not supported"), "{tanh}");
    let beta = said(single(&[x.clone(), y.clone()], 25, 9, vec![Field::U32(0, 2.0_f32.to_bits())]));
    assert!(beta.contains("SOFTMAX: its beta is 2"), "{beta}");
    let batch = said(single(&[tensor("x", &[4, 8], F32), tensor("y", &[4, 8], F32)], 14, 0, vec![]));
    assert!(batch.contains("tensor 0 `x`") && batch.contains("convert the network with batch size 1"), "{batch}");
    let unknown = said(single(&[x.clone(), y.clone()], 999, 0, vec![]));
    assert!(unknown.contains("operator code 999"), "{unknown}");
    let weights = tensor("w", &[2, 8], I8).scaled(&[0.1], 0).holding((0..16).map(|v: i8| v.to_le_bytes()));
    let hybrid = said(single(&[x.clone(), weights, tensor("y", &[1, 2], F32)], 9, 8, vec![]));
    assert!(hybrid.contains("int8 weights between float32 and float32"), "{hybrid}");
}

#[test]
fn several_networks_in_a_file_are_refused_by_name() {
    let tensors = [tensor("x", &[1, 8], F32), tensor("y", &[1, 8], F32)];
    let operators = [operator(14, &[0], &[1], 0, vec![])];
    let fault = from_bytes(&file(&tensors, &operators, &[0], &[1], 2)).expect_err("is refused");
    assert_eq!(fault, Fault::Subgraphs { count: 2, names: "main, main".into() });
}

#[test]
fn what_no_converter_writes_is_refused_where_it_stands() {
    let tensors = [tensor("x", &[1, 8], F32), tensor("y", &[1, 8], F32), tensor("z", &[1, 8], F32)];
    let relu = |inputs: &[i32], outputs: &[i32]| operator(19, inputs, outputs, 0, vec![]);
    /// Operators, inputs and outputs of the network, and what is said about them.
    type Case<'a> = (&'a [O], &'a [i32], &'a [i32], &'static str);
    let cases: [Case<'_>; 8] = [
        (&[relu(&[2], &[1])], &[0], &[1], "`z` is read before it is written"),
        (&[relu(&[0], &[1]), relu(&[0], &[1])], &[0], &[1], "`y` is written twice or is constant"),
        (&[relu(&[0], &[0])], &[0], &[0], "`x` is written twice or is constant"),
        (&[relu(&[7], &[1])], &[0], &[1], "there is no tensor 7"),
        (&[relu(&[-1], &[1])], &[0], &[1], "operand 0 is missing"),
        (&[relu(&[0], &[1])], &[0, 0], &[1], "stands there twice"),
        (&[relu(&[0], &[1])], &[0], &[2], "is written by no operator"),
        (&[relu(&[0], &[1])], &[-5], &[1], "there is no such tensor"),
    ];
    for (operators, inputs, outputs, expected) in cases {
        let fault = from_bytes(&file(&tensors, operators, inputs, outputs, 1)).expect_err("is refused").to_string();
        assert!(fault.contains(expected), "{fault}");
    }
    for (bytes, expected) in
        [(&b""[..], "TFL3"), (b"\0\0\0\0TFL3", "0 subgraphs"), (b"\xff\xff\xff\xffTFL3", "no .tflite file")]
    {
        let fault = from_bytes(bytes).expect_err("is refused").to_string();
        assert!(fault.contains(expected), "{fault}");
    }
}
