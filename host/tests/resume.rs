//! A training run that is killed at any moment goes on to the same bits, whatever its number of threads.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Files of a run folder that depend on nothing but the recipe.
const RESULTS: [&str; 4] = ["dense.safetensors", "sparse.safetensors", "qat.safetensors", "model.niwaki"];
/// Kills before the run may end by itself.
const KILLS: usize = 6;

/// The demo's recipe.
const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/digits-small-cnn-wgsef.toml");

/// The binary that cargo built with this test.
fn niwaki() -> Command {
    Command::new(env!("CARGO_BIN_EXE_niwaki"))
}

fn train(dir: &Path, threads: usize) -> Command {
    let mut command = niwaki();
    command.args(["train", RECIPE, "--json", "--threads", &threads.to_string(), "--out"]).arg(dir);
    for set in ["train.epochs=6", "sparsity.ramp_epochs=4", "sparsity.finetune_epochs=4", "quantize.qat_epochs=2"] {
        command.args(["--set", set]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn results(dir: &Path) -> Vec<Vec<u8>> {
    let read = |name| std::fs::read(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    RESULTS.iter().map(read).collect()
}

/// Epochs in the order of `metrics.jsonl`, without the time that they took.
fn epochs(dir: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join("metrics.jsonl")).expect("metrics were written");
    let row = |line: &str| {
        let mut row: serde_json::Value = serde_json::from_str(line).expect("a line is an object");
        row.as_object_mut().expect("a line is an object").remove("seconds");
        row
    };
    text.lines().map(row).collect()
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_bits_for_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let started = Instant::now();
    assert!(train(&whole, 1).status().expect("niwaki starts").success());
    let duration = started.elapsed();

    // The moments of the kills are logged, so that a failure can be looked at.
    let seed = std::process::id().into();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut interrupted = 0;
    for kill in 0..KILLS {
        let mut child = train(&killed, 1 + kill % 3).spawn().expect("niwaki starts");
        let wait = Duration::from_nanos(rng.next_u64() % (duration.as_nanos() as u64 * 2 / 3));
        println!("seed {seed}: killed after {wait:?} of about {duration:?}");
        std::thread::sleep(wait);
        interrupted += usize::from(child.try_wait().expect("niwaki can be asked").is_none());
        // SIGKILL on Unix; an error means that it is gone already.
        let _ = child.kill();
        child.wait().expect("niwaki ends");
    }
    assert!(interrupted > 0, "every run ended before it could be killed");
    assert!(train(&killed, 2).status().expect("niwaki starts").success());
    assert!(results(&whole) == results(&killed), "the resumed run has other bits");
    assert_eq!(epochs(&whole), epochs(&killed), "every epoch is there once");
}

#[test]
fn a_folder_with_another_recipe_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("run");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(dir.join("recipe.toml"), "[data]\nname = \"mnist\"\n").expect("a file");
    let output = train(&dir, 1).stderr(Stdio::piped()).output().expect("niwaki starts");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("another recipe") && message.contains("--out"), "{message}");
    assert_eq!(std::fs::read_to_string(dir.join("recipe.toml")).expect("still there"), "[data]\nname = \"mnist\"\n");
}

#[test]
fn a_run_that_diverges_says_where_and_what_to_change() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = train(&folder.path().join("run"), 1);
    command.args(["--set", "optimizer.name=sgd", "--set", "optimizer.lr=1e30"]);
    let output = command.stderr(Stdio::piped()).output().expect("niwaki starts");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("epoch 1, step") && message.contains("lower optimizer.lr"), "{message}");
}
