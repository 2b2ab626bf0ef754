//! Why a graph or an operand of one was refused.

use core::fmt;

/// Why a graph, or an operand of one, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GraphError {
    /// A matrix without rows or without columns.
    Empty {
        /// Rows or columns.
        what: &'static str,
    },
    /// Row offsets do not begin at 0, fall, or do not end at the number of indices.
    Offsets {
        /// The entry.
        position: usize,
    },
    /// An index is outside the columns.
    Range {
        /// The row.
        row: usize,
        /// The index.
        index: usize,
        /// Columns.
        columns: usize,
    },
    /// The indices of a row do not rise.
    Order {
        /// The row.
        row: usize,
    },
    /// A graph does not have as many rows as columns.
    Square {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// An edge is there in one direction only.
    Asymmetric {
        /// The node that gathers.
        from: usize,
        /// The node that is gathered.
        to: usize,
    },
    /// An operand has the wrong number of elements.
    Len {
        /// The operand.
        operand: &'static str,
        /// Elements that the graph asks for.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
    /// The heads do not divide the channels.
    Heads {
        /// Heads.
        heads: usize,
        /// Channels.
        channels: usize,
    },
    /// A class is out of range.
    Class {
        /// The entry of the labels.
        position: usize,
        /// The class.
        class: usize,
        /// Classes.
        classes: usize,
    },
    /// A hyper-parameter is outside the range in which a rule is defined.
    Hyper {
        /// The hyper-parameter.
        name: &'static str,
    },
    /// A map does not contract: the absolute values of a row sum up to more than 1.
    Contraction {
        /// The row.
        row: usize,
    },
    /// A fixed point was not reached.
    Diverged {
        /// Steps that were taken.
        steps: usize,
    },
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty { what } => write!(f, "the graph has no {what}"),
            Self::Offsets { position } => {
                write!(f, "offsets[{position}]: offsets begin with 0, never fall and end with the number of indices")
            }
            Self::Range { row, index, columns } => write!(f, "row {row} has index {index}, but there are {columns}"),
            Self::Order { row } => write!(f, "the indices of row {row} must rise, without doubles"),
            Self::Square { rows, columns } => write!(f, "a graph of {rows} rows cannot have {columns} columns"),
            Self::Asymmetric { from, to } => write!(f, "edge {from} -> {to} is there, {to} -> {from} is not"),
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} elements, expected {expected}"),
            Self::Heads { heads, channels } => write!(f, "{heads} heads do not divide {channels} channels"),
            Self::Class { position, class, classes } => {
                write!(f, "labels[{position}] is class {class}, but there are {classes}")
            }
            Self::Hyper { name } => write!(f, "{name} is out of range"),
            Self::Contraction { row } => {
                write!(f, "the absolute values of row {row} sum up to more than 1: the map does not contract")
            }
            Self::Diverged { steps } => write!(f, "no fixed point was reached in {steps} steps"),
        }
    }
}

impl core::error::Error for GraphError {}
