//! Operators that move elements without computing: one copy for every element type, told apart by its size.

use super::super::operands::{Operands, image, operands, operands_from};
use super::elementwise::check_elementwise;
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, Element, NONE, OpCode, Operator, Overlap, Step, TensorRecord, param};
use crate::kernels::{AXES, Grid, Interpolate, Resize, StridedCopy};
use crate::kernels::{BackEnd as _, Best};
use crate::shape::expect_len;

operator!(/// int8 elements in another shape
    RESHAPE_I8 = Reshape, I8, Overlap::Exact, check_reshape::<i8>, run_reshape::<i8>);
operator!(/// int16 elements in another shape
    RESHAPE_I16 = Reshape, I16, Overlap::Exact, check_reshape::<i16>, run_reshape::<i16>);
operator!(/// f32 elements in another shape
    RESHAPE_F32 = Reshape, F32, Overlap::Exact, check_reshape::<f32>, run_reshape::<f32>);
operator!(/// int8 borders
    PAD_I8 = Pad, I8, Overlap::Never, check_pad, run_pad);
operator!(/// int16 borders
    PAD_I16 = Pad, I16, Overlap::Never, check_pad, run_pad);
operator!(/// f32 borders
    PAD_F32 = Pad, F32, Overlap::Never, check_pad, run_pad);
operator!(/// int8 operands one behind the other
    CONCAT_I8 = Concat, I8, Overlap::Never, check_concat, run_concat);
operator!(/// int16 operands one behind the other
    CONCAT_I16 = Concat, I16, Overlap::Never, check_concat, run_concat);
operator!(/// f32 operands one behind the other
    CONCAT_F32 = Concat, F32, Overlap::Never, check_concat, run_concat);
operator!(/// A part of int8 elements
    SLICE_I8 = Slice, I8, Overlap::Never, check_slice, run_slice);
operator!(/// A part of int16 elements
    SLICE_I16 = Slice, I16, Overlap::Never, check_slice, run_slice);
operator!(/// A part of f32 elements
    SLICE_F32 = Slice, F32, Overlap::Never, check_slice, run_slice);
operator!(/// int8 axes in another order
    TRANSPOSE_I8 = Transpose, I8, Overlap::Never, check_transpose, run_transpose);
operator!(/// int16 axes in another order
    TRANSPOSE_I16 = Transpose, I16, Overlap::Never, check_transpose, run_transpose);
operator!(/// f32 axes in another order
    TRANSPOSE_F32 = Transpose, F32, Overlap::Never, check_transpose, run_transpose);
operator!(/// int8 [`Resize`] to the nearest element
    RESIZE_NEAREST_I8 = ResizeNearest, I8, Overlap::Never, check_resize, run_resize_nearest);
operator!(/// int16 [`Resize`] to the nearest element
    RESIZE_NEAREST_I16 = ResizeNearest, I16, Overlap::Never, check_resize, run_resize_nearest);
operator!(/// f32 [`Resize`] to the nearest element
    RESIZE_NEAREST_F32 = ResizeNearest, F32, Overlap::Never, check_resize, run_resize_nearest);
operator!(/// int8 [`Resize`] by interpolation
    RESIZE_BILINEAR_I8 = ResizeBilinear, I8, Overlap::Never, check_resize, run_resize_bilinear::<i8>);
operator!(/// int16 [`Resize`] by interpolation
    RESIZE_BILINEAR_I16 = ResizeBilinear, I16, Overlap::Never, check_resize, run_resize_bilinear::<i16>);
operator!(/// f32 [`Resize`] by interpolation
    RESIZE_BILINEAR_F32 = ResizeBilinear, F32, Overlap::Never, check_resize, run_resize_bilinear::<f32>);

fn check_reshape<T: Element>(step: &Step<'_>) -> Outcome {
    check_elementwise::<T>(step, 1)
}

fn run_reshape<T: Element>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands::<'_, T, 1> { inputs: [x], output, in_place } = operands(step, arena)?;
    if in_place.is_none() {
        output.iter_mut().zip(x).for_each(|(y, &x)| *y = x);
    }
    Ok(())
}

/// Sizes of all axes, 1 beyond the rank.
fn dims(tensor: &TensorRecord) -> [usize; AXES] {
    tensor.dims.map(|size| size as usize)
}

/// Parameters `first..`, one an axis of `tensor`; `beyond` for the axes that it does not have.
fn per_axis(step: &Step<'_>, tensor: &TensorRecord, first: usize, beyond: [i32; AXES]) -> [i32; AXES] {
    let mut values = beyond;
    let axes = values.iter_mut().take(tensor.rank.into());
    axes.enumerate().for_each(|(axis, value)| *value = step.param(first + axis));
    values
}

/// Parameters that are sizes or positions.
fn positions(name: &'static str, values: [i32; AXES]) -> Result<[usize; AXES], OperatorError> {
    match values.iter().find(|value| **value < 0) {
        Some(&value) => Err(OperatorError::Param { name, value }),
        None => Ok(values.map(|value| value as usize)),
    }
}

/// Checks that operand `index` and the output have the operator's element type and one rank.
fn check_types(step: &Step<'_>, index: usize) -> Outcome {
    let (x, y) = (step.input(index)?, step.output()?);
    for (operand, tensor) in [(index, &x), (usize::MAX, &y)] {
        if tensor.element() != Some(step.kernel.dtype) {
            return Err(OperatorError::Activation { operand, expected: step.kernel.dtype.name() });
        }
    }
    Ok(expect_len("rank", x.rank.into(), y.rank.into())?)
}

fn element_bytes(step: &Step<'_>) -> usize {
    step.kernel.dtype.element_bytes()
}

