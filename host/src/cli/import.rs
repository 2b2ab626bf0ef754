//! `niwaki import`: a network of another tool as a model file.

use super::{CliError, chip, print, print_json};
use crate::hardware::Chip;
use crate::io::format;
use crate::plan::limits::{Least, Limits};
use crate::recipe::Size;
use crate::tune::{cost::CostTable, read_planned, write_planned};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser},
};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A .tflite file
    model: PathBuf,
    /// Where the .niwaki file goes
    #[arg(long, short, value_name = "OUT.niwaki")]
    output: PathBuf,
    #[command(flatten)]
    for_target: TargetArgs,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

/// The target that is no chip.
const PORTABLE: &str = "portable";

/// What the file is made for.
#[derive(Debug, Args)]
struct TargetArgs {
    /// The processor that runs it
    #[arg(long, default_value = PORTABLE, value_parser = PossibleValuesParser::new(targets()))]
    target: String,
    /// Memory for arena and stack, as in 64K; layouts of the weights are chosen within the limits [default: none]
    #[arg(long, value_name = "SIZE")]
    ram: Option<Size>,
    /// Flash for model and code [default: no limit]
    #[arg(long, value_name = "SIZE")]
    flash: Option<Size>,
    /// Instructions of one inference [default: no limit]
    #[arg(long, value_name = "N")]
    instructions: Option<u64>,
    /// Make the model as small as the limits allow, not as fast
    #[arg(long)]
    small: bool,
}

/// What `--target` takes.
fn targets() -> Vec<PossibleValue> {
    let chips = Chip::NAMES.iter().map(|name| PossibleValue::new(*name));
    std::iter::once(PossibleValue::new(PORTABLE).help("Any")).chain(chips).collect()
}

pub(super) fn import(args: ImportArgs) -> Result<(), CliError> {
    if args.model.extension().is_some_and(|e| e == "niwaki") {
        return Err(CliError::Input(format!("{}: is a model file already; give a .tflite file", args.model.display())));
    }
    let TargetArgs { target, ram, flash, instructions, small } = args.for_target;
    let on = if target == PORTABLE { None } else { Some(chip(&target)?) };
    let least = if small { Least::Flash } else { Least::Instructions };
    let limits = Limits { ram: ram.map(Size::bytes), flash: flash.map(Size::bytes), instructions, least };
    if on.and_then(CostTable::of).is_none() && limits != Limits::default() {
        return Err(CliError::Input(format!("--target {target} has no measured costs to keep limits by; name a chip")));
    }
    let (model, plan) = read_planned(&args.model, on, &limits)?;
    write_planned(&args.output, &model.bytes, plan.as_ref())?;
    let d = &model.description;
    if args.json {
        return print_json(&json!({
            "output": args.output,
            "target": target,
            "file_bytes": d.file_bytes,
            "arena_bytes": d.arena_bytes,
            "macs": d.macs,
            "params": d.params,
            "operators": d.operators.len(),
        }));
    }
    print(&format!(
        "{}: {} operators, {} MACs, {} weights and biases, {} file, {} arena\n",
        args.output.display(),
        d.operators.len(),
        format::exact(d.macs),
        format::exact(d.params),
        format::bytes(d.file_bytes),
        format::bytes(d.arena_bytes)
    ))
}
