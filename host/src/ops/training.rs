//! How operators are trained: which of the engine's kernels computes one forward and back, with its attributes.

use super::lowered::Movement;
use super::{Activation, Adjacency, Features, Propagation};
use niwaki_core::shape::Window;
use std::sync::Arc;

/// A training kernel. The engine has one for each variant; operators choose.
#[derive(Debug, Clone, PartialEq)]
pub enum Training {
    /// The result is operand 0 under another name.
    Rename,
    /// Sums under a window over all channels; operand 1 is weights, operand 2 a bias.
    Conv2d {
        /// The window over operand 0.
        window: Window,
        /// Fused clamp.
        activation: Activation,
    },
    /// As [`Training::Conv2d`], of each channel by itself.
    DepthwiseConv2d {
        /// The window over operand 0.
        window: Window,
        /// Fused clamp.
        activation: Activation,
    },
    /// Products of all elements with weights; operands as for [`Training::Conv2d`].
    Dense {
        /// Fused clamp.
        activation: Activation,
    },
    /// Normalisation by the statistics of the batch.
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
        /// Weight of the newest batch in the running statistics.
        momentum: f32,
        /// Fused clamp.
        activation: Activation,
    },
    /// The largest under a window.
    MaxPool {
        /// The window over operand 0.
        window: Window,
    },
    /// The mean under a window.
    AveragePool {
        /// The window over operand 0.
        window: Window,
    },
    /// A clamp.
    Activation(Activation),
    /// A function of each element.
    Function(Function),
    /// Two operands element by element, either constant or repeated.
    Arithmetic {
        /// What is done with them.
        arithmetic: Arithmetic,
        /// Fused clamp.
        activation: Activation,
    },
    /// Elements in other places, as core moves them.
    Movement {
        /// Where to, in f32; elements that come from no operand are 0.
        movement: Movement,
        /// The value of elements that come from no operand.
        border: f32,
    },
    /// Softmax along the last axis.
    Softmax,
    /// Sparse features times weights, operand 0; operand 1 is a bias.
    SparseDense {
        /// `[N, F]`
        features: Arc<Features>,
        /// Fused clamp.
        activation: Activation,
    },
    /// Neighbours brought together.
    Propagate {
        /// The graph.
        adjacency: Arc<Adjacency>,
        /// How they come together.
        rule: Propagation,
        /// Fused clamp.
        activation: Activation,
    },
    /// Elements left out at random.
    Dropout {
        /// The probability of each.
        rate: f32,
    },
}

/// A smooth or leaky function of each element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// `1 / (1 + exp(-x))`
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` where positive, else `alpha * x`.
    LeakyRelu {
        /// Slope of the negative side.
        alpha: f32,
    },
    /// `x * relu6(x + 3) / 6`
    HardSwish,
}

/// What is done to two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Their sum.
    Add,
    /// Their difference.
    Sub,
    /// Their product.
    Mul,
}
