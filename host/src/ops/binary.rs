//! Operators of two operands that broadcast, element by element.

use super::Operator;
use crate::graph::Activation;

/// Inputs `a`, `b`: of one shape, or one broadcast to the other by NumPy's rule. Either may be constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Add {
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}

/// `a - b`; inputs as for [`Add`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sub {
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}

/// `a * b`; inputs as for [`Add`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mul {
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.activation)
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        Some(&mut self.activation)
    }
}

/// Inputs `x: [.., C]` and a constant `alpha` that broadcasts to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prelu;

impl Operator for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
