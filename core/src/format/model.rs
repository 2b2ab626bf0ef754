//! A verified model: its records where they lie in the file.

use super::records::{DType, Header, NONE, OperatorRecord, Place, TensorRecord};
use super::{Operator, Step, verify};
use crate::error::VerifyError;
use crate::num::Rounding;

/// A model file whose every record was checked; reading it cannot fail any more.
///
/// A handful of references: as cheap to copy as a slice.
#[derive(Clone, Copy)]
pub struct Model<'m> {
    pub(super) header: &'m Header,
    pub(super) tensors: &'m [TensorRecord],
    pub(super) operators: &'m [OperatorRecord],
    pub(super) io: &'m [u16],
    pub(super) data: &'m [u8],
    /// What may be run, ascending.
    pub(super) rows: &'m [Operator],
}

impl core::fmt::Debug for Model<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.header.fmt(f)
    }
}

impl<'m> Model<'m> {
    /// Checks a file once and for all: header, checksum, every tensor, operator and operand, and that no operator
    /// writes over a tensor that is still needed.
    ///
    /// `operators` names what may run, in the order of [`crate::ops::ALL`]; only these are linked. `niwaki export`
    /// writes the list.
    ///
    /// # Errors
    /// The first thing that is wrong, by field and place. A damaged file is refused, never a panic.
    pub fn verify(bytes: &'m [u8], operators: &'m [Operator]) -> Result<Self, VerifyError> {
        verify::verify(bytes, operators)
    }

    /// Memory that a session needs.
    pub const fn arena_bytes(&self) -> usize {
        self.header.arena_bytes as usize
    }

    /// Size of the file.
    pub const fn file_bytes(&self) -> usize {
        self.header.file_bytes as usize
    }

    /// Operators in execution order.
    pub const fn operator_count(&self) -> usize {
        self.operators.len()
    }

    /// Tensors.
    pub const fn tensor_count(&self) -> usize {
        self.tensors.len()
    }

    /// Tensors that the caller fills.
    pub const fn input_count(&self) -> usize {
        self.header.input_count as usize
    }

    /// Tensors that the caller reads.
    pub const fn output_count(&self) -> usize {
        self.header.output_count as usize
    }

    /// How requantisation rounds.
    pub const fn rounding(&self) -> Rounding {
        if self.header.flags & 1 == 1 { Rounding::Single } else { Rounding::Double }
    }

    /// The record of tensor `index`.
    pub fn tensor(&self, index: usize) -> Option<&'m TensorRecord> {
        self.tensors.get(index)
    }

    /// The record of operator `index`.
    pub fn operator(&self, index: usize) -> Option<&'m OperatorRecord> {
        self.operators.get(index)
    }

    /// Tensor index of input `index`.
    pub fn input_tensor(&self, index: usize) -> Option<usize> {
        if index < self.input_count() { self.io.get(index).map(|&tensor| tensor.into()) } else { None }
    }

    /// Tensor index of output `index`.
    pub fn output_tensor(&self, index: usize) -> Option<usize> {
        self.io.get(self.input_count() + index).map(|&tensor| tensor.into())
    }

    /// The bytes of a constant tensor; `None` for one in the arena.
    pub fn constant(&self, tensor: &TensorRecord) -> Option<&'m [u8]> {
        let (start, end) = tensor.span();
        if tensor.is_in(Place::Data) { self.data.get(start..end) } else { None }
    }

    /// The last operator before number `before` that writes tensor `tensor`.
    pub fn producer(&self, tensor: usize, before: usize) -> Option<usize> {
        let writes = |record: &OperatorRecord| usize::from(record.output) == tensor;
        self.operators.get(..before)?.iter().rposition(writes)
    }

    /// The tensors that are read while operator `index` runs: its operands, and in place of one on demand those of the
    /// operator that computes its rows. A tensor on demand that no operator computes is itself among them.
    pub const fn reads(&self, index: usize) -> Reads<'_> {
        Reads { model: self, user: index, position: 0, producer: None }
    }

    /// Operator `index` with its kernel; `None` past the end or where the kernel was not named at `verify`.
    pub fn step(&self, index: usize) -> Option<Step<'_>> {
        let record = self.operators.get(index)?;
        let operator = Operator::find(self.rows, record.code, record.dtype)?;
        Some(Step { model: self, index, record, operator })
    }

    /// Every operator with its kernel, in execution order.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Option<Step<'_>>> {
        (0..self.operators.len()).map(|index| self.step(index))
    }
}

/// [`Model::reads`].
#[derive(Debug, Clone)]
pub struct Reads<'m> {
    model: &'m Model<'m>,
    user: usize,
    position: usize,
    producer: Option<usize>,
}

impl Iterator for Reads<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let record = self.model.operator(self.user)?;
            let Some(&tensor) = record.inputs.get(self.position) else {
                self.user = self.producer.take()?;
                self.position = 0;
                continue;
            };
            let is_first = self.position == 0;
            self.position += 1;
            let index = usize::from(tensor);
            if is_first && self.model.tensor(index).is_some_and(|t| t.is_in(Place::OnDemand)) {
                self.producer = self.model.producer(index, self.user);
            }
            if tensor != NONE && (!is_first || self.producer.is_none()) {
                return Some(index);
            }
        }
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for i8 {}
    impl Sealed for i16 {}
    impl Sealed for i64 {}
    impl Sealed for i32 {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
}

/// Types that tensors hold.
pub trait Element: bytemuck::Pod + sealed::Sealed {
    /// The type's code in files.
    const DTYPE: DType;
}

impl Element for i8 {
    const DTYPE: DType = DType::I8;
}

impl Element for i16 {
    const DTYPE: DType = DType::I16;
}

impl Element for i32 {
    const DTYPE: DType = DType::I32;
}

impl Element for i64 {
    const DTYPE: DType = DType::I64;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
}

impl Element for half::f16 {
    const DTYPE: DType = DType::F16;
}
