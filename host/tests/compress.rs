//! `niwaki compress`: a run's dense network, or an imported one, made sparse in a folder of its own.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// The demo's recipe.
const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/digits-small-cnn-wgsef.toml");

fn niwaki(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_niwaki")).args(arguments).current_dir(folder).output().expect("niwaki starts")
}

fn json(output: Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one object on standard output")
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = niwaki(folder, arguments);
    let message = String::from_utf8(output.stderr).expect("messages are text");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    message
}

/// The stage called `name` of a run's JSON object.
fn stage<'a>(run: &'a Value, name: &str) -> &'a Value {
    let stages = run["stages"].as_array().expect("stages");
    stages.iter().find(|stage| stage["name"] == name).unwrap_or_else(|| panic!("no stage {name}: {run}"))
}

#[test]
fn a_run_is_compressed_from_its_dense_network_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let in_folder = |arguments: &[&str]| niwaki(folder.path(), arguments);
    let few = ["--set", "sparsity.ramp_epochs=1", "--set", "sparsity.finetune_epochs=1", "--json"];
    let train = ["train", RECIPE, "--set", "sparsity.method=none", "--set", "train.epochs=3", "--out", "net", "--json"];
    let dense = json(in_folder(&train));
    let before = std::fs::read(folder.path().join("net/report.json")).expect("a report");

    let half = json(in_folder(&[&["compress", "net", "--method", "wgsef", "--keep", "0.5"][..], &few].concat()));
    assert_eq!(half["run_dir"], "runs/net-wgsef-0.5-seed1");
    let budget = ["compress", "net", "--method", "magnitude", "--budget", "macs=0.4", "--allocation", "global"];
    let budget = json(in_folder(&[&budget[..], &few].concat()));
    assert_eq!(budget["run_dir"], "runs/net-magnitude-macs-0.4-seed1");
    for run in [&half, &budget] {
        assert_eq!(stage(run, "dense-f32")["accuracy"], stage(&dense, "dense-f32")["accuracy"], "nothing was trained");
        assert!(run["params"].as_u64() < dense["params"].as_u64(), "{run}");
    }
    let share = budget["macs"].as_f64().expect("MACs") / dense["macs"].as_f64().expect("MACs");
    assert!(share <= 0.4, "{share}");
    assert_eq!(
        std::fs::read(folder.path().join("net/report.json")).expect("a report"),
        before,
        "the run is left alone"
    );
}

#[test]
fn wrong_arguments_name_what_is_allowed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    std::fs::create_dir(folder.join("net")).expect("a folder");
    std::fs::copy(RECIPE, folder.join("net/recipe.toml")).expect("a recipe");
    for (arguments, part) in [
        (&["--method", "wgsf"][..], "(did you mean `wgsef`?)"),
        (&["--method", "wgsef", "--keep", "1.5"], "`sparsity.keep` is 1.5; allowed: a number above 0, at most 1"),
        (&["--method", "wgsef", "--budget", "0.3"], "expected UNIT=LIMIT"),
        (&["--method", "wgsef", "--budget", "cycles=0.3"], "{ instructions = N }"),
        (&["--method", "wgsef", "--keep", "0.5", "--budget", "macs=0.5"], "cannot be used with"),
    ] {
        let message = refused(folder, &[&["compress", "net"], arguments].concat());
        assert!(message.contains(part), "{message}");
    }
    let none = refused(folder, &["compress", "nowhere", "--method", "wgsef"]);
    assert!(none.contains("nowhere: neither the folder of a run nor a .tflite file"), "{none}");
    let unfinished = refused(folder, &["compress", "net", "--method", "wgsef"]);
    assert!(unfinished.contains("dense.safetensors"), "{unfinished}");
}

#[test]
fn an_imported_network_that_does_not_fit_the_data_is_refused_with_both_shapes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(models) = root.ancestors().skip(2).map(|f| f.join("shared/models")).find(|f| f.is_dir()) else {
        eprintln!("skipped: the published models are not at ../shared/models");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, shape) in [("hello_world_float", "[1]"), ("pretrainedResnet", "[32, 32, 3]")] {
        let path = models.join(name).with_extension("tflite");
        let path = path.to_str().expect("a path in UTF-8");
        let message = refused(folder.path(), &["compress", path, "--method", "wgsef"]);
        assert!(message.contains("add --data NAME"), "{message}");
        let message = refused(folder.path(), &["compress", path, "--method", "wgsef", "--data", "digits"]);
        assert!(message.contains(shape) && message.contains("a sample of digits is [8, 8, 1]"), "{message}");
        let message = refused(folder.path(), &["compress", path, "--method", "wgsef", "--data", "digts"]);
        assert!(message.contains("(did you mean `digits`?)"), "{message}");
    }
}
