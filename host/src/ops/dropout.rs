//! Dropout, which does nothing outside training.

use super::lowered::Lowered;
use super::training::Training;
use super::{Misfit, Operands, Operator, Rules, answers, arity, example};

/// Input `x`; in training each element is 0 with this probability, and else divided by that of staying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// In `[0, 1)`.
    pub rate: f32,
}

impl Operator for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 1..=1)?;
        if !(0.0..1.0).contains(&self.rate) {
            return Err(Misfit::Rate { rate: self.rate });
        }
        Ok(inputs[0].to_vec())
    }

    /// Quantisation leaves it out first.
    fn rules(&self) -> Rules {
        Rules::computed()
    }

    fn is_identity(&self, _: &Operands<'_>) -> bool {
        true
    }

    fn lower(&self, _: &Operands<'_>) -> Result<Lowered, Misfit> {
        Ok(Lowered::Reshape)
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Dropout { rate: self.rate })
    }

    answers!(no_macs, mixes_channels, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered);
}

example!(Dropout = Dropout { rate: 0.5 }, [value(&IMAGE)]);
