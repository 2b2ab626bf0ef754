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

/// Why a description of groups, or an operand that it describes, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupError {
    /// A loop of the description runs zero times.
    Empty,
    /// Two positions of the loops are the same element, so that a group could be counted or scaled twice.
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
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("a loop of the group layout has length 0"),
            Self::Overlap => f.write_str("the loops of the group layout reach one element twice"),
            Self::Part { span, got } => write!(f, "the group layout spans {span} elements but the part has {got}"),
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} entries for {expected} groups"),
        }
    }
}

impl core::error::Error for GroupError {}

/// Why a proximal operator was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The step times the penalty is negative or not finite.
    Lambda,
}

impl fmt::Display for ProxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} entries for {expected} groups"),
            Self::Weight { group } => write!(f, "the weight of group {group} is not a positive finite number"),
            Self::Lambda => f.write_str("lambda is negative or not finite"),
        }
    }
}

impl core::error::Error for ProxError {}

/// Why an optimizer step was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
            Self::Hyper { name } => write!(f, "{name} is out of range"),
        }
    }
}

impl core::error::Error for OptimError {}
