//! Operators that move elements: borders, concatenation, slices, transposition, other shapes.

use super::lowered::Lowered;
use super::rules::{last, whole};
use super::training::Training;
use super::{
    Border, Channels, Computed, Constants, InPlace, Misfit, OneValue, Operands, Operator, Quantisation, Rounded, Rules,
    Run, Tensor, Value, Zero, answers, arity, f32s, i16s,
};
use niwaki_core::error::ShapeError;
use niwaki_core::format::{DType, Params};
use niwaki_core::kernels::{AXES, Resize, StridedCopy, reference};
use niwaki_core::num::Rounding;
use niwaki_core::ops::{Op as CoreOp, write};

/// Operands that one concatenation in a file takes.
const CONCAT_OPERANDS: usize = 6;

/// Input `x`; borders of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Pad {
    /// `[before, after]` of each axis.
    pub pads: Vec<[usize; 2]>,
    /// The real value of the border.
    pub value: f32,
}

/// Inputs one after the other along `axis`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

/// Input `x`; `size` elements of each axis from `begin` on, `stride` apart (negative: backwards).
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// First element of each axis.
    pub begin: Vec<usize>,
    /// Elements of each axis of the output.
    pub size: Vec<usize>,
    /// Distance between neighbours; not 0.
    pub stride: Vec<isize>,
}

/// Input `x`; output axis `i` is input axis `order[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Transpose {
    /// A permutation.
    pub order: Vec<usize>,
}

/// Input `x`; the same elements in another shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Reshape {
    /// The new per-sample shape.
    pub shape: Vec<usize>,
}

/// The answers of an operator whose elements are those of its operand.
pub(super) fn rules() -> Rules {
    Rules {
        zero: Zero::First,
        quantisation: Quantisation::OfOperand,
        rounded: Rounded::Selected,
        constants: Constants::Stay,
        weights: None,
        one_value: OneValue::Through,
        border: Border::Unlike,
        in_place: InPlace::Never,
        reads_flat: false,
        renames: false,
        repeats_channel: false,
        over_nodes: false,
        scales_rows: false,
        folds: true,
    }
}

/// The shape of the one operand, whose axes core can move, and the check of attributes that have an entry for each.
fn one_operand<'a>(inputs: &[&'a [usize]], attributes: &[(&'static str, usize)]) -> Result<&'a [usize], Misfit> {
    arity(inputs, 1..=1)?;
    movable(inputs)?;
    let rank = inputs[0].len();
    match attributes.iter().find(|(_, entries)| *entries != rank) {
        Some(&(attribute, entries)) => Err(Misfit::Entries { attribute, entries, rank }),
        None => Ok(inputs[0]),
    }
}

/// Checks that operand 0 does not have more axes than core moves.
fn movable(inputs: &[&[usize]]) -> Result<(), Misfit> {
    let rank = inputs[0].len();
    if rank > AXES { Err(Misfit::Rank { rank, most: AXES }) } else { Ok(()) }
}

impl Operator for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        let x = one_operand(inputs, &[("pads", self.pads.len())])?;
        Ok(x.iter().zip(&self.pads).map(|(size, [before, after])| size + before + after).collect())
    }

    fn rules(&self) -> Rules {
        let is_zero = self.value == 0.0;
        let zero = if is_zero { Zero::First } else { Zero::Never };
        Rules { zero, rounded: if is_zero { Rounded::Selected } else { Rounded::Clipped }, ..rules() }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        Channels::same_if(on, self.pads.last() == Some(&[0, 0]))
    }

    fn is_identity(&self, _: &Operands<'_>) -> bool {
        self.pads.iter().all(|pad| *pad == [0, 0])
    }

    fn passes_factor(&self, _: usize) -> bool {
        self.value == 0.0 && self.pads.last().is_none_or(|pad| *pad == [0, 0])
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        self.movement(on).map(Lowered::Movement)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        let zeros = Self { value: 0.0, ..self.clone() };
        Ok(Training::Movement { movement: zeros.movement(on)?, border: self.value })
    }

    answers!(no_macs, no_activation, no_window, no_counts, evaluated_as_lowered);
}

