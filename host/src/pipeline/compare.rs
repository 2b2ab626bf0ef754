//! Methods × costs × seeds of one recipe: a cell is a run in a folder of its own, and a finished one is only read.

mod cells;
#[cfg(test)]
mod tests;

pub use cells::{Planned, plan};

use super::{Device, PipelineError, open_folder};
use crate::chip::{Activity, Chip, ChipError, setup::Machine};
use crate::recipe::Recipe;
use crate::report::compare::{Cell, Comparison, Failure, unit_words};
use crate::sparsify::options::{Method, Unit};
use crate::train::TrainError;
use cells::groups;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Test inputs of each cell that run on the chip: cost hardly depends on the input, and the host gives the same bytes.
const CHIP_INPUTS: usize = 64;

/// How a comparison is carried out.
pub struct CompareOptions<'a> {
    /// The folder of the cells' folders; created, or gone on with.
    pub dir: &'a Path,
    /// Threads.
    pub threads: usize,
    /// Where proximal steps run.
    pub device: Device,
    /// Set by someone else to end the comparison after the current epoch.
    pub stop: &'a AtomicBool,
}

/// What a comparison tells while it goes on.
#[derive(Debug)]
pub enum CompareEvent<'a> {
    /// A cell begins, or goes on.
    Start(&'a str),
    /// From the current cell.
    Run(super::RunEvent<'a>),
    /// A cell has its result.
    Done {
        /// It.
        cell: &'a Cell,
        /// Whether it was finished before.
        before: bool,
        /// How far the comparison is.
        at: At,
    },
    /// A cell has none.
    Failed {
        /// Why.
        failure: &'a Failure,
        /// How far the comparison is.
        at: At,
    },
}

/// How far a comparison is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct At {
    /// Cells that are through.
    pub done: usize,
    /// All cells.
    pub of: usize,
    /// About how long the rest will take; unknown before the first cell has run.
    pub left_seconds: Option<f64>,
}

