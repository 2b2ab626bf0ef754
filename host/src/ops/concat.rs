//! Concatenation.

use super::lowered::Lowered;
use super::moved::{Kernel, Movement, Place, shape};
use super::movement::movable;
use super::rules::{last, whole};
use super::training::Training;
use super::{ChannelRun, Channels, Constants, Misfit, Operands, Operator, Quantisation, Rules, Zero, answers, example};
use niwaki_core::kernels::{AXES, StridedCopy};
use niwaki_core::ops::{Op as CoreOp, write};

/// Operands that one concatenation in a file takes.
const CONCAT_OPERANDS: usize = 6;

/// Inputs one after the other along `axis`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        if !(1..=CONCAT_OPERANDS).contains(&inputs.len()) {
            return Err(Misfit::TooMany { most: CONCAT_OPERANDS, got: inputs.len() });
        }
        movable(inputs)?;
        let (axis, mut shape) = (self.axis, inputs[0].to_vec());
        if axis >= shape.len() {
            return Err(Misfit::Axis { axis, rank: shape.len() });
        }
        shape[axis] = 0;
        for input in inputs {
            let fits = input.len() == shape.len() && (0..shape.len()).all(|a| a == axis || shape[a] == input[a]);
            if !fits {
                return Err(Misfit::Beside { axis });
            }
            shape[axis] += input[axis];
        }
        Ok(shape)
    }

    fn rules(&self) -> Rules {
        Rules { zero: Zero::All, quantisation: Quantisation::OfAll, constants: Constants::Refused, ..Rules::moved() }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        let all = 0..on.inputs.len();
        let runs = if self.axis + 1 == on.x().shape.len() {
            let mut to = 0;
            let place = |operand: usize| {
                let channels = last(on.inputs[operand]);
                to += channels;
                ChannelRun { operand, from: 0, to: to - channels, channels }
            };
            all.map(place).collect()
        } else {
            all.map(|operand| whole(on, operand)).collect()
        };
        Channels { runs: Some(runs), axes: Vec::new() }
    }

    fn is_identity(&self, on: &Operands<'_>) -> bool {
        on.inputs.len() == 1
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        self.movement(on).map(Lowered::Movement)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Movement { movement: self.movement(on)?, border: 0.0 })
    }

    answers!(no_macs, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered);
}

impl Concat {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let mut place = Place::new(on)?;
        write::concat(&mut place.params, self.axis);
        let (mut at, mut copies) = ([0; AXES], Vec::new());
        for operand in &on.inputs {
            copies.push(StridedCopy::place(shape(&operand.shape), at, place.to, place.bytes)?);
            at[self.axis] += operand.shape[self.axis];
        }
        Ok(place.done(CoreOp::Concat, Kernel::Copies(copies)))
    }
}

example!(Concat = Concat { axis: 2 }, [value(&IMAGE), value(&[4, 5, 2])]);