impl Pad {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let mut place = Place::new(on)?;
        let before: Vec<usize> = self.pads.iter().map(|pad| pad[0]).collect();
        let (word, border) = element(on.x(), self.value)?;
        write::pad(&mut place.params, &before, word);
        let op = StridedCopy::place(place.from, padded(&before, [0; AXES]), place.to, place.bytes)?;
        Ok(place.done(CoreOp::Pad, Kernel::Pad(op, border)))
    }
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        if !(1..=CONCAT_OPERANDS).contains(&inputs.len()) {
            return Err(Misfit::TooMany { most: CONCAT_OPERANDS, got: inputs.len() });
        }
        movable(inputs)?;
        let (axis, mut shape) = (self.axis, inputs[0].to_vec());
        if axis >= shape.len() {
            return Err(Misfit::Axis { axis, rank: shape.len() });
        }
        shape[axis] = 0;
        for input in inputs {
            let fits = input.len() == shape.len() && (0..shape.len()).all(|a| a == axis || shape[a] == input[a]);
            if !fits {
                return Err(Misfit::Beside { axis });
            }
            shape[axis] += input[axis];
        }
        Ok(shape)
    }

    fn rules(&self) -> Rules {
        Rules { zero: Zero::All, quantisation: Quantisation::OfAll, constants: Constants::Refused, ..rules() }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        let all = 0..on.inputs.len();
        let runs = if self.axis + 1 == on.x().shape.len() {
            let mut to = 0;
            let place = |operand: usize| {
                let channels = last(on.inputs[operand]);
                to += channels;
                Run { operand, from: 0, to: to - channels, channels }
            };
            all.map(place).collect()
        } else {
            all.map(|operand| whole(on, operand)).collect()
        };
        Channels { runs: Some(runs), axes: Vec::new() }
    }

    fn is_identity(&self, on: &Operands<'_>) -> bool {
        on.inputs.len() == 1
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        self.movement(on).map(Lowered::Movement)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Movement { movement: self.movement(on)?, border: 0.0 })
    }

    answers!(no_macs, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered);
}

impl Concat {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let mut place = Place::new(on)?;
        write::concat(&mut place.params, self.axis);
        let (mut at, mut copies) = ([0; AXES], Vec::new());
        for operand in &on.inputs {
            copies.push(StridedCopy::place(shape(&operand.shape), at, place.to, place.bytes)?);
            at[self.axis] += operand.shape[self.axis];
        }
        Ok(place.done(CoreOp::Concat, Kernel::Copies(copies)))
    }
}

impl Operator for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        let Self { begin, size, stride } = self;
        let x = one_operand(inputs, &[("begin", begin.len()), ("size", size.len()), ("stride", stride.len())])?;
        for (axis, (&len, &first)) in x.iter().zip(begin).enumerate() {
            let last = (size[axis] as i128 - 1) * stride[axis] as i128 + first as i128;
            if size[axis] == 0 || first >= len || !(0..len as i128).contains(&last) || stride[axis] == 0 {
                return Err(Misfit::Slice { axis, first, last, size: len });
            }
        }
        Ok(size.clone())
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        let channels = last(on.output);
        let first = self.begin.last().filter(|_| self.stride.last() == Some(&1));
        let runs = first.map(|&from| vec![Run { operand: 0, from, to: 0, channels }]);
        Channels { runs, axes: Vec::new() }
    }

    /// Of one shape and one step forwards, a slice takes everything.
    fn is_identity(&self, _: &Operands<'_>) -> bool {
        self.stride.iter().all(|&step| step == 1)
    }

    fn keep_channels(&mut self, kept: &[bool]) {
        let (Some(begin), Some(size)) = (self.begin.last_mut(), self.size.last_mut()) else { return };
        let count = |range: std::ops::Range<usize>| kept[range].iter().filter(|&&kept| kept).count();
        (*begin, *size) = (count(0..*begin), count(*begin..*begin + *size));
    }

    fn refit(&mut self, _: usize) {}

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        self.movement(on).map(Lowered::Movement)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Movement { movement: self.movement(on)?, border: 0.0 })
    }

    answers!(no_macs, no_factor, no_activation, no_window, evaluated_as_lowered);
}

impl Slice {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let mut place = Place::new(on)?;
        let words = self.stride.iter().map(|&stride| i32::try_from(stride).map_err(|_| Misfit::Stride { stride }));
        write::slice(&mut place.params, &self.begin, &words.collect::<Result<Vec<_>, _>>()?);
        let (begin, stride) = (padded(&self.begin, [0; AXES]), padded(&self.stride, [1; AXES]));
        let op = StridedCopy::slice(place.from, begin, stride, place.to, place.bytes)?;
        Ok(place.done(CoreOp::Slice, Kernel::Copies(vec![op])))
    }
}

