//! Convolution of each channel by itself.

use super::lowered::Lowered;
use super::rules::{last, made, whole};
use super::training::Training;
use super::weighted::Scaling;
use super::{
    Activation, Border, Channels, Misfit, OneValue, Operands, Operator, Rules, Sliding, WeightLayout, Zero, answers,
    arity, example, form, vector,
};
use niwaki_core::kernels;

/// Inputs `x: [H, W, C]`, `w: [KH, KW, C * multiplier]`, optionally `bias: [C * multiplier]`;
/// output channel `c * multiplier + m` reads input channel `c`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthwiseConv2d {
    /// Stride, dilation, padding.
    pub sliding: Sliding,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for DepthwiseConv2d {
    fn name(&self) -> &'static str {
        "depthwise_conv2d"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 2..=3)?;
        let &[h, w, c] = inputs[0] else { return Err(form("x", "[H, W, C]")) };
        let &[kh, kw, o] = inputs[1] else { return Err(form("w", "[KH, KW, C * multiplier]")) };
        if c == 0 || o % c != 0 || o == 0 {
            return Err(Misfit::Multiple { outputs: o, inputs: c });
        }
        vector(inputs, "bias", 2, o)?;
        let window = self.sliding.window([h, w], [kh, kw])?;
        Ok(vec![window.y.output(), window.x.output(), o])
    }

    fn macs(&self, on: &Operands<'_>) -> usize {
        on.output.shape[0] * on.output.shape[1] * on.inputs[1].element_count()
    }

    fn rules(&self) -> Rules {
        Rules {
            zero: Zero::Channelwise,
            weights: Some(WeightLayout::Channelwise),
            one_value: OneValue::Channelwise,
            border: Border::Zeros,
            repeats_channel: true,
            ..Rules::weighted()
        }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        let runs = match last(on.x()) {
            1 => Some(Vec::new()),
            channels if channels == last(on.output) => Some(vec![whole(on, 0)]),
            _ => None,
        };
        Channels { runs, axes: made(on, 2) }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let w = &on.inputs[1].shape;
        let (input, channels) = on.image();
        let window = self.sliding.window(input, [w[0], w[1]])?;
        let op = kernels::DepthwiseConv2d::try_new(window, channels, w[2])?;
        Ok(Lowered::DepthwiseConv2d(op, Scaling::new(on, self.activation, false)?))
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        let w = &on.inputs[1].shape;
        let window = self.sliding.window(on.image().0, [w[0], w[1]])?;
        Ok(Training::DepthwiseConv2d { window, activation: self.activation })
    }

    answers!(no_identity, no_factor, fused_activation, window_of_weights, no_counts, evaluated_as_lowered);
}

example!(
    DepthwiseConv2d = DepthwiseConv2d { sliding: Sliding::unit(Padding::Same), activation: RELU },
    [value(&IMAGE), parameter(&[3, 3, 4]), parameter(&[4])]
);
