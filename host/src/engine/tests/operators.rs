//! Every operator of the table is trained as it says: with true gradients, or not at all.

use super::gradients::{CLASSES, SOURCE, check};
use super::*;
use crate::graph::Data;
use crate::ops::tests::examples::{Example, Operand, examples};
use crate::ops::{Misfit, Training};

/// A network of samples around the example: the values of its operands are made by dense layers.
fn network(example: &Example) -> Graph {
    let mut bench = Bench::new(5);
    let mut operands: Vec<TensorId> = Vec::new();
    for (i, operand) in example.operands.iter().enumerate() {
        let name = format!("operand{i}");
        let id = match operand {
            Operand::Value(shape) if bench.graph.inputs.is_empty() => bench.source(SOURCE, shape),
            Operand::Value(shape) => {
                let w = bench.parameter(&format!("{name}.weight"), &[shape.iter().product(), SOURCE]);
                let x = bench.push(&name, ops::Dense { activation: Activation::None }, &[bench.graph.inputs[0], w]);
                bench.push(&format!("{name}.shape"), ops::Reshape { shape: shape.clone() }, &[x])
            }
            Operand::Parameter(shape) => bench.parameter(&name, shape),
            Operand::Buffer(shape) => {
                let values = bench.values.f32s(shape.iter().product()).into_iter().map(|v| v.abs() + 0.5).collect();
                bench.graph.buffer(&name, shape, values)
            }
            Operand::Numbers(numbers) => bench.graph.constant(&name, &[numbers.len()], Data::I32(numbers.clone())),
        };
        operands.push(id);
    }
    let y = bench.push("op", example.op.clone(), &operands);
    bench.finish(y, CLASSES)
}

fn training(graph: &Graph) -> Result<Training, Misfit> {
    let node = graph.nodes.iter().find(|node| node.name == "op").expect("the operator under test");
    node.op.operator().train(&graph.operands(node))
}

#[test]
fn operators_have_true_gradients_or_are_refused_with_their_own_words() {
    let mut trained = 0;
    for example in examples() {
        let (graph, name) = (network(&example), example.op.name());
        let built = EngineOf::<f64>::new(&graph, EngineOptions { batch: 1, threads: 1 });
        match training(&graph) {
            // It has the features of nodes in it, whose gradients are another file's.
            Ok(Training::SparseDense { .. }) => {}
            // They are trained over nodes, which these samples are not.
            Ok(Training::Propagate { .. } | Training::Dropout { .. }) => {
                assert!(built.is_err(), "{name}");
            }
            Ok(_) => {
                trained += 1;
                check(name, &graph);
            }
            Err(_) if graph.tensors.iter().any(|t| matches!(t.data, Some(Data::I32(_)))) => {
                assert!(built.is_err(), "{name}");
            }
            Err(why) => {
                let error = built.err().map(|error| error.to_string());
                assert_eq!(error, Some(format!("cannot train {name} `op`: {why}")));
            }
        }
    }
    assert!(trained > 0);
}
