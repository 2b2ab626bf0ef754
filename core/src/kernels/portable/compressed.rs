//! Dense layers in compressed rows.

use crate::error::ShapeError;
use crate::kernels::tiles::{CompressedRows, TiledInt8};

/// [`BackEnd::dense_compressed`](crate::kernels::BackEnd::dense_compressed)
pub(crate) fn dense_compressed(
    numerics: &TiledInt8,
    compressed: &CompressedRows<'_>,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    compressed.check_lens(x.len(), y.len(), scratch.len())?;
    let lost = ShapeError::Len { operand: "scratch", expected: compressed.scratch_words(), got: scratch.len() };
    let expanded: &mut [i16] = bytemuck::try_cast_slice_mut(scratch).map_err(|_| lost)?;
    expanded.fill(0);
    for (to, &column) in expanded.iter_mut().zip(compressed.columns()) {
        *to = x.get(column as usize).copied().unwrap_or_default().into();
    }
    for (y, row) in y.iter_mut().zip(compressed.rows()) {
        let acc = row.units().fold(row.start, |acc, (column, [first, second])| {
            let [a, b] = expanded.get(column..).and_then(|x| x.first_chunk()).copied().unwrap_or_default();
            acc.wrapping_add(i32::from(a) * i32::from(first) + i32::from(b) * i32::from(second))
        });
        *y = CompressedRows::finish(numerics, &row, acc);
    }
    Ok(())
}
