//! One row of the table of kernels that a model may use; `session::operators` builds the rows.

use super::{DType, OpCode, Step};
use crate::error::OperatorError;

/// One operator for one element type.
#[derive(Clone, Copy)]
pub struct Operator {
    /// What is computed.
    pub code: OpCode,
    /// Element type of its activations.
    pub dtype: DType,
    /// Whether the output may lie exactly on one of the activations.
    pub in_place: bool,
    /// Checks every operand; once this is `Ok`, so is `run`.
    pub(crate) check: fn(&Step<'_>) -> Result<(), OperatorError>,
    pub(crate) run: fn(&Step<'_>, &mut [u8]) -> Result<(), OperatorError>,
}

impl core::fmt::Debug for Operator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.code.name(), self.dtype.name())
    }
}
