//! From real values to quantised ones and back.

use super::Operator;
use crate::graph::Activation;

/// Input `x`: real values or codes; the codes of the output's type and quantisation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantize;

impl Operator for Quantize {
    fn name(&self) -> &'static str {
        "quantize"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`: codes; their real values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dequantize;

impl Operator for Dequantize {
    fn name(&self) -> &'static str {
        "dequantize"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
