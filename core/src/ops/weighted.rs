//! Number formats of operators with weights: what files store for an int8, int16, f32 or binary16 layer.

use super::words::{StoredClamp, code_clamp};
use super::{Cost, Outcome, Record};
use crate::error::{OperatorError, ShapeError};
use crate::format::{DType, Element, Params, Step, TensorRecord};
use crate::kernels::{Arithmetic, Float16, Float32, Int8, Int16Accumulator, Int16x8};
use crate::num::Multiplier;
use core::marker::PhantomData;

/// A number format of weighted operators as files store it.
pub(super) trait Stored {
    /// Element of input and output.
    type Value: Element + Default;
    /// Element of the weights.
    type Weight: Element + Default;
    /// Element of the bias.
    type Bias: Element + Default;
    /// How it computes.
    type Arithmetic<'m>: Arithmetic<Input = Self::Value, Weight = Self::Weight, Bias = Self::Bias, Output = Self::Value>;

    /// Reads the constants of `step`.
    fn read<'m>(step: &Step<'m>) -> Result<Self::Arithmetic<'m>, OperatorError>;

    /// Writes the words that [`read`](Self::read) reads.
    fn write(arithmetic: &Self::Arithmetic<'_>, params: &mut Params);

    /// Checks once what the inner loop relies on, for an operator with `channels` outputs.
    fn check(arithmetic: &Self::Arithmetic<'_>, step: &Step<'_>, channels: usize) -> Outcome;
}

/// Operands of a layer: input, weights, bias, and for integers mantissas and shifts of its multipliers.
const WEIGHTS: usize = 1;
const BIAS: usize = 2;
const MULTIPLIERS: usize = 3;
const SHIFTS: usize = 4;

/// What a layer reads besides its input.
pub(super) struct Layer<'m, S: Stored> {
    pub(super) arithmetic: S::Arithmetic<'m>,
    pub(super) weights: &'m [S::Weight],
    pub(super) bias: &'m [S::Bias],
}

impl<'m, S: Stored> Layer<'m, S> {
    pub(super) fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self { arithmetic: S::read(step)?, weights: step.constant(WEIGHTS)?, bias: step.constant(BIAS)? })
    }

    /// Elements of input, weights, bias and output of a layer with `channels` outputs, once its constants are checked.
    pub(super) fn check(&self, step: &Step<'_>, channels: usize) -> Result<[usize; 4], OperatorError> {
        S::check(&self.arithmetic, step, channels)?;
        let (x, y) = (step.activation::<S::Value>(0)?, step.result::<S::Value>()?);
        Ok([x.element_count(), self.weights.len(), self.bias.len(), y.element_count()])
    }

    /// What a layer costs that reads each weight `uses` times.
    pub(super) fn cost(&self, uses: usize) -> Cost {
        Cost { macs: uses * self.weights.len(), weights: self.weights.len(), biases: self.bias.len() }
    }
}

/// The weights' record, whose rank must be `rank`.
pub(super) fn weights<'m>(step: &Step<'m>, rank: u8) -> Result<&'m TensorRecord, OperatorError> {
    let w = step.input(WEIGHTS)?;
    if w.rank != rank {
        return Err(ShapeError::Dim { name: "rank of w", value: w.rank.into() }.into());
    }
    Ok(w)
}

/// Checks that every multiplier is defined and that none shifts left by more than `largest_shift`.
fn check_multipliers(mantissas_q31: &[i32], shifts: &[i8], largest_shift: i8) -> Outcome {
    for (&mantissa_q31, &shift) in mantissas_q31.iter().zip(shifts) {
        if !(Multiplier { mantissa_q31, shift: shift.into() }).is_valid() || shift > largest_shift {
            return Err(OperatorError::Param { name: "multiplier", value: mantissa_q31 });
        }
    }
    Ok(())
}

/// f32.
pub(super) struct FloatFile;

impl Stored for FloatFile {
    type Value = f32;
    type Weight = f32;
    type Bias = f32;
    type Arithmetic<'m> = Float32;

    fn read<'m>(step: &Step<'m>) -> Result<Float32, OperatorError> {
        Ok(Float32 { clamp: StoredClamp::read_clamp(&step.record.params)? })
    }

    fn write(arithmetic: &Float32, params: &mut Params) {
        StoredClamp::write_clamp(arithmetic.clamp, params);
    }

    fn check(arithmetic: &Float32, _: &Step<'_>, channels: usize) -> Outcome {
        Ok(arithmetic.check_channels(channels)?)
    }
}

