//! Attributes of operators: fused clamps, padding, sliding windows, grids, rules of propagation.

use niwaki_core::shape::{AxisSpec, Window, same_padding};

/// A clamp fused into the operator that produces a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// No clamp.
    #[default]
    None,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `min(max(x, -1), 1)`
    ReluN1To1,
}

impl Activation {
    /// The interval that values are clamped to.
    pub fn range(self) -> (f32, f32) {
        match self {
            Self::None => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
            Self::ReluN1To1 => (-1.0, 1.0),
        }
    }
}

/// Padding of a sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// `output = ceil(input / stride)`, TensorFlow's rule.
    Same,
    /// No padding.
    Valid,
    /// Explicit element counts.
    Explicit {
        /// Rows above.
        top: usize,
        /// Rows below.
        bottom: usize,
        /// Columns before.
        left: usize,
        /// Columns after.
        right: usize,
    },
}

/// How a kernel slides over an `[H, W, C]` input; axes are `[rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    /// Input elements between neighbouring outputs.
    pub stride: [usize; 2],
    /// Input elements between neighbouring taps.
    pub dilation: [usize; 2],
    /// Padding.
    pub padding: Padding,
}

impl Sliding {
    /// Stride 1, no dilation.
    pub fn unit(padding: Padding) -> Self {
        Self::strided(1, padding)
    }

    /// The same stride on both axes, no dilation.
    pub fn strided(stride: usize, padding: Padding) -> Self {
        Self { stride: [stride; 2], dilation: [1; 2], padding }
    }

    /// The proved window of this kernel over an input of `input = [rows, columns]`.
    ///
    /// # Errors
    /// As [`Window::try_new`].
    pub fn window(&self, input: [usize; 2], kernel: [usize; 2]) -> Result<Window, niwaki_core::error::ShapeError> {
        let pads = |axis: usize| match self.padding {
            Padding::Same => same_padding(input[axis], kernel[axis], self.stride[axis], self.dilation[axis]),
            Padding::Valid => (0, 0),
            Padding::Explicit { top, bottom, left, right } => [(top, bottom), (left, right)][axis],
        };
        let axis = |a: usize| {
            let (pad_before, pad_after) = pads(a);
            AxisSpec {
                input: input[a],
                kernel: kernel[a],
                stride: self.stride[a],
                dilation: self.dilation[a],
                pad_before,
                pad_after,
            }
        };
        Window::try_new(axis(0), axis(1))
    }
}

/// How the elements of two grids lie over each other when one is resized to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grid {
    /// The corner elements lie on each other.
    pub align_corners: bool,
    /// Elements have their value in their middle, not in their corner.
    pub half_pixel_centers: bool,
}

/// How a node brings its neighbours together; `niwaki_core::graph::propagate` has the formulas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Propagation {
    /// GCN: `D^-1/2 (A + I) D^-1/2 x`, with the degrees that the graph has.
    Gcn,
    /// GIN: `(1 + eps) x_i + Σ_j x_j`.
    Sum,
    /// SAGE: the mean of the neighbours.
    Mean,
    /// GAT: a softmax over the neighbours and the node itself.
    Attention {
        /// Heads; each has its share of the channels.
        heads: usize,
        /// Slope of the leaky ReLU that scores pass.
        slope: f32,
    },
}

impl Propagation {
    /// Inputs of [`crate::ops::Propagate`] without the one that says which edges count.
    pub fn operands(self) -> usize {
        match self {
            Self::Gcn | Self::Mean => 1,
            Self::Sum => 2,
            Self::Attention { .. } => 3,
        }
    }
}
