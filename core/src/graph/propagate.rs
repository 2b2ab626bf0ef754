//! Sums over the neighbours of a node, in floats: the definitions of every graph operator (specs/sparse_and_graph.md §7).
//!
//! `y: [rows, channels]` in row-major order; each rule is the shortest correct loop. Sums run over the neighbours in
//! their order in the row, the node itself last.

use super::{Csr, Index, check_len};
use crate::error::GraphError;
use crate::real::Real;

/// The degree that GCN normalises by: the neighbours, and the node itself once.
#[inline]
pub fn gcn_degree<I: Index>(node: usize, neighbours: &[I]) -> usize {
    let others = neighbours.iter().filter(|neighbour| neighbour.to_usize() != node).count();
    others + 1
}

/// `1 / √degree` of every node: the factors of GCN's normalisation.
///
/// # Shapes
/// `factors: [nodes]`
/// # Errors
/// [`GraphError`] when the graph is not square or a length does not fit.
pub fn gcn_factors<O: Index, I: Index, T: Real>(graph: &Csr<'_, O, I>, factors: &mut [T]) -> Result<(), GraphError> {
    graph.check_square()?;
    check_len("factors", graph.row_count(), factors.len())?;
    for ((node, neighbours), factor) in graph.rows().enumerate().zip(factors) {
        *factor = T::ONE / T::from_f64(gcn_degree(node, neighbours) as f64).sqrt();
    }
    Ok(())
}

/// `y = D^-1/2 (A + I) D^-1/2 x`: each node with weight 1 to itself, whether or not the graph has that self loop.
///
/// # Shapes
/// `x, y: [nodes, channels]` · `factors: [nodes]` from [`gcn_factors`]
/// # Errors
/// [`GraphError`]; `y` is untouched then.
pub fn gcn<O: Index, I: Index, T: Real>(
    graph: &Csr<'_, O, I>,
    factors: &[T],
    x: &[T],
    y: &mut [T],
) -> Result<(), GraphError> {
    let channels = channels(graph, x, y)?;
    check_len("factors", graph.row_count(), factors.len())?;
    let factor_of = |node: usize| factors.get(node).copied().unwrap_or(T::ZERO);
    for ((node, neighbours), y) in graph.rows().enumerate().zip(y.chunks_mut(channels.max(1))) {
        y.fill(T::ZERO);
        let others = neighbours.iter().map(|neighbour| neighbour.to_usize()).filter(|other| *other != node);
        for other in others.chain([node]) {
            add_scaled(factor_of(other), row(x, other, channels), y);
        }
        scale(factor_of(node), y);
    }
    Ok(())
}

/// `y_i = (1 + eps) x_i + Σ_j x_j`, the sum of GIN; a self loop of the graph counts as a neighbour.
///
/// # Shapes
/// `x, y: [nodes, channels]`
/// # Errors
/// [`GraphError`]; `y` is untouched then.
pub fn sum<O: Index, I: Index, T: Real>(graph: &Csr<'_, O, I>, eps: T, x: &[T], y: &mut [T]) -> Result<(), GraphError> {
    let channels = channels(graph, x, y)?;
    for ((node, neighbours), y) in graph.rows().enumerate().zip(y.chunks_mut(channels.max(1))) {
        y.fill(T::ZERO);
        for neighbour in neighbours {
            add_scaled(T::ONE, row(x, neighbour.to_usize(), channels), y);
        }
        add_scaled(T::ONE + eps, row(x, node, channels), y);
    }
    Ok(())
}

/// `y_i = (1 / d_i) Σ_j x_j`, the mean of SAGE; 0 for a node without neighbours.
///
/// # Shapes
/// `x, y: [nodes, channels]`
/// # Errors
/// [`GraphError`]; `y` is untouched then.
pub fn mean<O: Index, I: Index, T: Real>(graph: &Csr<'_, O, I>, x: &[T], y: &mut [T]) -> Result<(), GraphError> {
    let channels = channels(graph, x, y)?;
    for (neighbours, y) in graph.rows().zip(y.chunks_mut(channels.max(1))) {
        y.fill(T::ZERO);
        for neighbour in neighbours {
            add_scaled(T::ONE, row(x, neighbour.to_usize(), channels), y);
        }
        if !neighbours.is_empty() {
            scale(T::ONE / T::from_f64(neighbours.len() as f64), y);
        }
    }
    Ok(())
}

