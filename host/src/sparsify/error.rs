//! Why a network could not be made sparse.

use crate::engine::EngineError;
use crate::graph::GraphError;
use niwaki_core::error::{GroupError, ProxError};

/// Why a network could not be made sparse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SparsifyError {
    /// A group layout that does not fit its tensor.
    #[error("groups of `{layer}`: {error}")]
    Group {
        /// The layer that the groups are in.
        layer: String,
        /// What core says.
        error: GroupError,
    },
    /// The prox was refused.
    #[error("groups of `{layer}`: {error}")]
    Prox {
        /// The layer that the groups are in.
        layer: String,
        /// What core says.
        error: ProxError,
    },
    /// The network has no groups of the kind that was asked for.
    #[error("the network has no {kind} that could be dropped")]
    NoGroups {
        /// The kind, in words.
        kind: String,
    },
    /// A budget that no choice of groups meets.
    #[error(
        "{limit:.0} {unit} cannot be met: with one group a layer the network still has {least:.0}{}", 
        if *physical { "" } else { "; zeros among the weights make the network no smaller: use groups = \"filter\"" }
    )]
    Budget {
        /// What is counted.
        unit: &'static str,
        /// What may be used.
        limit: f64,
        /// The least that can be reached.
        least: f64,
        /// Whether dropped groups leave the network.
        physical: bool,
    },
    /// A cost could not be found out.
    #[error("the cost in {unit} cannot be measured: {what}")]
    Meter {
        /// What was to be counted.
        unit: &'static str,
        /// Why not.
        what: String,
    },
    /// A block that was found in another graph.
    #[error("`{block}` is no block of this graph; list the blocks again")]
    ForeignBlock {
        /// Its name.
        block: String,
    },
    /// A graph whose edges all stay whatever happens.
    #[error("there is no edge that could be left out")]
    NoEdges,
    /// The network could not be changed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The engine refused the network.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] niwaki_kernels::GpuError),
}
