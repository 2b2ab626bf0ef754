//! Inference kernels. `reference` is the definition; `portable` is fast on any CPU and equals it bit for bit, and so
//! does `arm_dsp` on the chips that have its instructions.
//!
//! An operator's geometry is proved when it is made ([`Conv2d::try_new`] and so on); a kernel then checks the lengths
//! of its operands once, at its first line, and cannot fail after that. On `Err` the output is untouched.

mod arithmetic;
#[cfg(arm_dsp)]
pub mod arm_dsp;
mod geometry;
pub mod portable;
pub mod reference;
pub mod tiles;

pub use arithmetic::{Arithmetic, Clamp, Float16, Float32, Int8, Int16Accumulator, Int16x8};
pub use geometry::{AXES, Between, Grid, Interpolate, Resize, ResizeAxis, Sources, StridedCopy, TransposeConv2d, Walk};
pub use geometry::{AddInt8, Conv2d, Dense, DepthwiseConv2d, Pool2d, RescaleInt8, Softmax, SoftmaxInt8};

/// The kernels that `session` runs on this target. The choice stands here and nowhere else.
#[cfg(arm_dsp)]
pub use arm_dsp as best;
/// The kernels that `session` runs on this target. The choice stands here and nowhere else.
#[cfg(not(arm_dsp))]
pub use portable as best;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
mod tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
mod tests_tiled;
