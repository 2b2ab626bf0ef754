//! Convolutions and dense layers.

mod float16;
mod int16x8;
mod transpose_conv2d;

pub use float16::{CONV2D_F16, DENSE_F16, DEPTHWISE_CONV2D_F16, TRANSPOSE_CONV2D_F16};
pub use int16x8::{CONV2D_I16, DENSE_I16, DEPTHWISE_CONV2D_I16, TRANSPOSE_CONV2D_I16};
pub use transpose_conv2d::{TRANSPOSE_CONV2D_F32, TRANSPOSE_CONV2D_I8};
use transpose_conv2d::{check_transpose_conv2d, run_transpose_conv2d};

use super::super::operands::{Operands, activation, expect_output_image, image, operands, output};
use super::{Outcome, operator};
use crate::error::{OperatorError, ShapeError};
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step, StoredClamp, TensorRecord};
use crate::kernels::{Arithmetic, Conv2d, Dense, DepthwiseConv2d, Float32, Int8};
use crate::kernels::{BackEnd as _, Best};
use crate::num::Multiplier;
use crate::shape::expect_len;

operator!(/// int8 [`Conv2d`]
    CONV2D_I8 = Conv2d, I8, Overlap::Never, check_conv2d::<QuantisedFile>, run_conv2d::<QuantisedFile>);
operator!(/// f32 [`Conv2d`]
    CONV2D_F32 = Conv2d, F32, Overlap::Never, check_conv2d::<FloatFile>, run_conv2d::<FloatFile>);
operator!(/// int8 [`DepthwiseConv2d`]
    DEPTHWISE_CONV2D_I8 = DepthwiseConv2d, I8, Overlap::Never, check_depthwise::<QuantisedFile>, run_depthwise::<QuantisedFile>);
operator!(/// f32 [`DepthwiseConv2d`]
    DEPTHWISE_CONV2D_F32 = DepthwiseConv2d, F32, Overlap::Never, check_depthwise::<FloatFile>, run_depthwise::<FloatFile>);
operator!(/// int8 [`Dense`]
    DENSE_I8 = Dense, I8, Overlap::Never, check_dense::<QuantisedFile>, run_dense::<QuantisedFile>);
operator!(/// f32 [`Dense`]
    DENSE_F32 = Dense, F32, Overlap::Never, check_dense::<FloatFile>, run_dense::<FloatFile>);

/// A number format of weighted operators as files store it.
trait Stored {
    /// Element of input and output.
    type Value: Element + Default;
    /// Element of the weights.
    type Weight: Element + Default;
    /// Element of the bias.
    type Bias: Element + Default;
    /// How it computes.
    type Arithmetic<'m>: Arithmetic<Input = Self::Value, Weight = Self::Weight, Bias = Self::Bias, Output = Self::Value>;

    /// Reads the constants of `step`.
    fn read<'m>(step: &Step<'m>) -> Result<Self::Arithmetic<'m>, OperatorError>;

    /// Checks once what the inner loop relies on, for an operator with `channels` outputs.
    fn check(step: &Step<'_>, channels: usize) -> Outcome;
}

struct FloatFile;

impl Stored for FloatFile {
    type Value = f32;
    type Weight = f32;
    type Bias = f32;
    type Arithmetic<'m> = Float32;

    fn read<'m>(step: &Step<'m>) -> Result<Float32, OperatorError> {
        Ok(Float32 { clamp: StoredClamp::read_clamp(step)? })
    }

    fn check(step: &Step<'_>, channels: usize) -> Outcome {
        Ok(Self::read(step)?.check_channels(channels)?)
    }
}

struct QuantisedFile;

impl Stored for QuantisedFile {
    type Value = i8;
    type Weight = i8;
    type Bias = i32;
    type Arithmetic<'m> = Int8<'m>;

    fn read<'m>(step: &Step<'m>) -> Result<Int8<'m>, OperatorError> {
        Ok(Int8 {
            input_zero_point: step.input(0)?.zero_point,
            output_zero_point: step.output()?.zero_point,
            multipliers_q31: step.constant(3)?,
            shifts: step.constant(4)?,
            clamp: StoredClamp::read_clamp(step)?,
            rounding: step.model.rounding(),
        })
    }

    fn check(step: &Step<'_>, channels: usize) -> Outcome {
        let constants = Self::read(step)?;
        constants.check_channels(channels)?;
        check_multipliers(constants.multipliers_q31, constants.shifts, 30)
    }
}

