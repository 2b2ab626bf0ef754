//! Bad graphs, batches and options are refused by name.

use super::*;
use crate::engine::{Distillation, Engine, EngineError};
use crate::graph::{Data, GraphError, Quant};
use crate::ops;
use crate::zoo;

fn small_cnn() -> Graph {
    zoo::ENTRIES[0].build(&[8, 8, 1], 10, 1).expect("the input fits")
}

fn refusal(graph: &Graph) -> String {
    Engine::new(graph, EngineOptions { batch: 4, threads: 1 }).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn zero_options_are_named() {
    for (options, name) in
        [(EngineOptions { batch: 0, threads: 1 }, "batch"), (EngineOptions { batch: 1, threads: 0 }, "threads")]
    {
        assert_eq!(Engine::new(&small_cnn(), options).err(), Some(EngineError::Option { name }));
    }
}

#[test]
fn a_batch_beyond_any_buffer_is_refused() {
    let options = EngineOptions { batch: usize::MAX / 2, threads: 1 };
    assert!(matches!(Engine::new(&small_cnn(), options).err(), Some(EngineError::TooLarge { .. })));
}

#[test]
fn wrong_lengths_and_labels_are_named_and_change_nothing() {
    let mut engine: Engine = engine(&small_cnn(), 4, 1);
    let before = (engine.values().to_vec(), engine.buffers().to_vec());
    let x = vec![0.0; 4 * 64];
    assert_eq!(engine.forward(&x[..64], 0).err(), Some(EngineError::Batch { batch: 0, planned: 4 }));
    assert_eq!(engine.forward(&x, 5).err(), Some(EngineError::Batch { batch: 5, planned: 4 }));
    let wrong = EngineError::Len { what: "x", batch: 3, expected: 192, got: 256 };
    assert_eq!(engine.forward(&x, 3).err(), Some(wrong.clone()));
    assert_eq!(engine.loss_and_gradients(&x, &[0; 3]).err(), Some(wrong));
    assert_eq!(engine.loss_and_gradients(&x, &[]).err(), Some(EngineError::Batch { batch: 0, planned: 4 }));
    let label = EngineError::Label { sample: 2, label: 10, classes: 10 };
    assert_eq!(engine.loss_and_gradients(&x, &[0, 9, 10, 1]).err(), Some(label.clone()));
    assert_eq!(engine.loss(&x, &[0, 9, 10, 1]).err(), Some(label));
    assert_eq!((engine.values().to_vec(), engine.buffers().to_vec()), before);
}

#[test]
fn a_distillation_out_of_range_is_named_and_changes_nothing() {
    let mut engine: Engine = engine(&small_cnn(), 4, 1);
    let before = (engine.values().to_vec(), engine.buffers().to_vec());
    let x = vec![0.5; 2 * 64];
    let mut refusal = |weight, temperature, scores: usize| {
        let options = Distillation { weight, temperature };
        let error = engine.distill(&x, &[0, 1], &vec![0.0; scores], options).err();
        error.map(|e| e.to_string()).unwrap_or_default()
    };
    assert_eq!(refusal(1.5, 1.0, 20), "distillation: `weight` is 1.5, it must be in 0..=1");
    assert_eq!(refusal(f64::NAN, 1.0, 20), "distillation: `weight` is NaN, it must be in 0..=1");
    assert_eq!(refusal(0.5, 0.0, 20), "distillation: `temperature` is 0, it must be finite and above 0");
    assert_eq!(refusal(0.5, 1.0, 10), "teacher has 10 values, 2 samples need 20");
    assert_eq!((engine.values().to_vec(), engine.buffers().to_vec()), before);
}

#[test]
fn quantised_tensors_are_named() {
    let mut graph = small_cnn();
    let w = graph.nodes[0].inputs[1];
    graph[w].quant = Some(Quant { scales: vec![0.1], zero_point: 0, axis: None });
    assert_eq!(refusal(&graph), "cannot train with tensor `conv1.weight`: it is quantised");
    graph[w].data = Some(Data::I8(vec![0; 144]));
    assert_eq!(refusal(&graph), "cannot train with tensor `conv1.weight`: it does not hold f32 values");
}

#[test]
fn graphs_that_do_not_hold_together_are_refused() {
    let mut graph = small_cnn();
    graph.nodes[0].inputs[1] = TensorId(1000);
    assert_eq!(refusal(&graph), "cannot train conv2d `conv1`: tensor 1000 does not exist");

    let mut graph = small_cnn();
    graph.outputs.clear();
    assert_eq!(
        Engine::new(&graph, EngineOptions { batch: 1, threads: 1 }).err(),
        Some(EngineError::Ends { what: "output", count: 0 })
    );

    let mut graph = small_cnn();
    graph.nodes.swap(0, 1);
    let error = Engine::new(&graph, EngineOptions { batch: 1, threads: 1 }).err();
    assert!(matches!(error, Some(EngineError::Graph(GraphError::Order { .. }))), "{error:?}");

    let mut graph = small_cnn();
    let w = graph.nodes[0].inputs[1];
    graph[w].data = Some(Data::F32(vec![0.0; 3]));
    assert_eq!(refusal(&graph), "tensor `conv1.weight` has shape [16, 3, 3, 1] but 3 values");
}

#[test]
fn constants_in_the_wrong_place_are_named() {
    let mut bench = Bench::new(1);
    let x = bench.source(4, &[2, 2, 3]);
    let c = bench.parameter("constant", &[2, 2, 3]);
    let y = bench.push("both", ops::Concat { axis: 2 }, &[x, c]);
    let graph = bench.finish(y, 3);
    assert_eq!(refusal(&graph), "cannot train concat `both`: operand 1, `constant`, must be computed, not constant");
    let mut bench = Bench::new(1);
    let x = bench.source(4, &[2, 2, 3]);
    let c = bench.parameter("constant", &[3]);
    let y = bench.push("op", ops::Sub { activation: Activation::None }, &[c, x]);
    let want = "cannot train sub `op`: `constant`, less than the output or constant, must come second";
    assert_eq!(refusal(&bench.finish(y, 3)), want);
}

#[test]
fn outputs_without_one_row_of_classes_have_no_loss() {
    let mut bench = Bench::new(1);
    let y = bench.source(4, &[2, 2, 3]);
    bench.graph.outputs.push(y);
    let mut engine: Engine = engine(&bench.graph, 2, 1);
    assert!(engine.forward(&[0.5; 8], 2).is_ok());
    let error = engine.loss(&[0.5; 8], &[0, 1]).err();
    assert_eq!(error, Some(EngineError::Classes { tensor: "source.shape".into(), shape: vec![2, 2, 3] }));
}

#[test]
fn operators_that_are_not_trained_are_named_with_the_reason() {
    let sliding = crate::graph::Sliding::strided(2, crate::graph::Padding::Same);
    let of = |op: Op, operand: Option<&[usize]>| {
        let mut bench = Bench::new(1);
        let x = bench.source(4, &[2, 2, 3]);
        let operands: Vec<TensorId> = match operand {
            Some(shape) => {
                let flat = bench.push("flat", ops::Reshape { shape: vec![12] }, &[x]);
                let w = bench.parameter("other.weight", &[shape.iter().product(), 12]);
                let other = bench.push("other", ops::Dense { activation: Activation::None }, &[flat, w]);
                vec![x, bench.push("other.shape", ops::Reshape { shape: shape.to_vec() }, &[other])]
            }
            None => vec![x],
        };
        let y = bench.push("op", op, &operands);
        refusal(&bench.finish(y, 3))
    };
    let none = Activation::None;
    let grid = crate::graph::Grid::default();
    let repeat = "operand 1, `other.shape` of shape [2, 1, 3], must repeat along leading axes of [2, 2, 3] only";
    for (op, operand, want) in [
        (Op::from(ops::Add { activation: none }), Some(&[2, 1, 3][..]), format!("add `op`: {repeat}")),
        (
            Op::from(ops::Mean { axes: vec![2], keep_axes: false }),
            None,
            "mean `op`: its axes [2] of [2, 2, 3] are not all before those that stay".into(),
        ),
        (Op::from(ops::Sum { axes: vec![0, 1], keep_axes: false }), None, "sum `op`: it cannot be trained".into()),
        (
            Op::from(ops::ResizeBilinear { size: [4, 4], grid }),
            None,
            "resize_bilinear `op`: interpolation cannot be trained; resize to the nearest".into(),
        ),
    ] {
        assert_eq!(of(op, operand), format!("cannot train {want}"));
    }
    let mut bench = Bench::new(1);
    let x = bench.source(4, &[2, 2, 3]);
    let w = bench.parameter("w", &[5, 3, 3, 3]);
    let y = bench.push("up", ops::TransposeConv2d { sliding, size: [4, 4], activation: none }, &[x, w]);
    assert_eq!(refusal(&bench.finish(y, 3)), "cannot train transpose_conv2d `up`: it cannot be trained");
}
