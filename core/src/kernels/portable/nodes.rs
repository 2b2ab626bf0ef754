//! Operators on matrices with one row a node: a block of channels is summed in one pass over the rows.

use crate::error::ShapeError;
use crate::graph::Index;
use crate::kernels::nodes::{BLOCK, Block, Columns, LayerWeights, Link, RowOperator, RowSums, Sums, compute_row_with};
use crate::kernels::{NodeDense, Propagate, SparseDense, Weighted};
use crate::shape::expect_len;

/// Sums of rows in registers.
#[derive(Debug, Clone, Copy)]
pub struct NodeSums;

/// Channels whose sums are held in registers.
const LANES: usize = 8;

/// `sums += factor * x`
#[inline(always)]
fn add_scaled(sums: &mut [i32], factor: i32, x: &[i8]) {
    sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = sum.wrapping_add(factor * i32::from(x)));
}

/// Adds the rest of row `row` from channel `first` on, `factor` times.
#[inline(always)]
pub(crate) fn add_row(sums: &mut [i32], factor: i32, x: &[i8], row: usize, at: Block) {
    let Some(rest) = row.checked_mul(at.width).and_then(|start| x.get(start + at.first..)) else { return };
    match (sums.len(), rest.first_chunk::<LANES>()) {
        (LANES, Some(x)) => add_scaled(sums, factor, x),
        // Other lengths, and the last row, which may end before the block does.
        _ => add_scaled(sums, factor, rest),
    }
}

/// A block of sums, a few channels at a time as far as the rows have them.
#[inline(always)]
fn each_part(at: Block, sums: &mut Sums, mut part: impl FnMut(&mut [i32; LANES], Block)) {
    sums.fill(0);
    let mut at = at;
    for part_of_sums in sums.as_chunks_mut::<LANES>().0 {
        if at.first >= at.width {
            break;
        }
        part(part_of_sums, at);
        at.first += LANES;
    }
}

/// Calls `visit` with every column.
macro_rules! for_each_column {
    ($columns:expr, $column:pat => $visit:expr) => {
        match $columns {
            Columns::Narrow(columns) => columns.iter().map(|column| column.to_usize()).for_each(|$column| $visit),
            Columns::Wide(columns) => columns.iter().map(|column| column.to_usize()).for_each(|$column| $visit),
        }
    };
}

impl RowSums for NodeSums {
    fn sum_rows(columns: Columns<'_>, own: Option<usize>, x: &[i8], at: Block, sums: &mut Sums) {
        each_part(at, sums, |sums, at| {
            own.into_iter().for_each(|own| add_row(sums, 1, x, own, at));
            for_each_column!(columns, column => add_row(sums, 1, x, column, at));
        });
    }

    fn sum_weighted_rows(columns: Columns<'_>, values: &[i8], x: &[i8], at: Block, sums: &mut Sums) {
        each_part(at, sums, |sums, at| {
            let mut values = values.iter();
            for_each_column!(columns, column => {
                let value = values.next().map_or(1, |&value| value.into());
                add_row(sums, value, x, column, at);
            });
        });
    }

    fn sum_all_rows(values: &[i8], zero_point: i32, x: &[i8], at: Block, sums: &mut Sums) {
        each_part(at, sums, |sums, at| {
            for (row, &value) in values.iter().enumerate() {
                // Behind a ReLU most codes are the zero point.
                let value = i32::from(value) - zero_point;
                if value != 0 {
                    add_row(sums, value, x, row, at);
                }
            }
        });
    }
}

/// Every row of the first operator of `chain`.
pub(crate) fn compute_rows(chain: &[Link<'_>], channels: usize, y: &mut [i8], scratch: &mut [i32]) {
    let mut block = [0; BLOCK];
    for (row, y) in y.chunks_mut(channels.max(1)).enumerate() {
        compute_row_with(chain, row, y, scratch, &mut block);
    }
}

/// The whole matrices of one back end.
macro_rules! whole_matrices {
    ($sums:ident) => {
        /// int8 sums over the neighbours of each node; shapes and numerics at [`Propagate`].
        ///
        /// # Errors
        /// [`ShapeError`] names the operand with the wrong length.
        pub fn propagate_int8(op: &Propagate<'_>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
            op.check(x.len(), y.len())?;
            let chain = [Link::propagate::<$sums>(*op), Link::stored(x, op.channels)];
            compute_rows(&chain, op.channels, y, &mut []);
            Ok(())
        }

        /// int8 weighted sums over the neighbours of each node; shapes and numerics at [`Weighted`].
        ///
        /// # Shapes
        /// `scratch: [op.scratch_words()]`
        /// # Errors
        /// [`ShapeError`] names the operand with the wrong length.
        pub fn weighted_int8(op: &Weighted<'_>, x: &[i8], y: &mut [i8], scratch: &mut [i32]) -> Result<(), ShapeError> {
            op.check(x.len(), y.len())?;
            expect_len("scratch", op.scratch_words(), scratch.len())?;
            let chain = [Link::new::<$sums>(RowOperator::Weighted(*op)), Link::stored(x, op.channels)];
            compute_rows(&chain, op.channels, y, scratch);
            Ok(())
        }

        /// int8 sparse features times dense weights; shapes and numerics at [`SparseDense`].
        ///
        /// # Errors
        /// [`ShapeError`] names the operand with the wrong length.
        pub fn sparse_dense_int8(op: &SparseDense<'_>, w: &LayerWeights<'_>, y: &mut [i8]) -> Result<(), ShapeError> {
            op.check(w.matrix_len(), y.len())?;
            compute_rows(&[Link::new::<$sums>(RowOperator::SparseDense(*op, *w))], op.channels, y, &mut []);
            Ok(())
        }

        /// int8 fully connected layer for every row; shapes and numerics at [`NodeDense`].
        ///
        /// # Errors
        /// [`ShapeError`] names the operand with the wrong length.
        pub fn node_dense_int8(
            op: &NodeDense<'_>,
            x: &[i8],
            w: &LayerWeights<'_>,
            y: &mut [i8],
        ) -> Result<(), ShapeError> {
            op.check(x.len(), w.matrix_len(), y.len())?;
            let chain = [Link::new::<$sums>(RowOperator::NodeDense(*op, *w)), Link::stored(x, op.inputs)];
            compute_rows(&chain, op.channels, y, &mut []);
            Ok(())
        }
    };
}

#[cfg(arm_dsp)]
pub(crate) use whole_matrices;
whole_matrices!(NodeSums);
