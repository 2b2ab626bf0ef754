//! `niwaki demo` and `niwaki train`.

use super::{CliError, DeviceArg, print, print_json, progress::Progress};
use crate::chip::Chip;
use crate::pipeline::{self, Finished, MODEL_FILE, Options};
use crate::recipe;
use crate::report::{HTML_FILE, console};
use crate::train::{CHECKPOINT_FILE, DENSE_FILE, METRICS_FILE, SPARSE_FILE};
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Where proximal steps run
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceArg,
    /// The run's folder [default: runs/RECIPE-seedN]
    #[arg(long)]
    out: Option<PathBuf>,
    /// The same as --set train.seed=N
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; the result does not depend on them [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
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
    let run = Run { dir: &args.out, threads: args.threads, chip: Some(Chip::CortexM4), verbose: args.verbose };
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
    let run = Run { dir: &dir, threads: args.threads, chip: None, verbose: false };
    let finished = run.go(&recipe, args.device)?;
    show(&dir, &finished, args.json)
}

/// One run with its progress on screen.
pub(super) struct Run<'a> {
    pub(super) dir: &'a Path,
    pub(super) threads: Option<usize>,
    pub(super) chip: Option<Chip>,
    pub(super) verbose: bool,
}

impl Run<'_> {
    pub(super) fn go(&self, recipe: &recipe::Recipe, device: DeviceArg) -> Result<Finished, CliError> {
        let stop = stop_on_ctrl_c()?;
        let options = Options {
            dir: self.dir,
            threads: threads(self.threads),
            device: device.device()?,
            chip: self.chip,
            chip_inputs: None,
            keep_limits: true,
            stop: &stop,
        };
        let mut progress = Progress::new(self.verbose);
        let finished = pipeline::run(recipe, options, &mut |event| progress.event(event));
        progress.finish();
        Ok(finished?)
    }
}

/// A flag that Ctrl-C sets: the first ends the run after the current epoch, the second at once; both leave it resumable.
pub(super) fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(1);
        }
    });
    handler.map_err(|e| CliError::Input(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(stop)
}

/// `--threads`, or one for each core.
pub(super) fn threads(asked: Option<usize>) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    asked.unwrap_or(all).max(1)
}

/// What `--json` and a terminal are told of a finished run.
pub(super) fn show(dir: &Path, finished: &Finished, json: bool) -> Result<(), CliError> {
    if json { print_json(&train_json(dir, finished)) } else { print_table(dir, finished) }
}

fn print_table(dir: &Path, finished: &Finished) -> Result<(), CliError> {
    let mut text = console::render(&finished.report, console::Terminal::of_stdout());
    let place = |file| dir.join(file).display().to_string();
    text.push('\n');
    if dir.join(MODEL_FILE).is_file() {
        text += &format!("model   {}\n", place(MODEL_FILE));
    }
    text += &format!("report  {}\n", place(HTML_FILE));
    print(&text)
}

fn stages(finished: &Finished) -> Value {
    // Absent figures are left out, not null.
    let present = |stage| match serde_json::to_value(stage) {
        Ok(Value::Object(map)) => Value::Object(map.into_iter().filter(|(_, v)| !v.is_null()).collect()),
        _ => Value::Null,
    };
    finished.report.stages.iter().map(present).collect()
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

fn train_json(dir: &Path, finished: &Finished) -> Value {
    let last = finished.report.stages.last();
    json!({
        "test_accuracy": last.map(|s| s.accuracy),
        "val_accuracy": finished.val_accuracy,
        "params": last.map(|s| s.params),
        "macs": last.map(|s| s.macs),
        "model_bytes": last.and_then(|s| s.model_bytes),
        "arena_bytes": last.and_then(|s| s.arena_bytes),
        "stages": stages(finished),
        "seconds": finished.seconds,
        "run_dir": dir,
    })
}
