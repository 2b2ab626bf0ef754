//! Passes that make a graph smaller and leave every output byte as it is.
//!
//! [`simplify`] runs them until none finds anything: identities and constants go, borders and clamps move into the
//! operator beside them, and channels that hold one code whatever the input are folded into the biases of their
//! readers. Each pass holds to one rule: a kernel must see the same numbers in the same order, or integers whose sum is
//! the same; so float sums are never reordered.

mod activation;
mod channels;
mod constant;
mod identity;
mod pad;
#[cfg(test)]
mod tests;

use crate::graph::{Graph, GraphError, TensorId};

/// `graph` with everything left out that its outputs do not depend on.
///
/// # Errors
/// [`GraphError`] when `graph` is no network.
pub fn simplify(graph: &Graph) -> Result<Graph, GraphError> {
    graph.validate()?;
    let mut graph = graph.clone();
    let passes: [fn(&mut Graph) -> bool; 5] =
        [identity::remove, constant::fold, pad::fuse, activation::fuse, channels::remove_constant];
    loop {
        let mut changed = false;
        for pass in passes {
            changed |= pass(&mut graph);
            remove_unread(&mut graph);
        }
        if !changed {
            break;
        }
    }
    graph.compact();
    graph.validate()?;
    Ok(graph)
}

/// Drops nodes that nothing reads.
fn remove_unread(graph: &mut Graph) {
    let mut read = vec![false; graph.tensors.len()];
    for id in &graph.outputs {
        read[id.0] = true;
    }
    let mut keep = vec![false; graph.nodes.len()];
    for (n, node) in graph.nodes.iter().enumerate().rev() {
        keep[n] = read[node.output.0];
        if keep[n] {
            node.inputs.iter().for_each(|id| read[id.0] = true);
        }
    }
    let mut flags = keep.into_iter();
    graph.nodes.retain(|_| flags.next().unwrap_or(true));
}

/// Lets everyone who reads `old` read `new`; `old` stays unread.
fn replace(graph: &mut Graph, old: TensorId, new: TensorId) {
    let change = |id: &mut TensorId| {
        if *id == old {
            *id = new;
        }
    };
    graph.nodes.iter_mut().for_each(|node| node.inputs.iter_mut().for_each(change));
    graph.outputs.iter_mut().for_each(change);
}

/// The only node that reads `tensor`, if there is one and the caller does not read it too.
fn only_reader(graph: &Graph, tensor: TensorId) -> Option<usize> {
    match graph.consumers(tensor).as_slice() {
        &[n] if !graph.outputs.contains(&tensor) => Some(n),
        _ => None,
    }
}
