//! Splitting the arena into one output and its inputs without aliasing.

use crate::error::OperatorError;
use crate::format::{Element, Place, Step, TensorRecord};
use crate::kernels::tiles::Activations;
use bytemuck::Pod;

/// The operands of one step as slices.
pub(crate) struct Operands<'a, T, const INPUTS: usize> {
    /// The inputs; the one that lies in the output's memory is empty.
    pub(crate) inputs: [&'a [T]; INPUTS],
    /// The output.
    pub(crate) output: &'a mut [T],
    /// Which input lies in the output's memory, if one does.
    pub(crate) in_place: Option<usize>,
}

/// The first `INPUTS` operands and the output of `step`, all of type `T`.
pub(crate) fn operands<'a, T: Pod, const INPUTS: usize>(
    step: &Step<'a>,
    arena: &'a mut [u8],
) -> Result<Operands<'a, T, INPUTS>, OperatorError> {
    operands_from(step, arena, 0)
}

/// `INPUTS` operands from number `first` on and the output of `step`, all of type `T`; any type can be read as bytes.
pub(crate) fn operands_from<'a, T: Pod, const INPUTS: usize>(
    step: &Step<'a>,
    arena: &'a mut [u8],
    first: usize,
) -> Result<Operands<'a, T, INPUTS>, OperatorError> {
    let lost = OperatorError::Missing { operand: usize::MAX };
    let output = step.output()?.span();
    let (left, rest) = arena.split_at_mut_checked(output.0).ok_or(lost)?;
    let (bytes, right) = rest.split_at_mut_checked(output.1.saturating_sub(output.0)).ok_or(lost)?;
    let (left, right): (&'a [u8], &'a [u8]) = (left, right);
    let mut inputs: [&'a [T]; INPUTS] = [&[]; INPUTS];
    let mut in_place = None;
    for (index, slot) in (first..).zip(inputs.iter_mut()) {
        let tensor = step.input(index)?;
        let (start, end) = tensor.span();
        let source = match tensor.location() {
            Some(Place::Data) => step.model.constant(&tensor),
            _ if (start, end) == output => {
                in_place = Some(index);
                continue;
            }
            _ if end <= output.0 => left.get(start..end),
            _ => start.checked_sub(output.1).and_then(|from| right.get(from..end - output.1)),
        };
        let missing = OperatorError::Missing { operand: index };
        *slot = bytemuck::try_cast_slice(source.ok_or(missing)?).map_err(|_| missing)?;
    }
    let output = bytemuck::try_cast_slice_mut(bytes).map_err(|_| lost)?;
    Ok(Operands { inputs, output, in_place })
}

/// Operand 0 and the output of `step`, which share no memory and may have different element types.
pub(crate) fn conversion<'a, X: Element, Y: Element>(
    step: &Step<'a>,
    arena: &'a mut [u8],
) -> Result<(&'a [X], &'a mut [Y]), OperatorError> {
    let Operands::<'a, u8, 1> { inputs: [x], output, .. } = operands(step, arena)?;
    let missing = |operand| move |_| OperatorError::Missing { operand };
    let x = bytemuck::try_cast_slice(x).map_err(missing(0))?;
    Ok((x, bytemuck::try_cast_slice_mut(output).map_err(missing(usize::MAX))?))
}

/// Sizes of the axes of `tensor`, the last at the end and 1 in front.
pub(crate) fn axes(tensor: &TensorRecord) -> [usize; 4] {
    // Axis by axis: a loop over both slices would be made a call of `memcpy`, which takes 0.9 KB.
    let shape = tensor.shape();
    let in_front = 4_usize.saturating_sub(shape.len());
    let size = |axis: usize| axis.checked_sub(in_front).and_then(|axis| shape.get(axis));
    core::array::from_fn(|axis| size(axis).map_or(1, |&size| size as usize))
}

