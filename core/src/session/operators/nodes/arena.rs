//! The arena while an operator over nodes runs: what it writes, and everything else to read from.

use crate::error::OperatorError;
use crate::format::{Shared, Step};

/// The place of the working memory of `step`; one that is empty may lie anywhere.
fn scratch_span(step: &Step<'_>) -> (usize, usize) {
    let (start, bytes) = (step.record.scratch_offset as usize, step.record.scratch_bytes as usize);
    if bytes == 0 { (0, 0) } else { (start, start.saturating_add(bytes)) }
}

/// The output of `step`, its working memory, and the rest.
pub(super) fn split<'a>(
    step: &Step<'_>,
    arena: &'a mut [u8],
) -> Result<(&'a mut [u8], &'a mut [i32], Shared<'a>), OperatorError> {
    let (output, scratch) = (step.output()?.span(), scratch_span(step));
    let output_first = output < scratch;
    let (first, second) = if output_first { (output, scratch) } else { (scratch, output) };
    let lost = OperatorError::Missing { operand: usize::MAX };
    let part = |arena: &'a mut [u8], len: Option<usize>| arena.split_at_mut_checked(len.ok_or(lost)?).ok_or(lost);
    let (before, rest) = part(arena, Some(first.0))?;
    let (a, rest) = part(rest, first.1.checked_sub(first.0))?;
    let (between, rest) = part(rest, second.0.checked_sub(first.1))?;
    let (b, behind) = part(rest, second.1.checked_sub(second.0))?;
    let (y, scratch) = if output_first { (a, b) } else { (b, a) };
    Ok((y, elements(scratch), Shared([(0, before), (first.1, between), (second.1, behind)])))
}

/// Bytes as elements, none where they are not aligned.
pub(super) fn elements<T: bytemuck::Pod>(bytes: &mut [u8]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(bytes).unwrap_or_default()
}
