//! A run over one graph: dense, sparse, and what that left of edges and weights.

use super::deploy::deploy;
use super::{Event, Finished, Options, PipelineError};
use crate::data::{DataError, graph};
use crate::graph::{Adjacency, Graph, Role};
use crate::io::npy;
use crate::recipe::Recipe;
use crate::report::{GraphSparsity, Report, Stage};
use crate::sparsify::teddy::degree_histogram;
use crate::train::nodes::{Fitted, NodeTask, TrainedNodes, edge_list, nonzero_macs, train_nodes};
use std::time::Instant;

/// The edges that are left, in a run's folder: `[edges, 2]`, as `edges.npy` of a data set.
pub const EDGES_FILE: &str = "edges.npy";

/// As [`super::run`], for a data set that is one graph; the folder is open.
pub(super) fn run(
    recipe: &Recipe,
    options: Options<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, PipelineError> {
    let started = Instant::now();
    if !matches!(options.device, super::Device::Auto | super::Device::Cpu) {
        return Err(PipelineError::GraphDevice);
    }
    let data = graph::load(&recipe.data.name, recipe.data.dir.as_deref())?;
    let task = NodeTask::new(&data)?;
    let (dir, threads) = (options.dir, options.threads);
    let trained = train_nodes(recipe, &task, dir, threads, options.stop, &mut |event| tell(Event::Train(event)))?;
    let mut stages = vec![stage("dense-f32", &trained.dense)];
    let mut notes = Vec::new();
    let mut sparsity = GraphSparsity {
        degrees: vec![histogram(&task.input.adjacency)],
        edges: vec![task.input.adjacency.edges() as u64],
        weights: vec![weights(&trained.dense.graph).0],
    };
    if let Some((sparse, pruned)) = &trained.sparse {
        stages.push(stage("sparse-f32", sparse));
        let adjacency = &pruned.input.adjacency;
        let edges = edge_list(adjacency);
        npy::write(&dir.join(EDGES_FILE), &[edges.len() / 2, 2], &edges).map_err(DataError::from)?;
        sparsity.degrees.push(histogram(adjacency));
        sparsity.edges.push(adjacency.edges() as u64);
        sparsity.weights.push(weights(&sparse.graph).1);
        notes.push(left(&sparsity));
    }
    let (last, pruned) = trained.sparse.as_ref().map_or((&trained.dense, &task), |(sparse, pruned)| (sparse, pruned));
    notes.push(epochs(&trained));
    let deployed = deploy(recipe, &options, &task, pruned, last, tell)?;
    stages.extend(deployed.stages);
    notes.extend(deployed.notes);
    stages.iter().for_each(|stage| tell(Event::Stage(stage)));
    let report = Report {
        title: format!("{} on {}", recipe.model.name(), recipe.data.name),
        dataset: recipe.data.name.clone(),
        model: recipe.model.name(),
        seed: recipe.train.seed,
        stages,
        operators: deployed.operators,
        arena: deployed.arena,
        bytes_equal: deployed.bytes_equal,
        training: trained.epochs.clone(),
        graph: Some(sparsity),
        notes,
    };
    report.save(dir)?;
    Ok(Finished {
        val_accuracy: deployed.val_accuracy.unwrap_or(last.val_accuracy),
        cost: deployed.cost,
        chip_missing: deployed.chip_missing,
        seconds: started.elapsed().as_secs_f64(),
        report,
    })
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