/// Runs every cell of `recipe` that is not finished; the table is saved after each.
///
/// A cell that cannot be trained or cut is a [`Failure`]; the others go on.
///
/// # Errors
/// [`PipelineError::Stopped`] when asked to; [`PipelineError::NoInstructions`]; [`PipelineError::OtherRecipe`] for a
/// folder that is in use; and what no other cell could do better with: data, device, disk.
pub fn compare(
    recipe: &Recipe,
    options: &CompareOptions<'_>,
    tell: &mut dyn FnMut(CompareEvent<'_>),
) -> Result<Comparison, PipelineError> {
    let cells = plan(recipe, options.dir);
    let of = cells.len();
    let mut comparison = headed(recipe, of);
    let chip = chip(recipe, &mut comparison, tell)?;
    let (mut ran, started) = (0, Instant::now());
    for (done, cell) in cells.iter().enumerate() {
        if options.stop.load(Ordering::Relaxed) {
            return Err(PipelineError::Stopped { done, of });
        }
        let dir = options.dir.join(&cell.name);
        open_folder(&dir, &cell.recipe)?;
        tell(CompareEvent::Start(&cell.name));
        let before = cell.finished(&dir, chip);
        let is_before = before.is_some();
        let result = match before {
            Some(result) => Ok(result),
            None => {
                ran += cell.epochs();
                run(cell, &dir, chip, options, &comparison, tell)
            }
        };
        let left: usize = cells[done + 1..].iter().map(Planned::epochs).sum();
        let left_seconds = (ran > 0).then(|| started.elapsed().as_secs_f64() / ran as f64 * left as f64);
        let at = At { done: done + 1, of, left_seconds };
        match result {
            Ok(result) => {
                tell(CompareEvent::Done { cell: &result, before: is_before, at });
                comparison.cells.push(result);
            }
            Err(PipelineError::Train(TrainError::Interrupted { .. })) => {
                return Err(PipelineError::Stopped { done, of });
            }
            Err(error) if is_of_cell(&error) => {
                let (cell, method) = (cell.name.clone(), cell.recipe.sparsity.method);
                let failure = Failure { cell, is_dense: method == Method::None, error: error.to_string() };
                tell(CompareEvent::Failed { failure: &failure, at });
                comparison.failed.push(failure);
            }
            Err(error) => return Err(error),
        }
        if !is_before {
            comparison.save(options.dir)?;
        }
    }
    comparison.save(options.dir)?;
    Ok(comparison)
}

fn run(
    cell: &Planned,
    dir: &Path,
    chip: Option<Chip>,
    options: &CompareOptions<'_>,
    so_far: &Comparison,
    tell: &mut dyn FnMut(CompareEvent<'_>),
) -> Result<Cell, PipelineError> {
    let source = |what: String| PipelineError::Source { path: dir.into(), what };
    let of_run = cell.recipe.model.run.as_deref().filter(|_| cell.keep.is_some());
    if let Some(dense) = of_run.and_then(Path::file_name).map(|name| name.to_string_lossy())
        && so_far.failed.iter().any(|f| f.is_dense && f.cell == dense)
    {
        return Err(source(format!("it starts from {dense}, which failed")));
    }
    let CompareOptions { threads, device, stop, .. } = *options;
    let run =
        super::RunOptions { dir, threads, device, chip, chip_inputs: Some(CHIP_INPUTS), keep_limits: false, stop };
    super::run(&cell.recipe, run, &mut |event| tell(CompareEvent::Run(event)))?;
    // As a later comparison will read it: the table must not depend on when a cell was run.
    cell.finished(dir, chip).ok_or_else(|| source("its report cannot be read back".into()))
}

/// Whether another cell may do without this error.
fn is_of_cell(error: &PipelineError) -> bool {
    use PipelineError::{Chip, Engine, Export, Graph, Source, Train, Tune};
    match error {
        Train(TrainError::Write(_) | TrainError::Interrupted { .. }) => false,
        Train(_) | Graph(_) | Engine(_) | Export(_) | Tune(_) | Chip(_) | Source { .. } => true,
        _ => false,
    }
}

/// The comparison before its first cell.
fn headed(recipe: &Recipe, of: usize) -> Comparison {
    let compare = recipe.compare.clone().unwrap_or_default();
    let (dense, s) = (recipe.train.epochs, &recipe.sparsity);
    let sparse = s.ramp_epochs + s.half_space_epochs + s.finetune_epochs;
    let mut notes = vec![format!(
        "The dense networks were trained for {dense} epochs; each sparse network goes on from the dense one of its seed \
         for {sparse} more."
    )];
    let zeroing: Vec<&str> =
        compare.methods.iter().filter(|&&m| !groups(m, s.groups).is_removed()).map(|m| m.name()).collect();
    if !zeroing.is_empty() && compare.unit != Unit::Macs {
        notes.push(format!(
            "† {}: weights are set to zero and stay in the network, which gets no smaller and no faster by that; what \
             they keep is a share of the MACs with weights that are not zero, and they are not ranked by {}.",
            zeroing.join(", "),
            unit_words(compare.unit)
        ));
    }
    Comparison {
        title: format!("{} on {}", recipe.model.name(), recipe.data.name),
        dataset: recipe.data.name.clone(),
        model: recipe.model.name(),
        chip: recipe.target.chip.clone(),
        unit: compare.unit,
        methods: compare.methods.iter().map(|m| m.name().into()).collect(),
        keeps: compare.keeps,
        seeds: compare.seeds,
        planned: of,
        notes,
        ..Comparison::default()
    }
}

/// The chip to measure on, where there is one and its emulator can be had.
fn chip(
    recipe: &Recipe,
    comparison: &mut Comparison,
    tell: &mut dyn FnMut(CompareEvent<'_>),
) -> Result<Option<Chip>, PipelineError> {
    let named = recipe.target.chip.parse::<Chip>().ok();
    let mut step = |step: Activity<'_>| tell(CompareEvent::Run(super::RunEvent::Chip(step)));
    let missing = match named.and_then(|chip| Some((chip, chip.spec()?))) {
        Some((chip, spec)) => match Machine::here().emulator(spec.emulator, &mut step) {
            Ok(_) => return Ok(Some(chip)),
            Err(error @ ChipError::Missing { .. }) => error.to_string(),
            Err(error) => return Err(error.into()),
        },
        None => format!("target.chip is \"{}\", which is no chip that can be measured", recipe.target.chip),
    };
    if comparison.unit == Unit::Instructions {
        return Err(PipelineError::NoInstructions { why: missing });
    }
    comparison.notes.push(format!("Instructions are missing: {missing}."));
    Ok(None)
}