/// f32 activations with weights of 16 bits. The rows' type is that of the weights.
pub(super) struct Float16File;

impl Stored for Float16File {
    type Value = f32;
    type Weight = half::f16;
    type Bias = f32;
    type Arithmetic<'m> = Float16;

    fn read<'m>(step: &Step<'m>) -> Result<Float16, OperatorError> {
        Ok(Float16 { clamp: StoredClamp::read_clamp(&step.record.params)? })
    }

    fn write(arithmetic: &Float16, params: &mut Params) {
        StoredClamp::write_clamp(arithmetic.clamp, params);
    }

    fn check(arithmetic: &Float16, _: &Step<'_>, channels: usize) -> Outcome {
        Ok(arithmetic.check_channels(channels)?)
    }
}

/// int8.
pub(super) struct Int8File;

impl Stored for Int8File {
    type Value = i8;
    type Weight = i8;
    type Bias = i32;
    type Arithmetic<'m> = Int8<'m>;

    fn read<'m>(step: &Step<'m>) -> Result<Int8<'m>, OperatorError> {
        Ok(Int8 {
            input_zero_point: step.input(0)?.zero_point,
            output_zero_point: step.output()?.zero_point,
            multipliers_q31: step.constant(MULTIPLIERS)?,
            shifts: step.constant(SHIFTS)?,
            clamp: StoredClamp::read_clamp(&step.record.params)?,
            rounding: step.rounding(),
        })
    }

    fn write(arithmetic: &Int8<'_>, params: &mut Params) {
        StoredClamp::write_clamp(arithmetic.clamp, params);
    }

    fn check(arithmetic: &Int8<'_>, _: &Step<'_>, channels: usize) -> Outcome {
        arithmetic.check_channels(channels)?;
        check_multipliers(arithmetic.multipliers_q31, arithmetic.shifts, 30)
    }
}

/// int16 activations and int8 weights: the bias, i64 or i32, says what sums are kept in.
pub(super) struct Int16File<B>(PhantomData<B>);

impl<B: Element + Int16Accumulator> Stored for Int16File<B> {
    type Value = i16;
    type Weight = i8;
    type Bias = B;
    type Arithmetic<'m> = Int16x8<'m, B>;

    fn read<'m>(step: &Step<'m>) -> Result<Int16x8<'m, B>, OperatorError> {
        Ok(Int16x8 {
            multipliers_q31: step.constant(MULTIPLIERS)?,
            shifts: step.constant(SHIFTS)?,
            clamp: code_clamp::<i16>(&step.record.params)?,
            rounding: step.rounding(),
            bias: PhantomData,
        })
    }

    fn write(arithmetic: &Int16x8<'_, B>, params: &mut Params) {
        StoredClamp::write_clamp(arithmetic.clamp, params);
    }

    fn check(arithmetic: &Int16x8<'_, B>, step: &Step<'_>, channels: usize) -> Outcome {
        for tensor in [step.input(0)?, step.output()?] {
            if tensor.zero_point != 0 {
                return Err(OperatorError::Param { name: "zero_point", value: tensor.zero_point });
            }
        }
        arithmetic.check_channels(channels)?;
        let largest_shift = if B::DTYPE == DType::I64 { 7 } else { 30 };
        check_multipliers(arithmetic.multipliers_q31, arithmetic.shifts, largest_shift)
    }
}

/// Whether the bias, and so the sum, of an int16 layer has 64 bits.
fn is_wide(step: &Step<'_>) -> bool {
    step.input(BIAS).is_ok_and(|bias| bias.element() == Some(DType::I64))
}

/// A layer whose sums have 64 bits or 32, as its bias has.
pub(super) enum EitherWidth<Wide, Narrow> {
    Wide(Wide),
    Narrow(Narrow),
}

impl<'m, Wide: Record<'m>, Narrow: Record<'m>> Record<'m> for EitherWidth<Wide, Narrow> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        if is_wide(step) { Wide::read(step).map(Self::Wide) } else { Narrow::read(step).map(Self::Narrow) }
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        match self {
            Self::Wide(layer) => layer.write(step, params),
            Self::Narrow(layer) => layer.write(step, params),
        }
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        match self {
            Self::Wide(layer) => layer.check(step),
            Self::Narrow(layer) => layer.check(step),
        }
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        match self {
            Self::Wide(layer) => layer.cost(step),
            Self::Narrow(layer) => layer.cost(step),
        }
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        match self {
            Self::Wide(layer) => layer.run(step, arena),
            Self::Narrow(layer) => layer.run(step, arena),
        }
    }
}
