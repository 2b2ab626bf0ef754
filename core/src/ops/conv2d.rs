//! Convolutions: `x, w, bias` and for integers `multipliers, shifts`; packed weights: `packed`.

use super::memory::{Operands, check_output_image, input_image, operands};
use super::weighted::{Layer, Stored, weights};
use super::{Cost, Outcome, Record, window};
use crate::error::OperatorError;
use crate::format::{Params, Step};
use crate::kernels::{self as shapes};
use crate::kernels::{BackEnd as _, Best};
use crate::shape::expect_len;

pub use window::write_convolution as write;

/// A convolution with plain weights `[O, KH, KW, C]`.
pub(super) struct Conv2d<'m, S: Stored> {
    op: shapes::Conv2d,
    layer: Layer<'m, S>,
}

impl<'m, S: Stored> Record<'m> for Conv2d<'m, S> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let (input, in_channels) = input_image(step)?;
        let w = weights(step, 4)?;
        expect_len("channels of w", in_channels, w.dim(3))?;
        let window = window::convolution(&step.record.params, input, [w.dim(1), w.dim(2)])?;
        Ok(Self { op: shapes::Conv2d::try_new(window, in_channels, w.dim(0))?, layer: Layer::read(step)? })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        write(params, &self.op.window);
        S::write(&self.layer.arithmetic, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let outputs = self.op.out_channels().get();
        check_output_image(step, &self.op.window, outputs)?;
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
        Ok(Best::conv2d(&self.op, arithmetic, x, weights, bias, output)?)
    }
}
