//! Which matrices of a network over a graph lie in the arena.
//!
//! Every matrix with one row a node can be stored, or computed row by row wherever a row of it is read. The choice costs
//! time or memory and never changes a bit, so the cheapest one that fits is taken.

use crate::export::{ExportError, Kernel};
use crate::graph::lower::Nodes;
use crate::graph::lower::nodes::Counts;
use crate::graph::{Graph, TensorId};
use crate::plan::{Arena, Memory, Placement, Share, plan};
use niwaki_core::kernels::nodes::{RowOperator, scratch_words};

/// Operators that may be on demand at once, which is one less than core runs in a chain.
const ON_DEMAND_MAX: usize = 5;

/// Matrices of a network that are tried both stored and on demand.
const CHOICES_MAX: usize = 10;

/// Additions that an output costs besides its sum: a multiplier, a rounding and a clamp.
const FINISH: f64 = 20.0;

/// Which tensors are computed on demand, and where the others lie.
pub(in crate::export) struct Choice {
    pub(in crate::export) on_demand: Vec<bool>,
    pub(in crate::export) arena: Arena,
}

/// The cheapest choice whose arena has at most `ram_bytes`.
pub(in crate::export) fn choose(graph: &Graph, kernels: &[Kernel], ram_bytes: usize) -> Result<Choice, ExportError> {
    let candidates: Vec<TensorId> = (0..graph.nodes.len()).filter_map(|n| candidate(graph, kernels, n)).collect();
    let candidates = &candidates[..candidates.len().min(CHOICES_MAX)];
    let mut choices: Vec<(f64, Vec<bool>)> = (0..1_usize << candidates.len())
        .filter(|choice| choice.count_ones() as usize <= ON_DEMAND_MAX)
        .map(|choice| {
            let mut on_demand = vec![false; graph.tensors.len()];
            for (bit, id) in candidates.iter().enumerate() {
                on_demand[id.0] = choice >> bit & 1 == 1;
            }
            (cost(graph, kernels, &on_demand), on_demand)
        })
        .collect();
    choices.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut smallest = usize::MAX;
    for (_, on_demand) in choices {
        let arena = arena(graph, kernels, &on_demand);
        smallest = smallest.min(arena.bytes);
        if arena.bytes <= ram_bytes {
            return Ok(Choice { on_demand, arena });
        }
    }
    Err(ExportError::Ram { needed: smallest, available: ram_bytes })
}

/// The output of node `n` if its rows can be made on demand and everybody who reads it reads rows.
fn candidate(graph: &Graph, kernels: &[Kernel], n: usize) -> Option<TensorId> {
    let output = graph.nodes[n].output;
    let nodes = kernels[n].lowered.nodes()?;
    let reads_rows = |&reader: &usize| {
        let only_rows = !graph.nodes[reader].inputs[1..].contains(&output);
        only_rows
            && matches!(kernels[reader].lowered.nodes(), Some(nodes) if !matches!(nodes, Nodes::SparseDense { .. }))
    };
    let made_of_rows = nodes.view().is_some();
    (made_of_rows && !graph.outputs.contains(&output) && graph.consumers(output).iter().all(reads_rows))
        .then_some(output)
}

