//! The proof that nothing in core panics or allocates: no compiled function of core names one that does.

use crate::gates;
use crate::objects::forbidden;
use crate::run::{Context, Outcome, RELEASE, Verdict, output};
use std::{fs, path::Path};

/// A chip with all instructions that core may use, and the one with the fewest.
const TARGETS: [&str; 2] = [gates::CHIP, gates::SMALLEST];

/// Compiles core and `tests/probe`, which calls all of core that is generic, and reads their symbols.
pub(crate) fn core_panics(context: &Context) -> Outcome {
    let folder = context.target.join("probe");
    write_probe(context, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut wrong = Vec::new();
    let mut notes = Vec::new();
    for target in TARGETS {
        // Nothing may be left from an earlier build: every library below is read.
        let built = folder.join("target");
        if built.exists() {
            fs::remove_dir_all(&built).map_err(|error| format!("{}: {error}", built.display()))?;
        }
        let mut cargo = context.cargo(&["build", RELEASE, "--target", target]);
        output({
            cargo.current_dir(&folder).env("CARGO_TARGET_DIR", &built);
            cargo
        })?;
        let mut libraries = 0;
        let deps = built.join(target).join("release/deps");
        for entry in fs::read_dir(&deps).map_err(|error| format!("{}: {error}", deps.display()))? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".rlib") && (name.starts_with("libprobe") || name.starts_with("libniwaki_core")) {
                libraries += 1;
                wrong.extend(forbidden(&path)?.iter().map(|symbol| format!("{target}: {name}: {symbol}")));
            }
        }
        if libraries != 2 {
            return Err(format!("{}: {libraries} libraries where core and the probe should be", deps.display()));
        }
        notes.push(format!("{target}: no panic, no allocator"));
    }
    if wrong.is_empty() { Ok(Verdict::Passed(notes)) } else { Err(wrong.join("\n")) }
}

/// The package around `tests/probe/lib.rs`, outside the workspace so that it can have its own profile.
fn write_probe(context: &Context, folder: &Path) -> std::io::Result<()> {
    let path = |path: &str| toml::Value::from(context.root.join(path).to_string_lossy().into_owned());
    let manifest = format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = {}\n\n\
         [dependencies]\nniwaki-core = {{ path = {}, features = [\"train\"] }}\n\n[profile.release]\ncodegen-units = 1\n\n[workspace]\n",
        path("tests/probe/lib.rs"),
        path("core"),
    );
    fs::create_dir_all(folder)?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::copy(context.root.join("rust-toolchain.toml"), folder.join("rust-toolchain.toml"))?;
    // The versions that everything else is built with; cargo removes what the probe does not need.
    fs::copy(context.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}
