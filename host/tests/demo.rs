//! `niwaki demo`: what the README promises, and the commands on the model that it leaves.

use niwaki::chip::{self, Chip};
use niwaki::io::npy;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Least accuracy of the dense network on the last 360 digits.
const DENSE_ACCURACY: f64 = 0.96;
/// Largest loss of accuracy from dense f32 to sparse int8.
const LOST_ACCURACY: f64 = 0.01;
/// Largest share of the dense network's multiply-accumulates.
const MACS: f64 = 0.5;
/// Largest arena.
const ARENA_BYTES: u64 = 16 * 1024;
/// Longest run, on two cores.
const SECONDS: f64 = 180.0;

/// The binary that cargo built with this test.
fn niwaki() -> Command {
    Command::new(env!("CARGO_BIN_EXE_niwaki"))
}

fn succeed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is text")
}

fn fail(arguments: &[&str]) -> (i32, String) {
    let output = niwaki().args(arguments).output().expect("niwaki starts");
    (output.status.code().expect("it ends by itself"), String::from_utf8(output.stderr).expect("messages are text"))
}

fn json(output: Output) -> Value {
    let text = succeed(output);
    assert_eq!(text.lines().count(), 1, "one object and nothing else on standard output");
    serde_json::from_str(&text).expect("a JSON object")
}

/// Whether the emulated chip can be used here; says so loudly if not.
fn chip_is_here() -> bool {
    match chip::self_test(Chip::CortexM4, &mut |_| ()) {
        Err(error @ chip::ChipError::Missing { .. }) => {
            eprintln!("skipped: {error}");
            false
        }
        other => other.is_ok(),
    }
}

#[test]
fn the_whole_path_keeps_its_promises() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("demo");
    let demo = json(niwaki().args(["demo", "--json", "--out"]).arg(&dir).output().expect("niwaki starts"));
    let stage = |name: &str| {
        let stages = demo["stages"].as_array().expect("stages");
        stages.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no stage {name}"))
    };
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    let (dense, int8) = (stage("dense-f32"), stage("int8-host"));
    assert!(number(&dense["accuracy"]) >= DENSE_ACCURACY, "{dense}");
    assert!(number(&dense["accuracy"]) - number(&int8["accuracy"]) <= LOST_ACCURACY + f64::EPSILON, "{dense} {int8}");
    assert!(number(&int8["macs"]) <= MACS * number(&dense["macs"]), "{int8}");
    assert_eq!(stage("sparse-f32")["params"], int8["params"]);
    assert!(number(&demo["seconds"]) <= SECONDS, "{} seconds", demo["seconds"]);
    assert!(demo["arena_bytes"].as_u64().expect("a number") <= ARENA_BYTES);
    assert!(number(&demo["model_bytes"]) > 0.0);
    if chip_is_here() {
        assert_eq!(demo["bytes_equal"], true, "host and chip give the same bytes for all 360 inputs");
        assert_eq!(stage("int8-cortex-m4")["accuracy"], int8["accuracy"]);
        for key in ["instructions", "stack_bytes", "code_bytes"] {
            assert!(number(&demo[key]) > 0.0, "{key}");
        }
    }
    let page = std::fs::read_to_string(dir.join("report.html")).expect("a report");
    assert!(page.contains("dense-f32") && page.contains("<svg"));
    std::fs::remove_file(dir.join("report.html")).expect("it was there");
    succeed(niwaki().arg("report").arg(&dir).output().expect("niwaki starts"));
    assert_eq!(std::fs::read_to_string(dir.join("report.html")).expect("drawn again"), page);
    model_commands(&dir.join("model.niwaki"), number(&int8["accuracy"]));
}

