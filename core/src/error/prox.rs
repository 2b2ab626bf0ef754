//! Why groups of weights or a proximal operator were refused.

use core::fmt;

/// Why a description of groups, or an operand that it describes, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GroupError {
    /// There is no group, or a loop of the description runs zero times.
    Empty,
    /// The loops reach an element twice: it would be counted and scaled twice.
    Overlap,
    /// The part is shorter than the elements that the loops reach.
    Part {
        /// Elements that the loops span.
        span: usize,
        /// Elements that were given.
        got: usize,
    },
    /// An array with one entry a group has the wrong length.
    Len {
        /// The operand.
        operand: &'static str,
        /// Groups.
        expected: usize,
        /// Entries that were given.
        got: usize,
    },
    /// Blocks do not divide a side of the matrix.
    Ragged {
        /// Rows or columns of the matrix.
        size: usize,
        /// Rows or columns of a block.
        block: usize,
    },
    /// The starts of index sets do not begin at 0, do not rise, or do not end at the number of indices.
    Starts {
        /// The entry.
        position: usize,
    },
    /// The indices of a set do not rise.
    Order {
        /// The set.
        set: usize,
    },
    /// An index is outside the part.
    Range {
        /// The index.
        index: usize,
        /// Elements of the part.
        len: usize,
    },
    /// An index is in two sets.
    Shared {
        /// The index.
        index: usize,
    },
    /// The scratch in which index sets are checked is too short.
    Scratch {
        /// Words that the check needs.
        expected: usize,
        /// Words that were given.
        got: usize,
    },
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("a loop of the group layout has length 0"),
            Self::Overlap => f.write_str("the loops of the group layout reach one element twice"),
            Self::Part { span, got } => write!(f, "the groups span {span} elements but the part has {got}"),
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} entries for {expected} groups"),
            Self::Ragged { size, block } => {
                write!(f, "blocks of {block} do not divide {size}; pad the matrix or list the blocks as index sets")
            }
            Self::Starts { position } => {
                write!(f, "starts[{position}]: starts begin with 0, rise and end with the number of indices")
            }
            Self::Order { set } => write!(f, "the indices of set {set} must rise"),
            Self::Range { index, len } => write!(f, "index {index} is outside the part of {len} elements"),
            Self::Shared { index } => write!(f, "index {index} is in two sets"),
            Self::Scratch { expected, got } => write!(f, "seen has {got} words, the check needs {expected}"),
        }
    }
}

impl core::error::Error for GroupError {}

/// Why a proximal operator was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProxError {
    /// An array with one entry a group has the wrong length.
    Len {
        /// The operand.
        operand: &'static str,
        /// Groups.
        expected: usize,
        /// Entries that were given.
        got: usize,
    },
    /// The weight of a group is not a positive finite number.
    Weight {
        /// The group.
        group: usize,
    },
    /// The cost of a group is not a positive finite number.
    Cost {
        /// The group.
        group: usize,
    },
    /// The budget is negative or not finite.
    Budget,
    /// The step times the penalty is negative or not finite.
    Lambda,
    /// The half-space constant is outside `[0, 1)`.
    Epsilon,
    /// The memory of a solver is too short.
    Scratch {
        /// The operand.
        operand: &'static str,
        /// Elements that the solver needs.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
}

impl fmt::Display for ProxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} entries for {expected} groups"),
            Self::Weight { group } => write!(f, "the weight of group {group} is not a positive finite number"),
            Self::Cost { group } => write!(f, "the cost of group {group} is not a positive finite number"),
            Self::Budget => f.write_str("the budget is negative or not finite"),
            Self::Lambda => f.write_str("lambda is negative or not finite"),
            Self::Epsilon => f.write_str("the half-space constant epsilon is not in [0, 1)"),
            Self::Scratch { operand, expected, got } => {
                write!(f, "{operand} has {got} elements, the solver needs {expected}")
            }
        }
    }
}

impl core::error::Error for ProxError {}
