//! The arena while an operator runs: its output and its inputs as slices that share nothing.

use crate::error::{Operand, OperatorError};
use crate::format::{Element, Place, Shared, Step, TensorRecord};
use crate::kernels::tiles::Activations;
use bytemuck::Pod;

const LOST: OperatorError = OperatorError::Missing { operand: Operand::Output };

/// The operands of one step as slices.
pub(super) struct Operands<'a, T, const INPUTS: usize> {
    /// The inputs; the one that lies in the output's memory is empty.
    pub(super) inputs: [&'a [T]; INPUTS],
    /// The output.
    pub(super) output: &'a mut [T],
    /// Which input lies in the output's memory, if one does.
    pub(super) in_place: Option<usize>,
}

/// The first `INPUTS` operands and the output of `step`, all of type `T`.
pub(super) fn operands<'a, T: Pod, const INPUTS: usize>(
    step: &Step<'a>,
    arena: &'a mut [u8],
) -> Result<Operands<'a, T, INPUTS>, OperatorError> {
    operands_from(step, arena, 0)
}

/// `INPUTS` operands from number `first` on and the output of `step`, all of type `T`; any type can be read as bytes.
pub(super) fn operands_from<'a, T: Pod, const INPUTS: usize>(
    step: &Step<'a>,
    arena: &'a mut [u8],
    first: usize,
) -> Result<Operands<'a, T, INPUTS>, OperatorError> {
    let output = step.output()?.span();
    let (left, rest) = arena.split_at_mut_checked(output.0).ok_or(LOST)?;
    let (bytes, right) = rest.split_at_mut_checked(output.1.saturating_sub(output.0)).ok_or(LOST)?;
    let (left, right): (&'a [u8], &'a [u8]) = (left, right);
    let mut inputs: [&'a [T]; INPUTS] = [&[]; INPUTS];
    let mut in_place = None;
    for (index, slot) in (first..).zip(inputs.iter_mut()) {
        let tensor = step.input(index)?;
        let (start, end) = tensor.span();
        let source = if tensor.is_in(Place::Data) {
            step.model.constant(tensor)
        } else if (start, end) == output {
            in_place = Some(index);
            continue;
        } else if end <= output.0 {
            left.get(start..end)
        } else {
            start.checked_sub(output.1).and_then(|from| right.get(from..end - output.1))
        };
        let missing = OperatorError::Missing { operand: Operand::Input(index) };
        *slot = bytemuck::try_cast_slice(source.ok_or(missing)?).map_err(|_| missing)?;
    }
    let output = bytemuck::try_cast_slice_mut(bytes).map_err(|_| LOST)?;
    Ok(Operands { inputs, output, in_place })
}

/// Operand 0 and the output of `step`, which share no memory and may have different element types.
pub(super) fn conversion<'a, X: Element, Y: Element>(
    step: &Step<'a>,
    arena: &'a mut [u8],
) -> Result<(&'a [X], &'a mut [Y]), OperatorError> {
    let Operands::<'a, u8, 1> { inputs: [x], output, .. } = operands(step, arena)?;
    let missing = |operand| move |_| OperatorError::Missing { operand };
    let x = bytemuck::try_cast_slice(x).map_err(missing(Operand::Input(0)))?;
    Ok((x, bytemuck::try_cast_slice_mut(output).map_err(missing(Operand::Output))?))
}

