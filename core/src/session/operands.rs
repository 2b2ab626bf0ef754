//! Splitting the arena into one output and its inputs without aliasing.

use crate::error::OperatorError;
use crate::format::{Element, Place, Step, TensorRecord};

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
pub(crate) fn operands<'a, T: Element, const INPUTS: usize>(
    step: &Step<'a>,
    arena: &'a mut [u8],
) -> Result<Operands<'a, T, INPUTS>, OperatorError> {
    let lost = OperatorError::Missing { operand: usize::MAX };
    let output = step.output()?.span();
    let (left, rest) = arena.split_at_mut_checked(output.0).ok_or(lost)?;
    let (bytes, right) = rest.split_at_mut_checked(output.1.saturating_sub(output.0)).ok_or(lost)?;
    let (left, right): (&'a [u8], &'a [u8]) = (left, right);
    let mut inputs: [&'a [T]; INPUTS] = [&[]; INPUTS];
    let mut in_place = None;
    for (index, slot) in inputs.iter_mut().enumerate() {
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
    let Operands::<'a, i8, 1> { inputs: [x], output, .. } = operands(step, arena)?;
    let missing = |operand| move |_| OperatorError::Missing { operand };
    let x = bytemuck::try_cast_slice(x).map_err(missing(0))?;
    Ok((x, bytemuck::try_cast_slice_mut(output).map_err(missing(usize::MAX))?))
}

/// Sizes of the axes of `tensor`, the last at the end and 1 in front.
pub(crate) fn axes(tensor: &TensorRecord) -> [usize; 4] {
    let mut axes = [1; 4];
    axes.iter_mut().rev().zip(tensor.shape().iter().rev()).for_each(|(axis, &size)| *axis = size as usize);
    axes
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
