//! Parameter words as an exporter writes them: the other half of what each operator's record reads.

pub use super::conv2d::write as convolution;
pub use super::conversion::write_requantize as requantize;
pub use super::movement::{
    write_concat as concat, write_pad as pad, write_slice as slice, write_transpose as transpose,
};
pub use super::nodes::{
    write_clamp as node_clamp, write_features as features, write_gathering as gathering, write_heads as heads,
    write_symmetric as symmetric,
};
pub use super::packed::write as packed_convolution;
pub use super::pool2d::write as pooling;
pub use super::reduce::write_axes as axes;
pub use super::resize::write as grid;
