//! `niwaki compare`: methods beside each other.

use super::training_run::{TrainingArgs, stop_on_ctrl_c, threads};
use super::{CliError, print, print_json, progress::Progress};
use crate::chip::Activity;
use crate::io::format;
use crate::pipeline;
use crate::pipeline::compare::{At, CompareEvent, CompareOptions, compare as run};
use crate::recipe::Recipe;
use crate::report::compare::{Cell, Comparison, HTML_FILE, JSON_FILE, console};
use crate::report::console::Terminal;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The recipe (TOML); its section [compare] may say what the arguments say
    recipe: PathBuf,
    /// Methods beside the dense network [default: all]
    #[arg(long, value_delimiter = ',', value_name = "A,B,…")]
    methods: Vec<String>,
    /// Shares of the dense network's cost, each above 0 and at most 1 [default: 0.5,0.3,0.12]
    #[arg(long, value_delimiter = ',', value_name = "K,…", allow_negative_numbers = true)]
    keeps: Vec<String>,
    /// Seeds [default: 1,2,3]
    #[arg(long, value_delimiter = ',', value_name = "N,…", allow_negative_numbers = true)]
    seeds: Vec<String>,
    /// The cost: instructions, macs or bytes [default: instructions]
    #[arg(long)]
    unit: Option<String>,
    /// Change a value of the recipe for all cells, as in --set train.epochs=3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// The folder of all runs and of the table; what is finished there is not done again [default: runs/compare-RECIPE]
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingArgs,
}

pub(super) fn compare(args: CompareArgs) -> Result<(), CliError> {
    let mut sets = args.sets;
    let quoted = |names: Vec<String>| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
    for (key, values) in [("methods", quoted(args.methods)), ("keeps", args.keeps), ("seeds", args.seeds)] {
        if !values.is_empty() {
            sets.push(format!("compare.{key}=[{}]", values.join(", ")));
        }
    }
    sets.extend(args.unit.map(|unit| format!("compare.unit={unit}")));
    let recipe = Recipe::load(&args.recipe, &sets)?;
    let stem = args.recipe.file_stem().unwrap_or_default().to_string_lossy();
    let dir = args.out.unwrap_or_else(|| Path::new("runs").join(format!("compare-{stem}")));
    let stop = stop_on_ctrl_c()?;
    let TrainingArgs { device, threads: asked, json } = args.training;
    let options = CompareOptions { dir: &dir, threads: threads(asked), device: device.device()?, stop: &stop };
    let mut progress = Progress::new(false);
    let comparison = run(&recipe, &options, &mut |event| tell(&mut progress, event));
    progress.finish();
    let comparison = comparison?;
    if json {
        print_json(&comparison.to_json())?
    } else {
        print_table(&dir, &comparison)?
    }
    let names: Vec<String> = comparison.failed.into_iter().map(|failure| failure.cell).collect();
    if names.is_empty() { Ok(()) } else { Err(CliError::Cells { names, of: comparison.planned }) }
}

fn print_table(dir: &Path, comparison: &Comparison) -> Result<(), CliError> {
    let mut text = console::render(comparison, Terminal::of_stdout());
    let place = |file| dir.join(file).display().to_string();
    text += &format!("\nplots   {}\ntable   {}\n", place(HTML_FILE), place(JSON_FILE));
    print(&text)
}

/// A bar for the cell that runs, a line for each that is through.
fn tell(progress: &mut Progress, event: CompareEvent<'_>) {
    match event {
        CompareEvent::Start(cell) => progress.of(cell),
        // The cells' stages and the building of their firmware are told by their lines.
        CompareEvent::Run(pipeline::RunEvent::Stage(_) | pipeline::RunEvent::Chip(Activity::Doing(_))) => {}
        CompareEvent::Run(event) => progress.event(event),
        CompareEvent::Done { cell, before, at } => {
            progress.say(&format!("{} {}", place(at), cell_line(cell, before, at)))
        }
        CompareEvent::Failed { failure, at } => {
            progress.say(&format!("{} {:<26} failed: {}", place(at), failure.cell, failure.error));
        }
    }
}

fn place(at: At) -> String {
    format!("[{:>2}/{}]", at.done, at.of)
}

fn cell_line(cell: &Cell, before: bool, at: At) -> String {
    let mut line =
        format!("{:<26} {} · {} MACs", cell.name, format::percent(cell.accuracy_int8), format::count(cell.macs));
    if let Some(instructions) = cell.instructions {
        line += &format!(" · {} instructions", format::count(instructions));
    }
    if before {
        line += " · finished before";
    } else if let Some(left) = at.left_seconds.filter(|_| at.done < at.of) {
        line += &format!(" · about {} left", format::seconds(left));
    }
    line
}
