//! Networks over graphs: their operators' records, and which matrices lie in the arena.
//!
//! Every matrix with one row a node can be stored, or computed row by row wherever a row of it is read. The choice costs
//! time or memory and never changes a bit, so the cheapest one that fits is taken.

use super::{ExportError, File, Kernel, narrow};
use crate::graph::lower::nodes::{Counts, Indices, Pattern, Scale};
use crate::graph::lower::{Lowered, Nodes};
use crate::graph::{Graph, GraphError, Node, Role, TensorId};
use crate::ops;
use crate::plan::{Arena, Memory, Placement, Share, plan};
use niwaki_core::format::{DType, NONE, OperatorRecord, Params};
use niwaki_core::kernels::nodes::{BLOCK, RowOperator, scratch_words};
use niwaki_core::ops::{self as core_ops, Layout, OpCode, write};
use std::borrow::Cow;

/// Operators that may be on demand at once, which is one less than core runs in a chain.
const ON_DEMAND_MAX: usize = 5;

/// Matrices of a network that are tried both stored and on demand.
const CHOICES_MAX: usize = 10;

/// Additions that an output costs besides its sum: a multiplier, a rounding and a clamp.
const FINISH: f64 = 20.0;

/// `graph` with an input where it has none, as every file has one: an element that nothing reads.
pub(super) fn with_input(graph: &Graph) -> Cow<'_, Graph> {
    let mut graph = Cow::Borrowed(graph);
    if graph.inputs.is_empty() {
        let graph = graph.to_mut();
        let id = graph.input("unused", &[1]);
        graph[id].element = DType::I32;
    }
    graph
}

/// Whether `graph` has operators over nodes, whose choice is of another kind.
pub fn is_over_graph(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| node.op.rules().over_nodes || node.op.is::<ops::Gather>())
}

/// A network that answers for single nodes: its input is `count` node numbers, and its outputs have their rows alone.
///
/// # Errors
/// [`GraphError`] where an output does not have one row a node.
pub fn query(graph: &Graph, count: usize) -> Result<Graph, GraphError> {
    let mut graph = graph.clone();
    let numbers = graph.input("nodes", &[count]);
    graph[numbers].element = DType::I32;
    for output in 0..graph.outputs.len() {
        let x = graph.outputs[output];
        let name = format!("{}.of_nodes", graph[x].name);
        let y = graph.push(&name, ops::Gather, &[x, numbers])?;
        (graph[y].element, graph[y].quant) = (graph[x].element, graph[x].quant.clone());
        graph.outputs[output] = y;
    }
    Ok(graph)
}

/// Which tensors are computed on demand, and where the others lie.
pub(super) struct Choice {
    pub(super) on_demand: Vec<bool>,
    pub(super) arena: Arena,
}

