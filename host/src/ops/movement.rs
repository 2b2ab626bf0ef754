//! Operators that move elements: borders, concatenation, slices, transposition, other shapes.

use super::Operator;
use crate::graph::Activation;

/// Input `x`; borders of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Pad {
    /// `[before, after]` of each axis.
    pub pads: Vec<[usize; 2]>,
    /// The real value of the border.
    pub value: f32,
}

impl Operator for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Inputs one after the other along `axis`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

impl Operator for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; `size` elements of each axis from `begin` on, `stride` apart (negative: backwards).
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// First element of each axis.
    pub begin: Vec<usize>,
    /// Elements of each axis of the output.
    pub size: Vec<usize>,
    /// Distance between neighbours; not 0.
    pub stride: Vec<isize>,
}

impl Operator for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; output axis `i` is input axis `order[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Transpose {
    /// A permutation.
    pub order: Vec<usize>,
}

impl Operator for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}

/// Input `x`; the same elements in another shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Reshape {
    /// The new per-sample shape.
    pub shape: Vec<usize>,
}

impl Operator for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn activation(&self) -> Option<Activation> {
        None
    }

    fn activation_mut(&mut self) -> Option<&mut Activation> {
        None
    }
}
