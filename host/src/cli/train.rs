//! `niwaki demo` and `niwaki train`.

use super::training_run::{TrainingArgs, TrainingRun, print_table, stages};
use super::{CliError, DeviceArg, print_json};
use crate::chip::Chip;
use crate::pipeline::{self, Finished, MODEL_FILE};
use crate::recipe;
use crate::train::{CHECKPOINT_FILE, DENSE_FILE, METRICS_FILE, SPARSE_FILE};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Folder for the model and the report; whatever an earlier demo left there is replaced
    #[arg(long, default_value = "runs/demo")]
    out: PathBuf,
    /// A graph network on Zachary's karate club, with TEDDY, in place of the digits
    #[arg(long)]
    graph: bool,
    /// Decides initial weights, sample order and augmentation
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; the result does not depend on them [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Show what cargo, the package manager and the firmware print
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// The recipe (TOML), or the folder of a run to go on with
    recipe: PathBuf,
    /// Change a value of the recipe, as in --set train.epochs=3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// The run's folder [default: runs/RECIPE-seedN]
    #[arg(long)]
    out: Option<PathBuf>,
    /// The same as --set train.seed=N
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    training: TrainingArgs,
}

pub(super) fn demo(args: DemoArgs) -> Result<(), CliError> {
    let sets: Vec<String> = args.seed.iter().map(|seed| format!("train.seed={seed}")).collect();
    let text = if args.graph { recipe::GRAPH_DEMO } else { recipe::DEMO };
    let recipe = recipe::Recipe::parse(text, "demo recipe", &sets)?;
    // A demo shows the whole path, so it starts afresh in its own folder.
    for file in [CHECKPOINT_FILE, DENSE_FILE, SPARSE_FILE, METRICS_FILE, MODEL_FILE, pipeline::RECIPE_FILE] {
        match std::fs::remove_file(args.out.join(file)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::Input(format!("{}: cannot be replaced: {e}", args.out.join(file).display())));
            }
            _ => {}
        }
    }
    let run = TrainingRun { dir: &args.out, threads: args.threads, chip: Some(Chip::CortexM4), verbose: args.verbose };
    let finished = run.go(&recipe, DeviceArg::Auto)?;
    if args.json { print_json(&demo_json(&finished)) } else { print_table(&args.out, &finished) }
}

pub(super) fn train(args: TrainArgs) -> Result<(), CliError> {
    let is_run = args.recipe.is_dir();
    let file = if is_run { args.recipe.join(pipeline::RECIPE_FILE) } else { args.recipe.clone() };
    let mut sets = args.sets;
    sets.extend(args.seed.map(|seed| format!("train.seed={seed}")));
    let recipe = recipe::Recipe::load(&file, &sets)?;
    let dir = match (args.out, is_run) {
        (Some(out), _) => out,
        (None, true) => args.recipe,
        (None, false) => {
            let stem = args.recipe.file_stem().unwrap_or_default().to_string_lossy();
            Path::new("runs").join(format!("{stem}-seed{}", recipe.train.seed))
        }
    };
    args.training.run(&recipe, &dir)
}

fn demo_json(finished: &Finished) -> Value {
    let mut object = json!({
        "stages": stages(finished),
        "bytes_equal": finished.report.bytes_equal,
        "seconds": finished.seconds,
    });
    let int8 = finished.report.stages.iter().find(|s| s.name == "int8-host");
    object["model_bytes"] = json!(int8.and_then(|s| s.model_bytes));
    object["arena_bytes"] = json!(int8.and_then(|s| s.arena_bytes));
    object["instructions"] = json!(finished.cost.as_ref().map(|c| c.instructions));
    object["stack_bytes"] = json!(finished.cost.as_ref().map(|c| c.stack_bytes));
    object["code_bytes"] = json!(finished.cost.as_ref().map(|c| c.code_bytes));
    if let Some(missing) = &finished.chip_missing {
        object["skipped"] = json!(missing);
    }
    object
}
