//! Kernels that are fast on any CPU: shapes hoisted, no bounds checks in inner loops, four filters a pass.
//!
//! Every function has the name, the operands and the bits of its twin in [`super::reference`].

mod conv2d;
mod depthwise_conv2d;
pub(crate) mod depthwise_conv2d_tiled;
mod elementwise;
mod movement;
pub(crate) mod nodes;
mod packed;
mod pool2d;
mod reduce;
mod resize;
mod tiled;
mod transpose_conv2d;

pub use super::reference::{softmax_f32, softmax_int8, softmax_int16, unary};
pub use conv2d::{conv2d, dense};
pub use depthwise_conv2d::depthwise_conv2d;
pub use depthwise_conv2d_tiled::depthwise_conv2d_tiled;
pub use elementwise::{Side, add_int8, add_int8_in_place, binary, binary_in_place, unary_in_place};
pub use movement::{pad, strided_copy};
pub(crate) use nodes::compute_rows;
pub use nodes::{NodeSums, node_dense_int8, propagate_int8, sparse_dense_int8, weighted_int8};
pub use packed::{conv2d_packed, dense_compressed, dense_packed};
pub use pool2d::{average_pool2d, average_pool2d_int8, max_pool2d, max_pool2d_int8};
pub use reduce::{arg_max, reduce};
pub use resize::{resize_bilinear, resize_nearest};
pub use tiled::{Plain, conv2d_tiled, dense_tiled};
pub use transpose_conv2d::transpose_conv2d;
