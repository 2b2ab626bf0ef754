//! Kernels that are fast on any CPU: shapes hoisted, no bounds checks in inner loops, four filters a pass.
//!
//! Every function has the name, the operands and the bits of its twin in [`super::reference`].

mod conv2d;
mod depthwise_conv2d;
mod elementwise;
mod pool2d;
mod reduce;

pub use super::reference::{softmax_f32, softmax_int8, softmax_int16, unary};
pub use conv2d::{conv2d, dense};
pub use depthwise_conv2d::depthwise_conv2d;
pub use elementwise::{Side, binary, binary_in_place, unary_in_place};
pub use pool2d::{average_pool2d, max_pool2d};
pub use reduce::{arg_max, reduce};
