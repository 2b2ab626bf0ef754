//! One row of the table of operators that a model may use; `ops` builds the rows.

#[cfg(feature = "host")]
use super::Params;
use super::{DType, NONE, Place, Shared, Step};
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
    InPlaceOffset(fn(&Step<'_>) -> Result<isize, OperatorError>),
}

/// What one inference of an operator costs, and what it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Multiply-accumulates, those of padding included.
    pub macs: usize,
    /// Weights that are stored, those that fill up a layout's units included.
    pub weights: usize,
    /// Biases.
    pub biases: usize,
}

impl Cost {
    /// Nothing.
    pub const NONE: Self = Self { macs: 0, weights: 0, biases: 0 };

    /// No multiplication, and constants that stand for activations.
    pub(crate) fn of_constants(step: &Step<'_>) -> Self {
        let operands = step.record.inputs.iter().filter(|&&tensor| tensor != NONE);
        let tensors = operands.filter_map(|&tensor| step.model.tensor(tensor.into()));
        let constants = tensors.filter(|tensor| tensor.is_in(Place::Data));
        Self { weights: constants.map(|tensor| tensor.element_count()).sum(), ..Self::NONE }
    }
}

/// Reads a verified operator as a link of a chain of rows; what lies in the arena is read from the memory given.
pub(crate) type RowsOf = for<'a> fn(&Step<'a>, &Shared<'a>) -> Result<Link<'a>, OperatorError>;

/// One operator for one element type.
#[derive(Clone, Copy)]
pub struct Operator {
    /// What is computed and how its weights lie: the byte of an [`OpCode`](crate::ops::OpCode).
    pub code: u8,
    /// Element type of its activations.
    pub dtype: DType,
    /// Which memory the output may share with the activations.
    pub overlap: Overlap,
    /// Whether operand 0 may be on demand.
    pub(crate) reads_rows: bool,
    /// What computes single rows of its output, if it can.
    pub(crate) rows: Option<RowsOf>,
    /// Checks every operand; once this is `Ok`, so is `run`.
    pub(crate) check: fn(&Step<'_>) -> Result<(), OperatorError>,
    pub(crate) run: fn(&Step<'_>, &mut [u8]) -> Result<(), OperatorError>,
    /// What it costs, and its parameter words written again from what was read.
    #[cfg(feature = "host")]
    pub(crate) describe: fn(&Step<'_>) -> Result<(Cost, Params), OperatorError>,
}

impl Operator {
    /// What rows are ordered by.
    pub(super) const fn key(&self) -> u16 {
        key(self.code, self.dtype.code())
    }

    /// The row with these bytes among ascending rows.
    pub(super) fn find(rows: &[Self], code: u8, dtype: u8) -> Option<&Self> {
        let key = key(code, dtype);
        let mut rest = rows;
        // Halves, of which one is thrown away: no row is looked at twice.
        while let Some(row) = rest.get(rest.len() / 2) {
            let middle = rest.len() / 2;
            match row.key() {
                at if at == key => return Some(row),
                at if at < key => rest = rest.get(middle + 1..)?,
                _ => rest = rest.get(..middle)?,
            }
        }
        None
    }
}

const fn key(code: u8, dtype: u8) -> u16 {
    u16::from_be_bytes([code, dtype])
}
