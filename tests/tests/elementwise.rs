//! A file with every elementwise operator, reduction and conversion computes exactly what the graph evaluates.

use niwaki::export::export;
use niwaki::graph::Graph;
use niwaki::graph::eval::Value;
use niwaki_core::format::{DType, Header};
use niwaki_core::num::Rounding;
use niwaki_core::{Model, Session};
use niwaki_tests::models::{elementwise::every_elementwise, random};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The bytes of every output, by a session over the exported file and by the graph.
fn both(graph: &Graph, x: &[f32]) -> [Vec<Vec<u8>>; 2] {
    let (file, _) = export(graph).expect("exports");
    let model = Model::verify(&file, niwaki_core::ops::ALL).expect("verifies");
    let mut arena = niwaki::io::AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).expect("fits");
    session.input_bytes_mut(0).copy_from_slice(&Value::of_reals(&graph[graph.inputs[0]], x).to_bytes());
    session.run();
    let values = graph.evaluate(x).expect("evaluates");
    let of_graph = graph.outputs.iter().map(|id| values[id.0].as_ref().expect("written").to_bytes());
    [(0..graph.outputs.len()).map(|i| session.output_bytes(i).to_vec()).collect(), of_graph.collect()]
}

#[test]
fn a_file_computes_exactly_the_graph_in_every_format_and_rounding() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for dtype in [DType::I8, DType::I16, DType::F32] {
        for rounding in [Rounding::Double, Rounding::Single] {
            let graph = Graph { rounding, ..every_elementwise(dtype).expect("builds") };
            for scale in [0.5, 2.0, 8.0] {
                let x: Vec<f32> = random(&mut rng, 24).iter().map(|v| v * scale).collect();
                let [file, graph] = both(&graph, &x);
                assert_eq!(file, graph, "{} {rounding:?}", dtype.name());
                assert!(file.iter().flatten().any(|&byte| byte != file[0][0]), "{}: says nothing", dtype.name());
            }
        }
    }
}

#[test]
fn the_file_stores_the_rounding_of_its_network_and_computes_with_it() {
    let double = every_elementwise(DType::I8).expect("builds");
    let single = Graph { rounding: Rounding::Single, ..double.clone() };
    let flags = |graph| Header::from_bytes(&export(graph).expect("exports").0).flags;
    assert_eq!([flags(&double), flags(&single)], [0, 1]);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let differs = (0..500).any(|_| {
        let x: Vec<f32> = random(&mut rng, 24).iter().map(|v| v * 4.0).collect();
        both(&double, &x)[0] != both(&single, &x)[0]
    });
    assert!(differs, "both roundings give the same codes everywhere");
}

#[test]
fn operands_of_two_types_are_refused_by_name() {
    let mut graph = every_elementwise(DType::I8).expect("builds");
    let rows = graph.tensors.iter().position(|t| t.name == "rows").expect("has one");
    graph.tensors[rows].quant = None;
    let error = export(&graph).expect_err("no scale").to_string();
    assert!(error.contains("sub `sub`: `rows` is i8 with no scale"), "{error}");
}
