//! What the passes of the host ask of an operator, answered by a value for each question.

use super::{Operands, Tensor};

/// What an operator answers whatever its operands are. There is no default: an operator says which of three it starts from,
/// [`Rules::computed`], [`Rules::moved`] or [`Rules::weighted`], and where it differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// When the result is zero.
    pub zero: Zero,
    /// What the quantised values of the result mean.
    pub quantisation: Quantisation,
    /// How results are rounded while a network is trained in quantised values.
    pub rounded: Rounded,
    /// What becomes of constant operands, weights and biases aside, when a network is quantised.
    pub constants: Constants,
    /// How the weights lie, of an operator that has weights as operand 1 and a bias as operand 2.
    pub weights: Option<WeightLayout>,
    /// What is known of channels that hold one value whatever the input is.
    pub one_value: OneValue,
    /// Which border of its operand may become padding of its window.
    pub border: Border,
    /// Where the result may lie.
    pub in_place: InPlace,
    /// Whether it reads its operand as one row of elements, in whatever shape that is.
    pub reads_flat: bool,
    /// Whether the result is the operand under another name, in training and where quantised values are looked at.
    pub renames: bool,
    /// Whether it may repeat a single channel of an operand over all channels of the result.
    pub repeats_channel: bool,
    /// Whether it runs over the nodes of a graph.
    pub over_nodes: bool,
    /// Whether it can write its rows in quantised values of a scale each.
    pub scales_rows: bool,
    /// Whether the result is a constant where all operands are.
    pub folds: bool,
}

impl Rules {
    /// New values, made channel by channel of those of operand 0: zero of zero, over a range of their own, in memory of
    /// their own.
    pub fn computed() -> Self {
        Self {
            zero: Zero::First,
            quantisation: Quantisation::Own,
            rounded: Rounded::Clipped,
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

    /// The values of operand 0 in other places, quantised as they are.
    pub fn moved() -> Self {
        Self { quantisation: Quantisation::OfOperand, rounded: Rounded::Selected, ..Self::computed() }
    }

    /// A layer whose filters sum over all channels.
    pub fn weighted() -> Self {
        let weights = Some(WeightLayout::Filters);
        Self { zero: Zero::Weights, weights, one_value: OneValue::Filters, ..Self::computed() }
    }
}

/// When the result of an operator is exactly zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zero {
    /// Perhaps never.
    Never,
    /// Where operand 0 is.
    First,
    /// Where all operands are.
    All,
    /// Where any operand is.
    Any,
    /// Where operands 1 and 2 are: weights and bias, or factor and shift.
    Weights,
    /// Where operand 2 is, and operand 0 or 1.
    Channelwise,
}

impl Zero {
    /// Whether the result is zero when `operands` of them are: one answer for each there is.
    pub fn of(self, operands: &[bool]) -> bool {
        let operand = |i: usize| operands.get(i).is_none_or(|&zero| zero);
        match self {
            Self::Never => false,
            Self::First => operand(0),
            Self::All => operands.iter().all(|&zero| zero),
            Self::Any => operands.iter().any(|&zero| zero),
            Self::Weights => operand(1) && operand(2),
            Self::Channelwise => (operand(0) || operand(1)) && operand(2),
        }
    }
}

/// What the quantised values of a result mean (specs/integer_arithmetic.md §1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantisation {
    /// The range of what calibration saw.
    Own,
    /// What those of operand 0 mean: they are moved or averaged.
    OfOperand,
    /// What those of every operand mean, so that all of these share one quantisation.
    OfAll,
    /// Always the same.
    Fixed {
        /// Real value of a step.
        scale: f32,
        /// Quantised value of zero.
        zero_point: i32,
    },
    /// The network says it: it is quantised already.
    Given,
}

/// How results are rounded while a network is trained in quantised values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounded {
    /// Not at all: each is an element of an operand, or zero.
    Selected,
    /// To quantised values, none of which lies outside of what they reach.
    Inside,
    /// To quantised values, and clipped where these end, so that the gradient ends there too.
    Clipped,
}

/// What becomes of constant operands that are no weights when a network is quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constants {
    /// They stay as they are.
    Stay,
    /// They are quantised by their own range.
    Quantised,
    /// There may be none.
    Refused,
}

/// How the weights of an operator lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightLayout {
    /// `[O, .., I]`: filter after filter, each summing over all channels.
    Filters,
    /// `[KH, KW, O]`: output channels innermost, each reading one channel.
    Channelwise,
    /// `[O, KH, KW, I]`, and every element of the operand adds to several positions.
    Scattered,
}

