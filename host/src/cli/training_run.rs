//! A run that trains, as `niwaki demo`, `train`, `compress` and `compare` start it, and what it tells when it has ended.

use super::{CliError, DeviceArg, print, print_json, progress::Progress};
use crate::chip::Chip;
use crate::pipeline::{self, Finished, MODEL_FILE, RunOptions};
use crate::recipe::Recipe;
use crate::report::{HTML_FILE, console};
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

// No documentation: clap would take it for that of the command.
#[derive(Debug, Args)]
pub(super) struct TrainingArgs {
    /// Where proximal steps run
    #[arg(long, value_enum, default_value = "auto")]
    pub(super) device: DeviceArg,
    /// Threads; the result does not depend on them [default: all cores]
    #[arg(long)]
    pub(super) threads: Option<usize>,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    pub(super) json: bool,
}

impl TrainingArgs {
    /// Runs `recipe` in the folder `dir`, or goes on with what is there, and shows what came of it.
    pub(super) fn run(&self, recipe: &Recipe, dir: &Path) -> Result<(), CliError> {
        let run = TrainingRun { dir, threads: self.threads, chip: None, verbose: false };
        let finished = run.go(recipe, self.device)?;
        if self.json { print_json(&train_json(dir, &finished)) } else { print_table(dir, &finished) }
    }
}

/// One run with its progress on screen.
pub(super) struct TrainingRun<'a> {
    pub(super) dir: &'a Path,
    pub(super) threads: Option<usize>,
    pub(super) chip: Option<Chip>,
    pub(super) verbose: bool,
}

impl TrainingRun<'_> {
    pub(super) fn go(&self, recipe: &Recipe, device: DeviceArg) -> Result<Finished, CliError> {
        let stop = stop_on_ctrl_c()?;
        let options = RunOptions {
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

/// What a terminal is told of a finished run.
pub(super) fn print_table(dir: &Path, finished: &Finished) -> Result<(), CliError> {
    let mut text = console::render(&finished.report, console::Terminal::of_stdout());
    let place = |file| dir.join(file).display().to_string();
    text.push('\n');
    if dir.join(MODEL_FILE).is_file() {
        text += &format!("model   {}\n", place(MODEL_FILE));
    }
    text += &format!("report  {}\n", place(HTML_FILE));
    print(&text)
}

/// The figures of every stage, for `--json`.
pub(super) fn stages(finished: &Finished) -> Value {
    // Absent figures are left out, not null.
    let present = |stage| match serde_json::to_value(stage) {
        Ok(Value::Object(map)) => Value::Object(map.into_iter().filter(|(_, v)| !v.is_null()).collect()),
        _ => Value::Null,
    };
    finished.report.stages.iter().map(present).collect()
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