impl Operator for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        let order = &self.order;
        let x = one_operand(inputs, &[("order", order.len())])?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted.iter().enumerate().any(|(i, &axis)| i != axis) {
            return Err(Misfit::Order { order: order.clone() });
        }
        Ok(order.iter().map(|&axis| x[axis]).collect())
    }

    fn rules(&self) -> Rules {
        rules()
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        let last = on.x().shape.len().checked_sub(1);
        Channels::same_if(on, last.is_some() && self.order.last() == last.as_ref())
    }

    fn is_identity(&self, _: &Operands<'_>) -> bool {
        self.order.iter().copied().eq(0..self.order.len())
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        self.movement(on).map(Lowered::Movement)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Movement { movement: self.movement(on)?, border: 0.0 })
    }

    answers!(no_macs, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered);
}

impl Transpose {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let mut place = Place::new(on)?;
        write::transpose(&mut place.params, &self.order);
        let op = StridedCopy::transpose(place.from, padded(&self.order, [0, 1, 2, 3]), place.bytes)?;
        Ok(place.done(CoreOp::Transpose, Kernel::Copies(vec![op])))
    }
}

impl Operator for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 1..=1)?;
        if self.shape.iter().product::<usize>() != inputs[0].iter().product::<usize>() {
            return Err(Misfit::Elements { shape: self.shape.clone() });
        }
        Ok(self.shape.clone())
    }

    fn rules(&self) -> Rules {
        Rules { in_place: InPlace::Operand, reads_flat: true, renames: true, ..rules() }
    }

    /// The same elements in the same order: a flattening repeats the channels, and its reverse folds them.
    fn channels(&self, on: &Operands<'_>) -> Channels {
        let (from, to) = (last(on.x()), last(on.output));
        let runs = if to.is_multiple_of(from) {
            let run = |to| Run { operand: 0, from: 0, to, channels: from };
            Some((0..to).step_by(from).map(run).collect())
        } else if from.is_multiple_of(to) {
            let run = |from| Run { operand: 0, from, to: 0, channels: to };
            Some((0..from).step_by(to).map(run).collect())
        } else {
            None
        };
        Channels { runs, axes: Vec::new() }
    }

    fn is_identity(&self, _: &Operands<'_>) -> bool {
        true
    }

    fn passes_factor(&self, _: usize) -> bool {
        true
    }

    fn keep_channels(&mut self, _: &[bool]) {}

    /// All axes stay but the last, which takes what there is.
    fn refit(&mut self, elements: usize) {
        if let Some((last, rest)) = self.shape.split_last_mut() {
            *last = elements / rest.iter().product::<usize>().max(1);
        }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        on.keeps_quantisation()?;
        Ok(Lowered::Reshape)
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Rename)
    }

    answers!(no_macs, no_activation, no_window, evaluated_as_lowered);
}

/// An operator that moves elements, or interpolates between them, in the terms of core.
#[derive(Debug, Clone, PartialEq)]
pub struct Movement {
    /// What it is in a file.
    pub op: CoreOp,
    /// Its parameters in a file.
    pub params: Params,
    kernel: Kernel,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kernel {
    /// One copy an operand.
    Copies(Vec<StridedCopy>),
    /// A copy into a border of one element.
    Pad(StridedCopy, Vec<u8>),
    /// Bytes stand for channels.
    Nearest(Resize),
    /// Between the nearest elements.
    Bilinear(Resize, Rounding),
}

/// A movement whose kernel is yet to be chosen.
pub(super) struct Place {
    from: [usize; AXES],
    to: [usize; AXES],
    pub(super) bytes: usize,
    pub(super) params: Params,
}

impl Place {
    /// Checks that all tensors are of one type and quantisation, which can be moved.
    pub(super) fn new(on: &Operands<'_>) -> Result<Self, Misfit> {
        let y = on.output;
        if let Some(x) = on.inputs.iter().find(|x| x.dtype() != y.element || x.quant != y.quant) {
            return Err(Misfit::Moved { tensor: x.name.clone() });
        }
        if ![DType::I8, DType::I16, DType::F32].contains(&y.element) {
            return Err(Misfit::Unmoved { dtype: y.element.name() });
        }
        let bytes = y.element.element_bytes();
        Ok(Self { from: shape(&on.x().shape), to: shape(&y.shape), bytes, params: Params::default() })
    }

