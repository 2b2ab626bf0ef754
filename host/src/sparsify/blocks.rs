//! Whole layers that a skip connection goes around: `y = x + f(x)` is `y = x` once every parameter of `f` is zero.

use super::zero::{gives_zero, is_trained};
use crate::graph::{Graph, Role, TensorId};
use crate::ops::Add;
use std::collections::BTreeSet;

/// The layers of a residual branch, which stay or go as one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Name of the addition.
    pub name: String,
    /// The addition, an index of [`Graph::nodes`].
    pub addition: usize,
    /// The operand of the addition that remains without the block.
    pub skip: TensorId,
    /// The nodes of the branch, ascending.
    pub nodes: Vec<usize>,
    /// What is trained in the branch, ascending.
    pub parameters: Vec<TensorId>,
}

/// The residual branches of `graph` that can be left out, in execution order, no two with a node in common.
///
/// Of branches inside each other the innermost is listed; the one around it appears in the graph without the inner one.
pub fn blocks(graph: &Graph) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    for (n, node) in graph.nodes.iter().enumerate() {
        let (true, &[a, b]) = (node.op.is::<Add>(), node.inputs.as_slice()) else { continue };
        if graph[a].shape != graph[b].shape || [a, b].iter().any(|&id| graph[id].data.is_some()) {
            continue;
        }
        let block = branch(graph, n, a, b).or_else(|| branch(graph, n, b, a));
        let taken = |node: &usize| found.iter().any(|other| other.nodes.contains(node) || other.addition == *node);
        if let Some(block) = block.filter(|block| !block.nodes.iter().any(taken)) {
            found.push(block);
        }
    }
    found
}

/// The block of `addition` whose branch leads from `skip` to `end`, if there is one.
fn branch(graph: &Graph, addition: usize, skip: TensorId, end: TensorId) -> Option<Block> {
    let mut nodes = BTreeSet::new();
    let mut open = vec![end];
    while let Some(id) = open.pop() {
        if id == skip || graph[id].data.is_some() {
            continue;
        }
        // A graph input ends the search: the branch does not start at the skip.
        let producer = graph.producer(id)?;
        if nodes.insert(producer) {
            open.extend(&graph.nodes[producer].inputs);
        }
    }
    let operands = || nodes.iter().flat_map(|&n| &graph.nodes[n].inputs).copied();
    let inside = |n: &usize| nodes.contains(n);
    let own_results = nodes.iter().map(|&n| graph.nodes[n].output).all(|id| {
        !graph.outputs.contains(&id)
            && graph.consumers(id).iter().all(|reader| inside(reader) || (*reader == addition && id == end))
    });
    let constants: BTreeSet<TensorId> = operands().filter(|&id| graph[id].data.is_some()).collect();
    let own_constants = constants.iter().all(|&id| graph.consumers(id).iter().all(inside));
    let mut zero = vec![false; graph.tensors.len()];
    for &n in &nodes {
        let is_zero = |id: TensorId| if graph[id].data.is_some() { is_trained(graph, id) } else { zero[id.0] };
        zero[graph.nodes[n].output.0] = gives_zero(&graph.nodes[n], is_zero);
    }
    let fits = operands().any(|id| id == skip) && own_results && own_constants && zero[end.0];
    fits.then(|| Block {
        name: graph.nodes[addition].name.clone(),
        addition,
        skip,
        parameters: constants.into_iter().filter(|&id| graph[id].role == Role::Parameter).collect(),
        nodes: nodes.into_iter().collect(),
    })
}
