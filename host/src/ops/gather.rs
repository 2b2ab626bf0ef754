//! Rows by number.

use super::Operator;
use crate::graph::Activation;

/// Inputs `x: [N, .., C]` and `rows: [Q]`, i32; output `[Q, .., C]`: the rows of `x` with these numbers, each number at
/// least 0 and at most `N - 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gather;

impl Operator for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