/// Operand 0, the output and the scratch memory of an operator with packed weights; the first two may overlap.
pub(super) fn packed<'a>(
    step: &Step<'_>,
    arena: &'a mut [u8],
) -> Result<(Activations<'a>, &'a mut [i32]), OperatorError> {
    let (x, y) = (step.input(0)?.span(), step.output()?.span());
    let (scratch_start, scratch_end) = step.record.scratch();
    let (before, rest) = arena.split_at_mut_checked(scratch_start).ok_or(LOST)?;
    let (scratch, after) = rest.split_at_mut_checked(scratch_end - scratch_start).ok_or(LOST)?;
    let scratch = bytemuck::try_cast_slice_mut(scratch).map_err(|_| LOST)?;
    let before: &mut [i8] = bytemuck::try_cast_slice_mut(before).map_err(|_| LOST)?;
    let after: &mut [i8] = bytemuck::try_cast_slice_mut(after).map_err(|_| LOST)?;
    let inside = |(from, to): (usize, usize)| (from.wrapping_sub(scratch_end), to.wrapping_sub(scratch_end));
    let memory = match (x.1 <= scratch_start, y.1 <= scratch_start) {
        (true, true) => Activations::Shared { memory: before, x: x.0, y: y.0 },
        (false, false) => Activations::Shared { memory: after, x: inside(x).0, y: inside(y).0 },
        (true, false) => Activations::Apart {
            x: before.get(x.0..).ok_or(LOST)?,
            y: after.get_mut(inside(y).0..inside(y).1).ok_or(LOST)?,
        },
        (false, true) => {
            Activations::Apart { x: after.get(inside(x).0..).ok_or(LOST)?, y: before.get_mut(y.0..y.1).ok_or(LOST)? }
        }
    };
    Ok((memory, scratch))
}

/// The output of `step` as bytes, its working memory, and what it may read.
pub(super) fn split<'a>(
    step: &Step<'_>,
    arena: &'a mut [u8],
) -> Result<(&'a mut [u8], &'a mut [i32], Shared<'a>), OperatorError> {
    let (output, scratch) = (step.output()?.span(), step.record.scratch());
    let output_first = output < scratch;
    let (first, second) = if output_first { (output, scratch) } else { (scratch, output) };
    let part = |arena: &'a mut [u8], len: Option<usize>| arena.split_at_mut_checked(len.ok_or(LOST)?).ok_or(LOST);
    let (before, rest) = part(arena, Some(first.0))?;
    let (a, rest) = part(rest, first.1.checked_sub(first.0))?;
    let (between, rest) = part(rest, second.0.checked_sub(first.1))?;
    let (b, after) = part(rest, second.1.checked_sub(second.0))?;
    let (y, scratch) = if output_first { (a, b) } else { (b, a) };
    Ok((y, elements(scratch), Shared([(0, before), (first.1, between), (second.1, after)])))
}

/// Bytes as elements, none where they are not aligned.
pub(super) fn elements<T: Pod>(bytes: &mut [u8]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(bytes).unwrap_or_default()
}

/// Sizes of the axes of `tensor`, the last at the end and 1 in front.
pub(super) fn axes(tensor: &TensorRecord) -> [usize; 4] {
    // Axis by axis: a loop over both slices would be made a call of `memcpy`, which takes 0.9 KB.
    let shape = tensor.shape();
    let in_front = 4_usize.saturating_sub(shape.len());
    let size = |axis: usize| axis.checked_sub(in_front).and_then(|axis| shape.get(axis));
    core::array::from_fn(|axis| size(axis).map_or(1, |&size| size as usize))
}

/// Rows, columns and channels of an activation of rank 3.
pub(super) fn image(tensor: &TensorRecord, operand: Operand) -> Result<([usize; 2], usize), OperatorError> {
    if tensor.rank == 3 {
        Ok(([tensor.dim(0), tensor.dim(1)], tensor.dim(2)))
    } else {
        Err(OperatorError::Activation { operand, expected: "[rows, columns, channels]" })
    }
}

/// Operand 0 as an image.
pub(super) fn input_image(step: &Step<'_>) -> Result<([usize; 2], usize), OperatorError> {
    image(step.input(0)?, Operand::Input(0))
}

/// The output as an image.
pub(super) fn output_image(step: &Step<'_>) -> Result<([usize; 2], usize), OperatorError> {
    image(step.output()?, Operand::Output)
}

/// Checks that the output has the shape that the operator computes.
pub(super) fn check_output_image(
    step: &Step<'_>,
    window: &crate::shape::Window,
    channels: usize,
) -> Result<(), OperatorError> {
    let ([rows, columns], got) = output_image(step)?;
    crate::shape::expect_len("output rows", window.y.output(), rows)?;
    crate::shape::expect_len("output columns", window.x.output(), columns)?;
    crate::shape::expect_len("output channels", channels, got)?;
    Ok(())
}
