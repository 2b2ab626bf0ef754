//! Rows by number.

use super::lowered::Lowered;
use super::rows::Nodes;
use super::{Misfit, Operands, Operator, Rules, answers, arity, example, form};

/// Inputs `x: [N, .., C]` and `rows: [Q]`, i32; output `[Q, .., C]`: the rows of `x` with these numbers, each number at
/// least 0 and at most `N - 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gather;

impl Operator for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 2..=2)?;
        let &[_, ref row @ ..] = inputs[0] else { return Err(form("x", "[N, .., C]")) };
        let &[count] = inputs[1] else { return Err(form("rows", "[Q]")) };
        Ok([&[count], row].concat())
    }

    fn rules(&self) -> Rules {
        Rules::computed()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        match on.output.quant {
            Some(_) => Ok(Lowered::Nodes(Nodes::Gather)),
            None => Err(Misfit::NoKernel),
        }
    }

    answers!(no_macs, mixes_channels, no_identity, no_factor, no_activation, no_window, no_counts, untrained);
    answers!(evaluated_as_lowered);
}

example!(Gather = Gather, [value(&[NODES, 1, 4]), numbers(&[5, 0])]);
