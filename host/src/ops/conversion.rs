//! From real values to quantised ones and back.

use super::elementwise::Unary;
use super::lowered::Lowered;
use super::operands::Scaled;
use super::unary::{rescale, table};
use super::{Activation, Misfit, Operands, Operator, Quantisation, Rules, Zero, answers, example};

/// Input `x`: real values or quantised ones; the quantised values of the output's type and quantisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantize;

/// Input `x`: quantised values; their real values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dequantize;

fn rules() -> Rules {
    Rules { zero: Zero::Never, quantisation: Quantisation::Given, ..Rules::computed() }
}

/// From real values to quantised ones, back, or from quantised ones to others.
fn lower(on: &Operands<'_>) -> Result<Lowered, Misfit> {
    Ok(match (Scaled::of(on.x())?, Scaled::of(on.output)?) {
        (None, Some(y)) => Lowered::Unary(Unary::Quantize(y.affine)),
        (Some(x), None) => Lowered::Unary(Unary::Dequantize(x.affine)),
        (Some(x), Some(y)) => {
            let op = rescale([x, y], Activation::None, on.rounding);
            if x.int16 || y.int16 { Lowered::Unary(Unary::Requantize(op)) } else { table(&op) }
        }
        (None, None) => return Err(Misfit::NothingConverted),
    })
}

impl Operator for Quantize {
    fn name(&self) -> &'static str {
        "quantize"
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn is_identity(&self, on: &Operands<'_>) -> bool {
        on.output.quant.is_some()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        lower(on)
    }

    answers!(
        no_macs,
        same_shape,
        same_channels,
        no_factor,
        no_activation,
        no_window,
        no_counts,
        evaluated_as_lowered,
        untrained
    );
}

example!(Quantize = Quantize, [value(&IMAGE)]);

impl Operator for Dequantize {
    fn name(&self) -> &'static str {
        "dequantize"
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        lower(on)
    }

    answers!(
        no_macs,
        same_shape,
        same_channels,
        no_identity,
        no_factor,
        no_activation,
        no_window,
        no_counts,
        untrained
    );
    answers!(evaluated_as_lowered);
}

example!(Dequantize = Dequantize, [value(&IMAGE)]);