/// Additions of one inference, roughly.
fn cost(graph: &Graph, kernels: &[Kernel], on_demand: &[bool]) -> f64 {
    let mut rows = vec![0.0; graph.nodes.len()];
    let mut total = 0.0;
    for n in (0..graph.nodes.len()).rev() {
        let Some(nodes) = kernels[n].lowered.nodes() else { continue };
        let (output, shape) = (graph.nodes[n].output, &graph[graph.nodes[n].output].shape);
        let channels = shape[1..].iter().product::<usize>() as f64;
        let all = shape[0] as f64;
        if !on_demand[output.0] {
            rows[n] += all;
        }
        let (additions, reads) = match nodes {
            Nodes::Propagate { graph, .. } => {
                let neighbours = graph.columns.len() as f64 / all + 1.0;
                (neighbours * channels, neighbours)
            }
            // Scores and sums by attention; where rows are on demand, they are computed for each of them.
            Nodes::Weighted { graph, counts, .. } => {
                let neighbours = graph.columns.len() as f64 / all + 1.0;
                let passes = if matches!(counts, Counts::Attention { .. }) { 2.0 } else { 1.0 };
                (3.0 * passes * neighbours * channels, passes * neighbours)
            }
            Nodes::SparseDense { features, .. } => (features.columns.len() as f64 / all * channels, 0.0),
            Nodes::NodeDense { inputs, .. } => (*inputs as f64 * channels, 1.0),
            Nodes::Gather | Nodes::KeepEdges { .. } => (0.0, 1.0),
        };
        total += rows[n] * (additions + FINISH * channels);
        if let Some(producer) =
            graph.producer(graph.nodes[n].inputs[0]).filter(|_| on_demand[graph.nodes[n].inputs[0].0])
        {
            rows[producer] += rows[n] * reads;
        }
    }
    total
}

/// Node `n` and the ones below it that are on demand.
fn with_below<'a>(graph: &'a Graph, on_demand: &'a [bool], n: usize) -> impl Iterator<Item = usize> + 'a {
    std::iter::successors(Some(n), |&n| {
        let x = *graph.nodes[n].inputs.first()?;
        graph.producer(x).filter(|_| on_demand[x.0])
    })
}

/// What core runs for them, and what they read in the end.
fn chain<'a>(graph: &'a Graph, kernels: &'a [Kernel], on_demand: &'a [bool], n: usize) -> Vec<RowOperator<'a>> {
    let operators = with_below(graph, on_demand, n).filter_map(|n| kernels[n].lowered.nodes().and_then(Nodes::view));
    let mut chain: Vec<_> = operators.collect();
    if !matches!(chain.last(), Some(RowOperator::SparseDense(..))) {
        chain.push(RowOperator::Stored { x: &[], width: 0 });
    }
    chain
}

/// The arena of what is stored, with working memory for what is not.
fn arena(graph: &Graph, kernels: &[Kernel], on_demand: &[bool]) -> Arena {
    let runs = |n: &usize| !on_demand[graph.nodes[*n].output.0];
    let running: Vec<usize> = (0..graph.nodes.len()).filter(runs).collect();
    let mut reduced = graph.clone();
    reduced.nodes = running.iter().map(|&n| graph.nodes[n].clone()).collect();
    for (node, &n) in reduced.nodes.iter_mut().zip(&running) {
        // While it runs, those below it read what lies in memory and which edges count.
        for below in with_below(graph, on_demand, n).skip(1) {
            let inputs = &graph.nodes[below].inputs;
            node.inputs[0] = inputs[0];
            node.inputs.extend(kernels[below].lowered.nodes().and_then(Nodes::kept).map(|at| inputs[at]));
        }
    }
    let memory = |&n: &usize| match kernels[n].lowered.nodes() {
        None => kernels[n].memory(&graph.nodes[n]),
        Some(_) => Memory {
            scratch_bytes: scratch_words(chain(graph, kernels, on_demand, n).iter()) * size_of::<i32>(),
            share: Share::Nothing,
        },
    };
    let planned = plan(&reduced, &running.iter().map(memory).collect::<Vec<_>>());
    // Times as the whole graph counts them: 0 for inputs, one more than the node, one more than the last for outputs.
    let time = |time: usize| match running.get(time.wrapping_sub(1)) {
        Some(n) => n + 1,
        None if time == 0 => 0,
        None => graph.nodes.len() + 1,
    };
    let timed = |place: Placement| Placement { first: time(place.first), last: time(place.last), ..place };
    let mut scratch = vec![None; graph.nodes.len()];
    for (&n, place) in running.iter().zip(&planned.scratch) {
        scratch[n] = place.map(timed);
    }
    let placements = planned.placements.iter().map(|place| place.map(timed)).collect();
    Arena { placements, scratch, ..planned }
}
