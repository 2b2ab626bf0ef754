//! Passes that make a graph smaller and leave every output byte as it is.

use crate::graph::{Graph, GraphError};

/// `graph` with everything left out that its outputs do not depend on.
///
/// # Errors
/// [`GraphError`] when `graph` is no network.
pub fn simplify(graph: &Graph) -> Result<Graph, GraphError> {
    let mut graph = graph.clone();
    graph.compact();
    graph.validate()?;
    Ok(graph)
}
