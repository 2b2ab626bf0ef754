//! A run from recipe to report: train, cut, quantise, export, measure; every result lands in the run's folder.

pub mod compare;
mod describe;
mod error;
mod fit;
pub mod imported;
mod measure;
mod meter;
pub mod nodes;
mod samples;
pub mod score;
mod source;

pub use error::PipelineError;

use crate::chip::{self, Chip, Cost};
use crate::data;
use crate::export::ExportError;
use crate::graph::Graph;
use crate::hardware::Isa;
use crate::io::{AlignedBytes, atomic};
use crate::plan::Arena;
use crate::recipe::Recipe;
use crate::report::{Report, Stage};
use crate::train;
use crate::tune::{TuneError, export_planned, write_planned};
use measure::Measured;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The recipe of a run, as used, in its folder.
pub const RECIPE_FILE: &str = "recipe.toml";
/// The exported model, in a run's folder.
pub const MODEL_FILE: &str = "model.niwaki";

/// Where tensors are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The CPU: a GPU is used only where one is named.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU for the proximal steps.
    Cuda,
    /// Any Vulkan device for the proximal steps.
    Vulkan,
}

/// How a run is carried out.
pub struct RunOptions<'a> {
    /// The run's folder; created, or gone on with.
    pub dir: &'a Path,
    /// Threads.
    pub threads: usize,
    /// Where proximal steps run.
    pub device: Device,
    /// The chip to measure on, if any.
    pub chip: Option<Chip>,
    /// Test inputs that run there, from the first on; all unless given. Accuracy is then counted on this machine, on
    /// all of them.
    pub chip_inputs: Option<usize>,
    /// Whether a model that passes a limit of its target is refused; if not, the report has a note.
    pub keep_limits: bool,
    /// Set by someone else to end the run after the current epoch.
    pub stop: &'a AtomicBool,
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// Training.
    Train(train::TrainEvent<'a>),
    /// Measuring on a chip.
    Chip(chip::Activity<'a>),
    /// A stage is done.
    Stage(&'a Stage),
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// What was found.
    pub report: Report,
    /// Accuracy of the exported model on the validation samples.
    pub val_accuracy: f64,
    /// What the model costs on the chip, if it ran on one.
    pub cost: Option<Cost>,
    /// Why it did not run on the chip although it was to.
    pub chip_missing: Option<String>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Runs `recipe` in a folder, going on from whatever is there.
///
/// A chip whose emulator cannot be had is no error: the run ends without that stage, and says why.
///
/// # Errors
/// [`PipelineError`]; whatever was finished is in the folder.
pub fn run(
    recipe: &Recipe,
    options: RunOptions<'_>,
    tell: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Finished, PipelineError> {
    let started = Instant::now();
    open_folder(options.dir, recipe)?;
    let is_graph = data::known::by_name(&recipe.data.name)?.kind == data::known::Kind::Graph;
    let of = if is_graph { nodes::run } else { samples::run };
    let Measured { report, val_accuracy, cost, chip_missing } = of(recipe, &options, tell)?;
    report.save(options.dir)?;
    Ok(Finished { report, val_accuracy, cost, chip_missing, seconds: started.elapsed().as_secs_f64() })
}

/// Exports `graph` with the layouts that cost least on the recipe's chip within its limits, to [`MODEL_FILE`] in `dir` with
/// the plan beside it.
fn planned(graph: &Graph, recipe: &Recipe, dir: &Path) -> Result<(AlignedBytes, Arena), PipelineError> {
    let chip = recipe.target.chip.parse().ok();
    let (file, arena, plan) = match export_planned(graph, chip, &recipe.target.limits()) {
        Err(source @ (TuneError::Limits(_) | TuneError::Export(ExportError::Ram { .. }))) => {
            return Err(PipelineError::Limits { dir: dir.into(), source });
        }
        exported => exported?,
    };
    write_planned(&dir.join(MODEL_FILE), &file, plan.as_ref())?;
    Ok((file, arena))
}

/// The recipe for a model that may take what it takes.
fn without_limits(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.target.ram = None;
    recipe.target.flash = None;
    recipe.target.instructions = None;
    recipe
}

/// What the recipe's chip wants its weights packed for.
fn isa(recipe: &Recipe) -> Isa {
    recipe.target.chip.parse().map_or(Isa::Portable, Chip::isa)
}

/// Creates the run's folder with its recipe, or checks that it holds the same one.
fn open_folder(dir: &Path, recipe: &Recipe) -> Result<(), PipelineError> {
    std::fs::create_dir_all(dir).map_err(|source| PipelineError::Folder { path: dir.into(), source })?;
    let path = dir.join(RECIPE_FILE);
    let wanted = recipe.to_toml();
    match std::fs::read_to_string(&path) {
        // A recipe written before a key existed means that key's default.
        Ok(found) if found == wanted => Ok(()),
        Ok(found) if Recipe::parse(&found, "", &[]).is_ok_and(|found| is_same_run(&found, recipe)) => {
            Ok(atomic::write(&path, wanted.as_bytes())?)
        }
        Ok(found) => {
            let lines = found.lines().zip(wanted.lines()).find(|(a, b)| a != b);
            let difference = lines.map_or("more keys".into(), |(a, b)| format!("`{a}` there, `{b}` here"));
            Err(PipelineError::OtherRecipe { path: dir.into(), difference })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(atomic::write(&path, wanted.as_bytes())?),
        Err(e) => Err(PipelineError::Source { path, what: format!("cannot be read ({e})") }),
    }
}

/// Whether `recipe` trains what `found` trained: what the exported model may take is settled after that.
fn is_same_run(found: &Recipe, recipe: &Recipe) -> bool {
    let mut found = without_limits(found);
    found.target.least = recipe.target.least;
    found == without_limits(recipe)
}
