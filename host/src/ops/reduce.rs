//! Operators over axes: mean, sum, position of the largest element.

use super::lowered::Lowered;
use super::operands::Scaled;
use super::training::Training;
use super::{Channels, Misfit, Operands, Operator, Padding, Rules, Sliding, Value, Zero, answers, arity, example};
use niwaki_core::error::ShapeError;
use niwaki_core::format::{DType, Params};
use niwaki_core::kernels::{self, Reduce, ReduceInt, reference};
use niwaki_core::num::Multiplier;
use niwaki_core::ops::{Constants as Words, Op as CoreOp, write};

/// Input `x`; mean over `axes`, which leave the shape or stay with size 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Mean {
    /// Ascending.
    pub axes: Vec<usize>,
    /// Whether they stay.
    pub keep_axes: bool,
}

/// Input `x`; sum over `axes`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// Ascending.
    pub axes: Vec<usize>,
    /// Whether they stay.
    pub keep_axes: bool,
}

/// Input `x`; index of the largest element along `axis` (the lowest of several), i32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArgMax {
    /// The axis, which leaves the shape.
    pub axis: usize,
}

/// The shape of the operand without `axes`, or with 1 in their place.
fn shape(inputs: &[&[usize]], axes: &[usize], keep: bool) -> Result<Vec<usize>, Misfit> {
    arity(inputs, 1..=1)?;
    let shape = inputs[0];
    if axes.is_sorted_by(|a, b| a < b) && axes.last().is_none_or(|&last| last < shape.len()) {
        let sizes = shape.iter().enumerate();
        Ok(sizes.filter_map(|(i, &size)| if axes.contains(&i) { keep.then_some(1) } else { Some(size) }).collect())
    } else {
        Err(Misfit::Axes { axes: axes.to_vec() })
    }
}

/// Channels are handed on unless they are reduced.
fn channels(on: &Operands<'_>, axes: &[usize]) -> Channels {
    let last = on.x().shape.len().checked_sub(1);
    Channels::same_if(on, last.is_some_and(|last| !axes.contains(&last)))
}

/// The geometry of a reduction over `axes`.
fn reduction(on: &Operands<'_>, axes: &[usize]) -> Result<Reduce, Misfit> {
    let shape = &on.x().shape;
    let front = 4_usize.checked_sub(shape.len()).ok_or(ShapeError::Dim { name: "rank", value: shape.len() })?;
    let mut sizes = [1; 4];
    sizes[front..].copy_from_slice(shape);
    Ok(Reduce::try_new(sizes, axes.iter().fold(0, |mask, axis| mask | 1 << (axis + front)))?)
}

impl Operator for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        shape(inputs, &self.axes, self.keep_axes)
    }

    fn rules(&self) -> Rules {
        Rules::computed()
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        channels(on, &self.axes)
    }

    fn passes_factor(&self, rank: usize) -> bool {
        !self.axes.contains(&(rank - 1))
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let op = reduction(on, &self.axes)?;
        let Some([x, y]) = on.one_type()? else { return Ok(Lowered::Over(op, Over::Mean, self.axes.clone())) };
        let multiplier = ReduceInt::mean([x.affine.scale, y.affine.scale], op.count(), on.rounding);
        Ok(Lowered::Over(op, Over::MeanInt(integers(on, &op, [x, y], multiplier)), self.axes.clone()))
    }

    /// The mean of a window over positions, where all axes come before those that stay.
    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        let shape = &on.x().shape;
        let reduced = self.axes.last().map_or(0, |&last| last + 1);
        if (0..reduced).any(|axis| shape[axis] != 1 && !self.axes.contains(&axis)) {
            return Err(Misfit::TrainedAxes { axes: self.axes.clone(), shape: shape.clone() });
        }
        let positions = [shape[..reduced].iter().product(), 1];
        let window = Sliding::unit(Padding::Valid).window(positions, positions)?;
        Ok(Training::AveragePool { window })
    }

    answers!(no_macs, no_identity, no_activation, no_window, no_counts, evaluated_as_lowered);
}

example!(Mean = Mean { axes: vec![0, 1], keep_axes: false }, [value(&IMAGE)]);

