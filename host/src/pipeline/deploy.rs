//! A trained network over a graph on its chip: quantised, exported with its graph for all nodes and for single ones.

use super::{Event, MODEL_FILE, Options, PipelineError, describe, target};
use crate::chip::{self, Chip, ChipError, Cost};
use crate::data::atomic;
use crate::export::{ExportError, export_within, query};
use crate::graph::{Graph, Op, Propagation, TensorId};
use crate::quantize::post_training;
use crate::report::{ArenaMap, OperatorRow, Stage};
use crate::train::nodes::{Fitted, NodeTask};
use crate::train::recipe::Recipe;
use niwaki_core::num::dequantize_i8;
use std::time::Instant;

/// The model for single nodes, in a run's folder: its input is the number of a node.
pub(super) const QUERY_FILE: &str = "query.niwaki";

/// Memory for the stack, of what a recipe leaves for arena and stack.
const STACK_BYTES: usize = 3072;

/// What became of a network on its chip.
#[derive(Debug, Default)]
pub(super) struct Deployed {
    pub(super) stages: Vec<Stage>,
    pub(super) operators: Vec<OperatorRow>,
    pub(super) arena: ArenaMap,
    pub(super) val_accuracy: Option<f64>,
    pub(super) cost: Option<Cost>,
    pub(super) bytes_equal: Option<bool>,
    pub(super) chip_missing: Option<String>,
    pub(super) notes: Vec<String>,
}

/// Quantises and exports `fitted`, and runs it on this machine and on the chip.
///
/// # Errors
/// [`PipelineError`]; that the chip's emulator cannot be had is none.
pub(super) fn deploy(
    recipe: &Recipe,
    options: &Options<'_>,
    task: &NodeTask,
    fitted: &Fitted,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Deployed, PipelineError> {
    let at = Instant::now();
    let attends = |op: &Op| matches!(op, Op::Propagate { rule: Propagation::Attention { .. }, .. });
    if fitted.graph.nodes.iter().any(|node| attends(&node.op)) {
        let notes = vec!["Attention has no int8 form yet: the network was not exported.".into()];
        return Ok(Deployed { notes, ..Deployed::default() });
    }
    let quantized = post_training(&fitted.graph, &[&[]], recipe.quantize.calibration)?;
    let ram_bytes = recipe.target.ram.as_ref().map_or(usize::MAX, |ram| ram.bytes() as usize);
    let mut notes = Vec::new();
    let exported = match export_within(&quantized, target(recipe), ram_bytes.saturating_sub(STACK_BYTES)) {
        Err(ExportError::Ram { needed, .. }) => export_within(&quantized, target(recipe), needed),
        exported => exported,
    };
    let (file, arena) = exported?;
    atomic::write(&options.dir.join(MODEL_FILE), &file)?;
    let (for_one, _) = export_within(&query(&quantized, 1)?, target(recipe), usize::MAX)?;
    atomic::write(&options.dir.join(QUERY_FILE), &for_one)?;
    // The one element that nothing reads.
    let input = [vec![0; 4]];
    let outputs = chip::run(Chip::Host, &file, &input, &mut |_| ())?.outputs;
    let accuracy = |outputs: &[Vec<u8>], nodes: &[u32]| {
        task.accuracy(&scores(&quantized, quantized.outputs[0], &outputs.concat()), nodes)
    };
    let int8 = Stage {
        name: "int8-host".into(),
        accuracy: accuracy(&outputs, &task.test),
        params: quantized.parameter_count() as u64,
        macs: quantized.macs() as u64,
        model_bytes: Some(file.len() as u64),
        arena_bytes: Some(arena.bytes as u64),
        seconds: at.elapsed().as_secs_f64(),
        ..Stage::default()
    };
    let val_accuracy = Some(accuracy(&outputs, &task.val));
    let mut deployed = Deployed { stages: vec![int8.clone()], val_accuracy, ..Deployed::default() };
    let at = Instant::now();
    if let Some(chip) = options.chip {
        match chip::run(chip, &file, &input, &mut |step| tell(Event::Chip(step))) {
            Ok(measured) => {
                let cost = measured.cost;
                let of = |field: fn(&Cost) -> u64| cost.as_ref().map(field);
                deployed.stages.push(Stage {
                    name: format!("int8-{chip}"),
                    accuracy: accuracy(&measured.outputs, &task.test),
                    instructions: of(|c| c.instructions),
                    arena_bytes: of(|c| c.arena_bytes),
                    stack_bytes: of(|c| c.stack_bytes),
                    code_bytes: of(|c| c.code_bytes),
                    seconds: at.elapsed().as_secs_f64(),
                    ..int8
                });
                deployed.bytes_equal = Some(measured.outputs == outputs);
                deployed.cost = cost;
            }
            Err(error @ ChipError::Missing { .. }) => deployed.chip_missing = Some(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }
    notes.extend(describe::over_budget(&recipe.target, &file, &arena, deployed.cost.as_ref()));
    notes.extend(deployed.chip_missing.clone());
    deployed.operators = describe::operators(&quantized, deployed.cost.as_ref());
    deployed.arena = describe::arena_map(&quantized, &arena);
    Ok(Deployed { notes, ..deployed })
}

/// The reals of an int8 output.
fn scores(graph: &Graph, output: TensorId, bytes: &[u8]) -> Vec<f32> {
    let quant = graph[output].quant.as_ref();
    let of = |&byte: &u8| quant.map_or(0.0, |q| dequantize_i8(byte.cast_signed(), q.scales[0], q.zero_point));
    bytes.iter().map(of).collect()
}
