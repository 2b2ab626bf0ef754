//! Operators on matrices with one row a node: eight channels are summed in one pass over the rows.

use crate::error::ShapeError;
use crate::graph::Index;
use crate::kernels::nodes::{BLOCK, RowOperator, RowSums, compute_row};
use crate::kernels::{NodeDense, Propagate, SparseDense};

/// Sums of rows in registers.
#[derive(Debug, Clone, Copy)]
pub struct NodeSums;

/// `sums += factor * x`
#[inline(always)]
fn add_scaled(sums: &mut [i32; BLOCK], factor: i32, x: &[i8]) {
    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = sum.wrapping_add(factor * i32::from(x)));
}

/// The block of row `row` from channel `first` on. The last row may end before the block does.
#[inline(always)]
fn block(x: &[i8], row: usize, width: usize, first: usize) -> Result<&[i8; BLOCK], &[i8]> {
    let rest = row.checked_mul(width).and_then(|start| x.get(start + first..)).unwrap_or_default();
    rest.first_chunk().ok_or(rest)
}

/// Adds the block of row `row`, `factor` times.
#[inline(always)]
fn add_row(sums: &mut [i32; BLOCK], factor: i32, x: &[i8], row: usize, [width, first]: [usize; 2]) {
    match block(x, row, width, first) {
        Ok(x) => add_scaled(sums, factor, x),
        Err(x) => add_scaled(sums, factor, x),
    }
}

impl RowSums for NodeSums {
    fn sum_rows<I: Index>(columns: &[I], x: &[i8], width: usize, first: usize) -> [i32; BLOCK] {
        let mut sums = [0; BLOCK];
        columns.iter().for_each(|column| add_row(&mut sums, 1, x, column.to_usize(), [width, first]));
        sums
    }

    fn sum_weighted_rows<I: Index>(columns: &[I], values: &[i8], x: &[i8], width: usize, first: usize) -> [i32; BLOCK] {
        let mut sums = [0; BLOCK];
        let values = values.iter().map(|&value| value.into()).chain(core::iter::repeat(1));
        for (column, value) in columns.iter().zip(values) {
            add_row(&mut sums, value, x, column.to_usize(), [width, first]);
        }
        sums
    }

    fn sum_all_rows(values: &[i8], zero_point: i32, x: &[i8], width: usize, first: usize) -> [i32; BLOCK] {
        let mut sums = [0; BLOCK];
        for (row, &value) in values.iter().enumerate() {
            // Behind a ReLU most codes are the zero point.
            let value = i32::from(value) - zero_point;
            if value != 0 {
                add_row(&mut sums, value, x, row, [width, first]);
            }
        }
        sums
    }
}

/// Every row of the first operator of `chain`.
pub(crate) fn compute_rows<S: RowSums>(chain: &[RowOperator<'_>], channels: usize, y: &mut [i8], scratch: &mut [i32]) {
    for (row, y) in y.chunks_mut(channels.max(1)).enumerate() {
        compute_row::<S>(chain, row, y, scratch);
    }
}

/// int8 sums over the neighbours of each node; shapes and numerics at [`Propagate`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn propagate_int8(op: &Propagate<'_>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let chain = [RowOperator::Propagate(*op), RowOperator::Stored { x, width: op.channels }];
    compute_rows::<NodeSums>(&chain, op.channels, y, &mut []);
    Ok(())
}

/// int8 sparse features times dense weights; shapes and numerics at [`SparseDense`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn sparse_dense_int8(op: &SparseDense<'_>, w: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(w.len(), y.len())?;
    compute_rows::<NodeSums>(&[RowOperator::SparseDense(*op, w)], op.channels, y, &mut []);
    Ok(())
}

/// int8 fully connected layer for every row; shapes and numerics at [`NodeDense`].
///
/// # Errors
/// [`ShapeError`] names the operand with the wrong length.
pub fn node_dense_int8(op: &NodeDense<'_>, x: &[i8], w: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), y.len())?;
    let chain = [RowOperator::NodeDense(*op, w), RowOperator::Stored { x, width: op.inputs }];
    compute_rows::<NodeSums>(&chain, op.channels, y, &mut []);
    Ok(())
}
