//! Gives the linker the memory map of the chosen board, and the program the architecture of its processor.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/board");
    let mut chosen = Vec::new();
    for entry in fs::read_dir("src/board")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "x") {
            let board = path.file_stem().and_then(|stem| stem.to_str()).ok_or("src/board: a name is not UTF-8")?;
            if env::var_os(format!("CARGO_FEATURE_{}", board.to_uppercase())).is_some() {
                chosen.push(path);
            }
        }
    }
    let [memory] = chosen.as_slice() else {
        return Err(format!("choose exactly one board feature (src/board/*.x), not {}", chosen.len()).into());
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::copy(memory, out.join("memory.x"))?;
    println!("cargo::rustc-check-cfg=cfg(armv8m)");
    if env::var("TARGET")?.starts_with("thumbv8m") {
        println!("cargo::rustc-cfg=armv8m");
    }
    println!("cargo::rustc-link-search={}", out.display());
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    Ok(())
}
