//! Learning without gradients that cross layers, and layers that are fixed points: definitions for nodes of a graph.
//!
//! [`single_forward`] is ForwardGNN's single-forward loss with its closed-form gradients, [`fixed_point`] the convergent
//! graph solver with its implicit gradient.

pub mod fixed_point;
pub mod single_forward;

#[cfg(test)]
mod tests;

use crate::error::GraphError;

fn expect_len(operand: &'static str, expected: usize, got: usize) -> Result<(), GraphError> {
    if expected == got { Ok(()) } else { Err(GraphError::Len { operand, expected, got }) }
}