/// GAT's parameters: the vectors that score edges.
#[derive(Debug, Clone, Copy)]
pub struct AttentionVectors<'a, T> {
    /// Heads, each with `channels / heads` channels of its own.
    pub heads: usize,
    /// Slope of the leaky ReLU on the negative side.
    pub slope: T,
    /// `[channels]`: scores a node as a neighbour.
    pub source: &'a [T],
    /// `[channels]`: scores the node that gathers.
    pub target: &'a [T],
}

/// GAT: for each head, `y_i = Σ_j α_ij x_j` over the neighbours and the node itself, with
/// `α_ij = softmax_j(leaky_relu(⟨source, x_j⟩ + ⟨target, x_i⟩))`.
///
/// # Shapes
/// `x, y: [nodes, channels]`
/// # Errors
/// [`GraphError`]; `y` is untouched then.
pub fn attention<O: Index, I: Index, T: Real>(
    graph: &Csr<'_, O, I>,
    by: &AttentionVectors<'_, T>,
    x: &[T],
    y: &mut [T],
) -> Result<(), GraphError> {
    let channels = channels(graph, x, y)?;
    check_len("source", channels, by.source.len())?;
    check_len("target", channels, by.target.len())?;
    let width = channels.checked_div(by.heads).filter(|width| width * by.heads == channels && *width > 0);
    let width = width.ok_or(GraphError::Heads { heads: by.heads, channels })?;
    for ((node, neighbours), y) in graph.rows().enumerate().zip(y.chunks_mut(channels.max(1))) {
        let own = row(x, node, channels);
        let others = neighbours.iter().map(|neighbour| neighbour.to_usize()).filter(|other| *other != node);
        for (head, y) in y.chunks_mut(width.max(1)).enumerate() {
            let target = dot(row(by.target, head, width), row(own, head, width));
            let of = |other: usize| row(row(x, other, channels), head, width);
            let score = |other: usize| {
                let sum = dot(row(by.source, head, width), of(other)) + target;
                if sum > T::ZERO { sum } else { by.slope * sum }
            };
            let all = || others.clone().chain([node]);
            let largest = all().map(score).fold(-T::INFINITY, Real::max);
            let mut total = T::ZERO;
            y.fill(T::ZERO);
            for other in all() {
                let weight = (score(other) - largest).exp();
                total = total + weight;
                add_scaled(weight, of(other), y);
            }
            scale(T::ONE / total, y);
        }
    }
    Ok(())
}

/// `y = F w`: sparse rows times a dense matrix.
///
/// # Shapes
/// `features: [rows, inputs]` · `values`: one for each entry of `features`, `None` where all are 1 · `w: [inputs, channels]` ·
/// `y: [rows, channels]`
/// # Errors
/// [`GraphError`]; `y` is untouched then.
pub fn sparse_dense<O: Index, I: Index, T: Real>(
    features: &Csr<'_, O, I>,
    values: Option<&[T]>,
    w: &[T],
    y: &mut [T],
) -> Result<(), GraphError> {
    let channels = y.len().checked_div(features.row_count()).unwrap_or(0).max(1);
    check_len("y", channels * features.row_count(), y.len())?;
    check_len("w", features.column_count() * channels, w.len())?;
    if let Some(values) = values {
        check_len("values", features.entry_count(), values.len())?;
    }
    let mut values = values.unwrap_or_default().iter();
    for (columns, y) in features.rows().zip(y.chunks_mut(channels.max(1))) {
        y.fill(T::ZERO);
        for column in columns {
            let value = values.next().copied().unwrap_or(T::ONE);
            add_scaled(value, row(w, column.to_usize(), channels), y);
        }
    }
    Ok(())
}

/// Channels of `x` and `y`, at least 1; checks that both fit the graph.
fn channels<O: Index, I: Index, T>(graph: &Csr<'_, O, I>, x: &[T], y: &[T]) -> Result<usize, GraphError> {
    graph.check_square()?;
    let channels = y.len().checked_div(graph.row_count()).unwrap_or(0).max(1);
    check_len("y", channels * graph.row_count(), y.len())?;
    check_len("x", y.len(), x.len())?;
    Ok(channels)
}

fn row<T>(x: &[T], row: usize, channels: usize) -> &[T] {
    x.get(row * channels..(row + 1) * channels).unwrap_or_default()
}

#[inline]
fn add_scaled<T: Real>(factor: T, x: &[T], y: &mut [T]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = *y + factor * *x;
    }
}

#[inline]
fn scale<T: Real>(factor: T, y: &mut [T]) {
    for y in y {
        *y = factor * *y;
    }
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).fold(T::ZERO, |sum, (a, b)| sum + *a * *b)
}
