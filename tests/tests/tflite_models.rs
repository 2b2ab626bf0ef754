//! Networks that other people trained answer TensorFlow Lite Micro's bytes, before and after every pass.

use niwaki::chip::{self, Chip, ChipError};
use niwaki::export::export;
use niwaki::graph::Graph;
use niwaki::io::npy::{self, AnyArray};
use niwaki::plan::limits::Limits;
use niwaki::tune::read_planned;
use niwaki::{import, simplify::simplify};
use std::path::{Path, PathBuf};

/// Models of int8 codes: not a byte may differ.
const INT8: &[&str] = &[
    "ad01_int8",
    "hello_world_int8",
    "kws_ref_model",
    "micro_speech_quantized",
    "pretrainedResnet_quant",
    "vww_96_int8",
];

/// Models of floats.
const F32: &[&str] = &["hello_world_float", "pretrainedResnet"];

/// The one tolerance here: the largest difference of an f32 output, whose terms another kernel adds in another order.
const F32_TOLERANCE: f32 = 1e-6;

/// The folder of published models and golden outputs, beside the repository or further up; they are no part of it.
fn models() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let found = root.ancestors().skip(1).map(|folder| folder.join("shared/models")).find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: the published models are not at ../shared/models");
    }
    found
}

fn bytes(path: &Path) -> (usize, Vec<u8>) {
    match npy::read_any(path).expect("is an array") {
        AnyArray::I8(a) => (a.shape[0], little_endian(&a.values, |v| v.to_le_bytes())),
        AnyArray::F32(a) => (a.shape[0], little_endian(&a.values, |v| v.to_le_bytes())),
        other => panic!("{}: {other:?}", path.display()),
    }
}

fn little_endian<T: Copy, const N: usize>(values: &[T], bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&v| bytes(v)).collect()
}

fn inputs(folder: &Path, name: &str) -> Vec<Vec<u8>> {
    let (count, bytes) = bytes(&folder.join(format!("{name}.in.npy")));
    bytes.chunks_exact(bytes.len() / count).map(<[u8]>::to_vec).collect()
}

fn run(model: &[u8], inputs: &[Vec<u8>]) -> Vec<u8> {
    chip::run(Chip::Host, model, inputs, &mut |_| ()).expect("runs").outputs.concat()
}

fn outputs(graph: &Graph, inputs: &[Vec<u8>]) -> Vec<u8> {
    run(&export(graph).expect("exports").0, inputs)
}

#[test]
fn int8_models_answer_the_golden_bytes() {
    let Some(folder) = models() else { return };
    for name in INT8 {
        let graph = import::read(&folder.join(format!("{name}.tflite"))).expect("imports");
        let inputs = inputs(&folder, name);
        let (_, golden) = bytes(&folder.join(format!("{name}.out.npy")));
        assert!(outputs(&graph, &inputs) == golden, "{name}, as imported");
        assert!(outputs(&simplify(&graph).expect("simplifies"), &inputs) == golden, "{name}, simplified");
        for chip in [Chip::Host, Chip::CortexM3, Chip::CortexM4] {
            let path = folder.join(format!("{name}.tflite"));
            let read = read_planned(&path, Some(chip), &Limits::default()).expect("reads");
            assert!(run(&read.0.bytes, &inputs) == golden, "{name}, as `niwaki run` reads it for {chip}");
        }
    }
}

#[test]
fn a_published_model_answers_the_golden_bytes_on_every_emulated_chip() {
    let Some(folder) = models() else { return };
    let name = "kws_ref_model";
    let inputs = &inputs(&folder, name)[..2];
    let (_, golden) = bytes(&folder.join(format!("{name}.out.npy")));
    for &chip in Chip::EMULATED {
        let model = read_planned(&folder.join(format!("{name}.tflite")), Some(chip), &Limits::default());
        let model = model.expect("reads").0.bytes;
        match chip::run(chip, &model, inputs, &mut |_| ()) {
            Ok(measured) => {
                let outputs = measured.outputs.concat();
                assert!(outputs == golden[..outputs.len()] && !outputs.is_empty(), "{name} on {chip}");
            }
            Err(error @ ChipError::Missing { .. }) => println!("skipped: {error}"),
            Err(error) => panic!("{chip}: {error}"),
        }
    }
}

#[test]
fn float_models_answer_the_golden_values() {
    let Some(folder) = models() else { return };
    for name in F32 {
        let graph = import::read(&folder.join(format!("{name}.tflite"))).expect("imports");
        let inputs = inputs(&folder, name);
        let (_, golden) = bytes(&folder.join(format!("{name}.out.npy")));
        let floats = |bytes: &[u8]| niwaki::graph::eval::f32s(bytes);
        let plain = outputs(&graph, &inputs);
        for (a, b) in floats(&plain).into_iter().zip(floats(&golden)) {
            assert!((a - b).abs() <= F32_TOLERANCE, "{name}: {a} instead of {b}");
        }
        assert!(outputs(&simplify(&graph).expect("simplifies"), &inputs) == plain, "{name}: a pass changed a bit");
    }
}

#[test]
fn the_dead_channels_of_the_person_detector_are_folded_away() {
    let Some(folder) = models() else { return };
    let graph = import::read(&folder.join("vww_96_int8.tflite")).expect("imports");
    let small = simplify(&graph).expect("simplifies");
    assert_eq!(graph.macs(), 7_489_664);
    assert!(small.macs() <= 3_869_504, "{} MACs", small.macs());
    assert!(small.parameter_count() <= 35_250, "{} weights and biases", small.parameter_count());
}
