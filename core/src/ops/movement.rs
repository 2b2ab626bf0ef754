//! Operators that move elements without computing: reshape, pad, concat, slice, transpose. One copy serves every element
//! type, told apart by its size.

use super::memory::{Operands, operands, operands_from};
use super::unary::check_elementwise;
use super::words::Word;
use super::{Cost, Outcome, Record};
use crate::error::{Operand, OperatorError};
use crate::format::{Element, NONE, Overlap, Params, Step, TensorRecord};
use crate::kernels::{AXES, StridedCopy};
use crate::kernels::{BackEnd as _, Best};
use crate::shape::expect_len;
use core::marker::PhantomData;

/// The same elements in another shape.
pub(super) struct Reshape<T>(PhantomData<T>);

impl<'m, T: Element> Record<'m> for Reshape<T> {
    const OVERLAP: Overlap = Overlap::Exact;

    fn read(_: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self(PhantomData))
    }

    fn write(&self, _: &Step<'m>, _: &mut Params) {}

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_elementwise::<T>(step)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands::<'_, T, 1> { inputs: [x], output, in_place } = operands(step, arena)?;
        if in_place.is_none() {
            output.iter_mut().zip(x).for_each(|(y, &x)| *y = x);
        }
        Ok(())
    }
}

/// One word an axis, from the word at `first` on.
const fn by_axis(first: usize, name: &'static str) -> [Word; AXES] {
    [Word::new(first, name), Word::new(first + 1, name), Word::new(first + 2, name), Word::new(first + 3, name)]
}

/// Pad: elements before the input.
const BEFORE: [Word; AXES] = by_axis(0, "before");
/// Pad: the border's element in the bits of a word.
const BORDER: Word = Word::new(8, "border");
/// Concat: the axis.
const AXIS: Word = Word::new(0, "axis");
/// Slice: the first element.
const BEGIN: [Word; AXES] = by_axis(0, "begin");
/// Slice: elements between neighbours, negative backwards.
const STRIDE: [Word; AXES] = by_axis(4, "stride");
/// Transpose: the input axis that becomes this one.
const ORDER: [Word; AXES] = by_axis(0, "order");

/// The words of the axes of `tensor`; `beyond` for the axes that it does not have.
fn values(words: [Word; AXES], step: &Step<'_>, tensor: &TensorRecord, beyond: [i32; AXES]) -> [i32; AXES] {
    let mut values = beyond;
    let axes = values.iter_mut().zip(words).take(tensor.rank.into());
    axes.for_each(|(value, word)| *value = word.get(&step.record.params));
    values
}

/// As [`values`], that are sizes or positions.
fn positions(
    words: [Word; AXES],
    step: &Step<'_>,
    tensor: &TensorRecord,
    beyond: [i32; AXES],
) -> Result<[usize; AXES], OperatorError> {
    let values = values(words, step, tensor, beyond);
    match values.iter().zip(words).find(|(value, _)| **value < 0) {
        Some((_, word)) => Err(word.refused(&step.record.params)),
        None => Ok(values.map(|value| value as usize)),
    }
}

fn put(words: [Word; AXES], params: &mut Params, values: impl Iterator<Item = i32>) {
    words.into_iter().zip(values).for_each(|(word, value)| word.put(params, value));
}

/// Writes a pad: elements before the input along each axis, and the bits of a border's element.
pub fn write_pad(params: &mut Params, before: &[usize], border: i32) {
    put(BEFORE, params, before.iter().map(|&size| size as i32));
    BORDER.put(params, border);
}

/// Writes a concatenation.
pub fn write_concat(params: &mut Params, axis: usize) {
    AXIS.put_size(params, axis);
}

/// Writes a slice: the first element and the distance of neighbours along each axis.
pub fn write_slice(params: &mut Params, begin: &[usize], stride: &[i32]) {
    put(BEGIN, params, begin.iter().map(|&at| at as i32));
    put(STRIDE, params, stride.iter().copied());
}

/// Writes a transposition: the input axis that becomes each output axis.
pub fn write_transpose(params: &mut Params, order: &[usize]) {
    put(ORDER, params, order.iter().map(|&axis| axis as i32));
}

/// Sizes of all axes, 1 beyond the rank.
fn dims(tensor: &TensorRecord) -> [usize; AXES] {
    tensor.dims.map(|size| size as usize)
}

/// Writes the first words of the axes of operand 0 again.
fn copy_words(words: [Word; AXES], step: &Step<'_>, params: &mut Params) {
    let rank = step.input(0).map_or(0, |x| x.rank.into());
    words.into_iter().take(rank).for_each(|word| word.put(params, word.get(&step.record.params)));
}

