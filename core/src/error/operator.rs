//! Why an operand or an operator of a file was refused.

use core::fmt;

use super::GraphError;

/// Why a geometry or an operand was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ShapeError {
    /// A size is zero or too large.
    Dim {
        /// The quantity.
        name: &'static str,
        /// What it was.
        value: usize,
    },
    /// The dilated kernel does not fit into the padded input.
    Window {
        /// Input elements that the dilated kernel spans.
        extent: usize,
        /// Input elements with padding.
        padded: usize,
    },
    /// An operand has the wrong number of elements.
    Len {
        /// The operand.
        operand: &'static str,
        /// Elements that the geometry asks for.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dim { name, value } => write!(f, "{name} = {value} is out of range"),
            Self::Window { extent, padded } => {
                write!(f, "the kernel spans {extent} elements but the padded input has {padded}")
            }
            Self::Len { operand, expected, got } => {
                write!(f, "{operand} has {got} elements, expected {expected}")
            }
        }
    }
}

impl core::error::Error for ShapeError {}

/// A place at an operator that takes a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operand {
    /// The operand at this position.
    Input(usize),
    /// What is written.
    Output,
    /// Working memory.
    Scratch,
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(position) => write!(f, "operand {position}"),
            Self::Output => f.write_str("the output"),
            Self::Scratch => f.write_str("the working memory"),
        }
    }
}

/// Why an operator of a file was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OperatorError {
    /// An operand is absent.
    Missing {
        /// The operand.
        operand: Operand,
    },
    /// An operand must be a constant of a given type.
    Constant {
        /// Operand position.
        operand: usize,
        /// The type.
        expected: &'static str,
    },
    /// An operand must be an activation of a given type and rank.
    Activation {
        /// The operand.
        operand: Operand,
        /// What it must be.
        expected: &'static str,
    },
    /// A parameter is out of range.
    Param {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: i32,
    },
    /// Sizes do not fit together.
    Shape(ShapeError),
    /// A graph or sparse matrix breaks its rules.
    Graph(GraphError),
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing { operand } => write!(f, "{operand} is missing"),
            Self::Constant { operand, expected } => {
                write!(f, "operand {operand} must be constant data of type {expected}")
            }
            Self::Activation { operand, expected } => write!(f, "{operand} must be {expected}"),
            Self::Param { name, value } => write!(f, "{name} = {value} is out of range"),
            Self::Shape(error) => error.fmt(f),
            Self::Graph(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OperatorError {}

impl From<ShapeError> for OperatorError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}
