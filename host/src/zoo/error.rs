//! Why a network of the zoo cannot be built.

use crate::graph::GraphError;

/// Why a network of the zoo cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ZooError {
    /// Its input does not fit.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A name that no network has.
    #[error("there is no network `{name}` in the zoo")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A network over graphs where one for samples is needed.
    #[error("`{name}` is a network over graphs")]
    OverNodes {
        /// Its name.
        name: String,
    },
    /// A network for samples where one over graphs is needed, or none at all.
    #[error("`{name}` is no network over graphs; [model] zoo = \"gcn\", \"gat\", \"gin\" or \"sage\"")]
    OfSamples {
        /// Its name.
        name: String,
    },
    /// A network without layers.
    #[error("a network has layers")]
    NoLayers,
    /// A tensor that is no image.
    #[error("global pooling needs an [H, W, C] tensor, got {shape:?}")]
    Pooling {
        /// Its shape.
        shape: Vec<usize>,
    },
}
