//! Kernels with the DSP instructions of Armv7E-M and Armv8-M: two 16-bit products an instruction.
//!
//! Every function has the name, the operands and the bits of its twin in [`super::reference`]; what has no faster
//! spelling here is [`super::portable`]'s.

mod depthwise_conv2d_tiled;

pub use super::portable::*;
pub use depthwise_conv2d_tiled::depthwise_conv2d_tiled;