/// Operand 0, the output and the scratch memory of a tiled operator; the first two may overlap.
pub(crate) fn tiled_operands<'a>(
    step: &Step<'_>,
    arena: &'a mut [u8],
) -> Result<(Activations<'a>, &'a mut [i32]), OperatorError> {
    let lost = OperatorError::Missing { operand: usize::MAX };
    let (x, y) = (step.input(0)?.span(), step.output()?.span());
    // Scratch memory that is empty may lie anywhere.
    let scratch_bytes = step.record.scratch_bytes as usize;
    let scratch_start = if scratch_bytes == 0 { 0 } else { step.record.scratch_offset as usize };
    let (before, rest) = arena.split_at_mut_checked(scratch_start).ok_or(lost)?;
    let (scratch, behind) = rest.split_at_mut_checked(scratch_bytes).ok_or(lost)?;
    let scratch = bytemuck::try_cast_slice_mut(scratch).map_err(|_| lost)?;
    let before: &mut [i8] = bytemuck::try_cast_slice_mut(before).map_err(|_| lost)?;
    let behind: &mut [i8] = bytemuck::try_cast_slice_mut(behind).map_err(|_| lost)?;
    let end = scratch_start + scratch_bytes;
    let inside = |(from, to): (usize, usize)| (from.wrapping_sub(end), to.wrapping_sub(end));
    let memory = match (x.1 <= scratch_start, y.1 <= scratch_start) {
        (true, true) => Activations::Shared { memory: before, x: x.0, y: y.0 },
        (false, false) => Activations::Shared { memory: behind, x: inside(x).0, y: inside(y).0 },
        (true, false) => Activations::Apart {
            x: before.get(x.0..).ok_or(lost)?,
            y: behind.get_mut(inside(y).0..inside(y).1).ok_or(lost)?,
        },
        (false, true) => {
            Activations::Apart { x: behind.get(inside(x).0..).ok_or(lost)?, y: before.get_mut(y.0..y.1).ok_or(lost)? }
        }
    };
    Ok((memory, scratch))
}

/// Operand `index` as an activation of type `T`, with its record.
pub(crate) fn activation<T: Element>(step: &Step<'_>, index: usize) -> Result<TensorRecord, OperatorError> {
    let tensor = step.input(index)?;
    expect_type::<T>(&tensor, index)?;
    Ok(tensor)
}

/// The output as an activation of type `T`.
pub(crate) fn output<T: Element>(step: &Step<'_>) -> Result<TensorRecord, OperatorError> {
    let tensor = step.output()?;
    expect_type::<T>(&tensor, usize::MAX)?;
    Ok(tensor)
}

fn expect_type<T: Element>(tensor: &TensorRecord, operand: usize) -> Result<(), OperatorError> {
    if tensor.element() == Some(T::DTYPE) {
        Ok(())
    } else {
        Err(OperatorError::Activation { operand, expected: T::DTYPE.name() })
    }
}

/// Rows, columns and channels of an activation of rank 3.
pub(crate) fn image(tensor: &TensorRecord, operand: usize) -> Result<([usize; 2], usize), OperatorError> {
    if tensor.rank == 3 {
        Ok(([tensor.dim(0), tensor.dim(1)], tensor.dim(2)))
    } else {
        Err(OperatorError::Activation { operand, expected: "[rows, columns, channels]" })
    }
}

/// The window over operand 0, an image, and its channels: that of a tiled convolution, or that of a pooling.
#[inline(never)]
pub(crate) fn windowed(step: &Step<'_>, tiled: bool) -> Result<(crate::shape::Window, usize), OperatorError> {
    let (input, channels) = image(&step.input(0)?, 0)?;
    let (kernel, dilation) =
        if tiled { (step.tiled_kernel_size()?, step.dilation()?) } else { (step.kernel_size()?, [1, 1]) };
    Ok((step.window(input, kernel, dilation)?, channels))
}

/// Checks that the output has the shape that the operator computes.
pub(crate) fn expect_output_image(
    step: &Step<'_>,
    window: &crate::shape::Window,
    channels: usize,
) -> Result<(), OperatorError> {
    let tensor = step.output()?;
    let ([rows, columns], got) = image(&tensor, usize::MAX)?;
    crate::shape::expect_len("output rows", window.y.output(), rows)?;
    crate::shape::expect_len("output columns", window.x.output(), columns)?;
    crate::shape::expect_len("output channels", channels, got)?;
    Ok(())
}