impl WeightLayout {
    /// The axis of output channels.
    pub fn axis(self) -> usize {
        match self {
            Self::Filters | Self::Scattered => 0,
            Self::Channelwise => 2,
        }
    }

    /// Whether each output position gathers what its filter sees, so that weights can be scaled, chosen and trained as
    /// those of a layer.
    pub fn gather(self) -> bool {
        !matches!(self, Self::Scattered)
    }

    /// Rows and columns of the window that weights of this shape have.
    pub fn window(self, shape: &[usize]) -> Option<[usize; 2]> {
        match (self, shape) {
            (Self::Filters | Self::Scattered, &[_, rows, columns, _]) | (Self::Channelwise, &[rows, columns, _]) => {
                Some([rows, columns])
            }
            _ => None,
        }
    }
}

/// What is known of channels that hold one quantised value whatever the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OneValue {
    /// A channel of the result has one where its filter reads only such channels; reading one is a number for the bias.
    Filters,
    /// A channel of the result has one where the channel that it reads has, or its weights are zero.
    Channelwise,
    /// A channel of the result has one where those have that it is made of ([`Channels::runs`]).
    Through,
    /// As [`OneValue::Through`], and such channels can leave where all operands are activations of one shape.
    ThroughAlike,
    /// As [`OneValue::Through`], but channels stay.
    ThroughKept,
    /// Nothing.
    Unknown,
}

/// Which border around an image a window over it treats as it treats what is outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// None, or there is no window.
    Unlike,
    /// One of zeros.
    Zeros,
    /// One of the lowest quantised value, where that stands for zero.
    Lowest,
}

/// Where the result may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InPlace {
    /// Not over an operand.
    Never,
    /// Over operand 0.
    Operand,
    /// Over either of two operands, if they are not one tensor.
    EitherOperand,
}

/// What an operator does with channels: indices of the last axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channels {
    /// The channels that are handed on: channel by channel, the result depends on these and on constants alone. Empty where
    /// new ones are made (or a single one is repeated); `None` where channels are mixed in another way.
    ///
    /// What the operand of a sum or product with but one channel is repeated over depends on it too; it is in no run.
    pub runs: Option<Vec<ChannelRun>>,
    /// Every axis of constant operands that runs over channels.
    pub axes: Vec<Axis>,
}

/// Channels of an operand that are handed on as they are, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelRun {
    /// The operand.
    pub operand: usize,
    /// Its first channel.
    pub from: usize,
    /// The first channel of the result.
    pub to: usize,
    /// How many.
    pub channels: usize,
}

/// An axis of a constant operand whose indices are the channels of an activation, over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    /// The operand.
    pub operand: usize,
    /// The axis.
    pub axis: usize,
    /// Whether the operator sums over the channels, those of operand 0; else it makes them.
    pub reads: bool,
}

/// Channels of a tensor.
pub(super) fn last(tensor: &Tensor) -> usize {
    tensor.shape.last().copied().unwrap_or(1)
}

impl Channels {
    /// Channels are mixed, and no constant runs over them.
    pub(super) fn mixed() -> Self {
        Self { runs: None, axes: Vec::new() }
    }

    /// The channels of operand 0 are those of the result.
    pub(super) fn same(on: &Operands<'_>) -> Self {
        Self { runs: Some(vec![whole(on, 0)]), axes: Vec::new() }
    }

    /// As [`Channels::same`] if `handed`, else mixed.
    pub(super) fn same_if(on: &Operands<'_>, handed: bool) -> Self {
        if handed { Self::same(on) } else { Self::mixed() }
    }

    /// New channels: those of weights, along `makes`, of which axis `reads` sums over the operand's; and of vectors.
    pub(super) fn of_weights(on: &Operands<'_>, makes: usize, reads: Option<usize>) -> Self {
        let mut axes = made(on, makes);
        if on.inputs.len() > 1 {
            axes.extend(reads.map(|axis| Axis { operand: 1, axis, reads: true }));
        }
        Self { runs: Some(Vec::new()), axes }
    }
}

/// All channels of the result are those of `operand`.
pub(super) fn whole(on: &Operands<'_>, operand: usize) -> ChannelRun {
    ChannelRun { operand, from: 0, to: 0, channels: last(on.output) }
}

/// The axes of constants that make the channels: `weights` of operand 1, then vectors.
pub(super) fn made(on: &Operands<'_>, weights: usize) -> Vec<Axis> {
    let axis = |operand: usize| if operand == 1 { weights } else { 0 };
    (1..on.inputs.len()).map(|operand| Axis { operand, axis: axis(operand), reads: false }).collect()
}
