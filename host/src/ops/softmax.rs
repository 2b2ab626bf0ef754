//! Softmax.

use super::Operator;
use crate::graph::Activation;

/// Input `x: [.., C]`; softmax along the last axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softmax;

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
