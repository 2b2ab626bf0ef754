//! What can be wrong with a graph, a batch or an option.

use crate::graph::GraphError;

/// Why the engine refuses.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The graph itself does not hold together.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A node is of a kind, or has an operand, that the engine cannot differentiate.
    #[error("cannot train {op} `{node}`: {what}")]
    Node {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// What is in the way.
        what: String,
    },
    /// A tensor is of a kind that the engine cannot compute with.
    #[error("cannot train with tensor `{tensor}`: {what}")]
    Tensor {
        /// Tensor name.
        tensor: String,
        /// What is in the way.
        what: String,
    },
    /// The graph has no, or more than one, input or output.
    #[error("the engine runs graphs with one {what}; this one has {count}")]
    Ends {
        /// "input" or "output".
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The loss needs one row of class scores per sample.
    #[error("output `{tensor}` has shape {shape:?} per sample: the loss needs one row of classes")]
    Classes {
        /// Name of the output tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// An option is zero.
    #[error("option `{name}` must be at least 1")]
    Option {
        /// Its name.
        name: &'static str,
    },
    /// A number of a distillation is out of its range.
    #[error("distillation: `{name}` is {value}, it must be {range}")]
    Distillation {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// The planned batch needs buffers beyond what an index can address.
    #[error("a batch of {batch} needs {len} elements in one buffer, the limit is {limit}: plan a smaller batch")]
    TooLarge {
        /// The planned batch.
        batch: usize,
        /// Elements of the largest buffer.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// More samples than were planned for, or none.
    #[error("batch of {batch} samples: the engine was planned for 1 to {planned}")]
    Batch {
        /// Samples given.
        batch: usize,
        /// Largest batch.
        planned: usize,
    },
    /// A slice is of the wrong length.
    #[error("{what} has {got} values, {batch} samples need {expected}")]
    Len {
        /// Which slice.
        what: &'static str,
        /// Samples in the batch.
        batch: usize,
        /// Values needed.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// A label names no class.
    #[error("label {label} of sample {sample} is no class: the network has {classes}")]
    Label {
        /// Index in the batch.
        sample: usize,
        /// The label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// Threads could not be started.
    #[error("cannot start {threads} threads: {what}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the system said.
        what: String,
    },
}
