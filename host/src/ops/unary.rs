//! Operators of one operand, element by element.

use super::Operator;
use crate::graph::Activation;

/// Input `x`; clamp on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clamp(pub Activation);

impl Operator for Clamp {
    fn name(&self) -> &'static str {
        match self.0 {
            Activation::None => "identity",
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::ReluN1To1 => "relu_n1_to_1",
        }
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; `1 / (1 + exp(-x))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logistic;

impl Operator for Logistic {
    fn name(&self) -> &'static str {
        "logistic"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; hyperbolic tangent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tanh;

impl Operator for Tanh {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; `x` where positive, else `alpha * x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeakyRelu {
    /// Slope of the negative side.
    pub alpha: f32,
}

impl Operator for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; `x * relu6(x + 3) / 6`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HardSwish;

impl Operator for HardSwish {
    fn name(&self) -> &'static str {
        "hard_swish"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