/// The cheapest choice whose arena has at most `ram_bytes`.
pub(super) fn choose(graph: &Graph, kernels: &[Kernel], ram_bytes: usize) -> Result<Choice, ExportError> {
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
    let nodes = kernels[n].nodes()?;
    let reads_rows = |&reader: &usize| {
        let only_rows = !graph.nodes[reader].inputs[1..].contains(&output);
        only_rows && matches!(kernels[reader].nodes(), Some(nodes) if !matches!(nodes, Nodes::SparseDense { .. }))
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
        let Some(nodes) = kernels[n].nodes() else { continue };
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
    let operators = with_below(graph, on_demand, n).filter_map(|n| kernels[n].nodes().and_then(Nodes::view));
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
            node.inputs.extend(kernels[below].nodes().and_then(Nodes::kept).map(|at| inputs[at]));
        }
    }
    let memory = |&n: &usize| match kernels[n].nodes() {
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

/// The weights of `[inputs, channels]` that are not zero, as core packs them, where these take less flash than all of them.
fn compressed(w: &[i8], channels: usize) -> Option<Vec<u16>> {
    let (mut packed, mut entries) = (vec![0], Vec::new());
    for first in (0..channels).step_by(BLOCK) {
        for row in w.chunks_exact(channels) {
            let block = row[first..].iter().take(BLOCK).enumerate().filter(|(_, weight)| **weight != 0);
            entries.extend(block.map(|(c, &weight)| u16::from_le_bytes([c as u8, weight.cast_unsigned()])));
            packed.push(u16::try_from(entries.len()).ok()?);
        }
    }
    packed.append(&mut entries);
    (packed.len() * size_of::<u16>() < w.len()).then_some(packed)
}

impl File<'_> {
    /// Whether `id` has no memory.
    pub(super) fn is_on_demand(&self, id: TensorId) -> bool {
        self.graph[id].role == Role::Activation && self.on_demand[id.0]
    }

    fn indices(&mut self, indices: &Indices) -> Result<u16, ExportError> {
        let (dtype, bytes) = indices.stored();
        if indices.is_empty() { Ok(NONE) } else { self.constant(dtype, &[indices.len()], bytes) }
    }

    /// Offsets, columns, table and factors.
    fn sparse(&mut self, pattern: &Pattern, scale: &Scale) -> Result<[u16; 4], ExportError> {
        let [table, factors] = self.scale(scale)?;
        Ok([self.indices(&pattern.offsets)?, self.indices(&pattern.columns)?, table, factors])
    }

    /// The weights `[inputs, channels]`, and whether they are without their zeros.
    fn weights(&mut self, w: &[i8], channels: usize) -> Result<(u16, bool), ExportError> {
        if let Some(packed) = self.compressed.then(|| compressed(w, channels)).flatten() {
            return Ok((self.constant(DType::I16, &[packed.len()], bytemuck::cast_slice(&packed))?, true));
        }
        Ok((self.constant(DType::I8, &[w.len() / channels, channels], bytemuck::cast_slice(w))?, false))
    }

    fn scale(&mut self, scale: &Scale) -> Result<[u16; 2], ExportError> {
        let table = scale.table();
        let table = self.constant(DType::I32, &[3, scale.bias.len()], bytemuck::cast_slice(&table))?;
        Ok([table, self.indices(&Indices::Narrow(scale.factors.clone()))?])
    }

    /// The record of an operator over nodes.
    pub(super) fn nodes(
        &mut self,
        node: &Node,
        nodes: &Nodes,
        scratch: Option<Placement>,
    ) -> Result<OperatorRecord, ExportError> {
        let mut params = Params::default();
        let mut inputs = [NONE; 6];
        let layer = |compressed| if compressed { Layout::Compressed } else { Layout::Plain };
        let op = nodes.write(&mut params);
        let layout = match nodes {
            Nodes::Propagate { graph, scale, .. } => {
                inputs[0] = self.activation(node.inputs[0])?;
                inputs[1..5].copy_from_slice(&self.sparse(graph, scale)?);
                Layout::Plain
            }
            Nodes::Weighted { graph, counts, scale, .. } => {
                inputs[0] = self.activation(node.inputs[0])?;
                inputs[1] = self.indices(&graph.offsets)?;
                inputs[2] = self.indices(&graph.columns)?;
                let mut table = scale.table();
                match counts {
                    Counts::ByDegree(factors) => {
                        inputs[4] = self.indices(&Indices::Narrow(factors.clone()))?;
                    }
                    Counts::Attention { vectors, slopes } => {
                        table.extend_from_slice(slopes);
                        let shape = [2, vectors.len() / 2];
                        inputs[4] = self.constant(DType::I8, &shape, bytemuck::cast_slice(vectors))?;
                    }
                }
                inputs[3] = self.constant(DType::I32, &[table.len()], bytemuck::cast_slice(&table))?;
                Layout::Plain
            }
            Nodes::KeepEdges { ranks } => {
                inputs[..2].copy_from_slice(&[self.activation(node.inputs[0])?, self.indices(ranks)?]);
                Layout::Plain
            }
            Nodes::SparseDense { features, values, w, channels, scale } => {
                let compressed;
                (inputs[0], compressed) = self.weights(w, *channels)?;
                inputs[1..5].copy_from_slice(&self.sparse(features, scale)?);
                if !values.is_empty() {
                    inputs[5] = self.constant(DType::I8, &[values.len()], bytemuck::cast_slice(values))?;
                }
                if compressed {
                    write::features(&mut params, w.len() / channels);
                }
                layer(compressed)
            }
            Nodes::NodeDense { w, channels, scale, .. } => {
                let compressed;
                inputs[0] = self.activation(node.inputs[0])?;
                (inputs[1], compressed) = self.weights(w, *channels)?;
                inputs[2..4].copy_from_slice(&self.scale(scale)?);
                layer(compressed)
            }
            Nodes::Gather => {
                inputs[..2].copy_from_slice(&[self.activation(node.inputs[0])?, self.activation(node.inputs[1])?]);
                Layout::Plain
            }
        };
        if let Some(at) = nodes.kept() {
            inputs[5] = self.activation(node.inputs[at])?;
        }
        let code = OpCode::of(op, layout).unwrap_or_else(|| op.into());
        // The one element type that core has the operator for.
        let dtype = core_ops::ALL.iter().find(|row| row.code == code.byte()).map_or(DType::I8, |row| row.dtype);
        Ok(OperatorRecord {
            code: code.byte(),
            dtype: dtype.code(),
            inputs,
            output: self.activation(node.output)?,
            params,
            scratch_offset: narrow("offset", scratch.map_or(0, |s| s.offset))?,
            scratch_bytes: narrow("scratch", scratch.map_or(0, |s| s.bytes))?,
            ..OperatorRecord::default()
        })
    }
}

impl Kernel {
    /// What runs over nodes, if this does.
    fn nodes(&self) -> Option<&Nodes> {
        match &self.lowered {
            Lowered::Nodes(nodes) => Some(nodes),
            _ => None,
        }
    }
}
