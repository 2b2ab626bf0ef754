//! A verified model, and one operator of it with its operands.

use super::op_code::OpCode;
use super::records::{DType, Header, NONE, OPERATOR_BYTES, OperatorRecord, Place, TENSOR_BYTES, TensorRecord, param};
use super::{Operator, verify};
use crate::error::{OperatorError, ShapeError, VerifyError};
use crate::kernels::Clamp;
use crate::num::{Code, Multiplier, Rounding};
use crate::shape::{AxisSpec, Window};

/// A model file whose every record was checked; reading it cannot fail any more.
#[derive(Clone, Copy)]
pub struct Model<'m> {
    pub(super) bytes: &'m [u8],
    pub(super) header: Header,
    pub(super) operators: &'m [Operator],
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
    /// `operators` names the kernels that may be used; only these are linked. [`crate::session::operators::ALL`] has
    /// every one.
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
        self.header.operator_count as usize
    }

    /// Tensors.
    pub const fn tensor_count(&self) -> usize {
        self.header.tensor_count as usize
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
    pub fn tensor(&self, index: usize) -> Option<TensorRecord> {
        self.tensor_bytes(index).map(TensorRecord::from_bytes)
    }

    /// The record of operator `index`.
    pub fn operator(&self, index: usize) -> Option<OperatorRecord> {
        self.operator_bytes(index).map(OperatorRecord::from_bytes)
    }

    pub(super) fn tensor_bytes(&self, index: usize) -> Option<&'m [u8]> {
        if index >= self.tensor_count() {
            return None;
        }
        let at = (self.header.tensors_offset as usize).checked_add(index * TENSOR_BYTES)?;
        self.bytes.get(at..at.checked_add(TENSOR_BYTES)?)
    }

    pub(super) fn operator_bytes(&self, index: usize) -> Option<&'m [u8]> {
        if index >= self.operator_count() {
            return None;
        }
        let at = (self.header.operators_offset as usize).checked_add(index * OPERATOR_BYTES)?;
        self.bytes.get(at..at.checked_add(OPERATOR_BYTES)?)
    }

    /// Tensor index of input `index`.
    pub fn input(&self, index: usize) -> Option<usize> {
        if index < self.input_count() { self.io(index) } else { None }
    }

    /// Tensor index of output `index`.
    pub fn output(&self, index: usize) -> Option<usize> {
        if index < self.output_count() { self.io(self.input_count() + index) } else { None }
    }

    fn io(&self, index: usize) -> Option<usize> {
        let at = (self.header.io_offset as usize).checked_add(index * 2)?;
        let bytes = self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(u16::from_le_bytes(*bytes) as usize)
    }

    /// The bytes of a constant tensor; `None` for one in the arena.
    pub fn constant(&self, tensor: &TensorRecord) -> Option<&'m [u8]> {
        if tensor.location()? != Place::Data {
            return None;
        }
        let (start, end) = tensor.span();
        let base = self.header.data_offset as usize;
        let data = self.bytes.get(base..base.checked_add(self.header.data_bytes as usize)?)?;
        data.get(start..end)
    }

    /// The last operator before number `before` that writes tensor `tensor`.
    pub fn producer(&self, tensor: usize, before: usize) -> Option<usize> {
        let writes = |&index: &usize| self.operator(index).is_some_and(|record| record.output as usize == tensor);
        (0..before).rev().find(writes)
    }

    /// The tensors that are read while operator `index` runs: its operands, and in place of one on demand those of the
    /// operator that computes its rows. One on demand that nothing computes comes itself.
    pub const fn reads(&self, index: usize) -> Reads<'_> {
        Reads { model: self, user: index, position: 0, producer: None }
    }

    /// Operator `index` with its kernel; `None` past the end or where the kernel was not named at `verify`.
    pub fn step(&self, index: usize) -> Option<Step<'_>> {
        let bytes = self.operator_bytes(index)?;
        let &[code, dtype, ..] = bytes else { return None };
        let kernel = self.operators.iter().find(|o| o.code.code() == code && o.dtype.code() == dtype)?;
        Some(Step { model: self, index, record: OperatorRecord::from_bytes(bytes), kernel })
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
            // Matched where it lies: the only record moved in a whole image would link `memcpy`, 0.9 KB.
            let record = self.model.operator(self.user);
            let Some(record) = &record else { return None };
            let Some(&tensor) = record.inputs.get(self.position) else {
                self.user = self.producer.take()?;
                self.position = 0;
                continue;
            };
            let is_first = self.position == 0;
            self.position += 1;
            let index = usize::from(tensor);
            if is_first && self.model.tensor(index).is_some_and(|t| t.location() == Some(Place::OnDemand)) {
                self.producer = self.model.producer(index, self.user);
            }
            if tensor != NONE && (!is_first || self.producer.is_none()) {
                return Some(index);
            }
        }
    }
}

/// One operator of a model and access to its operands.
#[derive(Clone, Copy)]
pub struct Step<'m> {
    pub(crate) model: &'m Model<'m>,
    /// Position in the file.
    pub index: usize,
    /// The operator's record.
    pub record: OperatorRecord,
    pub(crate) kernel: &'m Operator,
}

impl<'m> Step<'m> {
    /// What is computed.
    pub fn code(&self) -> OpCode {
        self.kernel.code
    }

    /// The tensor at operand position `index`.
    ///
    /// # Errors
    /// [`OperatorError::Missing`].
    pub fn input(&self, index: usize) -> Result<TensorRecord, OperatorError> {
        self.record
            .inputs
            .get(index)
            .filter(|&&t| t != NONE)
            .and_then(|&t| self.model.tensor(t as usize))
            .ok_or(OperatorError::Missing { operand: index })
    }

