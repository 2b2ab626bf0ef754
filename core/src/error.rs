//! The errors of core: one `Copy` enum a door, made of numbers and static names, written out by hand.

use core::fmt;

/// Why a geometry or an operand was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
