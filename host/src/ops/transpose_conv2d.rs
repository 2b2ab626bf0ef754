//! Transposed convolution.

use super::lowered::Lowered;
use super::weighted::Scaling;
use super::{
    Activation, Channels, Misfit, OneValue, Operands, Operator, Rules, Sliding, WeightLayout, answers, arity, example,
    form, vector,
};
use niwaki_core::kernels;

/// Inputs `x: [H, W, C]`, `w: [O, KH, KW, C]`, optionally `bias: [O]`; output `[OH, OW, O]`. The padding is that of
/// the convolution that maps the output's shape to the input's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TransposeConv2d {
    /// Stride, dilation 1, padding.
    pub sliding: Sliding,
    /// Rows and columns of the output.
    pub size: [usize; 2],
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for TransposeConv2d {
    fn name(&self) -> &'static str {
        "transpose_conv2d"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 2..=3)?;
        let &[h, w, c] = inputs[0] else { return Err(form("x", "[H, W, C]")) };
        let &[o, kh, kw, i] = inputs[1] else { return Err(form("w", "[O, KH, KW, I]")) };
        if i != c {
            return Err(Misfit::Reads { what: "channels", reads: i, has: c });
        }
        vector(inputs, "bias", 2, o)?;
        if self.sliding.dilation != [1, 1] {
            return Err(Misfit::Dilation { what: "a transposed convolution" });
        }
        let window = self.sliding.window(self.size, [kh, kw])?;
        let (gives, x) = ([window.y.output(), window.x.output()], [h, w]);
        if gives != x {
            return Err(Misfit::Transposed { size: self.size, gives, x });
        }
        Ok(vec![self.size[0], self.size[1], o])
    }

    fn macs(&self, on: &Operands<'_>) -> usize {
        on.x().shape[0] * on.x().shape[1] * on.inputs[1].element_count()
    }

    fn rules(&self) -> Rules {
        Rules { weights: Some(WeightLayout::Scattered), one_value: OneValue::Unknown, ..Rules::weighted() }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        Channels::of_weights(on, 0, Some(3))
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let w = &on.inputs[1].shape;
        let window = self.sliding.window(self.size, [w[1], w[2]])?;
        let op = kernels::TransposeConv2d::try_new(window, w[3], w[0])?;
        Ok(Lowered::TransposeConv2d(op, Scaling::new(on, self.activation, false)?))
    }

    answers!(no_identity, no_factor, fused_activation, no_window, no_counts, evaluated_as_lowered, untrained);
}

example!(
    TransposeConv2d = TransposeConv2d { sliding: Sliding::strided(2, Padding::Same), size: [8, 10], activation: RELU },
    [value(&IMAGE), parameter(&[3, 3, 3, 4]), parameter(&[3])]
);
