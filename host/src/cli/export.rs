//! `niwaki export`: a model as a Rust module that other firmware takes into its sources.

use super::{CliError, print, print_json};
use crate::export::read::read;
use crate::export::rust::{MODEL_FILE, MODULE_FILE, module};
use crate::io::atomic;
use crate::io::format;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// A .niwaki or .tflite file
    model: PathBuf,
    /// The module's folder, such as src/model: gets mod.rs and model.niwaki
    #[arg(long, value_name = "DIR")]
    rust: PathBuf,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn export(args: ExportArgs) -> Result<(), CliError> {
    let model = read(&args.model)?;
    let name = module_name(&args.rust);
    std::fs::create_dir_all(&args.rust)
        .map_err(|error| CliError::Input(format!("{}: cannot be created: {error}", args.rust.display())))?;
    // The module names the size of the bytes: whoever builds in between sees two files that fit or an error.
    atomic::write(&args.rust.join(MODEL_FILE), &model.bytes)?;
    atomic::write(&args.rust.join(MODULE_FILE), module(&name, &model).as_bytes())?;
    let description = &model.description;
    if args.json {
        return print_json(&json!({
            "module": name,
            "folder": args.rust,
            "model_bytes": description.file_bytes,
            "arena_bytes": description.arena_bytes,
        }));
    }
    print(&format!(
        "{}: `mod {name};` has a model of {} that needs an arena of {}\n",
        args.rust.display(),
        format::bytes(description.file_bytes),
        format::bytes(description.arena_bytes),
    ))
}

/// The name of the module in `folder`, or what to call it where the folder's name is none.
fn module_name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let identifier = starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if identifier { name } else { "model".into() }
}
