//! A quantised model on this machine and on its chip: the stages and the report that every run ends with.

use super::{PipelineError, RunEvent, RunOptions, describe};
use crate::chip::{self, Chip, ChipError, Cost, Measured as OnChip};
use crate::graph::Graph;
use crate::io::AlignedBytes;
use crate::plan::Arena;
use crate::recipe::Recipe;
use crate::report::{GraphSparsity, Report, Stage};
use crate::train::EpochRow;
use std::time::Instant;

/// A quantised network in its file.
pub(super) struct Model {
    pub(super) graph: Graph,
    pub(super) file: AlignedBytes,
    pub(super) arena: Arena,
    /// What it is measured with, one buffer an inference.
    pub(super) inputs: Vec<Vec<u8>>,
    /// Seconds that quantising and exporting took.
    pub(super) seconds: f64,
}

/// Share of what tests and what validates that a model's outputs classify right.
pub(super) trait Scores {
    fn test(&self, model: &Model, outputs: &[Vec<u8>]) -> f64;

    /// # Errors
    /// [`PipelineError`].
    fn val(&self, model: &Model, outputs: &[Vec<u8>]) -> Result<f64, PipelineError>;
}

/// What a run has found before its model is measured.
#[derive(Default)]
pub(super) struct Found {
    pub(super) stages: Vec<Stage>,
    pub(super) training: Vec<EpochRow>,
    pub(super) graph: Option<GraphSparsity>,
    /// Sentences before and after those on the target's limits.
    pub(super) notes: [Vec<String>; 2],
}

impl Found {
    /// A stage is done.
    pub(super) fn stage(&mut self, stage: Stage, tell: &mut dyn FnMut(RunEvent<'_>)) {
        tell(RunEvent::Stage(&stage));
        self.stages.push(stage);
    }
}

/// What a run has found.
pub(super) struct Measured {
    pub(super) report: Report,
    pub(super) val_accuracy: f64,
    pub(super) cost: Option<Cost>,
    pub(super) chip_missing: Option<String>,
}

/// Runs `model` on this machine and on the chip, where one is asked for and its emulator can be had.
///
/// # Errors
/// [`PipelineError`].
pub(super) fn measure(
    recipe: &Recipe,
    options: &RunOptions<'_>,
    model: &Model,
    scores: &dyn Scores,
    mut found: Found,
    tell: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Measured, PipelineError> {
    let Model { graph, file, arena, inputs, seconds } = model;
    let at = Instant::now();
    let outputs = chip::run(Chip::Host, file, inputs, &mut |_| ())?.outputs;
    let int8 = Stage {
        name: "int8-host".into(),
        accuracy: scores.test(model, &outputs),
        params: graph.parameter_count() as u64,
        macs: graph.macs() as u64,
        model_bytes: Some(file.len() as u64),
        arena_bytes: Some(arena.bytes as u64),
        seconds: at.elapsed().as_secs_f64() + seconds,
        ..Stage::default()
    };
    found.stage(int8.clone(), tell);

    let part = &inputs[..options.chip_inputs.map_or(inputs.len(), |n| n.min(inputs.len()))];
    let is_part = part.len() < inputs.len();
    let (mut chip_missing, mut cost, mut bytes_equal) = (None, None, None);
    if let Some(chip) = options.chip {
        match on_chip(chip, model, part, tell) {
            Ok((stage, measured)) => {
                bytes_equal = Some(measured.outputs == outputs[..part.len()]);
                let accuracy = if is_part { int8.accuracy } else { scores.test(model, &measured.outputs) };
                let Stage { model_bytes, params, macs, .. } = int8;
                found.stage(Stage { accuracy, model_bytes, params, macs, ..stage }, tell);
                cost = measured.cost;
            }
            Err(PipelineError::Chip(error @ ChipError::Missing { .. })) => chip_missing = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    let val_accuracy = scores.val(model, &outputs)?;
    let Found { stages, training, graph: sparsity, notes: [mut notes, more] } = found;
    notes.extend(describe::over_budget(&recipe.target, file, arena, cost.as_ref()));
    notes.extend(more);
    notes.extend(chip_missing.clone());
    if is_part && bytes_equal.is_some() {
        let (n, of) = (part.len(), inputs.len());
        notes.push(format!("The chip ran the first {n} of {of} test inputs; accuracy is counted on the host."));
    }
    let report = Report {
        title: format!("{} on {}", recipe.model.name(), recipe.data.name),
        dataset: recipe.data.name.clone(),
        model: recipe.model.name(),
        seed: recipe.train.seed,
        stages,
        operators: describe::operators(graph, cost.as_ref()),
        arena: describe::arena_map(graph, arena),
        training,
        bytes_equal,
        graph: sparsity,
        notes,
    };
    Ok(Measured { report, val_accuracy, cost, chip_missing })
}

/// What the model costs on `chip`, as a stage without its scores.
fn on_chip(
    chip: Chip,
    model: &Model,
    inputs: &[Vec<u8>],
    tell: &mut dyn FnMut(RunEvent<'_>),
) -> Result<(Stage, OnChip), PipelineError> {
    let at = Instant::now();
    let measured = chip::run(chip, &model.file, inputs, &mut |step| tell(RunEvent::Chip(step)))?;
    let estimate = match model.inputs.first() {
        Some(input) => chip::estimate_cycles(chip, &model.file, input, &mut |step| tell(RunEvent::Chip(step)))?,
        None => None,
    };
    let of = |field: fn(&Cost) -> u64| measured.cost.as_ref().map(field);
    let stage = Stage {
        name: format!("int8-{chip}"),
        instructions: of(|c| c.instructions),
        est_cycles: estimate.map(|estimate| estimate.cycles),
        arena_bytes: of(|c| c.arena_bytes),
        stack_bytes: of(|c| c.stack_bytes),
        code_bytes: of(|c| c.code_bytes),
        seconds: at.elapsed().as_secs_f64(),
        ..Stage::default()
    };
    Ok((stage, measured))
}
