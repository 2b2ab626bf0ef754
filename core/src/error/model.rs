//! Why a file was refused.

use core::fmt;

use super::OperatorError;

/// Why `Model::verify` refused a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum VerifyError {
    /// The file is shorter or longer than it says.
    Truncated {
        /// Bytes that there should be.
        expected: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// The first byte is not at a 16-byte boundary.
    Misaligned,
    /// Not a `.niwaki` file.
    Magic {
        /// The first bytes.
        got: [u8; 8],
    },
    /// A version that this crate does not read.
    Version {
        /// The file's version.
        got: u16,
    },
    /// The content was changed after it was written.
    Checksum {
        /// What the file says.
        stored: u32,
        /// What it is.
        computed: u32,
    },
    /// A header field is out of range.
    Header {
        /// Field name in SPEC.md.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// A field of a tensor record is out of range.
    Tensor {
        /// Tensor index.
        tensor: u16,
        /// Field name in SPEC.md.
        field: &'static str,
        /// Its value (bits).
        value: u32,
    },
    /// An entry of the input or output list is not a tensor in the arena.
    Io {
        /// `inputs` or `outputs`.
        field: &'static str,
        /// Position in the list.
        index: u16,
        /// The entry.
        tensor: u32,
    },
    /// A field of an operator record is out of range.
    Operator {
        /// Operator index.
        operator: u16,
        /// Field name in SPEC.md.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// No kernel was named for this operator.
    Unsupported {
        /// Operator index.
        operator: u16,
        /// Operator code.
        code: u8,
        /// Element type code.
        dtype: u8,
    },
    /// The operands do not fit the operator.
    Operand {
        /// Operator index.
        operator: u16,
        /// What does not fit.
        error: OperatorError,
    },
    /// The operators that may run are not in the order of [`crate::ops::ALL`], or one stands there twice.
    Operators {
        /// The first one that stands too late.
        position: usize,
    },
    /// Two inputs of the model share memory.
    Inputs {
        /// Their tensor indices.
        tensors: [u16; 2],
    },
    /// An operator writes over a tensor that is still needed.
    Overlap {
        /// Operator index.
        operator: u16,
        /// The tensor that is needed.
        tensor: u16,
        /// The tensor that is written over it.
        writes: u16,
    },
    /// A tensor is read before anything wrote it.
    Unwritten {
        /// Operator index.
        operator: u16,
        /// Tensor index.
        tensor: u16,
    },
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { expected, got } => write!(f, "file_bytes: expected {expected} bytes, got {got}"),
            Self::Misaligned => f.write_str("the model must start at a 16-byte boundary"),
            Self::Magic { .. } => f.write_str("magic: not a .niwaki file"),
            Self::Version { got } => write!(f, "version = {got} is not supported (this build reads version 1)"),
            Self::Checksum { stored, computed } => {
                write!(f, "checksum: the file says {stored:#010x} but its content gives {computed:#010x}")
            }
            Self::Header { field, value } => write!(f, "header: {field} = {value} is out of range"),
            Self::Tensor { tensor, field, value } => write!(f, "tensor {tensor}: {field} = {value} is out of range"),
            Self::Io { field, index, tensor } => {
                write!(f, "{field}[{index}] = {tensor} is not a tensor in the arena")
            }
            Self::Operator { operator, field, value } => {
                write!(f, "operator {operator}: {field} = {value} is out of range")
            }
            Self::Unsupported { operator, code, dtype } => {
                write!(f, "operator {operator}: code = {code} with dtype = {dtype} has no kernel in this build")
            }
            Self::Operand { operator, error } => write!(f, "operator {operator}: {error}"),
            Self::Operators { position } => {
                write!(f, "operators[{position}] stands too late: list them in the order of niwaki_core::ops::ALL")
            }
            Self::Inputs { tensors: [a, b] } => write!(f, "offset: inputs {a} and {b} share memory"),
            Self::Overlap { operator, tensor, writes } => {
                write!(
                    f,
                    "offset: operator {operator} writes tensor {writes} over tensor {tensor}, which is still needed"
                )
            }
            Self::Unwritten { operator, tensor } => {
                write!(f, "operator {operator}: inputs: tensor {tensor} is read before anything writes it")
            }
        }
    }
}

impl core::error::Error for VerifyError {}
