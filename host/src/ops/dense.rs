//! Fully connected layer.

use super::lowered::Lowered;
use super::training::Training;
use super::weighted::Scaling;
use super::{Activation, Channels, Misfit, Operands, Operator, Rules, answers, arity, example, form, vector};
use niwaki_core::kernels;

/// Inputs `x` (any shape, read flat as `[I]`), `w: [O, I]`, optionally `bias: [O]`; output `[O]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dense {
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 2..=3)?;
        let &[o, i] = inputs[1] else { return Err(form("w", "[O, I]")) };
        let len: usize = inputs[0].iter().product();
        if len != i {
            return Err(Misfit::Reads { what: "elements", reads: i, has: len });
        }
        vector(inputs, "bias", 2, o)?;
        Ok(vec![o])
    }

    fn macs(&self, on: &Operands<'_>) -> usize {
        on.inputs[1].element_count()
    }

    fn rules(&self) -> Rules {
        Rules { reads_flat: true, ..Rules::weighted() }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        Channels::of_weights(on, 0, Some(1))
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let w = &on.inputs[1].shape;
        Ok(Lowered::Dense(kernels::Dense::try_new(w[1], w[0])?, Scaling::new(on, self.activation, true)?))
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Dense { activation: self.activation })
    }

    answers!(no_identity, no_factor, fused_activation, no_window, no_counts, evaluated_as_lowered);
}

example!(Dense = Dense { activation: RELU }, [value(&IMAGE), parameter(&[6, 80]), parameter(&[6])]);