/// Checks that every multiplier is defined and that none shifts left by more than `largest_shift`.
fn check_multipliers(mantissas_q31: &[i32], shifts: &[i8], largest_shift: i8) -> Outcome {
    for (&mantissa_q31, &shift) in mantissas_q31.iter().zip(shifts) {
        if !(Multiplier { mantissa_q31, shift: shift.into() }).is_valid() || shift > largest_shift {
            return Err(OperatorError::Param { name: "multiplier", value: mantissa_q31 });
        }
    }
    Ok(())
}

/// The weights' record, whose rank must be `rank`.
fn weights(step: &Step<'_>, rank: u8) -> Result<TensorRecord, OperatorError> {
    let w = step.input(1)?;
    if w.rank != rank {
        return Err(ShapeError::Dim { name: "rank of w", value: w.rank.into() }.into());
    }
    Ok(w)
}

fn conv2d(step: &Step<'_>) -> Result<Conv2d, OperatorError> {
    let (input, in_channels) = image(&step.input(0)?, 0)?;
    let w = weights(step, 4)?;
    expect_len("channels of w", in_channels, w.dim(3))?;
    let window = step.window(input, [w.dim(1), w.dim(2)], step.dilation()?)?;
    Ok(Conv2d::try_new(window, in_channels, w.dim(0))?)
}

fn check_conv2d<S: Stored>(step: &Step<'_>) -> Outcome {
    let op = conv2d(step)?;
    expect_output_image(step, &op.window, op.out_channels().get())?;
    S::check(step, op.out_channels().get())?;
    let (x, y) = (activation::<S::Value>(step, 0)?, output::<S::Value>(step)?);
    let (w, bias) = (step.constant::<S::Weight>(1)?, step.constant::<S::Bias>(2)?);
    Ok(op.check(x.element_count(), w.len(), bias.len(), y.element_count())?)
}

fn run_conv2d<S: Stored>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::conv2d(&conv2d(step)?, &S::read(step)?, x, step.constant(1)?, step.constant(2)?, output)?)
}

fn depthwise(step: &Step<'_>) -> Result<DepthwiseConv2d, OperatorError> {
    let (input, in_channels) = image(&step.input(0)?, 0)?;
    let w = weights(step, 3)?;
    let window = step.window(input, [w.dim(0), w.dim(1)], step.dilation()?)?;
    Ok(DepthwiseConv2d::try_new(window, in_channels, w.dim(2))?)
}

fn check_depthwise<S: Stored>(step: &Step<'_>) -> Outcome {
    let op = depthwise(step)?;
    expect_output_image(step, &op.window, op.out_channels().get())?;
    S::check(step, op.out_channels().get())?;
    let (x, y) = (activation::<S::Value>(step, 0)?, output::<S::Value>(step)?);
    let (w, bias) = (step.constant::<S::Weight>(1)?, step.constant::<S::Bias>(2)?);
    Ok(op.check(x.element_count(), w.len(), bias.len(), y.element_count())?)
}

fn run_depthwise<S: Stored>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    let (op, arithmetic) = (depthwise(step)?, S::read(step)?);
    Ok(Best::depthwise_conv2d(&op, &arithmetic, x, step.constant(1)?, step.constant(2)?, output)?)
}

fn dense(step: &Step<'_>) -> Result<Dense, OperatorError> {
    let w = weights(step, 2)?;
    Ok(Dense::try_new(w.dim(1), w.dim(0))?)
}

fn check_dense<S: Stored>(step: &Step<'_>) -> Outcome {
    let op = dense(step)?;
    S::check(step, op.outputs().get())?;
    let (x, y) = (activation::<S::Value>(step, 0)?, output::<S::Value>(step)?);
    let (w, bias) = (step.constant::<S::Weight>(1)?, step.constant::<S::Bias>(2)?);
    Ok(op.check(x.element_count(), w.len(), bias.len(), y.element_count())?)
}

fn run_dense<S: Stored>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::dense(&dense(step)?, &S::read(step)?, x, step.constant(1)?, step.constant(2)?, output)?)
}
