//! Transposed convolutions: the window is that of the convolution from the output's shape to the input's.

use super::{FloatFile, QuantisedFile, Stored, weights};
use crate::error::OperatorError;
use crate::format::{DType, OpCode, Operator, Overlap, Step};
use crate::kernels::TransposeConv2d;
use crate::kernels::{BackEnd as _, Best};
use crate::session::operands::{Operands, activation, image, operands, output};
use crate::session::operators::{Outcome, operator};
use crate::shape::expect_len;

operator!(/// int8 [`TransposeConv2d`]
    TRANSPOSE_CONV2D_I8 = TransposeConv2d, I8, Overlap::Never, check_transpose_conv2d::<QuantisedFile>, run_transpose_conv2d::<QuantisedFile>);
operator!(/// f32 [`TransposeConv2d`]
    TRANSPOSE_CONV2D_F32 = TransposeConv2d, F32, Overlap::Never, check_transpose_conv2d::<FloatFile>, run_transpose_conv2d::<FloatFile>);

fn transpose_conv2d(step: &Step<'_>) -> Result<TransposeConv2d, OperatorError> {
    let ((_, in_channels), (output, _)) = (image(&step.input(0)?, 0)?, image(&step.output()?, usize::MAX)?);
    let w = weights(step, 4)?;
    expect_len("channels of w", in_channels, w.dim(3))?;
    let window = step.window(output, [w.dim(1), w.dim(2)], step.dilation()?)?;
    Ok(TransposeConv2d::try_new(window, in_channels, w.dim(0))?)
}

pub(super) fn check_transpose_conv2d<S: Stored>(step: &Step<'_>) -> Outcome {
    let op = transpose_conv2d(step)?;
    let ([rows, columns], _) = image(&step.input(0)?, 0)?;
    expect_len("input rows", op.window.y.output(), rows)?;
    expect_len("input columns", op.window.x.output(), columns)?;
    expect_len("output channels", op.out_channels().get(), step.output()?.dim(2))?;
    S::check(step, op.out_channels().get())?;
    let (x, y) = (activation::<S::Value>(step, 0)?, output::<S::Value>(step)?);
    let (w, bias) = (step.constant::<S::Weight>(1)?, step.constant::<S::Bias>(2)?);
    Ok(op.check(x.element_count(), w.len(), bias.len(), y.element_count())?)
}

pub(super) fn run_transpose_conv2d<S: Stored>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    let (op, arithmetic) = (transpose_conv2d(step)?, S::read(step)?);
    Ok(Best::transpose_conv2d(&op, &arithmetic, x, step.constant(1)?, step.constant(2)?, output)?)
}
