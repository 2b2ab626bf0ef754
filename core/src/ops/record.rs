//! What an operator's file says of it: how its record is read and written, what it costs, and how it runs.

use super::Outcome;
use crate::error::OperatorError;
use crate::format::{Cost, Overlap, Params, RowsOf, Step};

/// All that there is to know of an operator: its record, read once and then trusted.
pub(super) trait Record<'m>: Sized {
    /// Which memory the output may share with the operands.
    const OVERLAP: Overlap = Overlap::Never;
    /// Whether operand 0 may be on demand.
    const READS_ROWS: bool = false;
    /// What computes single rows of the output, if it can.
    const ROWS: Option<RowsOf> = None;

    /// Reads what it needs to run. Of a file that was verified this cannot fail; what takes long to prove is left to
    /// [`check`](Self::check).
    fn read(step: &Step<'m>) -> Result<Self, OperatorError>;

    /// Writes the words that [`read`](Self::read) reads.
    fn write(&self, step: &Step<'m>, params: &mut Params);

    /// Proves once that it fits its operands, so that [`run`](Self::run) cannot fail.
    fn check(&self, step: &Step<'m>) -> Outcome;

    /// What it costs.
    fn cost(&self, step: &Step<'m>) -> Cost;

    /// Computes the output.
    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome;
}

/// The constants in the parameter words of a kernel for elements `T`.
pub trait Constants<T>: Sized {
    /// Reads and checks them.
    ///
    /// # Errors
    /// [`OperatorError`] names the word that is out of range.
    fn read(step: &Step<'_>) -> Result<Self, OperatorError>;

    /// Writes them.
    fn write(&self, params: &mut Params);
}