    pub(super) fn done(self, op: CoreOp, kernel: Kernel) -> Movement {
        Movement { op, params: self.params, kernel }
    }
}

/// `sizes` with 1 for the axes that are not there.
fn shape(sizes: &[usize]) -> [usize; AXES] {
    padded(sizes, [1; AXES])
}

/// `values` with those of `beyond` for the axes that are not there; the shape rule refuses more axes.
fn padded<T: Copy>(values: &[T], beyond: [T; AXES]) -> [T; AXES] {
    let mut padded = beyond;
    padded.iter_mut().zip(values).for_each(|(slot, &value)| *slot = value);
    padded
}

/// `value` as an element of `tensor`, its nearest quantised value where it is quantised: as a parameter and as bytes.
fn element(tensor: &Tensor, value: f32) -> Result<(i32, Vec<u8>), Misfit> {
    let quantised = |low: f32, high: f32| {
        let quant = tensor.quant.as_ref().ok_or_else(|| Misfit::NotQuantised { tensor: tensor.name.clone() })?;
        Ok::<_, Misfit>(((value / quant.scales[0]).round() + quant.zero_point as f32).clamp(low, high))
    };
    Ok(match tensor.element {
        DType::F32 => (value.to_bits() as i32, value.to_le_bytes().to_vec()),
        DType::I8 => {
            let value = quantised(-128.0, 127.0)? as i8;
            (value.into(), value.to_le_bytes().to_vec())
        }
        DType::I16 => {
            let value = quantised(-32768.0, 32767.0)? as i16;
            (value.into(), value.to_le_bytes().to_vec())
        }
        other => return Err(Misfit::Border { tensor: tensor.name.clone(), dtype: other.name() }),
    })
}

/// What a movement makes of its operands, constant or computed.
pub(super) fn evaluate(op: &Movement, on: &Operands<'_>, computed: &Computed<'_>) -> Result<Value, Misfit> {
    let bytes = |(tensor, value): (&&Tensor, &Option<&Value>)| match (&tensor.data, value) {
        (Some(constant), _) => Ok(constant.bytes().to_vec()),
        (None, Some(value)) => Ok(value.to_bytes()),
        (None, None) => Err(Misfit::NoValue { tensor: tensor.name.clone() }),
    };
    let operands = on.inputs.iter().zip(computed).map(bytes).collect::<Result<Vec<_>, _>>()?;
    let (dtype, len) = (on.output.element, on.output.element_count());
    let bytes = op.evaluate(&operands, dtype, len)?;
    Ok(match dtype {
        DType::I8 => Value::I8(bytemuck::cast_slice(&bytes).to_vec()),
        DType::I16 => Value::I16(i16s(&bytes)),
        _ => Value::F32(f32s(&bytes)),
    })
}

impl Movement {
    /// The bytes of the output, `len` elements of type `dtype`, from those of the operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names an operand with the wrong length.
    pub fn evaluate(&self, operands: &[Vec<u8>], dtype: DType, len: usize) -> Result<Vec<u8>, ShapeError> {
        let mut y = vec![0; len * dtype.element_bytes()];
        match &self.kernel {
            Kernel::Copies(copies) => {
                for (op, x) in copies.iter().zip(operands) {
                    reference::strided_copy(op, x, &mut y)?;
                }
            }
            Kernel::Pad(op, border) => reference::pad(op, border, &operands[0], &mut y)?,
            Kernel::Nearest(op) => reference::resize_nearest(op, &operands[0], &mut y)?,
            Kernel::Bilinear(op, rounding) => match dtype {
                DType::I8 => {
                    let x: &[i8] = bytemuck::cast_slice(&operands[0]);
                    reference::resize_bilinear(op, *rounding, x, bytemuck::cast_slice_mut(&mut y))?;
                }
                DType::I16 => {
                    let mut values = vec![0; len];
                    reference::resize_bilinear(op, *rounding, &i16s(&operands[0]), &mut values)?;
                    y.copy_from_slice(bytemuck::cast_slice(&values));
                }
                _ => {
                    let mut values = vec![0.0; len];
                    reference::resize_bilinear(op, *rounding, &f32s(&operands[0]), &mut values)?;
                    y.copy_from_slice(bytemuck::cast_slice(&values));
                }
            },
        }
        Ok(y)
    }
}
