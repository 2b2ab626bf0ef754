//! One row of the table of kernels that a model may use; `session::operators` builds the rows.

use super::{DType, OpCode, Shared, Step};
use crate::error::OperatorError;
use crate::kernels::nodes::Link;

/// Which memory an operator's output may share with its operands; each form is safe because of how the kernel runs.
#[derive(Clone, Copy)]
pub enum Overlap {
    /// None.
    Never,
    /// Exactly that of one operand: every output element is written after the input element there was read.
    Exact,
    /// The output may start this many bytes (or more) before operand 0 starts, and so overwrite input that is not
    /// needed any more: the output follows the input like a shadow. The operand is lost.
    Lead(fn(&Step<'_>) -> Result<isize, OperatorError>),
}

/// Reads a verified operator as a link of a chain of rows; what lies in the arena is read from the memory given.
pub(crate) type RowsOf = for<'a> fn(&Step<'a>, &Shared<'a>) -> Result<Link<'a>, OperatorError>;

/// One operator for one element type.
#[derive(Clone, Copy)]
pub struct Operator {
    /// What is computed.
    pub code: OpCode,
    /// Element type of its activations.
    pub dtype: DType,
    /// Which memory the output may share with the activations.
    pub overlap: Overlap,
    /// Checks every operand; once this is `Ok`, so is `run`.
    pub(crate) check: fn(&Step<'_>) -> Result<(), OperatorError>,
    pub(crate) run: fn(&Step<'_>, &mut [u8]) -> Result<(), OperatorError>,
    /// What computes single rows of its output, if it can.
    pub(crate) rows: Option<RowsOf>,
}

impl core::fmt::Debug for Operator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.code.name(), self.dtype.name())
    }
}
