//! What stands in an exported file is what stood in the graph.

mod movement;
mod number_formats;

use super::*;
use crate::graph::{Activation, Data, Op, Role, TensorId};
use crate::ops;
use crate::quantize::{Calibration, post_training};
use crate::{export::read::describe, zoo};
use niwaki_core::format::{ALIGN, DType};

fn quantized(name: &str, input: [usize; 3]) -> Graph {
    let graph = zoo::by_name(name).expect("in the zoo").build(&input, 10, 1).expect("fits");
    let sample: Vec<f32> = (0..input.iter().product()).map(|i| (i % 7) as f32 / 7.0).collect();
    post_training(&graph, &[&sample], Calibration::MinMax).expect("quantises")
}

#[test]
fn a_file_describes_itself_as_the_graph_does() {
    for (name, input) in [("small-cnn", [8, 8, 1]), ("ds-cnn", [49, 10, 1]), ("tiny-resnet", [16, 16, 3])] {
        let graph = quantized(name, input);
        let (file, arena) = export(&graph).expect("exports");
        let d = describe(&Model::verify(&file, niwaki_core::ops::ALL).expect("verifies"));
        assert_eq!((d.macs, d.params), (graph.macs() as u64, graph.parameter_count() as u64), "{name}");
        assert_eq!((d.file_bytes, d.arena_bytes), (file.len() as u64, arena.bytes as u64));
        let ops: Vec<_> = d.operators.iter().map(|o| o.op).collect();
        let nodes: Vec<_> = graph.nodes.iter().map(|n| n.op.name()).collect();
        assert_eq!(ops, nodes);
        let most = d.operators.iter().map(|o| o.live_bytes).max();
        assert!(most.is_some_and(|live| live <= d.arena_bytes && live * 10 >= d.arena_bytes * 9), "{name}: {most:?}");
        assert_eq!(d.inputs[0].shape, input);
    }
}

#[test]
fn exporting_is_deterministic() {
    let graph = quantized("tiny-resnet", [8, 8, 3]);
    assert_eq!(export(&graph).expect("exports").0, export(&graph).expect("exports").0);
}

#[test]
fn an_operand_added_to_itself_is_not_overwritten_while_it_is_read() {
    let mut graph = Graph::default();
    let x = graph.input("x", &[5]);
    let y = graph.push("relu", ops::Clamp(Activation::Relu), &[x]).expect("fits");
    let y = graph.push("twice", ops::Add { activation: Activation::None }, &[y, y]).expect("fits");
    graph.outputs.push(y);
    let (file, _) = export(&graph).expect("exports");
    let outputs = crate::chip::run(
        crate::chip::Chip::Host,
        &file,
        &[bytemuck::cast_slice(&[-1.0_f32, 0.5, 2.0, -3.0, 4.0]).to_vec()],
        &mut |_| (),
    )
    .expect("runs")
    .outputs;
    assert_eq!(outputs[0], bytemuck::cast_slice::<f32, u8>(&[0.0, 1.0, 4.0, 0.0, 8.0]));
}

#[test]
fn batch_norm_must_be_folded_and_says_so() {
    let graph = zoo::by_name("ds-cnn").expect("in the zoo").build(&[49, 10, 1], 12, 1).expect("fits");
    let error = export(&graph).expect_err("has batch norm");
    assert!(error.to_string().contains("batch_norm `conv.norm`: fold batch norm"), "{error}");
}

/// Runs the file of `graph` on this machine and demands the evaluator's bytes.
fn file_equals_evaluation(graph: &Graph, x: &[f32]) -> Vec<u8> {
    let values = graph.evaluate(x).expect("evaluates");
    let value = |id: TensorId| values[id.0].as_ref().expect("was computed").to_bytes();
    let (file, _) = export(graph).expect("exports");
    let input = vec![value(graph.inputs[0])];
    let run = crate::chip::run(crate::chip::Chip::Host, &file, &input, &mut |_| ()).expect("runs");
    assert_eq!(run.outputs[0], value(graph.outputs[0]));
    value(graph.outputs[0])
}

#[test]
fn a_file_for_dsp_chips_answers_as_any_other_and_needs_no_larger_arena() {
    for (name, input) in [("small-cnn", [8, 8, 1]), ("ds-cnn", [49, 10, 1]), ("tiny-resnet", [16, 16, 3])] {
        let graph = quantized(name, input);
        let ((plain, _), (tiled, arena)) =
            (export(&graph).expect("exports"), export_for(&graph, Isa::ArmDsp).expect("exports"));
        let d = describe(&Model::verify(&tiled, niwaki_core::ops::ALL).expect("verifies"));
        assert!(d.operators.iter().all(|o| o.macs == 0 || o.op.ends_with("_tiled")), "{name}");
        assert_eq!((d.macs, d.params), (graph.macs() as u64, graph.parameter_count() as u64), "{name}");
        assert_eq!(d.arena_bytes, arena.bytes as u64);
        let len = input.iter().product::<usize>();
        let inputs: Vec<Vec<u8>> = (0..3).map(|k| (0..len).map(|i| (i * i * 31 + i * k + 7) as u8).collect()).collect();
        let run =
            |file: &[u8]| crate::chip::run(crate::chip::Chip::Host, file, &inputs, &mut |_| ()).expect("runs").outputs;
        assert!(run(&plain) == run(&tiled), "{name}");
    }
}

#[test]
fn weights_that_do_not_fit_tiles_keep_the_plain_operator() {
    let mut graph = quantized("small-cnn", [8, 8, 1]);
    let dense = graph.nodes.iter().position(|n| n.op.is::<ops::Dense>()).expect("has one");
    let weights = graph.nodes[dense].inputs[1];
    // Next to a negative neighbour -128 is no i16.
    if let Some(Data::I8(codes)) = &mut graph[weights].data {
        codes.fill(-128);
    }
    let (file, _) = export_for(&graph, Isa::ArmDsp).expect("exports");
    let d = describe(&Model::verify(&file, niwaki_core::ops::ALL).expect("verifies"));
    assert_eq!([d.operators[0].op, d.operators[dense].op], ["conv2d_tiled", "dense"]);
}
