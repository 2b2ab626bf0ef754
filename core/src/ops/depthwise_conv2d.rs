//! Depthwise convolutions: `x, w, bias` and for integers `multipliers, shifts`; in tiles of four channels: `x, tiles`.

use super::memory::{self, Operands, check_output_image, input_image, operands};
use super::weighted::{Layer, Stored, weights};
use super::{Cost, Outcome, Record, packed, window};
use crate::error::{Operand, OperatorError};
use crate::format::{Overlap, Params, Step};
use crate::kernels::tiles::DepthwiseConv2dTiled;
use crate::kernels::{self as shapes};
use crate::kernels::{BackEnd as _, Best};

use window::write_convolution as write;
use window::write_packed_convolution as write_packed;

/// A depthwise convolution with plain weights `[KH, KW, O]`.
pub(super) struct DepthwiseConv2d<'m, S: Stored> {
    op: shapes::DepthwiseConv2d,
    layer: Layer<'m, S>,
}

impl<'m, S: Stored> Record<'m> for DepthwiseConv2d<'m, S> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let ((input, in_channels), w) = (input_image(step)?, weights(step, 3)?);
        let window = window::convolution(&step.record.params, input, [w.dim(0), w.dim(1)])?;
        let op = shapes::DepthwiseConv2d::try_new(window, in_channels, w.dim(2))?;
        Ok(Self { op, layer: Layer::read(step)? })
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
        Ok(Best::depthwise_conv2d(&self.op, arithmetic, x, weights, bias, output)?)
    }
}

/// A depthwise convolution whose weights lie in tiles of four channels.
pub(super) struct Tiled<'m> {
    op: DepthwiseConv2dTiled,
    words: &'m [i32],
}

impl<'m> Record<'m> for Tiled<'m> {
    const OVERLAP: Overlap = Overlap::Exact;

    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let (input, channels) = input_image(step)?;
        let window = window::packed_convolution(&step.record.params, input)?;
        let op = DepthwiseConv2dTiled::try_new(window, channels, packed::numerics(step)?)?;
        Ok(Self { op, words: step.constant(1)? })
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        write_packed(params, &self.op.window);
        packed::write_clamp(step, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_output_image(step, &self.op.window, self.op.channels().get())?;
        packed::check(step, self.op.scratch_len())?;
        self.op.check_tiles(&self.op.tiles(self.words)?)?;
        if step.input(0)?.span() == step.output()?.span() && !self.op.in_place() {
            let expected = "apart from the output";
            return Err(OperatorError::Activation { operand: Operand::Input(0), expected });
        }
        Ok(())
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        let channels = self.op.channels().get();
        let weights = self.op.window.kernel_area() * channels;
        Cost { macs: self.op.window.output_area() * weights, weights, biases: channels }
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let (mut activations, scratch) = memory::packed(step, arena)?;
        Ok(Best::depthwise_conv2d_tiled(&self.op, self.words, &mut activations, scratch)?)
    }
}
