//! Operators that move the elements of one operand: borders, slices, transposition.

use super::lowered::Lowered;
use super::moved::{Kernel, Movement, Place, element, padded};
use super::rules::last;
use super::training::Training;
use super::{ChannelRun, Channels, Misfit, Operands, Operator, Rounded, Rules, Zero, answers, arity, example};
use niwaki_core::kernels::{AXES, StridedCopy};
use niwaki_core::ops::{Op as CoreOp, write};

/// Input `x`; borders of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Pad {
    /// `[before, after]` of each axis.
    pub pads: Vec<[usize; 2]>,
    /// The real value of the border.
    pub value: f32,
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
pub(super) fn movable(inputs: &[&[usize]]) -> Result<(), Misfit> {
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

example!(Pad = Pad { pads: vec![[1, 0], [2, 1], [0, 0]], value: 0.0 }, [value(&IMAGE)]);

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
        let runs = first.map(|&from| vec![ChannelRun { operand: 0, from, to: 0, channels }]);
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

example!(Slice = Slice { begin: vec![3, 0, 1], size: vec![2, 3, 2], stride: vec![-2, 2, 1] }, [value(&IMAGE)]);

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

example!(Transpose = Transpose { order: vec![1, 0, 2] }, [value(&IMAGE)]);

impl Transpose {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let mut place = Place::new(on)?;
        write::transpose(&mut place.params, &self.order);
        let op = StridedCopy::transpose(place.from, padded(&self.order, [0, 1, 2, 3]), place.bytes)?;
        Ok(place.done(CoreOp::Transpose, Kernel::Copies(vec![op])))
    }
}
