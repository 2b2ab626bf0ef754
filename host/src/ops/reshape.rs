//! The same elements in another shape.

use super::lowered::Lowered;
use super::rules::last;
use super::training::Training;
use super::{ChannelRun, Channels, InPlace, Misfit, Operands, Operator, Rules, answers, arity, example};

/// Input `x`; the same elements in another shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Reshape {
    /// The new per-sample shape.
    pub shape: Vec<usize>,
}

impl Operator for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 1..=1)?;
        if self.shape.iter().product::<usize>() != inputs[0].iter().product::<usize>() {
            return Err(Misfit::Elements { shape: self.shape.clone() });
        }
        Ok(self.shape.clone())
    }

    fn rules(&self) -> Rules {
        Rules { in_place: InPlace::Operand, reads_flat: true, renames: true, ..Rules::moved() }
    }

    /// The same elements in the same order: a flattening repeats the channels, and its reverse folds them.
    fn channels(&self, on: &Operands<'_>) -> Channels {
        let (from, to) = (last(on.x()), last(on.output));
        let runs = if to.is_multiple_of(from) {
            let run = |to| ChannelRun { operand: 0, from: 0, to, channels: from };
            Some((0..to).step_by(from).map(run).collect())
        } else if from.is_multiple_of(to) {
            let run = |from| ChannelRun { operand: 0, from, to: 0, channels: to };
            Some((0..from).step_by(to).map(run).collect())
        } else {
            None
        };
        Channels { runs, axes: Vec::new() }
    }

    fn is_identity(&self, _: &Operands<'_>) -> bool {
        true
    }

    fn passes_factor(&self, _: usize) -> bool {
        true
    }

    fn keep_channels(&mut self, _: &[bool]) {}

    /// All axes stay but the last, which takes what there is.
    fn refit(&mut self, elements: usize) {
        if let Some((last, rest)) = self.shape.split_last_mut() {
            *last = elements / rest.iter().product::<usize>().max(1);
        }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        on.keeps_quantisation()?;
        Ok(Lowered::Reshape)
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Rename)
    }

    answers!(no_macs, no_activation, no_window, evaluated_as_lowered);
}

example!(Reshape = Reshape { shape: vec![5, 16] }, [value(&IMAGE)]);
