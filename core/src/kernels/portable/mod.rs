//! Kernels that are fast on any CPU: shapes hoisted, no bounds checks in inner loops, four filters a pass.

pub(super) mod attention;
pub(super) mod compressed;
pub(super) mod conv2d;
pub(super) mod depthwise_conv2d;
pub(super) mod depthwise_conv2d_tiled;
pub(super) mod elementwise;
pub(super) mod movement;
pub(super) mod nodes;
pub(super) mod pool2d;
pub(super) mod products;
pub(super) mod reduce;
pub(super) mod resize;
pub(super) mod transpose_conv2d;
pub(super) mod windows;

use super::{BackEnd, InnerLoops};

/// Plain Rust: what every back end has where it writes nothing of its own.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl InnerLoops for Portable {}
impl BackEnd for Portable {}
