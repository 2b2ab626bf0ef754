//! Where core/SPEC.md §6 puts parameter words: written here a second time, so that a change of the format is seen.

/// Rows between neighbouring output positions.
pub const STRIDE_Y: usize = 0;
/// Columns between neighbouring output positions.
pub const STRIDE_X: usize = 1;
/// Rows between neighbouring taps (convolutions).
pub const DILATION_Y: usize = 2;
/// Padding rows above.
pub const PAD_TOP: usize = 4;
/// Smallest output: a quantised value, or the bits of an f32.
pub const CLAMP_MIN: usize = 8;
/// Largest output: a quantised value, or the bits of an f32.
pub const CLAMP_MAX: usize = 9;
/// Integer operators without weights: mantissa of the first multiplier; its shift follows, then the next pair.
pub const MULTIPLIERS: usize = 0;
/// int16 logistic, tanh: factor and shift.
pub const STEPS: usize = 0;
/// Mean, sum, arg max: the axes that are reduced, a bit each.
pub const AXES: usize = 2;
/// Pad: elements before the input along the first axis; the other axes follow.
pub const PAD_BEFORE: usize = 0;
/// Concat: the axis.
pub const CONCAT_AXIS: usize = 0;
/// Slice: first element of the first axis; the other axes follow.
pub const SLICE_BEGIN: usize = 0;
/// Slice: elements between neighbours of the first axis; the other axes follow.
pub const SLICE_STRIDE: usize = 4;
/// Transpose: the input axis that becomes the first; the other axes follow.
pub const ORDER: usize = 0;
/// Propagate: what the node itself counts.
pub const OWN_WEIGHT: usize = 0;
/// Propagate: fraction bits of the own weight.
pub const FRACTION_BITS: usize = 1;
/// Propagate: 0 for a sum, 1 for a mean.
pub const GATHERING: usize = 2;
/// Operators that gather: 1 where the graph claims to have every edge in both directions.
pub const SYMMETRIC: usize = 3;
/// Attend: number of heads.
pub const HEADS: usize = 0;
/// Sparse features times sparse weights: number of features.
pub const FEATURES: usize = 0;
/// Resize: 1 where elements have their value in their middle.
pub const HALF_PIXEL_CENTERS: usize = 1;
