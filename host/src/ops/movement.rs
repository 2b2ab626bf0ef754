//! Operators that move elements: borders, concatenation, slices, transposition, other shapes.

use super::lowered::Lowered;
use super::moved::{Kernel, Movement, Place, element, padded, shape};
use super::rules::{last, whole};
use super::training::Training;
use super::{
    Channels, Constants, InPlace, Misfit, Operands, Operator, Quantisation, Rounded, Rules, Run, Zero, answers, arity,
};
use niwaki_core::kernels::{AXES, StridedCopy};
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
        Rules { zero, rounded: if is_zero { Rounded::Selected } else { Rounded::Clipped }, ..Rules::moved() }
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
        Rules { zero: Zero::All, quantisation: Quantisation::OfAll, constants: Constants::Refused, ..Rules::moved() }
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
        Rules::moved()
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
        Rules::moved()
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
        Rules { in_place: InPlace::Operand, reads_flat: true, renames: true, ..Rules::moved() }
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
