//! Groups set to zero, and groups taken out: a network without them is an ordinary smaller network.

use super::SparsifyError;
use super::blocks::Block;
use super::channels::Cut;
use super::zero::is_trained;
use crate::graph::{Activation, Graph, GraphError, TensorId};
use crate::ops::Clamp;
use std::collections::BTreeSet;

pub use crate::graph::channels::prune;

/// Sets the channels that would go to zero instead: what makes them and is trained. Batch-norm statistics stay.
///
/// # Errors
/// [`GraphError::Keep`] as [`prune`] for channels to keep that are none of the space's.
pub fn mask(graph: &mut Graph, cuts: &[Cut]) -> Result<(), GraphError> {
    for cut in cuts {
        cut.check()?;
        let goes = |c: usize| cut.keep.binary_search(&c).is_err();
        for slice in cut.space.members.iter().filter(|slice| is_trained(graph, slice.tensor)).collect::<Vec<_>>() {
            let shape = graph[slice.tensor].shape.clone();
            let inner: usize = shape[slice.axis + 1..].iter().product();
            for (i, v) in graph[slice.tensor].f32s_mut().into_iter().flatten().enumerate() {
                if slice.channel(i / inner % shape[slice.axis], cut.space.channels).is_some_and(goes) {
                    *v = 0.0;
                }
            }
        }
    }
    Ok(())
}

/// Sets everything that is trained in a block to zero, so that its skip alone remains.
pub fn mask_block(graph: &mut Graph, block: &Block) {
    for &id in &block.parameters {
        graph[id].f32s_mut().into_iter().flatten().for_each(|v| *v = 0.0);
    }
}

/// Takes `drop`, some of [`super::blocks::blocks`] of this graph, out of it: their nodes and tensors go, and what read the
/// addition reads the skip, after the clamp of the addition if it had one. Tensors are renumbered, so other blocks and
/// spaces must be looked up again. `graph` is left as it is on an error.
///
/// # Errors
/// [`SparsifyError::ForeignBlock`] names a block that is not of this graph; [`GraphError`] when the result is no network.
pub fn drop_blocks(graph: &mut Graph, drop: &[Block]) -> Result<(), SparsifyError> {
    let mut smaller = graph.clone();
    let mut gone: BTreeSet<usize> = BTreeSet::new();
    // In execution order, so that a block's skip is what the one before it left.
    let mut drop: Vec<&Block> = drop.iter().collect();
    drop.sort_by_key(|block| block.addition);
    let known = super::blocks::blocks(graph);
    for block in drop {
        if !known.contains(block) {
            return Err(SparsifyError::ForeignBlock { block: block.name.clone() });
        }
        gone.extend(&block.nodes);
        let addition = &mut smaller.nodes[block.addition];
        // The block's skip, or what an earlier block left in its place.
        let is_end = |id: &TensorId| block.nodes.iter().any(|&n| graph.nodes[n].output == *id);
        let skip = addition.inputs.iter().copied().find(|id| !is_end(id)).unwrap_or(block.skip);
        let output = addition.output;
        let clamp = addition.op.activation().unwrap_or(Activation::None);
        if clamp == Activation::None && !graph.outputs.contains(&output) {
            gone.insert(block.addition);
            let readers = smaller.nodes.iter_mut().flat_map(|node| &mut node.inputs);
            readers.filter(|id| **id == output).for_each(|id| *id = skip);
        } else {
            addition.op = Clamp(clamp).into();
            addition.inputs = vec![skip];
        }
    }
    let mut index = 0;
    smaller.nodes.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
    smaller.compact();
    smaller.validate()?;
    *graph = smaller;
    Ok(())
}

#[cfg(test)]
mod tests;
