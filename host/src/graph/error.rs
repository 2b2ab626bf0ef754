//! Why a graph is not a network, or cannot be evaluated or changed.

use crate::ops::Misfit;

/// Why a graph is not a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The shapes of operands do not fit their operator.
    #[error("{op} `{node}`: {what} (input shapes {shapes:?})")]
    Shape {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// What does not fit.
        what: Box<Misfit>,
        /// Shapes of all inputs.
        shapes: Vec<Vec<usize>>,
    },
    /// An operator cannot be run on its operands.
    #[error("{op} `{node}`: {what}")]
    Operator {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// What does not fit.
        what: Box<Misfit>,
    },
    /// A tensor is read before any node writes it.
    #[error("{op} `{node}` reads tensor `{tensor}` before it is written")]
    Order {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// Tensor name.
        tensor: String,
    },
    /// The data of a constant does not fit its shape.
    #[error("tensor `{tensor}` has shape {shape:?} but {len} values")]
    Data {
        /// Tensor name.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Number of values.
        len: usize,
    },
    /// A network of several inputs, or of none, where one is needed.
    #[error("{what} takes networks of one input, not {count}")]
    Inputs {
        /// What takes one.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A sample of another size than the network's input.
    #[error("input `{tensor}` has shape {shape:?}, got {got} values")]
    Sample {
        /// Name of the input.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Values of the sample.
        got: usize,
    },
    /// A network without output.
    #[error("the network has no output")]
    NoOutput,
    /// A network whose output is computed by no node.
    #[error("the network's output is never written")]
    Unwritten,
    /// A constant where a computed tensor is needed.
    #[error("tensor `{tensor}` is used as an activation but is a constant")]
    Constant {
        /// The tensor.
        tensor: String,
    },
    /// Weights without values.
    #[error("weights `{tensor}` have no data")]
    NoData {
        /// The tensor.
        tensor: String,
    },
    /// Channels to keep that a space does not have.
    #[error("`{space}`: cannot keep channels {keep:?} of {channels}; name one or more, in ascending order")]
    Keep {
        /// Name of the channel space.
        space: String,
        /// The channels.
        keep: Vec<usize>,
        /// How many there are.
        channels: usize,
    },
    /// A channel space that was found in another graph.
    #[error("`{space}`: the channel space is of another graph; analyse this one")]
    ForeignSpace {
        /// Its name.
        space: String,
    },
    /// Nodes and edges that core does not take.
    #[error(transparent)]
    Edges(#[from] niwaki_core::error::GraphError),
    /// Edges or features of a data set that core does not take.
    #[error("`{data}`: {error}")]
    NodeSet {
        /// Name of the data set.
        data: String,
        /// What core says.
        error: niwaki_core::error::GraphError,
    },
}
