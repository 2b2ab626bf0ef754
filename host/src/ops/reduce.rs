//! Operators over axes: mean, sum, position of the largest element.

use super::Operator;
use crate::graph::Activation;

/// Input `x`; mean over `axes`, which leave the shape or stay with size 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    /// Ascending.
    pub axes: Vec<usize>,
    /// Whether they stay.
    pub keep_axes: bool,
}

impl Operator for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; sum over `axes`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// Ascending.
    pub axes: Vec<usize>,
    /// Whether they stay.
    pub keep_axes: bool,
}

impl Operator for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; index of the largest element along `axis` (the lowest of several), i32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArgMax {
    /// The axis, which leaves the shape.
    pub axis: usize,
}

impl Operator for ArgMax {
    fn name(&self) -> &'static str {
        "arg_max"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
