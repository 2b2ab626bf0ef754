//! The operators and their attributes: fused clamps, padding, sliding windows, grids, rules of propagation.

use super::sparse::{Adjacency, Features};
use niwaki_core::shape::{AxisSpec, Window, same_padding};
use std::sync::Arc;

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
    /// Inputs of [`Op::Propagate`] without the one that says which edges count.
    pub fn operands(self) -> usize {
        match self {
            Self::Gcn | Self::Mean => 1,
            Self::Sum => 2,
            Self::Attention { .. } => 3,
        }
    }
}

/// An operator. The inputs that each one takes, in order, are in its documentation.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Inputs `x: [H, W, C]`, `w: [O, KH, KW, C]`, optionally `bias: [O]`; output `[OH, OW, O]`.
    Conv2d {
        /// Stride, dilation, padding.
        sliding: Sliding,
        /// Fused clamp.
        activation: Activation,
    },
    /// Inputs `x: [H, W, C]`, `w: [KH, KW, C * multiplier]`, optionally `bias: [C * multiplier]`;
    /// output channel `c * multiplier + m` reads input channel `c`.
    DepthwiseConv2d {
        /// Stride, dilation, padding.
        sliding: Sliding,
        /// Fused clamp.
        activation: Activation,
    },
    /// Inputs `x` (any shape, read flat as `[I]`), `w: [O, I]`, optionally `bias: [O]`; output `[O]`.
    Dense {
        /// Fused clamp.
        activation: Activation,
    },
    /// Inputs `x: [.., C]`, `gamma, beta, running_mean, running_var: [C]`; statistics over batch and positions.
    ///
    /// Training: biased variance of the batch; `running = (1 - momentum) * running + momentum * batch`, with the
    /// unbiased variance (as PyTorch). Inference: the running statistics.
    BatchNorm {
        /// Added to the variance.
        epsilon: f32,
        /// Weight of the newest batch in the running statistics.
        momentum: f32,
        /// Fused clamp.
        activation: Activation,
    },
    /// Input `x`; clamp on its own.
    Activation(Activation),
    /// Inputs `a`, `b`: of one shape, or one broadcast to the other by NumPy's rule. Either may be constant.
    Add {
        /// Fused clamp.
        activation: Activation,
    },
    /// `a - b`; inputs as for [`Op::Add`].
    Sub {
        /// Fused clamp.
        activation: Activation,
    },
    /// `a * b`; inputs as for [`Op::Add`].
    Mul {
        /// Fused clamp.
        activation: Activation,
    },
    /// Inputs `x: [H, W, C]`, `w: [O, KH, KW, C]`, optionally `bias: [O]`; output `[OH, OW, O]`. The padding is that of
    /// the convolution that maps the output's shape to the input's.
    TransposeConv2d {
        /// Stride, dilation 1, padding.
        sliding: Sliding,
        /// Rows and columns of the output.
        size: [usize; 2],
        /// Fused clamp.
        activation: Activation,
    },
    /// Input `x`; mean over `axes`, which leave the shape or stay with size 1.
    Mean {
        /// Ascending.
        axes: Vec<usize>,
        /// Whether they stay.
        keep_axes: bool,
    },
    /// Input `x`; sum over `axes`.
    Sum {
        /// Ascending.
        axes: Vec<usize>,
        /// Whether they stay.
        keep_axes: bool,
    },
    /// Input `x`; `1 / (1 + exp(-x))`.
    Logistic,
    /// Input `x`; hyperbolic tangent.
    Tanh,
    /// Input `x`; `x` where positive, else `alpha * x`.
    LeakyRelu {
        /// Slope of the negative side.
        alpha: f32,
    },
    /// Inputs `x: [.., C]` and a constant `alpha` that broadcasts to it.
    Prelu,
    /// Input `x`; `x * relu6(x + 3) / 6`.
    HardSwish,
    /// Input `x`; borders of one value.
    Pad {
        /// `[before, after]` of each axis.
        pads: Vec<[usize; 2]>,
        /// The real value of the border.
        value: f32,
    },
    /// Inputs one behind the other along `axis`.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Input `x`; `size` elements of each axis from `begin` on, `stride` apart (negative: backwards).
    Slice {
        /// First element of each axis.
        begin: Vec<usize>,
        /// Elements of each axis of the output.
        size: Vec<usize>,
        /// Distance between neighbours; not 0.
        stride: Vec<isize>,
    },
    /// Input `x`; output axis `i` is input axis `order[i]`.
    Transpose {
        /// A permutation.
        order: Vec<usize>,
    },
    /// Input `x: [H, W, C]`; the nearest element of another grid.
    ResizeNearest {
        /// Rows and columns of the output.
        size: [usize; 2],
        /// How the grids lie over each other.
        grid: Grid,
    },
    /// Input `x: [H, W, C]`; interpolation between the four nearest elements.
    ResizeBilinear {
        /// Rows and columns of the output.
        size: [usize; 2],
        /// How the grids lie over each other.
        grid: Grid,
    },
    /// Input `x`: real values or codes; the codes of the output's type and quantisation.
    Quantize,
    /// Input `x`: codes; their real values.
    Dequantize,
    /// Input `x`; index of the largest element along `axis` (the lowest of several), i32.
    ArgMax {
        /// The axis, which leaves the shape.
        axis: usize,
    },
    /// Input `x: [H, W, C]`; maximum over the taps inside the input.
    MaxPool2d {
        /// `[rows, columns]`
        kernel: [usize; 2],
        /// Stride, dilation 1, padding.
        sliding: Sliding,
    },
    /// Input `x: [H, W, C]`; mean over the taps inside the input.
    AveragePool2d {
        /// `[rows, columns]`
        kernel: [usize; 2],
        /// Stride, dilation 1, padding.
        sliding: Sliding,
    },
    /// Input `x: [.., C]`; softmax along the last axis.
    Softmax,
    /// Input `x`; the same elements in another shape.
    Reshape {
        /// The new per-sample shape.
        shape: Vec<usize>,
    },
    /// Inputs `x: [N, .., C]`, then for [`Propagation::Sum`] `eps: [1]`, for [`Propagation::Attention`] `source: [C]` and
    /// `target: [C]`, then optionally the output of an [`Op::KeepEdges`]; output of the same shape. Row `i` is made of the
    /// rows of node `i`'s neighbours, of those whose edges count.
    Propagate {
        /// The graph of `N` nodes.
        adjacency: Arc<Adjacency>,
        /// How they come together.
        rule: Propagation,
        /// Fused clamp.
        activation: Activation,
    },
    /// Input `drop: [1]`, i32; output one bit an edge, int8 `[E / 8]` rounded up: set where the rank of the edge is not below
    /// `drop`. Ranks of [`niwaki_core::teddy::NEVER`] stay whatever happens.
    KeepEdges {
        /// One an edge of the graph that the bits are for.
        ranks: Arc<Vec<u32>>,
    },
    /// Inputs `w: [F, O]`, optionally `bias: [O]`; output `[N, 1, O]`: the constant features of every node times `w`.
    SparseDense {
        /// `[N, F]`
        features: Arc<Features>,
        /// Fused clamp.
        activation: Activation,
    },
    /// Inputs `x: [N, .., C]` and `rows: [Q]`, i32; output `[Q, .., C]`: the rows of `x` with these numbers, each number at
    /// least 0 and at most `N - 1`.
    Gather,
    /// Input `x`; in training each element is 0 with this probability, and else divided by that of staying.
    Dropout {
        /// In `[0, 1)`.
        rate: f32,
    },
}

