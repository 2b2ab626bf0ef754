//! `niwaki eval` on folders: labels, inputs in one file or several, and what does not fit together.

use niwaki::export::export;
use niwaki::graph::{Activation, Data, Graph};
use niwaki::io::npy;
use niwaki::ops;
use std::{
    io::{self, Write as _},
    path::Path,
    process::{Command, Output},
};

/// A folder with a model whose answer to four numbers is the four numbers.
fn folder() -> tempfile::TempDir {
    let mut graph = Graph::default();
    let x = graph.input("input", &[4]);
    let identity = (0..16).map(|i| f32::from(u8::from(i % 5 == 0))).collect();
    let w = graph.parameter("dense.weight", &[4, 4], Vec::new());
    graph[w].data = Some(Data::F32(identity));
    let b = graph.parameter("dense.bias", &[4], Vec::new());
    graph[b].data = Some(Data::F32(vec![0.0; 4]));
    let y = graph.push("dense", ops::Dense { activation: Activation::None }, &[x, w, b]).expect("fits");
    graph.outputs.push(y);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("model.niwaki"), &*export(&graph).expect("exports").0).expect("writes");
    std::fs::create_dir(folder.path().join("samples")).expect("creates");
    folder
}

/// Rows whose largest element is at each of `classes`.
fn write_inputs(folder: &Path, name: &str, classes: &[usize]) {
    let rows: Vec<f32> =
        classes.iter().flat_map(|&class| (0..4).map(move |i| f32::from(u8::from(i == class)))).collect();
    npy::write(&folder.join("samples").join(name), &[classes.len(), 4], &rows).expect("writes");
}

fn write_labels(folder: &Path, labels: &[i64]) {
    npy::write(&folder.join("samples/labels.npy"), &[labels.len()], labels).expect("writes");
}

fn eval(model: &Path, data: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_niwaki"))
        .arg("eval")
        .arg(model)
        .arg("--data")
        .arg(data)
        .arg("--json")
        .output()
        .expect("niwaki starts")
}

fn evaluated(model: &Path, data: &Path) -> serde_json::Value {
    let output = eval(model, data);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn refused(folder: &Path) -> String {
    let output = eval(&folder.join("model.niwaki"), &folder.join("samples"));
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn inputs_in_several_files_follow_each_other_by_name() {
    let folder = folder();
    write_inputs(folder.path(), "part-1.npy", &[3, 0]);
    write_inputs(folder.path(), "part-0.npy", &[0, 1, 2]);
    write_labels(folder.path(), &[0, 1, 2, 3, 1]);
    let result = evaluated(&folder.path().join("model.niwaki"), &folder.path().join("samples"));
    assert_eq!((&result["accuracy"], &result["correct"], &result["samples"]), (&0.8.into(), &4.into(), &5.into()));
}

#[test]
fn what_does_not_fit_together_is_named() {
    let folder = folder();
    write_labels(folder.path(), &[0, 1]);
    assert!(refused(folder.path()).contains("has no inputs"));
    write_inputs(folder.path(), "x.npy", &[0]);
    assert!(refused(folder.path()).contains("1 inputs but 2 labels"));
    write_inputs(folder.path(), "x.npy", &[0, 1]);
    write_labels(folder.path(), &[0, 4]);
    assert!(refused(folder.path()).contains("label 4, but the model has 4 classes"));
    npy::write(&folder.path().join("samples/labels.npy"), &[2], &[0.0_f32, 1.0]).expect("writes");
    assert!(refused(folder.path()).contains("labels.npy must hold integers"));
}

#[test]
fn the_keyword_spotting_reference_model_scores_what_its_authors_measured() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let (model, data) = (shared.join("models/kws_ref_model.tflite"), shared.join("data/mlperf_tiny_kws01"));
    if !model.exists() || !data.exists() {
        // Not the macro: the test harness would swallow its line.
        writeln!(io::stderr(), "skipped: the keyword-spotting model and its samples are not here").expect("writes");
        return;
    }
    let result = evaluated(&model, &data);
    assert_eq!((&result["correct"], &result["samples"]), (&901.into(), &1000.into()));
}
