//! Why a network cannot be quantised.

use crate::graph::GraphError;
use niwaki_core::error::OptimError;

/// Why a network cannot be quantised.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The network cannot be evaluated.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Quantisation-aware training of a codebook.
    #[error("the values of a codebook are chosen after training: it takes quantize.qat_epochs = 0")]
    TrainedCodebook,
    /// Nothing to measure with.
    #[error("{what} needs at least one sample")]
    NoSamples {
        /// What measures.
        what: &'static str,
    },
    /// An activation that is no number for some sample.
    #[error("activation `{tensor}` is {value} during calibration")]
    Activation {
        /// The activation.
        tensor: String,
        /// Its value.
        value: f32,
    },
    /// A constant that is quantised already or never was f32.
    #[error("{what} `{tensor}` is used twice or is not f32")]
    NotFloat {
        /// What it is for.
        what: &'static str,
        /// The constant.
        tensor: String,
    },
    /// A constant that is not all numbers.
    #[error("{what} `{tensor}` contains {value}")]
    NotFinite {
        /// What it is for.
        what: &'static str,
        /// The constant.
        tensor: String,
        /// The first value that is none.
        value: f32,
    },
    /// A layer of four bits that the network does not have.
    #[error("four_bits: no layer with weights is `{name}`; there are {}", layers.join(", "))]
    FourBits {
        /// Its name.
        name: String,
        /// The layers that there are.
        layers: Vec<String>,
    },
    /// A constant where every operand must be computed.
    #[error("{op} `{node}` of a constant")]
    Constant {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
    },
    /// A network with quantised parts.
    #[error("{op} `{node}`: the network is quantised in part already; give the float network")]
    PartlyQuantised {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
    },
    /// A batch norm that cannot become part of the layer before it.
    #[error("batch_norm `{node}` cannot be folded: {why}")]
    Fold {
        /// Node name.
        node: String,
        /// What is in the way.
        why: Unfoldable,
    },
    /// An operand of a concatenation whose quantised values have another, fixed meaning.
    #[error(
        "{place} is concatenated with the output of a softmax, logistic function or tanh, whose codes have a fixed \
         meaning; use a clamp in their place, or concatenate after a layer with weights"
    )]
    TwoMeanings {
        /// The network input, or the node with its output.
        place: String,
    },
    /// A GCN propagation whose operand cannot be quantised by node.
    #[error("propagate `{node}`: its input {why}")]
    Propagation {
        /// Node name.
        node: String,
        /// What is in the way.
        why: Unpropagated,
    },
    /// A step of reconstruction was refused.
    #[error("{op} `{node}`: {error}")]
    Reconstruct {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// What the optimizer says.
        error: OptimError,
    },
}

/// What keeps a batch norm from being folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Unfoldable {
    #[error("its input is a network input")]
    NoLayer,
    #[error("its input is also used elsewhere")]
    ReadElsewhere,
    #[error("its statistics are not f32")]
    Statistics,
    #[error("the operator before it has no weights")]
    NoWeights,
    #[error("the operator before it has no weights or a clamp of its own")]
    Clamped,
    #[error("the weights before it are not f32")]
    Weights,
    #[error("the bias before it is not f32")]
    Bias,
}

/// What keeps the operand of a GCN propagation from being quantised by node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Unpropagated {
    #[error("is also read by something else than GCN propagation")]
    ReadElsewhere,
    #[error("is not made by a layer of each node")]
    NoRows,
    #[error("has no values")]
    NoValues,
}