impl Operator for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        shape(inputs, &self.axes, self.keep_axes)
    }

    fn rules(&self) -> Rules {
        Rules::computed()
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        channels(on, &self.axes)
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let op = reduction(on, &self.axes)?;
        let Some([x, y]) = on.one_type()? else { return Ok(Lowered::Over(op, Over::Sum, self.axes.clone())) };
        let multiplier = ReduceInt::sum([x.affine.scale, y.affine.scale], on.rounding);
        Ok(Lowered::Over(op, Over::SumInt(integers(on, &op, [x, y], multiplier)), self.axes.clone()))
    }

    answers!(no_macs, no_identity, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered, untrained);
}

example!(Sum = Sum { axes: vec![1], keep_axes: true }, [value(&IMAGE)]);

impl Operator for ArgMax {
    fn name(&self) -> &'static str {
        "arg_max"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        shape(inputs, &[self.axis], false)
    }

    fn rules(&self) -> Rules {
        Rules { zero: Zero::Never, ..Rules::computed() }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        let op = reduction(on, &[self.axis])?;
        Scaled::of(on.x())?;
        if on.output.element != DType::I32 {
            return Err(Misfit::IndexType);
        }
        Ok(Lowered::Over(op, Over::ArgMax, vec![self.axis]))
    }

    answers!(no_macs, mixes_channels, no_identity, no_factor, no_activation, no_window, no_counts, untrained);
    answers!(evaluated_as_lowered);
}

example!(ArgMax = ArgMax { axis: 2 }, [value(&IMAGE)]);

fn integers(on: &Operands<'_>, op: &Reduce, [x, y]: [Scaled; 2], multiplier: Multiplier) -> ReduceInt {
    ReduceInt {
        offset: x.affine.zero_point.wrapping_mul(op.count() as i32),
        output_zero_point: y.affine.zero_point,
        multiplier,
        rounding: on.rounding,
    }
}

/// What is computed over axes, in the terms of core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    /// f32 mean.
    Mean,
    /// f32 sum.
    Sum,
    /// Mean of quantised values.
    MeanInt(ReduceInt),
    /// Sum of quantised values.
    SumInt(ReduceInt),
    /// Position of the largest element.
    ArgMax,
}

impl Over {
    /// Writes the parameter words of a reduction over `axes`; what it is in a file.
    pub(super) fn write(&self, axes: &[usize], params: &mut Params) -> CoreOp {
        write::axes(params, axes);
        match self {
            Self::MeanInt(by) | Self::SumInt(by) => Words::<i8>::write(by, params),
            Self::Mean | Self::Sum | Self::ArgMax => {}
        }
        match self {
            Self::Mean | Self::MeanInt(_) => CoreOp::Mean,
            Self::Sum | Self::SumInt(_) => CoreOp::Sum,
            Self::ArgMax => CoreOp::ArgMax,
        }
    }
}

/// What a reduction makes of `x`.
pub(super) fn evaluate(op: &Reduce, over: &Over, x: &Value) -> Result<Value, Misfit> {
    Ok(match (over, x) {
        (Over::Mean, Value::F32(x)) => Value::F32(fold(op, &kernels::MeanF32 { count: op.count() as f32 }, x)?),
        (Over::Sum, Value::F32(x)) => Value::F32(fold(op, &kernels::SumF32, x)?),
        (Over::MeanInt(by) | Over::SumInt(by), Value::I8(x)) => Value::I8(fold(op, by, x)?),
        (Over::MeanInt(by) | Over::SumInt(by), Value::I16(x)) => Value::I16(fold(op, by, x)?),
        (Over::ArgMax, x) => {
            let mut y = vec![0; op.output_len()];
            match x {
                Value::F32(x) => reference::arg_max(op, x, &mut y),
                Value::I8(x) => reference::arg_max(op, x, &mut y),
                Value::I16(x) => reference::arg_max(op, x, &mut y),
                Value::I32(x) => reference::arg_max(op, x, &mut y),
            }?;
            Value::I32(y)
        }
        _ => return Err(Misfit::ValueTypes),
    })
}

fn fold<T: Copy + Default>(op: &Reduce, by: &impl kernels::Reduction<T>, x: &[T]) -> Result<Vec<T>, Misfit> {
    let mut y = vec![T::default(); op.output_len()];
    reference::reduce(op, by, x, &mut y)?;
    Ok(y)
}
