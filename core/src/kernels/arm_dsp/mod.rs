//! Kernels with the DSP instructions of Armv7E-M and Armv8-M: two 16-bit products an instruction.
//!
//! Every function has the name, the operands and the bits of its twin in [`super::reference`]; what has no faster
//! spelling here is [`super::portable`]'s.

mod tiled;

pub use super::portable::{
    Side, add_f32, add_f32_in_place, add_int8, add_int8_in_place, average_pool2d, clamp_f32, clamp_f32_in_place,
    conv2d, dense, depthwise_conv2d, max_pool2d, rescale_int8, rescale_int8_in_place, softmax_f32, softmax_int8,
};
pub use tiled::{conv2d_tiled, dense_tiled};
