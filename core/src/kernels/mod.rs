//! Inference kernels. `reference` is the definition; `portable` is fast on any CPU and equals it bit for bit, and so
//! does `arm_dsp` on the chips that have its instructions.
//!
//! An operator's geometry is proved when it is made ([`Conv2d::try_new`] and so on); a kernel then checks the lengths
//! of its operands once, at its first line, and cannot fail after that. On `Err` the output is untouched.

mod arithmetic;
#[cfg(arm_dsp)]
pub mod arm_dsp;
mod binary;
mod geometry;
pub mod nodes;
pub mod portable;
mod reduce;
pub mod reference;
pub mod tiles;
mod unary;

pub use arithmetic::{Arithmetic, Clamp, Float16, Float32, Int8, Int16Accumulator, Int16x8};
pub use binary::{AddF32, AddInt, Binary, Broadcast, MulF32, MulInt, PreluF32, PreluInt, SubF32, SubInt};
pub use geometry::{AXES, Between, Grid, Interpolate, Resize, ResizeAxis, Sources, StridedCopy, TransposeConv2d, Walk};
pub use geometry::{Conv2d, Dense, DepthwiseConv2d, Pool2d, Softmax, SoftmaxInt8, SoftmaxInt16};
pub use nodes::{Gathering, Kept, NodeDense, Propagate, RowConstants, RowScaling, Sparse, SparseDense, Weighted};
pub use reduce::{MeanF32, Reduce, ReduceInt, Reduction, SumF32};
pub use unary::{
    Affine, HardSwishF32, HardSwishInt8, LeakyReluF32, LeakyReluInt, LogisticF32, LogisticInt8, LogisticInt16, Lookup,
    Rescale, Steps, TanhF32, TanhInt8, TanhInt16, Unary,
};

/// The kernels that `session` runs on this target. The choice stands here and nowhere else.
#[cfg(arm_dsp)]
pub use arm_dsp as best;
/// The kernels that `session` runs on this target. The choice stands here and nowhere else.
#[cfg(not(arm_dsp))]
pub use portable as best;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
mod tests;
