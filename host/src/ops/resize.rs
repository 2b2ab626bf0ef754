//! Images resized to another grid.

use super::Operator;
use crate::graph::{Activation, Grid};

/// Input `x: [H, W, C]`; the nearest element of another grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResizeNearest {
    /// Rows and columns of the output.
    pub size: [usize; 2],
    /// How the grids lie over each other.
    pub grid: Grid,
}

impl Operator for ResizeNearest {
    fn name(&self) -> &'static str {
        "resize_nearest"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x: [H, W, C]`; interpolation between the four nearest elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResizeBilinear {
    /// Rows and columns of the output.
    pub size: [usize; 2],
    /// How the grids lie over each other.
    pub grid: Grid,
}

impl Operator for ResizeBilinear {
    fn name(&self) -> &'static str {
        "resize_bilinear"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
