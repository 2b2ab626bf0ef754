//! Convolution.

use super::lowered::Lowered;
use super::training::Training;
use super::weighted::Scaling;
use super::{
    Activation, Border, Channels, Misfit, Operands, Operator, Rules, Sliding, answers, arity, example, form, rows,
    vector,
};
use niwaki_core::kernels;

/// Inputs `x: [H, W, C]`, `w: [O, KH, KW, C]`, optionally `bias: [O]`; output `[OH, OW, O]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv2d {
    /// Stride, dilation, padding.
    pub sliding: Sliding,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 2..=3)?;
        let &[h, w, c] = inputs[0] else { return Err(form("x", "[H, W, C]")) };
        let &[o, kh, kw, i] = inputs[1] else { return Err(form("w", "[O, KH, KW, I]")) };
        if i != c {
            return Err(Misfit::Reads { what: "channels", reads: i, has: c });
        }
        vector(inputs, "bias", 2, o)?;
        let window = self.sliding.window([h, w], [kh, kw])?;
        Ok(vec![window.y.output(), window.x.output(), o])
    }

    fn macs(&self, on: &Operands<'_>) -> usize {
        on.output.shape[0] * on.output.shape[1] * on.inputs[1].element_count()
    }

    fn rules(&self) -> Rules {
        Rules { border: Border::Zeros, scales_rows: true, ..Rules::weighted() }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        Channels::of_weights(on, 0, Some(3))
    }

    /// A layer of one tap over the nodes of a graph is one of each node.
    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        if let Some(nodes) = rows::node_dense(on, self.activation)? {
            return Ok(Lowered::Nodes(nodes));
        }
        let w = &on.inputs[1].shape;
        let window = self.sliding.window(on.image().0, [w[1], w[2]])?;
        let op = kernels::Conv2d::try_new(window, w[3], w[0])?;
        Ok(Lowered::Conv2d(op, Scaling::new(on, self.activation, false)?))
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        let w = &on.inputs[1].shape;
        let window = self.sliding.window(on.image().0, [w[1], w[2]])?;
        Ok(Training::Conv2d { window, activation: self.activation })
    }

    answers!(no_identity, no_factor, fused_activation, window_of_weights, no_counts, evaluated_as_lowered);
}

example!(
    Conv2d = Conv2d { sliding: Sliding::strided(2, Padding::Same), activation: RELU },
    [value(&IMAGE), parameter(&[8, 3, 2, 4]), parameter(&[8])]
);
