//! Why an optimizer step was refused.

use core::fmt;

/// Why an optimizer step was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OptimError {
    /// An operand has another length than the values.
    Len {
        /// The operand.
        operand: &'static str,
        /// Elements of the values.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
    /// The rule keeps another number of slices of state.
    Slots {
        /// Slices that it keeps.
        expected: usize,
        /// Slices that were given.
        got: usize,
    },
    /// A hyper-parameter is outside the range in which the step is defined.
    Hyper {
        /// The hyper-parameter.
        name: &'static str,
    },
}

impl fmt::Display for OptimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Len { operand, expected, got } => {
                write!(f, "{operand} has {got} elements but there are {expected} values")
            }
            Self::Slots { expected, got } => write!(f, "the rule keeps {expected} slices of state, {got} were given"),
            Self::Hyper { name } => write!(f, "{name} is out of range"),
        }
    }
}

impl core::error::Error for OptimError {}
