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

/// Rows of `width` elements; unlike `chunks` without a division, which for widths unknown to the compiler could panic.
fn rows<T>(mut rest: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    core::iter::from_fn(move || {
        let (row, after) = rest.split_at_checked(width.max(1))?;
        rest = after;
        Some(row)
    })
}

/// As [`rows`].
fn rows_mut<T>(mut rest: &mut [T], width: usize) -> impl Iterator<Item = &mut [T]> {
    core::iter::from_fn(move || {
        let (row, after) = core::mem::take(&mut rest).split_at_mut_checked(width.max(1))?;
        rest = after;
        Some(row)
    })
}
