//! A run over one graph: dense, sparse, and what that left of edges and weights.

use super::measure::{Found, Measured, Model, Scores, measure};
use super::{Device, MODEL_FILE, PipelineError, RunEvent, RunOptions, isa};
use crate::data::{DataError, graph};
use crate::export::{ExportError, Room, export_within, query};
use crate::graph::{Adjacency, Graph, GraphError, Role};
use crate::io::{atomic, npy};
use crate::quantize::post_training;
use crate::recipe::{EdgeUnit, GraphMethod, Recipe};
use crate::report::{GraphSparsity, Stage};
use crate::sparsify::teddy::{EdgeOrder, EdgeRanks, choose_edges, degree_histogram, has_attention};
use crate::train::nodes::{Fitted, NodeTask, TrainedNodes, edge_list, nonzero_macs, train_nodes};
use crate::tune;
use niwaki_core::num::dequantize_i8;
use std::time::Instant;

/// The edges that are left, in a run's folder: `[edges, 2]`, as `edges.npy` of a data set.
pub const EDGES_FILE: &str = "edges.npy";

/// The model for single nodes, in a run's folder: its input is the number of a node.
pub const QUERY_FILE: &str = "query.niwaki";

/// As [`super::run`], for a data set that is one graph; the folder is open.
pub(super) fn run(
    recipe: &Recipe,
    options: &RunOptions<'_>,
    tell: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Measured, PipelineError> {
    if !matches!(options.device, Device::Auto | Device::Cpu) {
        return Err(PipelineError::GraphDevice);
    }
    let data = graph::load(&recipe.data.name, recipe.data.dir.as_deref())?;
    let task = NodeTask::new(&data)?;
    let (dir, threads) = (options.dir, options.threads);
    let trained = train_nodes(recipe, &task, dir, threads, options.stop, &mut |event| tell(RunEvent::Train(event)))?;
    let mut found = Found::default();
    found.stage(stage("dense-f32", &trained.dense), tell);
    let mut sparsity = GraphSparsity {
        degrees: vec![histogram(&task.input.adjacency)],
        edges: vec![task.input.adjacency.edges() as u64],
        weights: vec![weights(&trained.dense.graph).0],
    };
    if let Some((sparse, pruned)) = &trained.sparse {
        found.stage(stage("sparse-f32", sparse), tell);
        let adjacency = &pruned.input.adjacency;
        let edges = edge_list(adjacency);
        npy::write(&dir.join(EDGES_FILE), &[edges.len() / 2, 2], &edges).map_err(DataError::from)?;
        sparsity.degrees.push(histogram(adjacency));
        sparsity.edges.push(adjacency.edges() as u64);
        sparsity.weights.push(weights(&sparse.graph).1);
        found.notes[0].push(left(&sparsity));
    }
    found.notes[0].push(epochs(&trained));
    let (last, pruned) = trained.sparse.as_ref().map_or((&trained.dense, &task), |(sparse, pruned)| (sparse, pruned));
    let (model, note) = exported(recipe, options, &task, last)?;
    found.notes[0].extend(note);
    found.training.clone_from(&trained.epochs);
    found.graph = Some(sparsity);
    measure(recipe, options, &model, pruned, found, tell)
}

/// `fitted` in int8, exported for all nodes and for single ones, and a note on what it is measured with. `whole`: the task
/// with all of its edges.
fn exported(
    recipe: &Recipe,
    options: &RunOptions<'_>,
    whole: &NodeTask,
    fitted: &Fitted,
) -> Result<(Model, Option<String>), PipelineError> {
    let at = Instant::now();
    let Network { int8: graph, drop, note } = network(recipe, whole, fitted)?;
    let room = tune::room(&recipe.target.limits());
    let exported = match export_within(&graph, isa(recipe), room) {
        Err(ExportError::Ram { needed, .. }) => export_within(&graph, isa(recipe), Room { ram_bytes: needed, ..room }),
        exported => exported,
    };
    let (file, arena) = exported?;
    atomic::write(&options.dir.join(MODEL_FILE), &file)?;
    let (for_one, _) = export_within(&query(&graph, 1)?, isa(recipe), Room { ram_bytes: usize::MAX, ..room })?;
    atomic::write(&options.dir.join(QUERY_FILE), &for_one)?;
    // Where no edges are chosen, nothing reads it.
    let inputs = vec![drop.to_le_bytes().to_vec()];
    Ok((Model { graph, file, arena, inputs, seconds: at.elapsed().as_secs_f64() }, note))
}

impl Scores for NodeTask {
    fn test(&self, model: &Model, outputs: &[Vec<u8>]) -> f64 {
        self.accuracy(&scores(&model.graph, &outputs.concat()), &self.test)
    }

    fn val(&self, model: &Model, outputs: &[Vec<u8>]) -> Result<f64, PipelineError> {
        Ok(self.accuracy(&scores(&model.graph, &outputs.concat()), &self.val))
    }
}

fn stage(name: &str, fitted: &Fitted) -> Stage {
    let (_, nonzero) = weights(&fitted.graph);
    Stage {
        name: name.into(),
        accuracy: fitted.test_accuracy,
        params: nonzero,
        macs: fitted.graph.macs() as u64,
        nonzero_macs: Some(nonzero_macs(&fitted.graph)),
        seconds: fitted.seconds(),
        ..Stage::default()
    }
}

fn histogram(adjacency: &Adjacency) -> Vec<u64> {
    degree_histogram(adjacency).into_iter().map(|nodes| nodes as u64).collect()
}

/// All weights, and those that are not zero.
fn weights(graph: &Graph) -> (u64, u64) {
    let parameters = graph.tensors.iter().filter(|t| t.role == Role::Parameter).filter_map(|t| t.f32s()).flatten();
    parameters.fold((0, 0), |(all, nonzero), value| (all + 1, nonzero + u64::from(*value != 0.0)))
}

fn left(sparsity: &GraphSparsity) -> String {
    let share = |of: &[u64]| 100.0 * of[1] as f64 / of[0].max(1) as f64;
    let GraphSparsity { edges, weights, .. } = sparsity;
    format!(
        "{} of {} directed edges are left ({:.1} %), and {} of {} weights ({:.1} %).",
        edges[1],
        edges[0],
        share(edges),
        weights[1],
        weights[0],
        share(weights)
    )
}

fn epochs(trained: &TrainedNodes) -> String {
    let best =
        |fitted: &Fitted| format!("after epoch {} ({:.1} % of validation)", fitted.epoch, 100.0 * fitted.val_accuracy);
    match &trained.sparse {
        None => format!("The network is as it was {}.", best(&trained.dense)),
        Some((sparse, _)) => format!("The sparse network is as it was {}.", best(sparse)),
    }
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
    let ranks = ranks.map_err(GraphError::from)?;
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
fn scores(graph: &Graph, bytes: &[u8]) -> Vec<f32> {
    let quant = graph.outputs.first().and_then(|&output| graph[output].quant.as_ref());
    let of = |&byte: &u8| quant.map_or(0.0, |q| dequantize_i8(byte.cast_signed(), q.scales[0], q.zero_point));
    bytes.iter().map(of).collect()
}
