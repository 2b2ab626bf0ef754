//! Inference kernels. [`mod@reference`] is the definition. A [`BackEnd`] is a faster spelling of all of them that equals it bit
//! for bit: [`Portable`] on any CPU, and one for each instruction set, in a folder of its own.
//!
//! An operator's geometry is proved when it is made ([`Conv2d::try_new`] and so on); a kernel then checks the lengths
//! of its operands once, at its first line, and cannot fail after that. On `Err` the output is untouched.

mod arithmetic;
mod back_end;
mod binary;
mod geometry;
mod inner_loops;
pub mod nodes;
mod portable;
mod reduce;
pub mod reference;
#[cfg(any(test, feature = "suite"))]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests may panic")]
pub mod suite;
pub mod tiles;
mod unary;

pub use arithmetic::{Arithmetic, Clamp, Float16, Float32, Int8, Int16Accumulator, Int16x8};
pub use back_end::BackEnd;
pub use binary::{AddF32, AddInt, Binary, Broadcast, MulF32, MulInt, PreluF32, PreluInt, Side, SubF32, SubInt};
pub use geometry::{AXES, Between, Grid, Interpolate, Resize, ResizeAxis, Sources, StridedCopy, TransposeConv2d, Walk};
pub use geometry::{Conv2d, Dense, DepthwiseConv2d, Pool2d, Softmax, SoftmaxInt8, SoftmaxInt16};
pub use inner_loops::InnerLoops;
pub use nodes::{Gathering, KeptEdges, NodeDense, Propagate, RowConstants, RowScaling, Sparse, SparseDense, Weighted};
pub use portable::Portable;
pub use reduce::{MeanF32, Reduce, ReduceInt, Reduction, SumF32};
pub use unary::{
    Affine, HardSwishF32, HardSwishInt8, LeakyReluF32, LeakyReluInt, LogisticF32, LogisticInt8, LogisticInt16, Lookup,
    Rescale, Steps, TanhF32, TanhInt8, TanhInt16, Unary,
};

// The back end of this target. The choice stands here and nowhere else: a line with the folder of an instruction set,
// and one with its type; `build.rs` says which instruction set the target has.
#[cfg(arm_dsp)]
mod arm_dsp;
/// The back end that `session` runs on this target.
#[cfg(arm_dsp)]
pub type Best = arm_dsp::ArmDsp;
/// The back end that `session` runs on this target.
#[cfg(not(arm_dsp))]
pub type Best = Portable;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
mod tests;