/// `inspect`, `eval` and `run` on the demo's model.
fn model_commands(model: &Path, accuracy: f64) {
    let folder = model.parent().expect("the run's folder");
    let niwaki_on = |arguments: &[&str]| {
        let mut command = niwaki();
        command.arg(arguments[0]).arg(model).args(&arguments[1..]).current_dir(folder);
        command.output().expect("niwaki starts")
    };
    let inspected = json(niwaki_on(&["inspect", "--json"]));
    assert_eq!(inspected["file_bytes"].as_u64(), std::fs::metadata(model).ok().map(|m| m.len()));
    assert_eq!(inspected["inputs"][0]["shape"], serde_json::json!([8, 8, 1]));
    let evaluated = json(niwaki_on(&["eval", "--data", "digits", "--json"]));
    assert_eq!(evaluated["accuracy"].as_f64(), Some(accuracy));

    let test = niwaki::data::load("digits", None).expect("bundled").test;
    let shape = [test.len(), 8, 8, 1];
    npy::write(&folder.join("x.npy"), &shape, &test.x).expect("written");
    let run = |on: &str, y: &str| json(niwaki_on(&["run", "--input", "x.npy", "--output", y, "--on", on, "--json"]));
    assert_eq!(run("host", "host.npy")["inputs"], 360);
    let host = npy::read::<i8>(&folder.join("host.npy")).expect("int8 outputs");
    assert_eq!(host.shape, [360, 10]);
    if chip_is_here() {
        run("cortex-m4", "chip.npy");
        assert_eq!(npy::read::<i8>(&folder.join("chip.npy")).expect("int8 outputs"), host);
        let bench = json(niwaki_on(&["bench", "--on", "cortex-m4", "--json"]));
        let sum: u64 =
            bench["per_op"].as_array().expect("rows").iter().filter_map(|o| o["instructions"].as_u64()).sum();
        let total = bench["instructions"].as_u64().expect("a number");
        assert!(sum.abs_diff(total) * 100 <= total, "operators add up to {sum} of {total}");
        let cycles = bench["est_cycles"].as_u64().expect("a number");
        assert!(cycles > total && cycles < 3 * total, "{cycles} cycles of {total} instructions");
        let functions = bench["est_cycles_per_function"].as_array().expect("rows");
        assert_eq!(functions.iter().filter_map(|f| f["cycles"].as_u64()).sum::<u64>(), cycles);
        // The timings are those of the Cortex-M4 alone.
        assert!(json(niwaki_on(&["bench", "--on", "cortex-m3", "--json"]))["est_cycles"].is_null());
    }

    let exported = json(niwaki_on(&["export", "--rust", "src/my_net", "--json"]));
    assert_eq!((&exported["module"], &exported["arena_bytes"]), (&"my_net".into(), &inspected["arena_bytes"]));
    let file = |name: &str| std::fs::read(folder.join("src/my_net").join(name)).expect("written");
    assert_eq!(file("model.niwaki"), std::fs::read(model).expect("the model"));
    assert!(String::from_utf8_lossy(&file("mod.rs")).contains("my_net::OPERATORS"));

    npy::write(&folder.join("wrong.npy"), &[2, 5], &[0.0_f32; 10]).expect("written");
    let output = niwaki_on(&["run", "--input", "wrong.npy", "--output", "y.npy"]);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("wrong.npy: shape [2, 5], the model takes [N, 8, 8, 1]"), "{message}");
    assert!(!folder.join("y.npy").exists());
}

#[test]
fn wrong_usage_and_bad_input_end_with_code_2_and_a_remedy() {
    let (code, message) = fail(&["flash", "x", "--whatever", "y"]);
    assert_eq!((code, message.as_str()), (2, "error: `niwaki flash` is not built yet\n"));
    for (arguments, part) in [
        (&["train", "nowhere.toml"][..], "nowhere.toml: cannot be read"),
        (&["train", "--set", "train.epoch=1"], "required arguments"),
        (&["inspect", "nowhere.niwaki"], "nowhere.niwaki: cannot be read"),
        (&["inspect", "Cargo.toml"], "Cargo.toml: magic: not a .niwaki file"),
        (&["inspect", "net.tflite"], "net.tflite: cannot be read"),
        (&["inspect", "net.onnx"], "net.onnx: reading .onnx files is not built yet"),
        (&["report", "nowhere"], "report.json: cannot be read"),
        (&["bench", "Cargo.toml", "--on", "cortex-m99"], &format!("known: {}", Chip::NAMES.join(", "))),
    ] {
        let (code, message) = fail(arguments);
        assert_eq!(code, 2, "{arguments:?}: {message}");
        assert!(message.contains(part), "{arguments:?}: {message}");
    }
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/digits-small-cnn-wgsef.toml");
    let (code, message) = fail(&["train", recipe, "--set", "train.epoch=1"]);
    assert!(code == 2 && message.contains("did you mean") && message.contains("epochs"), "{message}");
    {
        let out = tempfile::tempdir().expect("a temporary folder");
        let out = out.path().to_string_lossy().into_owned();
        let (code, message) = fail(&["train", recipe, "--device", "vulkan", "--out", &out]);
        assert!(code == 2 && message.contains("--features vulkan"), "{code} {message}");
    }
}
