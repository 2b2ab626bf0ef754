//! Networks over graphs from the command line: the demo, recipes, runs that go on, refusals.

use niwaki::io::npy;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Least accuracy on the karate club's test members, dense and sparse: all but two of 22.
const ACCURACY: f64 = 0.9;
/// Longest demo on this machine alone, on one busy core.
const SECONDS: f64 = 60.0;
const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/karate-gcn-teddy.toml");

fn niwaki(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_niwaki")).args(arguments).output().expect("niwaki starts")
}

fn json(output: Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text.lines().count(), 1, "one object and nothing else on standard output");
    serde_json::from_str(&text).expect("a JSON object")
}

fn refusal(arguments: &[&str]) -> (i32, String) {
    let output = niwaki(arguments);
    (output.status.code().expect("it ends by itself"), String::from_utf8(output.stderr).expect("text"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn the_graph_demo_takes_the_karate_club_to_the_chip_in_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("demo");
    let demo = json(niwaki(&["demo", "--graph", "--json", "--out", text(&dir)]));
    let stages = demo["stages"].as_array().expect("stages");
    for stage in &stages[..2] {
        assert!(stage["accuracy"].as_f64().expect("a number") >= ACCURACY, "{stage}");
    }
    let weights = |at: usize| stages[at]["params"].as_u64().expect("a number");
    assert!(weights(1) * 10 < weights(0) * 5, "four in ten of the weights are left: {} of {}", weights(1), weights(0));
    let here = stages.iter().filter(|stage| stage["name"] != "int8-cortex-m4");
    assert!(here.map(|stage| stage["seconds"].as_f64().expect("a number")).sum::<f64>() < SECONDS);
    match demo["skipped"].as_str() {
        Some(missing) => println!("skipped: {missing}"),
        None => {
            assert_eq!(demo["bytes_equal"], true);
            assert_eq!(stages[3]["accuracy"], stages[2]["accuracy"]);
            assert!(demo["instructions"].as_u64() > Some(10_000) && stages[3]["est_cycles"].as_u64() > Some(10_000));
        }
    }
    let page = fs::read_to_string(dir.join("report.html")).expect("a report");
    assert!(page.contains("Neighbours of a node: 156 edges") && page.contains("After pruning"));
}

#[test]
fn a_run_goes_on_and_gives_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let sparse = |dir: &Path| fs::read(dir.join("sparse.safetensors")).expect("weights");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let train = |dir: &Path| json(niwaki(&["train", RECIPE, "--json", "--set", "train.epochs=30", "--out", text(dir)]));
    let (first, other) = (train(&a), train(&b));
    assert_eq!(first["test_accuracy"], other["test_accuracy"]);
    assert_eq!(sparse(&a), sparse(&b));
    // Killed after the dense phase.
    fs::remove_file(b.join("sparse.safetensors")).expect("there");
    let again = json(niwaki(&["train", text(&b), "--json"]));
    assert_eq!(first["test_accuracy"], again["test_accuracy"]);
    assert_eq!(sparse(&a), sparse(&b));
}

#[test]
fn the_exported_network_leaves_out_as_many_edges_as_it_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for zoo in ["gcn", "gat", "gin", "sage"] {
        let dir = folder.path().join(zoo);
        let zoo = format!("model.zoo={zoo}");
        let sets = ["--set", &zoo, "--set", "train.epochs=20", "--set", "graph.choose_edges=true"];
        json(niwaki(&[&["train", RECIPE, "--json", "--out", text(&dir)], &sets[..]].concat()));
        let run = |drop: i32| {
            let (x, y) = (folder.path().join("x.npy"), folder.path().join("y.npy"));
            npy::write(&x, &[1, 1], &[drop]).expect("written");
            let model = dir.join("model.niwaki");
            json(niwaki(&["run", text(&model), "--input", text(&x), "--output", text(&y), "--json"]));
            fs::read(y).expect("scores")
        };
        assert!(run(0) != run(40) && run(40) != run(77), "{zoo}: edges matter");
        assert_eq!(run(78), run(1000), "{zoo}: the karate club has 78 friendships");
    }
}

#[test]
fn a_graph_of_ones_own_is_trained_on_and_damage_is_refused_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("created");
    fs::write(data.join("edges.csv"), "0,1\n1,2\n3,4\n4,5\n").expect("written");
    let nodes = "split,label\ntrain,0\nval,0\ntest,0\ntrain,1\nval,1\ntest,1\n";
    fs::write(data.join("nodes.csv"), nodes).expect("written");
    let own = format!("data.dir={}", data.display());
    let (out, other) = (folder.path().join("run"), folder.path().join("other"));
    let arguments = |out| ["train", RECIPE, "--set", "data.name=graph", "--set", &own, "--json", "--out", out];
    assert_eq!(json(niwaki(&arguments(text(&out))))["test_accuracy"], 1.0);
    fs::write(data.join("edges.csv"), "0,1\n1,x\n").expect("written");
    let (code, message) = refusal(&arguments(text(&other)));
    assert_eq!(code, 2, "{message}");
    assert!(message.contains("edges.csv") && message.contains("line 2"), "{message}");
}

#[test]
fn graphs_and_samples_are_not_mixed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("run");
    let refused = |sets: &[&str], part: &str| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        let arguments: Vec<&str> = ["train", RECIPE, "--out", text(&out)].into_iter().chain(sets).collect();
        let (code, message) = refusal(&arguments);
        assert!(code != 0 && message.contains(part), "{code}: {message}");
        let _ = fs::remove_dir_all(&out);
    };
    refused(&["data.name=digits"], "`gcn` is a network over graphs");
    refused(&["model.zoo=small-cnn"], "no network over graphs");
    refused(&["model.zoo=gcm"], "did you mean `gcn`");
    refused(&["data.name=graph"], "name its folder");
    refused(&["graph.method=tedy"], "did you mean `teddy`");
    refused(&["graph.hidden=0"], "hidden");
}