fn pad(step: &Step<'_>) -> Result<StridedCopy, OperatorError> {
    let (x, y) = (step.input(0)?, step.output()?);
    let before = positions("before", per_axis(step, &x, param::PAD_BEFORE, [0; AXES]))?;
    Ok(StridedCopy::place(dims(&x), before, dims(&y), element_bytes(step))?)
}

fn check_pad(step: &Step<'_>) -> Outcome {
    check_types(step, 0)?;
    pad(step).map(|_| ())
}

fn run_pad(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = pad(step)?;
    let value = step.param(param::PAD_VALUE).to_le_bytes();
    let border = value.get(..op.element_bytes()).unwrap_or(&value);
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::pad(&op, border, x, output)?)
}

/// How many operands a concatenation has: those before the first that is absent.
fn concat_operands(step: &Step<'_>) -> usize {
    step.record.inputs.iter().take_while(|&&tensor| tensor != NONE).count()
}

/// The axis of a concatenation.
fn concat_axis(step: &Step<'_>) -> Result<usize, OperatorError> {
    let value = step.param(param::CONCAT_AXIS);
    let axis = usize::try_from(value).ok().filter(|&axis| axis < step.output().map_or(0, |y| y.rank.into()));
    axis.ok_or(OperatorError::Param { name: "axis", value })
}

/// Operand `index` of a concatenation, `offset` behind the start of `axis`.
fn concat(step: &Step<'_>, index: usize, axis: usize, offset: usize) -> Result<StridedCopy, OperatorError> {
    let (x, y) = (step.input(index)?, step.output()?);
    let mut at = [0; AXES];
    at.iter_mut().skip(axis).take(1).for_each(|at| *at = offset);
    Ok(StridedCopy::place(dims(&x), at, dims(&y), element_bytes(step))?)
}

fn check_concat(step: &Step<'_>) -> Outcome {
    let (axis, y) = (concat_axis(step)?, step.output()?);
    let mut offset = 0;
    check_types(step, 0)?;
    for index in 0..concat_operands(step) {
        check_types(step, index)?;
        let x = step.input(index)?;
        for other in (0..AXES).filter(|&other| other != axis) {
            expect_len("operand", y.dim(other), x.dim(other))?;
        }
        concat(step, index, axis, offset)?;
        offset += x.dim(axis);
    }
    Ok(expect_len("output", offset, y.dim(axis))?)
}

fn run_concat(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let axis = concat_axis(step)?;
    let mut offset = 0;
    for index in 0..concat_operands(step) {
        let op = concat(step, index, axis, offset)?;
        let Operands { inputs: [x], output, .. } = operands_from(step, arena, index)?;
        Best::strided_copy(&op, x, output)?;
        offset += step.input(index)?.dim(axis);
    }
    Ok(())
}

fn slice(step: &Step<'_>) -> Result<StridedCopy, OperatorError> {
    let (x, y) = (step.input(0)?, step.output()?);
    let begin = positions("begin", per_axis(step, &x, param::SLICE_BEGIN, [0; AXES]))?;
    let strides = per_axis(step, &x, param::SLICE_STRIDE, [1; AXES]).map(|stride| stride as isize);
    Ok(StridedCopy::slice(dims(&x), begin, strides, dims(&y), element_bytes(step))?)
}

fn check_slice(step: &Step<'_>) -> Outcome {
    check_types(step, 0)?;
    slice(step).map(|_| ())
}

fn run_slice(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::strided_copy(&slice(step)?, x, output)?)
}

fn transpose(step: &Step<'_>) -> Result<StridedCopy, OperatorError> {
    let x = step.input(0)?;
    let order = positions("order", per_axis(step, &x, param::ORDER, [0, 1, 2, 3]))?;
    Ok(StridedCopy::transpose(dims(&x), order, element_bytes(step))?)
}

fn check_transpose(step: &Step<'_>) -> Outcome {
    check_types(step, 0)?;
    for (size, got) in transpose(step)?.sizes().into_iter().zip(dims(&step.output()?)) {
        expect_len("output axis", size, got)?;
    }
    Ok(())
}

fn run_transpose(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::strided_copy(&transpose(step)?, x, output)?)
}

/// The resize of images whose channels are `channel_bytes` wide, where a byte stands for a channel.
fn resize(step: &Step<'_>, channel_bytes: usize) -> Result<Resize, OperatorError> {
    let flag = |name, index| match step.param(index) {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(OperatorError::Param { name, value }),
    };
    let grid = Grid {
        align_corners: flag("align_corners", param::ALIGN_CORNERS)?,
        half_pixel_centers: flag("half_pixel_centers", param::HALF_PIXEL_CENTERS)?,
    };
    let ((input, channels), (output, _)) = (image(&step.input(0)?, 0)?, image(&step.output()?, usize::MAX)?);
    Ok(Resize::try_new(input, output, channels.saturating_mul(channel_bytes), grid)?)
}

fn check_resize(step: &Step<'_>) -> Outcome {
    check_types(step, 0)?;
    resize(step, element_bytes(step))?;
    let ((_, channels), (_, got)) = (image(&step.input(0)?, 0)?, image(&step.output()?, usize::MAX)?);
    Ok(expect_len("output channels", channels, got)?)
}

fn run_resize_nearest(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands::<'_, u8, 1> { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::resize_nearest(&resize(step, element_bytes(step))?, x, output)?)
}

fn run_resize_bilinear<T: Element + Interpolate>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands::<'_, T, 1> { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::resize_bilinear(&resize(step, 1)?, step.model.rounding(), x, output)?)
}
