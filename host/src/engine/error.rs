//! What can be wrong with a graph, a batch or an option.

use crate::graph::GraphError;
use crate::ops::Misfit;

/// Why the engine refuses.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The graph itself does not hold together.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A node is of a kind, or has an operand, that the engine cannot differentiate.
    #[error("cannot train {op} `{node}`: {why}")]
    Node {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// What is in the way.
        why: Box<Untrainable>,
    },
    /// A tensor is of a kind that the engine cannot compute with.
    #[error("cannot train with tensor `{tensor}`: {what}")]
    Tensor {
        /// Tensor name.
        tensor: String,
        /// What is in the way.
        what: &'static str,
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

/// What keeps a node from being trained.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Untrainable {
    /// The operator says so.
    #[error(transparent)]
    Operator(#[from] Misfit),
    /// It writes what is not its own.
    #[error("its output is a constant or written by another node")]
    Output,
    /// An index of a tensor is none.
    #[error("tensor {index} does not exist")]
    Missing {
        /// The index.
        index: usize,
    },
    /// It is another name for its operand.
    #[error("it computes nothing")]
    Rename,
    /// A constant where values are computed.
    #[error("operand {operand}, `{tensor}`, must be computed, not constant")]
    Constant {
        /// Its place.
        operand: usize,
        /// The tensor.
        tensor: String,
    },
    /// A computed tensor where a constant is read.
    #[error("operand {operand}, `{tensor}`, must be a parameter or a buffer")]
    Computed {
        /// Its place.
        operand: usize,
        /// The tensor.
        tensor: String,
    },
    /// A difference whose first operand repeats or is constant.
    #[error("`{tensor}`, less than the output or constant, must come second")]
    Subtrahend {
        /// The first operand.
        tensor: String,
    },
    /// An operand that repeats in another way.
    #[error("operand {operand}, `{tensor}` of shape {shape:?}, must repeat along leading axes of {large:?} only")]
    Repeats {
        /// Its place.
        operand: usize,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The shape of the output.
        large: Vec<usize>,
    },
    /// Running statistics that an optimizer would move.
    #[error("its running statistics must be buffers, not parameters")]
    Statistics,
    /// Weights of sparse features that another operator reads too.
    #[error("its weights may not be shared with another operator")]
    Shared,
    /// A window over nodes.
    #[error("over nodes a convolution must be of 1x1 taps with stride 1 on [N, 1, C]")]
    Window,
    /// More elements than have a number.
    #[error("it has too many elements")]
    Elements,
    /// Weights whose multiplier core would cap.
    #[error("its weights are too large for core to scale their sums back")]
    LargeWeights,
    /// A tensor without quantisation in an integer network.
    #[error("`{tensor}` is not quantised")]
    NotQuantised {
        /// The tensor.
        tensor: String,
    },
}
