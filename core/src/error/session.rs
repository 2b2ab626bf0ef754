//! Why a session or one of its inputs and outputs was refused.

use core::fmt;

/// Why `Session::new` could not start a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SessionError {
    /// The arena is smaller than the model needs.
    ArenaTooSmall {
        /// Bytes that the model needs.
        needed: usize,
        /// Bytes that were given.
        got: usize,
    },
    /// The arena does not start at a 16-byte boundary.
    ArenaMisaligned,
    /// A frame has another length than its input.
    Frame {
        /// Elements of the input.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ArenaTooSmall { needed, got } => write!(f, "the arena has {got} bytes, the model needs {needed}"),
            Self::ArenaMisaligned => f.write_str("the arena must start at a 16-byte boundary (wrap it in `Aligned`)"),
            Self::Frame { expected, got } => write!(f, "the frame has {got} elements, the input {expected}"),
        }
    }
}

impl core::error::Error for SessionError {}

/// Why a model has no such input or output; `Model::input`, `Model::output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PortError {
    /// There are fewer.
    Missing {
        /// The position that was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Its elements are of another type.
    Type {
        /// The position.
        index: usize,
        /// The type of its elements.
        has: &'static str,
        /// The type that was asked for.
        asked: &'static str,
    },
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing { index, count } => write!(f, "there are {count}, none at position {index}"),
            Self::Type { index, has, asked } => write!(f, "position {index} has elements of {has}, not {asked}"),
        }
    }
}

impl core::error::Error for PortError {}
