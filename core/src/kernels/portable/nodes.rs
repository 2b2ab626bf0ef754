//! Operators on matrices with one row a node: a block of channels is summed in one pass over the rows.

use crate::graph::Index;
use crate::kernels::nodes::{Block, Columns, CompressedWeights, Sums};

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

/// [`InnerLoops::sum_rows`](crate::kernels::InnerLoops::sum_rows)
pub(crate) fn sum_rows(columns: Columns<'_>, own: Option<usize>, x: &[i8], at: Block, sums: &mut Sums) {
    each_part(at, sums, |sums, at| {
        own.into_iter().for_each(|own| add_row(sums, 1, x, own, at));
        for_each_column!(columns, column => add_row(sums, 1, x, column, at));
    });
}

/// [`InnerLoops::sum_weighted_rows`](crate::kernels::InnerLoops::sum_weighted_rows)
pub(crate) fn sum_weighted_rows(columns: Columns<'_>, values: &[i8], x: &[i8], at: Block, sums: &mut Sums) {
    each_part(at, sums, |sums, at| {
        let mut values = values.iter();
        for_each_column!(columns, column => {
            let value = values.next().map_or(1, |&value| value.into());
            add_row(sums, value, x, column, at);
        });
    });
}

/// [`InnerLoops::sum_all_rows`](crate::kernels::InnerLoops::sum_all_rows)
pub(crate) fn sum_all_rows(values: &[i8], zero_point: i32, x: &[i8], at: Block, sums: &mut Sums) {
    each_part(at, sums, |sums, at| {
        for (row, &value) in values.iter().enumerate() {
            // After a ReLU most codes are the zero point.
            let value = i32::from(value) - zero_point;
            if value != 0 {
                add_row(sums, value, x, row, at);
            }
        }
    });
}

/// [`InnerLoops::sum_compressed_rows`](crate::kernels::InnerLoops::sum_compressed_rows)
pub(crate) fn sum_compressed_rows(
    columns: Columns<'_>,
    values: &[i8],
    w: &CompressedWeights<'_>,
    first: usize,
    sums: &mut Sums,
) {
    sums.fill(0);
    let mut values = values.iter();
    for column in (0..columns.len()).filter_map(|at| columns.get(at)) {
        let value = values.next().map_or(1, |&value| value.into());
        w.add_row(sums, value, column, first);
    }
}

/// [`InnerLoops::sum_all_compressed`](crate::kernels::InnerLoops::sum_all_compressed)
pub(crate) fn sum_all_compressed(
    values: &[i8],
    zero_point: i32,
    w: &CompressedWeights<'_>,
    first: usize,
    sums: &mut Sums,
) {
    sums.fill(0);
    for (row, &value) in values.iter().enumerate() {
        // After a ReLU most codes are the zero point.
        let value = i32::from(value) - zero_point;
        if value != 0 {
            w.add_row(sums, value, row, first);
        }
    }
}
