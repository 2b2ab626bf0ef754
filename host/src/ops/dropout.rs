//! Dropout, which does nothing outside training.

use super::Operator;
use crate::graph::Activation;

/// Input `x`; in training each element is 0 with this probability, and else divided by that of staying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// In `[0, 1)`.
    pub rate: f32,
}

impl Operator for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
