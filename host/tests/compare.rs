//! `niwaki compare`: a comparison that is killed at a random moment goes on where it was, and ends with the same table.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The demo's recipe.
const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/digits-small-cnn-wgsef.toml");
/// Epochs of a dense and of a sparse cell.
const EPOCHS: [usize; 2] = [3, 4];

fn compare(dir: &Path, methods: &str, keeps: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_niwaki"));
    command.args([
        "compare",
        RECIPE,
        "--methods",
        methods,
        "--keeps",
        keeps,
        "--seeds",
        "1",
        "--unit",
        "macs",
        "--json",
    ]);
    command.arg("--out").arg(dir);
    // No chip: the table is the same wherever this runs.
    let sets = ["target.chip=portable", "train.epochs=3", "sparsity.ramp_epochs=2", "sparsity.finetune_epochs=2"];
    for set in sets {
        command.args(["--set", set]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end: exit code, the object on standard output, and the messages.
fn result(mut command: Command) -> (Option<i32>, Value, String) {
    let output = command.output().expect("niwaki starts");
    let messages = String::from_utf8(output.stderr).expect("messages are text");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {messages}"));
    (output.status.code(), json, messages)
}

/// The same without times.
fn timeless(mut json: Value) -> Value {
    for cell in json["cells"].as_array_mut().expect("cells") {
        cell.as_object_mut().expect("a cell").remove("seconds");
    }
    json
}

/// The file's content and the time of its last change.
type Stamped = (String, SystemTime);

fn stamped(path: &Path) -> Option<Stamped> {
    let changed = std::fs::metadata(path).and_then(|m| m.modified()).ok()?;
    Some((std::fs::read_to_string(path).ok()?, changed))
}

/// For each cell its metrics, and its report if it is finished.
fn cells(dir: &Path) -> BTreeMap<String, (Option<Stamped>, Option<Stamped>)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return BTreeMap::new() };
    let folders = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let files = |path: &Path| (stamped(&path.join("metrics.jsonl")), stamped(&path.join("report.json")));
    folders.map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), files(&path))).collect()
}

#[test]
fn a_killed_comparison_repeats_at_most_the_current_epoch_of_one_cell() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let command = |dir: &Path| compare(dir, "wgsef,magnitude", "0.5,0.3");
    let started = Instant::now();
    let (code, undisturbed, messages) = result(command(&whole));
    let duration = started.elapsed();
    assert_eq!(code, Some(0), "{messages}");

    // The moment of the kill is logged, so that a failure can be looked at.
    let seed = std::process::id().into();
    let share = 0.1 + 0.8 * (ChaCha8Rng::seed_from_u64(seed).next_u64() as f64 / u64::MAX as f64);
    let wait = duration.mul_f64(share);
    println!("seed {seed}: killed after {wait:?} of about {duration:?}");
    let mut child = command(&killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("niwaki starts");
    std::thread::sleep(wait);
    // SIGKILL on Unix; an error means that it is gone already.
    let _ = child.kill();
    child.wait().expect("niwaki ends");
    let at_kill = cells(&killed);
    // A file that is written again has another time.
    std::thread::sleep(Duration::from_millis(20));

    let (code, resumed, messages) = result(command(&killed));
    assert_eq!(code, Some(0), "{messages}");
    assert_eq!(timeless(resumed), timeless(undisturbed), "the table is that of the undisturbed run");
    let at_end = cells(&killed);
    assert_eq!(at_end.len(), 5);
    for (name, before) in &at_kill {
        let after = &at_end[name];
        if before.1.is_some() {
            assert_eq!(before, after, "{name} was finished and is not touched");
        }
        // Times of epochs differ whenever they are measured again: the rows that were there are there.
        let lines =
            |files: &(Option<Stamped>, _)| files.0.as_ref().map(|stamped| stamped.0.clone()).unwrap_or_default();
        assert!(lines(after).starts_with(&lines(before)), "{name} goes on after its last epoch");
    }
    for (name, (metrics, report)) in &at_end {
        let epochs = metrics.as_ref().expect("metrics").0.lines().count();
        assert_eq!(epochs, EPOCHS[usize::from(!name.starts_with("dense"))], "{name} has every epoch once");
        assert!(report.is_some(), "{name} is finished");
    }

    let (_, again, messages) = result(command(&killed));
    assert_eq!(messages.matches("finished before").count(), 5, "{messages}");
    assert_eq!(cells(&killed), at_end, "nothing is left to do");
    let rows = again["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 5);
    for row in &rows[1..] {
        let (share, keep) = (row["ratio"]["macs"].as_f64().expect("MACs"), row["keep"].as_f64().expect("a share"));
        assert!(share <= keep, "{row}");
    }
    for file in ["compare.json", "compare.html"] {
        assert!(killed.join(file).is_file(), "{file}");
    }
}

#[test]
fn a_cell_that_fails_is_named_and_the_others_go_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, json, messages) = result(compare(folder.path(), "magnitude", "0.001,0.5"));
    assert_eq!(code, Some(1));
    assert!(messages.ends_with("error: 1 of 3 cells failed: magnitude-0.001-seed1\n"), "{messages}");
    assert_eq!(json["failed"][0]["cell"], "magnitude-0.001-seed1");
    assert!(json["failed"][0]["error"].as_str().expect("words").contains("macs cannot be met"), "{json}");
    let methods: Vec<&Value> = json["rows"].as_array().expect("rows").iter().map(|row| &row["method"]).collect();
    assert_eq!(methods, ["dense", "magnitude"]);
}

#[test]
fn wrong_arguments_name_the_argument_and_what_is_allowed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (methods, keeps, part) in [
        ("wgsf", "0.5", "`compare.methods` is \"wgsf\" (did you mean `wgsef`?)"),
        ("none", "0.5", "`compare.methods` is \"none\""),
        ("wgsef", "1.5", "`compare.keeps` is 1.5; allowed: a number above 0, at most 1"),
        ("wgsef", "0.5,0.5", "none twice"),
    ] {
        let output = compare(folder.path(), methods, keeps).output().expect("niwaki starts");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(part), "{message}");
    }
}
