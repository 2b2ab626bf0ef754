//! Operators on matrices with one row a node.

use super::{at, put};
use crate::error::ShapeError;
use crate::kernels::{NodeDense, Propagate, SparseDense};

/// int8 sums over the neighbours of each node; shapes and numerics at [`Propagate`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn propagate_int8(op: &Propagate<'_>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for node in 0..op.graph.row_count() {
        let neighbours = op.graph.row(node);
        for c in 0..op.channels {
            let codes = (0..neighbours.len()).filter_map(|k| neighbours.get(k)).map(|j| at(x, j * op.channels + c));
            let sum = codes.fold(0_i32, |sum, code| sum.wrapping_add(code.into()));
            let own = at(x, node * op.channels + c);
            let sum = op.gathering.finish(sum, own, op.input_zero_point, neighbours.len());
            put(y, node * op.channels + c, op.scaling.code(op.scaling.factor(node), c, sum));
        }
    }
    Ok(())
}

/// int8 sparse features times dense weights; shapes and numerics at [`SparseDense`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn sparse_dense_int8(op: &SparseDense<'_>, w: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(w.len(), y.len())?;
    for row in 0..op.features.row_count() {
        let columns = op.features.row(row);
        for c in 0..op.channels {
            let mut sum = 0_i32;
            for (k, column) in (0..columns.len()).filter_map(|k| Some((k, columns.get(k)?))) {
                let value = op.row_values(row).get(k).map_or(1, |&value| value.into());
                sum = sum.wrapping_add(i32::from(at(w, column * op.channels + c)) * value);
            }
            put(y, row * op.channels + c, op.scaling.code(op.scaling.factor(row), c, sum));
        }
    }
    Ok(())
}

/// int8 fully connected layer for every row; shapes and numerics at [`NodeDense`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn node_dense_int8(op: &NodeDense<'_>, x: &[i8], w: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), y.len())?;
    for row in 0..op.rows {
        for c in 0..op.channels {
            let mut sum = 0_i32;
            for i in 0..op.inputs {
                let x = i32::from(at(x, row * op.inputs + i)) - op.input_zero_point;
                sum = sum.wrapping_add(x * i32::from(at(w, i * op.channels + c)));
            }
            put(y, row * op.channels + c, op.scaling.code(op.scaling.factor(row), c, sum));
        }
    }
    Ok(())
}
