//! What tests, gates and benchmarks share.

pub mod edit;
pub mod models;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The `niwaki` binary beside the running test's, which `cargo test --workspace` builds with it.
///
/// # Panics
/// If it is not there: the test was built alone.
pub fn niwaki() -> Command {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
    let binary = folder.join(format!("niwaki{}", std::env::consts::EXE_SUFFIX));
    assert!(binary.exists(), "{} is missing: run `cargo test --workspace`", binary.display());
    Command::new(binary)
}

/// The demo's recipe file.
pub fn demo_recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/recipes/digits-small-cnn-wgsef.toml")
}
