//! Networks over graphs: their operators' records.

mod on_demand;

pub(super) use on_demand::{Choice, choose};

use super::ExportError;
use super::file::{File, narrow};
use crate::graph::lower::Nodes;
use crate::graph::lower::nodes::{Counts, Indices, Pattern, Scale};
use crate::graph::{Graph, GraphError, Node, Role, TensorId};
use crate::ops;
use crate::plan::Placement;
use niwaki_core::format::{DType, NONE, OperatorRecord, Params};
use niwaki_core::kernels::nodes::BLOCK;
use niwaki_core::ops::{self as core_ops, Layout, OpCode, write};
use std::borrow::Cow;

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

    /// Offsets, columns, table and what a neighbour counts by.
    fn counted(&mut self, graph: &Pattern, counts: &Counts, scale: &Scale) -> Result<[u16; 4], ExportError> {
        let (offsets, columns) = (self.indices(&graph.offsets)?, self.indices(&graph.columns)?);
        let mut table = scale.table();
        let counts = match counts {
            Counts::ByDegree(factors) => self.indices(&Indices::Narrow(factors.clone()))?,
            Counts::Attention { vectors, slopes } => {
                table.extend_from_slice(slopes);
                self.constant(DType::I8, &[2, vectors.len() / 2], bytemuck::cast_slice(vectors))?
            }
        };
        Ok([offsets, columns, self.constant(DType::I32, &[table.len()], bytemuck::cast_slice(&table))?, counts])
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
                inputs[1..5].copy_from_slice(&self.counted(graph, counts, scale)?);
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
