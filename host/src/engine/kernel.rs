//! What an operator of the engine computes, and what it needs for that.

use super::attention::Attention;
use super::batch_norm::BatchNorm;
use super::conv2d::Conv2d;
use super::dense::Dense;
use super::depthwise::Depthwise;
use super::dropout::Dropout;
use super::movement::Movement;
use super::pairwise::Pairwise;
use super::pointwise::Pointwise;
use super::pool::Pool;
use super::propagate::Propagate;
use super::real::Real;
use super::sparse_dense::SparseDense;
use crate::graph::Activation;
use crate::ops::training::Function;
use std::ops::Range;

/// Where a constant operand lies.
#[derive(Debug, Clone)]
pub(super) enum Constant {
    /// In the flat vector of trained values.
    Parameter(Range<usize>),
    /// In the flat vector of buffers; has no gradient.
    Buffer(Range<usize>),
}

impl Constant {
    /// Where its gradient lies, if it is trained.
    pub(super) fn trained(&self) -> Option<Range<usize>> {
        match self {
            Self::Parameter(range) => Some(range.clone()),
            Self::Buffer(_) => None,
        }
    }
}

/// What an operator computes, and with which constants.
#[derive(Debug, Clone)]
pub(super) enum Kernel<T> {
    Conv2d {
        op: Conv2d,
        w: Constant,
        bias: Option<Constant>,
    },
    Depthwise {
        op: Depthwise,
        w: Constant,
        bias: Option<Constant>,
    },
    Dense {
        op: Dense,
        w: Constant,
        bias: Option<Constant>,
    },
    /// A convolution of one tap whose positions are nodes.
    Pointwise {
        op: Pointwise,
        w: Constant,
        bias: Option<Constant>,
    },
    SparseDense {
        op: Box<SparseDense<T>>,
        w: Constant,
        bias: Option<Constant>,
    },
    /// `eps`, where it is given: the node itself counts `1 + eps`.
    Propagate {
        op: Box<Propagate<T>>,
        eps: Option<Constant>,
        activation: Activation,
    },
    Attention {
        op: Box<Attention<T>>,
        index: usize,
        source: Constant,
        target: Constant,
        activation: Activation,
    },
    Dropout(Dropout),
    BatchNorm {
        op: BatchNorm,
        index: usize,
        gamma: Constant,
        beta: Constant,
        mean: Range<usize>,
        var: Range<usize>,
    },
    Activation(Activation),
    Unary(Function),
    Add(Activation),
    /// `b` is the second operand, where it is constant.
    Pairwise {
        op: Pairwise,
        b: Option<Constant>,
    },
    Movement(Movement),
    MaxPool {
        op: Pool,
        index: usize,
    },
    AveragePool(Pool),
    Softmax {
        classes: usize,
    },
}

impl<T: Real> Kernel<T> {
    /// Whether the gradient of the input may take the place of the output's.
    pub(super) fn gradient_is_in_place(&self) -> bool {
        match self {
            Self::BatchNorm { .. } | Self::Activation(_) | Self::Unary(_) | Self::Add(_) => true,
            Self::Softmax { .. } | Self::Dropout(_) => true,
            Self::Conv2d { .. } | Self::Depthwise { .. } | Self::Dense { .. } | Self::Pairwise { .. } => false,
            Self::Pointwise { .. } | Self::SparseDense { .. } => false,
            Self::Propagate { .. } | Self::Attention { .. } => false,
            Self::Movement(_) | Self::MaxPool { .. } | Self::AveragePool(_) => false,
        }
    }

    /// Whether backward reads the operands, and whether it reads the output.
    pub(super) fn backward_reads(&self) -> (bool, bool) {
        match self {
            Self::Conv2d { w, .. } | Self::Depthwise { w, .. } | Self::Dense { w, .. } | Self::Pointwise { w, .. } => {
                (w.trained().is_some(), true)
            }
            Self::BatchNorm { .. } => (true, false),
            Self::Activation(_) | Self::Add(_) | Self::Softmax { .. } | Self::SparseDense { .. } => (false, true),
            Self::Unary(_) | Self::Pairwise { .. } | Self::Propagate { .. } | Self::Attention { .. } => (true, true),
            Self::Movement(_) | Self::MaxPool { .. } | Self::AveragePool(_) | Self::Dropout(_) => (false, false),
        }
    }

    /// Whether any constant of this operator is trained.
    pub(super) fn is_trained(&self) -> bool {
        let trained = |c: &Constant| c.trained().is_some();
        match self {
            Self::Conv2d { w, bias, .. }
            | Self::Depthwise { w, bias, .. }
            | Self::Dense { w, bias, .. }
            | Self::Pointwise { w, bias, .. }
            | Self::SparseDense { w, bias, .. } => trained(w) || bias.as_ref().is_some_and(trained),
            Self::Pairwise { b, .. } => b.as_ref().is_some_and(trained),
            Self::Propagate { eps, .. } => eps.as_ref().is_some_and(trained),
            Self::Attention { source, target, .. } => trained(source) || trained(target),
            Self::BatchNorm { gamma, beta, .. } => trained(gamma) || trained(beta),
            Self::Dropout(_) | Self::Activation(_) | Self::Unary(_) | Self::Add(_) => false,
            Self::Movement(_) | Self::MaxPool { .. } | Self::AveragePool(_) | Self::Softmax { .. } => false,
        }
    }

    /// The gradient that backward writes as a whole; all others are added up from zero.
    pub(super) fn whole_gradient(&self) -> Option<Range<usize>> {
        if let Self::SparseDense { w, .. } = self { w.trained() } else { None }
    }

    /// Elements of scratch that one sample needs.
    pub(super) fn scratch_len(&self) -> usize {
        match self {
            Self::Conv2d { op, .. } => op.scratch_len(),
            Self::Pointwise { op, .. } => op.scratch_len(),
            _ => 0,
        }
    }
}

/// A kernel between values, which are named by the tensor that first held them (reshapes are only other names).
#[derive(Debug, Clone)]
pub(super) struct Operator<T> {
    /// Its place among the graph's nodes.
    pub(super) node: usize,
    pub(super) kernel: Kernel<T>,
    /// Operands that are no constants.
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
}
