//! Why an operator refuses its operands.

use niwaki_core::error::{GraphError, ShapeError};
use std::ops::RangeInclusive;

/// What does not fit between an operator and its operands.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// The number of operands.
    #[error("takes {}, got {got}", count(allowed))]
    Count {
        /// How many there may be.
        allowed: RangeInclusive<usize>,
        /// How many there are.
        got: usize,
    },
    /// More operands than an operator in a file has.
    #[error("takes at most {most} inputs, got {got}: chain several")]
    TooMany {
        /// How many there may be.
        most: usize,
        /// How many there are.
        got: usize,
    },
    /// An operand with other axes.
    #[error("{operand} must be {form}")]
    Form {
        /// The operand.
        operand: &'static str,
        /// Its axes.
        form: &'static str,
    },
    /// An operand of another shape.
    #[error("{operand} must be {want:?}, got {got:?}")]
    Size {
        /// The operand.
        operand: &'static str,
        /// The shape that it must have.
        want: Vec<usize>,
        /// The shape that it has.
        got: Vec<usize>,
    },
    /// An operand that is not one row a node of the graph.
    #[error("x must be [{nodes}, .., C], one row a node of the graph")]
    Rows {
        /// Nodes of the graph.
        nodes: usize,
    },
    /// Weights for another number of input values.
    #[error("w reads {reads} {what}, x has {has}")]
    Reads {
        /// What they are: channels or elements.
        what: &'static str,
        /// How many the weights are for.
        reads: usize,
        /// How many there are.
        has: usize,
    },
    /// Weights for another number of features.
    #[error("w reads {reads} features, there are {has}")]
    Features {
        /// How many the weights are for.
        reads: usize,
        /// How many there are.
        has: usize,
    },
    /// Output channels that are not the same number for every input channel.
    #[error("{outputs} output channels are no multiple of {inputs} input channels")]
    Multiple {
        /// Output channels.
        outputs: usize,
        /// Input channels.
        inputs: usize,
    },
    /// Heads that do not have the same number of channels.
    #[error("{heads} heads do not divide {channels} channels")]
    Heads {
        /// Heads.
        heads: usize,
        /// Channels.
        channels: usize,
    },
    /// Sizes that core's kernels do not take.
    #[error(transparent)]
    Core(#[from] ShapeError),
    /// A graph that core does not take.
    #[error(transparent)]
    Edges(#[from] GraphError),
    /// Operands that do not broadcast.
    #[error("the operands' shapes do not broadcast: axes must have one size or 1, counted from the last")]
    Broadcast,
    /// Slopes of another shape than the operand's.
    #[error("alpha must broadcast to x")]
    Slopes,
    /// Axes to reduce that are none.
    #[error("axes {axes:?} must ascend and be axes of x")]
    Axes {
        /// The axes.
        axes: Vec<usize>,
    },
    /// An axis that is none.
    #[error("axis {axis} is none of {rank} axes")]
    Axis {
        /// The axis.
        axis: usize,
        /// How many there are.
        rank: usize,
    },
    /// A dilated window of an operator that has none.
    #[error("{what} has no dilation")]
    Dilation {
        /// The operator.
        what: &'static str,
    },
    /// Another number of elements.
    #[error("cannot become {shape:?}")]
    Elements {
        /// The new shape.
        shape: Vec<usize>,
    },
    /// A tensor of too many axes.
    #[error("x has {rank} axes, at most {most} can move")]
    Rank {
        /// Its axes.
        rank: usize,
        /// How many there may be.
        most: usize,
    },
    /// An attribute that needs one entry an axis.
    #[error("{attribute} has {entries} entries, x has {rank} axes")]
    Entries {
        /// The attribute.
        attribute: &'static str,
        /// How many it has.
        entries: usize,
        /// Axes of the operand.
        rank: usize,
    },
    /// A slice beyond an axis.
    #[error("axis {axis}: {first} … {last} lies not in 0 … {size}")]
    Slice {
        /// The axis.
        axis: usize,
        /// Index of the first element.
        first: usize,
        /// Index of the last element.
        last: i128,
        /// Size of the axis.
        size: usize,
    },
    /// A step that a file cannot hold.
    #[error("stride {stride} is too large")]
    Stride {
        /// The step.
        stride: isize,
    },
    /// An order of axes that leaves one out.
    #[error("order {order:?} is no permutation")]
    Order {
        /// The order.
        order: Vec<usize>,
    },
    /// Two ways of laying grids over each other.
    #[error("align_corners and half_pixel_centers exclude each other")]
    Grids,
    /// Operands of a concatenation that differ beside its axis.
    #[error("all operands must be of one shape but for axis {axis}")]
    Beside {
        /// The axis.
        axis: usize,
    },
    /// The size of a transposed convolution's output.
    #[error("a convolution of {size:?} gives {gives:?}, x is {x:?}")]
    Transposed {
        /// Rows and columns of the output.
        size: [usize; 2],
        /// What the convolution makes of them.
        gives: [usize; 2],
        /// Rows and columns of the operand.
        x: [usize; 2],
    },
    /// A probability outside of `[0, 1)`.
    #[error("takes a rate in [0, 1), got {rate}")]
    Rate {
        /// The probability.
        rate: f32,
    },
    /// An output that is declared in another shape.
    #[error("output is declared {declared:?} but comes out {comes:?}")]
    Output {
        /// Its shape in the graph.
        declared: Vec<usize>,
        /// The shape that the operator makes.
        comes: Vec<usize>,
    },

    /// An operator that only moves quantised values.
    #[error("input and output must have the same quantisation")]
    Requantised,
    /// An operand whose quantised values mean something else than the output's.
    #[error("`{tensor}` and the output must have one type and one quantisation")]
    Moved {
        /// The operand.
        tensor: String,
    },
    /// Elements that are not moved.
    #[error("{dtype} elements cannot be moved; convert them to f32 or i8")]
    Unmoved {
        /// Their type.
        dtype: &'static str,
    },
    /// An operator for training alone.
    #[error("fold batch norm into the operator before it first")]
    Unfolded,
    /// An operator over nodes that is not quantised.
    #[error("has no kernel that a file can name")]
    NoKernel,
    /// Some operands are quantised and some are not.
    #[error("{what} must all be quantised or all be f32")]
    PartlyQuantised {
        /// Which ones.
        what: &'static str,
    },
    /// Operands of several types.
    #[error("all operands must be of one type: f32, int8 or int16")]
    MixedTypes,
    /// A tensor of a type that the operator does not take.
    #[error("`{tensor}` is {dtype} with {} scale, which it cannot take", if *has_scale { "a" } else { "no" })]
    ElementType {
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: &'static str,
        /// Whether it is quantised.
        has_scale: bool,
    },
    /// A tensor quantised by channel or by node.
    #[error("`{tensor}` must have one scale")]
    ManyScales {
        /// The tensor.
        tensor: String,
    },
    /// An operator whose output has a fixed quantisation.
    #[error("{what} has output scale {scale} and zero point {zero_point}")]
    OutputScale {
        /// The operator and its type.
        what: &'static str,
        /// The scale.
        scale: &'static str,
        /// The zero point.
        zero_point: i32,
    },
    /// An int16 input outside of what tables cover.
    #[error("an int16 input has zero point 0 and a scale of at most 5.33")]
    InputScale,
    /// A slope that integers do not have.
    #[error("a quantised leaky ReLU has a slope of 0 or more; use PRELU")]
    Slope,
    /// A type that the operator does not have.
    #[error("has no int16 form; use int8 or f32")]
    NoInt16,
    /// An output scale that is too small.
    #[error("the output scale is below a 128th of the input scale")]
    FineOutput,
    /// An index of another type.
    #[error("the output must be i32")]
    IndexType,
    /// A conversion between floats.
    #[error("one of input and output must be quantised")]
    NothingConverted,
    /// A tensor that must be quantised.
    #[error("`{tensor}` is not quantised")]
    NotQuantised {
        /// The tensor.
        tensor: String,
    },
    /// Elements without a value for the border.
    #[error("elements of `{tensor}` are {dtype}")]
    Border {
        /// The tensor.
        tensor: String,
        /// Their type.
        dtype: &'static str,
    },

    /// Weights that are not int8.
    #[error("weights `{tensor}` are not int8")]
    WeightType {
        /// The weights.
        tensor: String,
    },
    /// A vector that is not f32.
    #[error("`{tensor}` is not f32")]
    NotFloat {
        /// The tensor.
        tensor: String,
    },
    /// A bias that is neither f32 nor int32.
    #[error("bias `{tensor}` is neither f32 nor int32")]
    BiasType {
        /// The bias.
        tensor: String,
    },
    /// A tensor quantised by node where one scale is needed.
    #[error("`{tensor}` is quantised by node")]
    ByNode {
        /// The tensor.
        tensor: String,
    },
    /// A tensor that a GCN propagation reads.
    #[error("the input of a GCN propagation must be quantised by node")]
    NotByNode,
    /// A bias before a GCN propagation.
    #[error("a GCN propagation follows, so its bias has to follow that")]
    BiasBeforePropagation,
    /// Edges that the rule adds itself.
    #[error("the edges that count must not be self loops, which the rule adds")]
    SelfLoops,
    /// Sums that are too large.
    #[error("sums over {degree} neighbours do not fit into 32 bits")]
    LargeSums {
        /// The most neighbours of a node.
        degree: usize,
    },
    /// Features whose rows are weighted by a negative number.
    #[error("a row of the features has a negative value")]
    NegativeFeatures,

    /// An operator without training kernel.
    #[error("it cannot be trained")]
    Untrained,
    /// A mean over axes with others in between.
    #[error("its axes {axes:?} of {shape:?} are not all before those that stay")]
    TrainedAxes {
        /// The axes.
        axes: Vec<usize>,
        /// Shape of the operand.
        shape: Vec<usize>,
    },
    /// Interpolation, whose elements come from several.
    #[error("interpolation cannot be trained; resize to the nearest")]
    TrainedInterpolation,
    /// Edges that are chosen where the network runs.
    #[error("the edges that count are chosen after training")]
    TrainedEdges,

    /// An operand that nothing wrote.
    #[error("operand `{tensor}` has no value")]
    NoValue {
        /// The operand.
        tensor: String,
    },
    /// An operand without f32 values.
    #[error("operand `{tensor}` has no f32 values")]
    NoFloats {
        /// The operand.
        tensor: String,
    },
    /// An operand of another type.
    #[error("operand {operand} is not {dtype}")]
    OperandType {
        /// Its place.
        operand: usize,
        /// The type that it must have.
        dtype: &'static str,
    },
    /// Values of types that do not belong together.
    #[error("the operands' types do not fit the operator")]
    ValueTypes,
    /// Weights and bias of types that do not belong to the operand's.
    #[error("weights and bias must be {need}")]
    Constants {
        /// The types that they must have.
        need: &'static str,
    },
}

fn count(allowed: &RangeInclusive<usize>) -> String {
    match (*allowed.start(), *allowed.end()) {
        (1, 1) => "1 input".into(),
        (least, most) if least == most => format!("{least} inputs"),
        (least, most) => format!("{least} to {most} inputs"),
    }
}
