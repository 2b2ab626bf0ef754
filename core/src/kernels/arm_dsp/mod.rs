//! Kernels with the DSP instructions of Armv7E-M and Armv8-M: two 16-bit products an instruction.
//!
//! Every function has the name, the operands and the bits of its twin in [`super::reference`]; what has no faster
//! spelling here is [`super::portable`]'s.

mod add;
mod attention;
#[macro_use]
mod record;
mod blocks;
mod codebook;
mod compressed;
mod depthwise_conv2d_tiled;
mod int4;
mod kept;
mod nodes;
mod packed;
mod pool2d;
mod taps;
mod tiled;

pub use super::portable::*;
pub use add::{add_int8, add_int8_in_place};
pub use compressed::dense_compressed;
pub use depthwise_conv2d_tiled::depthwise_conv2d_tiled;
pub use nodes::{NodeSums, node_dense_int8, propagate_int8, sparse_dense_int8, weighted_int8};
pub use packed::{conv2d_packed, dense_packed};
pub use pool2d::{average_pool2d_int8, max_pool2d_int8};
pub use tiled::{conv2d_tiled, dense_tiled};
