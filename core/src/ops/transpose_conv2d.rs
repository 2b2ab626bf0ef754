//! Transposed convolutions: the window is that of the convolution from the output's shape to the input's.

use super::memory::{Operands, input_image, operands, output_image};
use super::weighted::{Layer, Stored, weights};
use super::{Cost, Outcome, Record, window};
use crate::error::OperatorError;
use crate::format::{Params, Step};
use crate::kernels::{self as shapes};
use crate::kernels::{BackEnd as _, Best};
use crate::shape::expect_len;

use window::write_convolution as write;

/// A transposed convolution with plain weights `[O, KH, KW, C]`.
pub(super) struct TransposeConv2d<'m, S: Stored> {
    op: shapes::TransposeConv2d,
    layer: Layer<'m, S>,
}

impl<'m, S: Stored> Record<'m> for TransposeConv2d<'m, S> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let ((_, in_channels), (output, _)) = (input_image(step)?, output_image(step)?);
        let w = weights(step, 4)?;
        expect_len("channels of w", in_channels, w.dim(3))?;
        let window = window::convolution(&step.record.params, output, [w.dim(1), w.dim(2)])?;
        Ok(Self { op: shapes::TransposeConv2d::try_new(window, in_channels, w.dim(0))?, layer: Layer::read(step)? })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        write(params, &self.op.window);
        S::write(&self.layer.arithmetic, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let ([rows, columns], _) = input_image(step)?;
        let outputs = self.op.out_channels().get();
        expect_len("input rows", self.op.window.y.output(), rows)?;
        expect_len("input columns", self.op.window.x.output(), columns)?;
        expect_len("output channels", outputs, step.output()?.dim(2))?;
        let [x, w, bias, y] = self.layer.check(step, outputs)?;
        Ok(self.op.check(x, w, bias, y)?)
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        self.layer.cost(self.op.window.output_area())
    }

    #[inline(never)] // its frame and that of reading are not needed at one time
    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        let Layer { arithmetic, weights, bias } = &self.layer;
        Ok(Best::transpose_conv2d(&self.op, arithmetic, x, weights, bias, output)?)
    }
}
