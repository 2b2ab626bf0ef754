//! Operators on matrices with one row a node.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::nodes::{Attention, LayerWeights, NeighbourWeights, Normalizer, degree_weight, exponential, score};
use crate::kernels::{NodeDense, Propagate, SparseDense, Weighted};

/// int8 sums over the neighbours of each node; shapes and numerics at [`Propagate`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn propagate_int8(op: &Propagate<'_>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for node in 0..op.graph.row_count() {
        for c in 0..op.channels {
            let codes = op.graph.kept_row(op.kept, node).map(|j| at(x, j * op.channels + c));
            let sum = codes.fold(0_i32, |sum, code| sum.wrapping_add(code.into()));
            let own = at(x, node * op.channels + c);
            let sum = op.gathering.finish(sum, own, op.input_zero_point, op.graph.kept_count(op.kept, node));
            put(y, node * op.channels + c, op.scaling.code(op.scaling.of_row(node), c, sum));
        }
    }
    Ok(())
}

/// int8 weighted sums over the neighbours of each node; shapes and numerics at [`Weighted`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn weighted_int8(op: &Weighted<'_>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let distance = |node: usize, c: usize| i32::from(at(x, node * op.channels + c)) - op.input_zero_point;
    for node in 0..op.graph.row_count() {
        let all = || op.graph.kept_row(op.kept, node).chain([node]);
        for c in 0..op.channels {
            let sum = match &op.weights {
                NeighbourWeights::ByDegree(factors) => {
                    let factor = |node| factors.get(op.graph.kept_count(op.kept, node)).copied().unwrap_or(0);
                    let term = |j| degree_weight(factor(node), factor(j)).wrapping_mul(distance(j, c));
                    all().fold(0_i32, |sum, j| sum.wrapping_add(term(j)))
                }
                NeighbourWeights::Attention(attention) => {
                    let score = |j| attention_score(op, attention, c, distance, [node, j]);
                    let largest = all().map(score).max().unwrap_or(0);
                    let weight = |j| exponential(score(j), largest);
                    let normalizer = Normalizer::new(all().fold(0, |sum, j| sum.wrapping_add(weight(j))));
                    let term = |j| normalizer.weight(weight(j)).wrapping_mul(distance(j, c));
                    all().fold(0_i32, |sum, j| sum.wrapping_add(term(j)))
                }
            };
            put(y, node * op.channels + c, op.scaling.code(op.scaling.of_row(node), c, sum));
        }
    }
    Ok(())
}

/// The score of neighbour `j` of node `i` in the head that channel `c` belongs to.
fn attention_score(
    op: &Weighted<'_>,
    attention: &Attention<'_>,
    c: usize,
    distance: impl Fn(usize, usize) -> i32,
    [i, j]: [usize; 2],
) -> i32 {
    let part = op.head_channels().max(1);
    let head = c / part;
    let [source, target] = attention.halves();
    let terms = (head * part..(head + 1) * part).map(|c| {
        let own = i32::from(at(target, c)).wrapping_mul(distance(i, c));
        i32::from(at(source, c)).wrapping_mul(distance(j, c)).wrapping_add(own)
    });
    let sum = terms.fold(0_i32, i32::wrapping_add);
    score(attention.multipliers(head), sum)
}

/// int8 sparse features times dense weights; shapes and numerics at [`SparseDense`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn sparse_dense_int8(op: &SparseDense<'_>, w: &LayerWeights<'_>, y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(w.matrix_len(), y.len())?;
    for row in 0..op.features.row_count() {
        let columns = op.features.row(row);
        for c in 0..op.channels {
            let mut sum = 0_i32;
            for (k, column) in (0..columns.len()).filter_map(|k| Some((k, columns.get(k)?))) {
                let value = op.row_values(row).get(k).map_or(1, |&value| value.into());
                sum = sum.wrapping_add(i32::from(w.weight(column, c, op.channels)) * value);
            }
            put(y, row * op.channels + c, op.scaling.code(op.scaling.of_row(row), c, sum));
        }
    }
    Ok(())
}

/// int8 fully connected layer for every row; shapes and numerics at [`NodeDense`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn node_dense_int8(op: &NodeDense<'_>, x: &[i8], w: &LayerWeights<'_>, y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), w.matrix_len(), y.len())?;
    for row in 0..op.rows {
        for c in 0..op.channels {
            let mut sum = 0_i32;
            for i in 0..op.inputs {
                let x = i32::from(at(x, row * op.inputs + i)) - op.input_zero_point;
                sum = sum.wrapping_add(x * i32::from(w.weight(i, c, op.channels)));
            }
            put(y, row * op.channels + c, op.scaling.code(op.scaling.of_row(row), c, sum));
        }
    }
    Ok(())
}