/// Checks that operand `index` and the output have the operator's element type and one rank.
pub(super) fn check_types(step: &Step<'_>, index: usize) -> Outcome {
    let (x, y, dtype) = (step.input(index)?, step.output()?, step.operator.dtype);
    for (operand, tensor) in [(Operand::Input(index), x), (Operand::Output, y)] {
        if tensor.dtype != dtype.code() {
            return Err(OperatorError::Activation { operand, expected: dtype.name() });
        }
    }
    Ok(expect_len("rank", x.rank.into(), y.rank.into())?)
}

pub(super) fn element_bytes(step: &Step<'_>) -> usize {
    step.operator.dtype.element_bytes()
}

/// Borders of one element.
pub(super) struct Pad(StridedCopy);

impl<'m> Record<'m> for Pad {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let (x, y) = (step.input(0)?, step.output()?);
        let before = positions(BEFORE, step, x, [0; AXES])?;
        Ok(Self(StridedCopy::place(dims(x), before, dims(y), element_bytes(step))?))
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        copy_words(BEFORE, step, params);
        BORDER.put(params, BORDER.get(&step.record.params));
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_types(step, 0)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let value = BORDER.get(&step.record.params).to_le_bytes();
        let border = value.get(..self.0.element_bytes()).unwrap_or(&value);
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(Best::pad(&self.0, border, x, output)?)
    }
}

/// Operands one after the other along an axis.
pub(super) struct Concat {
    axis: usize,
}

impl Concat {
    /// How many operands there are: those before the first that is absent.
    fn operands(step: &Step<'_>) -> usize {
        step.record.inputs.iter().take_while(|&&tensor| tensor != NONE).count()
    }

    /// The copy of operand `index` to `offset` along the axis.
    fn copy(&self, step: &Step<'_>, index: usize, offset: usize) -> Result<StridedCopy, OperatorError> {
        let (x, y) = (step.input(index)?, step.output()?);
        let mut at = [0; AXES];
        at.iter_mut().skip(self.axis).take(1).for_each(|at| *at = offset);
        Ok(StridedCopy::place(dims(x), at, dims(y), element_bytes(step))?)
    }
}

impl<'m> Record<'m> for Concat {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let params = &step.record.params;
        let rank = step.output().map_or(0, |y| y.rank.into());
        let axis = usize::try_from(AXIS.get(params)).ok().filter(|&axis| axis < rank);
        Ok(Self { axis: axis.ok_or(AXIS.refused(params))? })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        write_concat(params, self.axis);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let y = step.output()?;
        let mut offset = 0;
        check_types(step, 0)?;
        for index in 0..Self::operands(step) {
            check_types(step, index)?;
            let x = step.input(index)?;
            for other in (0..AXES).filter(|&other| other != self.axis) {
                expect_len("operand", y.dim(other), x.dim(other))?;
            }
            self.copy(step, index, offset)?;
            offset += x.dim(self.axis);
        }
        Ok(expect_len("output", offset, y.dim(self.axis))?)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let mut offset = 0;
        for index in 0..Self::operands(step) {
            let op = self.copy(step, index, offset)?;
            let Operands { inputs: [x], output, .. } = operands_from(step, arena, index)?;
            Best::strided_copy(&op, x, output)?;
            offset += step.input(index)?.dim(self.axis);
        }
        Ok(())
    }
}

/// Every so many elements of a part.
pub(super) struct Slice(StridedCopy);

impl<'m> Record<'m> for Slice {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let (x, y) = (step.input(0)?, step.output()?);
        let begin = positions(BEGIN, step, x, [0; AXES])?;
        let strides = values(STRIDE, step, x, [1; AXES]).map(|stride| stride as isize);
        Ok(Self(StridedCopy::slice(dims(x), begin, strides, dims(y), element_bytes(step))?))
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        copy_words(BEGIN, step, params);
        copy_words(STRIDE, step, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_types(step, 0)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(Best::strided_copy(&self.0, x, output)?)
    }
}

/// Axes in another order.
pub(super) struct Transpose(StridedCopy);

impl<'m> Record<'m> for Transpose {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let x = step.input(0)?;
        let order = positions(ORDER, step, x, [0, 1, 2, 3])?;
        Ok(Self(StridedCopy::transpose(dims(x), order, element_bytes(step))?))
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        copy_words(ORDER, step, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_types(step, 0)?;
        for (size, got) in self.0.sizes().into_iter().zip(dims(step.output()?)) {
            expect_len("output axis", size, got)?;
        }
        Ok(())
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(Best::strided_copy(&self.0, x, output)?)
    }
}
