//! Learning on the nodes of a graph without gradients that cross layers, and layers whose output is a fixed point.
//!
//! [`single_forward`] is ForwardGNN's single-forward loss with its closed-form gradients, [`fixed_point`] the convergent
//! graph solver with its implicit gradient.

pub mod fixed_point;
pub mod single_forward;

#[cfg(test)]
mod tests;

/// Rows of `width` elements. Unlike `chunks` it divides by nothing, so it cannot panic whatever the width is.
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
