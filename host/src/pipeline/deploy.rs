//! A trained network over a graph on its chip: quantised, exported with its graph for all nodes and for single ones.

use super::{Event, MODEL_FILE, Options, PipelineError, describe, isa};
use crate::chip::{self, Chip, ChipError, Cost};
use crate::export::{ExportError, Room, export_within, query};
use crate::graph::{Graph, GraphError, TensorId};
use crate::io::atomic;
use crate::quantize::post_training;
use crate::recipe::{EdgeUnit, GraphMethod, Recipe};
use crate::report::{ArenaMap, OperatorRow, Stage};
use crate::sparsify::teddy::{EdgeOrder, EdgeRanks, choose_edges, has_attention};
use crate::train::nodes::{Fitted, NodeTask};
use crate::tune;
use niwaki_core::num::dequantize_i8;
use std::time::Instant;

/// The model for single nodes, in a run's folder: its input is the number of a node.
pub(super) const QUERY_FILE: &str = "query.niwaki";

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

/// Quantises and exports `fitted`, and runs it on this machine and on the chip. `whole`: the task with all of its edges.
///
/// # Errors
/// [`PipelineError`]; that the chip's emulator cannot be had is none.
pub(super) fn deploy(
    recipe: &Recipe,
    options: &Options<'_>,
    whole: &NodeTask,
    task: &NodeTask,
    fitted: &Fitted,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Deployed, PipelineError> {
    let at = Instant::now();
    let Network { int8: quantized, drop, note } = network(recipe, whole, fitted)?;
    let room = tune::room(&recipe.target.limits());
    let mut notes: Vec<String> = note.into_iter().collect();
    let exported = match export_within(&quantized, isa(recipe), room) {
        Err(ExportError::Ram { needed, .. }) => {
            export_within(&quantized, isa(recipe), Room { ram_bytes: needed, ..room })
        }
        exported => exported,
    };
    let (file, arena) = exported?;
    atomic::write(&options.dir.join(MODEL_FILE), &file)?;
    let (for_one, _) = export_within(&query(&quantized, 1)?, isa(recipe), Room { ram_bytes: usize::MAX, ..room })?;
    atomic::write(&options.dir.join(QUERY_FILE), &for_one)?;
    // Where no edges are chosen, nothing reads it.
    let input = [drop.to_le_bytes().to_vec()];
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
                let [input] = &input;
                let estimate = chip::estimate_cycles(chip, &file, input, &mut |step| tell(Event::Chip(step)))?;
                deployed.stages.push(Stage {
                    name: format!("int8-{chip}"),
                    accuracy: accuracy(&measured.outputs, &task.test),
                    instructions: of(|c| c.instructions),
                    est_cycles: estimate.map(|estimate| estimate.cycles),
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

/// A quantised network, with the input that it is measured with.
struct Network {
    int8: Graph,
    /// How many ranks of edges go.
    drop: i32,
    note: Option<String>,
}

/// `fitted` in int8: with the edges that it has, or with all of them where the recipe leaves the choice to the device.
fn network(recipe: &Recipe, whole: &NodeTask, fitted: &Fitted) -> Result<Network, PipelineError> {
    let options = recipe.graph.clone().unwrap_or_default();
    if !options.choose_edges {
        let int8 = post_training(&fitted.graph, &[&[]], recipe.quantize.calibration)?;
        return Ok(Network { int8, drop: 0, note: None });
    }
    let attention = has_attention(&fitted.graph);
    let ranks = EdgeRanks::new(&whole.input.adjacency, EdgeOrder::Degree, options.unit.into(), attention);
    let ranks = ranks.map_err(|error| GraphError::Eval(error.to_string()))?;
    let float = choose_edges(&fitted.graph, &whole.input.adjacency, &ranks)?;
    let drop = if options.method == GraphMethod::None { 0 } else { ranks.drop_count(options.shares().edges) };
    let (all, drop) = (ranks.count(), drop.min(ranks.count()));
    // The ranges must do for whatever is chosen.
    let samples = [0, drop, all / 2, all].map(|drop| [drop as f32]);
    let int8 = post_training(&float, &samples.each_ref().map(|sample| &sample[..]), recipe.quantize.calibration)?;
    let what = match options.unit {
        EdgeUnit::Pair => "edges, both directions of each,",
        EdgeUnit::Direction => "directed edges",
    };
    let note = format!(
        "The network has all edges; its input `dropped_edges` says how many go, of {all} {what} those between hubs first. \
         The figures are for {drop}."
    );
    Ok(Network { int8, drop: drop as i32, note: Some(note) })
}

/// The reals of an int8 output.
fn scores(graph: &Graph, output: TensorId, bytes: &[u8]) -> Vec<f32> {
    let quant = graph[output].quant.as_ref();
    let of = |&byte: &u8| quant.map_or(0.0, |q| dequantize_i8(byte.cast_signed(), q.scales[0], q.zero_point));
    bytes.iter().map(of).collect()
}
