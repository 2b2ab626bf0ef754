//! `niwaki export --rust`: a crate outside of niwaki builds with what it writes, and computes the same bytes.

use niwaki::chip::{self, Chip};
use niwaki::export::read::{ModelFile, read};
use niwaki::export::rust::{MODEL_FILE, MODULE_FILE, module};
use niwaki_tests::models;
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const CHIP: &str = Chip::CortexM4.spec().expect("is emulated").target;

/// The reference models by name.
fn exported(folder: &Path) -> Vec<(&'static str, ModelFile)> {
    let files = models::reference().expect("exports").into_iter();
    files
        .map(|(name, bytes)| {
            let path = folder.join(name).with_extension("niwaki");
            fs::write(&path, &*bytes).expect("writes");
            (name, read(&path).expect("reads"))
        })
        .collect()
}

/// A copy of the foreign crate outside the workspace, with `model` in `src/model`.
fn crate_with(model: &ModelFile) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (from, to) = (here.join("foreign"), Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign"));
    fs::create_dir_all(to.join("src/model")).expect("creates");
    for file in ["src/lib.rs", "src/main.rs"] {
        fs::copy(from.join(file), to.join(file)).expect("copies");
    }
    // The only line that depends on where the crate lies.
    let manifest = fs::read_to_string(from.join("Cargo.toml")).expect("a manifest");
    let core = here.join("../core").canonicalize().expect("core");
    let absolute = manifest.replace("\"../../core\"", &format!("{:?}", core.to_string_lossy()));
    assert_ne!(absolute, manifest);
    fs::write(to.join("Cargo.toml"), absolute).expect("writes");
    // The versions that are tested here; cargo removes what is not used.
    fs::copy(here.join("../Cargo.lock"), to.join("Cargo.lock")).expect("copies");
    fs::write(to.join("src/model").join(MODEL_FILE), &*model.bytes).expect("writes");
    fs::write(to.join("src/model").join(MODULE_FILE), module("model", model)).expect("writes");
    to
}

fn cargo(folder: &Path, arguments: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder).args(arguments).args(["--release", "--quiet"]);
    cargo.env("CARGO_TARGET_DIR", folder.join("target")).env("RUSTFLAGS", "-D warnings");
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_crate_outside_the_workspace_answers_the_same_bytes() {
    let scratch = tempfile::tempdir().expect("a folder");
    let models = exported(scratch.path());
    let (_, model) = models.iter().find(|(name, _)| *name == "small-cnn").expect("a reference model");
    let folder = crate_with(model);
    cargo(&folder, &["build"]);
    let len: usize = model.description.inputs.iter().map(|port| port.bytes).sum();
    let inputs: Vec<Vec<u8>> = (0..3).map(|k| (0..len).map(|i| ((i * i + 77 * k + i) % 256) as u8).collect()).collect();
    let program = folder.join("target/release").join(format!("foreign{}", std::env::consts::EXE_SUFFIX));
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    child.stdin.take().expect("piped").write_all(&inputs.concat()).expect("writes");
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success());
    let here = chip::run(Chip::Host, &model.bytes, &inputs, &mut |_| ()).expect("runs");
    assert_eq!(output.stdout, here.outputs.concat());

    let chips = Command::new("rustup").args(["target", "list", "--installed"]).output();
    if chips.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).lines().any(|line| line == CHIP)) {
        cargo(&folder, &["build", "--lib", "--target", CHIP]);
    } else {
        // Not `println!`: the test harness would hide its line.
        writeln!(io::stderr(), "skipped: {CHIP} is not installed: rustup target add {CHIP}").expect("writes");
    }
}

#[test]
fn the_module_is_formatted_and_names_what_the_model_has() {
    let scratch = tempfile::tempdir().expect("a folder");
    for (name, model) in exported(scratch.path()) {
        let path = scratch.path().join(format!("{}.rs", name.replace('-', "_")));
        let text = module("model", &model);
        fs::write(&path, &text).expect("writes");
        let mut rustfmt = Command::new("rustfmt");
        rustfmt.args(["--check", "--edition=2024", "--config=max_width=100,use_small_heuristics=Default"]);
        let output = rustfmt.arg(&path).output().expect("rustfmt starts");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        let description = &model.description;
        for line in [
            format!("pub const ARENA_BYTES: usize = {};", description.arena_bytes),
            format!("pub const MODEL_BYTES: usize = {};", model.bytes.len()),
            format!("    pub const SCALE: f32 = {:?};", description.inputs[0].scale),
            format!("    pub const ZERO_POINT: i32 = {};", description.outputs[0].zero_point),
        ] {
            assert!(text.lines().any(|l| l == line), "{name}: no line `{line}` in\n{text}");
        }
    }
}