impl Op {
    /// The operator's name in messages, tables and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conv2d { .. } => "conv2d",
            Self::DepthwiseConv2d { .. } => "depthwise_conv2d",
            Self::Dense { .. } => "dense",
            Self::BatchNorm { .. } => "batch_norm",
            Self::Activation(Activation::None) => "identity",
            Self::Activation(Activation::Relu) => "relu",
            Self::Activation(Activation::Relu6) => "relu6",
            Self::Activation(Activation::ReluN1To1) => "relu_n1_to_1",
            Self::Add { .. } => "add",
            Self::Sub { .. } => "sub",
            Self::Mul { .. } => "mul",
            Self::TransposeConv2d { .. } => "transpose_conv2d",
            Self::Mean { .. } => "mean",
            Self::Sum { .. } => "sum",
            Self::Logistic => "logistic",
            Self::Tanh => "tanh",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::Prelu => "prelu",
            Self::HardSwish => "hard_swish",
            Self::Pad { .. } => "pad",
            Self::Concat { .. } => "concat",
            Self::Slice { .. } => "slice",
            Self::Transpose { .. } => "transpose",
            Self::ResizeNearest { .. } => "resize_nearest",
            Self::ResizeBilinear { .. } => "resize_bilinear",
            Self::Quantize => "quantize",
            Self::Dequantize => "dequantize",
            Self::ArgMax { .. } => "arg_max",
            Self::MaxPool2d { .. } => "max_pool2d",
            Self::AveragePool2d { .. } => "average_pool2d",
            Self::Softmax => "softmax",
            Self::Reshape { .. } => "reshape",
            Self::Propagate { .. } => "propagate",
            Self::KeepEdges { .. } => "keep_edges",
            Self::SparseDense { .. } => "sparse_dense",
            Self::Gather => "gather",
            Self::Dropout { .. } => "dropout",
        }
    }

    /// The clamp fused into this operator, if it can have one.
    pub fn activation_mut(&mut self) -> Option<&mut Activation> {
        match self {
            Self::Conv2d { activation, .. }
            | Self::DepthwiseConv2d { activation, .. }
            | Self::Dense { activation }
            | Self::TransposeConv2d { activation, .. }
            | Self::BatchNorm { activation, .. }
            | Self::Add { activation }
            | Self::Sub { activation }
            | Self::Mul { activation }
            | Self::Propagate { activation, .. }
            | Self::SparseDense { activation, .. } => Some(activation),
            _ => None,
        }
    }
}