    /// The tensor that is written.
    ///
    /// # Errors
    /// [`OperatorError::Missing`].
    pub fn output(&self) -> Result<TensorRecord, OperatorError> {
        self.model.tensor(self.record.output as usize).ok_or(OperatorError::Missing { operand: usize::MAX })
    }

    /// The values of a constant operand.
    pub(crate) fn constant<T: Element>(&self, index: usize) -> Result<&'m [T], OperatorError> {
        let tensor = self.input(index)?;
        let wrong = OperatorError::Constant { operand: index, expected: T::DTYPE.name() };
        if tensor.element() != Some(T::DTYPE) {
            return Err(wrong);
        }
        let bytes = self.model.constant(&tensor).ok_or(wrong)?;
        bytemuck::try_cast_slice(bytes).map_err(|_| wrong)
    }

    pub(crate) fn param(&self, index: usize) -> i32 {
        self.record.params.get(index).copied().unwrap_or(0)
    }

    fn size(&self, name: &'static str, index: usize) -> Result<usize, OperatorError> {
        usize::try_from(self.param(index)).map_err(|_| OperatorError::Param { name, value: self.param(index) })
    }

    /// The sliding window over `[rows, columns]` of `input` with this kernel size and dilation.
    pub(crate) fn window(
        &self,
        input: [usize; 2],
        kernel: [usize; 2],
        dilation: [usize; 2],
    ) -> Result<Window, OperatorError> {
        let [input_y, input_x] = input;
        let [kernel_y, kernel_x] = kernel;
        let [dilation_y, dilation_x] = dilation;
        let y = AxisSpec {
            input: input_y,
            kernel: kernel_y,
            stride: self.size("stride_y", param::STRIDE_Y)?,
            dilation: dilation_y,
            pad_before: self.size("pad_top", param::PAD_TOP)?,
            pad_after: self.size("pad_bottom", param::PAD_BOTTOM)?,
        };
        let x = AxisSpec {
            input: input_x,
            kernel: kernel_x,
            stride: self.size("stride_x", param::STRIDE_X)?,
            dilation: dilation_x,
            pad_before: self.size("pad_left", param::PAD_LEFT)?,
            pad_after: self.size("pad_right", param::PAD_RIGHT)?,
        };
        Window::try_new(y, x).map_err(OperatorError::Shape)
    }

    /// Dilation of a convolution, `[rows, columns]`.
    pub(crate) fn dilation(&self) -> Result<[usize; 2], OperatorError> {
        Ok([self.size("dilation_y", param::DILATION_Y)?, self.size("dilation_x", param::DILATION_X)?])
    }

    /// Kernel size of a tiled convolution, `[rows, columns]`.
    pub(crate) fn tiled_kernel_size(&self) -> Result<[usize; 2], OperatorError> {
        Ok([self.size("kernel_y", param::TILED_KERNEL_Y)?, self.size("kernel_x", param::TILED_KERNEL_X)?])
    }

    /// Window size of a pooling, `[rows, columns]`.
    pub(crate) fn kernel_size(&self) -> Result<[usize; 2], OperatorError> {
        Ok([self.size("kernel_y", param::KERNEL_Y)?, self.size("kernel_x", param::KERNEL_X)?])
    }

    /// The multiplier whose mantissa is parameter `index`.
    pub(crate) fn multiplier(&self, index: usize) -> Result<Multiplier, OperatorError> {
        let multiplier = Multiplier { mantissa_q31: self.param(index), shift: self.param(index + 1) };
        if multiplier.is_valid() {
            Ok(multiplier)
        } else {
            Err(OperatorError::Param { name: "multiplier", value: multiplier.shift })
        }
    }

    /// The clamp of codes `T`.
    pub(crate) fn code_clamp<T: Code>(&self) -> Result<Clamp<i32>, OperatorError> {
        let (min, max) = (self.param(param::CLAMP_MIN), self.param(param::CLAMP_MAX));
        if min < T::MIN || max > T::MAX || min > max {
            return Err(OperatorError::Param { name: "clamp", value: min });
        }
        Ok(Clamp { min, max })
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

/// Formats that a clamp is stored in.
pub(crate) trait StoredClamp: Sized {
    fn read_clamp(step: &Step<'_>) -> Result<Clamp<Self>, OperatorError>;
}

impl StoredClamp for i32 {
    fn read_clamp(step: &Step<'_>) -> Result<Clamp<i32>, OperatorError> {
        step.code_clamp::<i8>()
    }
}

impl StoredClamp for i8 {
    fn read_clamp(step: &Step<'_>) -> Result<Clamp<i8>, OperatorError> {
        let Clamp { min, max } = step.code_clamp::<i8>()?;
        Ok(Clamp { min: i8::saturate(min), max: i8::saturate(max) })
    }
}

impl StoredClamp for i16 {
    fn read_clamp(step: &Step<'_>) -> Result<Clamp<i16>, OperatorError> {
        let Clamp { min, max } = step.code_clamp::<i16>()?;
        Ok(Clamp { min: i16::saturate(min), max: i16::saturate(max) })
    }
}

impl StoredClamp for f32 {
    fn read_clamp(step: &Step<'_>) -> Result<Clamp<f32>, OperatorError> {
        let bits = |i| f32::from_bits(step.param(i) as u32);
        let (min, max) = (bits(param::CLAMP_MIN), bits(param::CLAMP_MAX));
        if min <= max {
            Ok(Clamp { min, max })
        } else {
            Err(OperatorError::Param { name: "clamp", value: step.param(param::CLAMP_MIN) })
        }
    }
}

impl From<ShapeError> for OperatorError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}
