//! The one network type: typed operators over tensors with static shapes, quantisation attached to tensors.
//!
//! Shapes are per sample (no batch axis): activations are `[H, W, C]` or `[C]`. Nodes are kept in execution order.
//! An operator is one row everywhere: its shape rule is in [`shape`], its evaluation in [`eval`], its gradient in
//! `engine`, its file form in `export`.

mod build;
pub mod channels;
pub mod eval;
pub mod lower;
pub mod shape;

use niwaki_core::format::DType;
use niwaki_core::num::Rounding;
use niwaki_core::shape::{AxisSpec, Window, same_padding};

/// Index of a tensor in [`Graph::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Computed by a node, or a graph input; has no data.
    Activation,
    /// Trained by gradient.
    Parameter,
    /// Constant during a step, updated outside the gradient (batch-norm statistics).
    Buffer,
}

/// The values of a constant tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Float values.
    F32(Vec<f32>),
    /// Quantised weights.
    I8(Vec<i8>),
    /// Quantised biases.
    I32(Vec<i32>),
    /// Quantised constants of int16 networks.
    I16(Vec<i16>),
    /// Biases of int16 networks.
    I64(Vec<i64>),
    /// Float weights stored in 16 bits.
    F16(Vec<half::f16>),
}

impl Data {
    /// How the values are stored.
    pub fn element(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::I8(_) => DType::I8,
            Self::I32(_) => DType::I32,
            Self::I16(_) => DType::I16,
            Self::I64(_) => DType::I64,
            Self::F16(_) => DType::F16,
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::I8(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::F16(v) => v.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as they lie in a file.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::F32(v) => bytemuck::cast_slice(v),
            Self::I8(v) => bytemuck::cast_slice(v),
            Self::I32(v) => bytemuck::cast_slice(v),
            Self::I16(v) => bytemuck::cast_slice(v),
            Self::I64(v) => bytemuck::cast_slice(v),
            Self::F16(v) => bytemuck::cast_slice(v),
        }
    }
}

/// `real = scale * (q - zero_point)`; specs/integer_arithmetic.md §1.
#[derive(Debug, Clone, PartialEq)]
pub struct Quant {
    /// One scale for the tensor, or one per index of `axis`. Finite and positive.
    pub scales: Vec<f32>,
    /// Zero point of the whole tensor; 0 where `axis` is set.
    pub zero_point: i32,
    /// The axis that `scales` runs along; `None` for per-tensor quantisation.
    pub axis: Option<usize>,
}

/// A tensor: its shape, what it is for, and its values if it is constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Unique in the graph; the key in `.safetensors` files.
    pub name: String,
    /// Per-sample shape.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// Values of parameters and buffers.
    pub data: Option<Data>,
    /// Type of an activation's elements: f32, i8, i16, or i32 for indices. A constant's is its data's.
    pub element: DType,
    /// `None` while the tensor is not quantised.
    pub quant: Option<Quant>,
}

impl Tensor {
    /// Type of the elements, of a constant or an activation.
    pub fn dtype(&self) -> DType {
        self.data.as_ref().map_or(self.element, Data::element)
    }

    /// Number of elements.
    pub fn element_count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Float values, if this tensor holds any.
    pub fn f32s(&self) -> Option<&[f32]> {
        match &self.data {
            Some(Data::F32(values)) => Some(values),
            _ => None,
        }
    }

    /// Float values to change, if this tensor holds any.
    pub fn f32s_mut(&mut self) -> Option<&mut Vec<f32>> {
        match &mut self.data {
            Some(Data::F32(values)) => Some(values),
            _ => None,
        }
    }
}

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
            | Self::Mul { activation } => Some(activation),
            _ => None,
        }
    }
}

/// One operator applied to tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique in the graph.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// Operands in the order that the operator documents.
    pub inputs: Vec<TensorId>,
    /// The tensor that this node writes.
    pub output: TensorId,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// Every tensor; [`TensorId`] indexes it.
    pub tensors: Vec<Tensor>,
    /// Nodes in execution order.
    pub nodes: Vec<Node>,
    /// Tensors that the caller fills.
    pub inputs: Vec<TensorId>,
    /// Tensors that the caller reads.
    pub outputs: Vec<TensorId>,
    /// How requantisation rounds.
    pub rounding: Rounding,
}

/// Why a graph is not a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// An operand does not fit its operator.
    #[error("{op} `{node}`: {what} (input shapes {shapes:?})")]
    Shape {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// What does not fit.
        what: String,
        /// Shapes of all inputs.
        shapes: Vec<Vec<usize>>,
    },
    /// A tensor is read before any node writes it.
    #[error("{op} `{node}` reads tensor `{tensor}` before it is written")]
    Order {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// Tensor name.
        tensor: String,
    },
    /// The data of a constant does not fit its shape.
    #[error("tensor `{tensor}` has shape {shape:?} but {len} values")]
    Data {
        /// Tensor name.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Number of values.
        len: usize,
    },
    /// The graph has no value for something that evaluation needs.
    #[error("{0}")]
    Eval(String),
}

impl std::ops::Index<TensorId> for Graph {
    type Output = Tensor;
    fn index(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0]
    }
}

impl std::ops::IndexMut<TensorId> for Graph {
    fn index_mut(&mut self, id: TensorId) -> &mut Tensor {
        &mut self.tensors[id.0]
    }
}

impl Graph {
    /// The node that writes `tensor`, if any.
    pub fn producer(&self, tensor: TensorId) -> Option<usize> {
        self.nodes.iter().position(|n| n.output == tensor)
    }

    /// The nodes that read `tensor`.
    pub fn consumers(&self, tensor: TensorId) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].inputs.contains(&tensor)).collect()
    }

    /// Number of trained values.
    pub fn parameter_count(&self) -> usize {
        self.tensors.iter().filter(|t| t.role == Role::Parameter).map(Tensor::element_count).sum()
    }

    /// Multiply-accumulates of one inference: convolutions and dense layers, padding taps included.
    pub fn macs(&self) -> usize {
        self.nodes.iter().map(|n| self.node_macs(n)).sum()
    }

    /// Multiply-accumulates of one node.
    pub fn node_macs(&self, node: &Node) -> usize {
        let len = |i: usize| self[node.inputs[i]].element_count();
        match node.op {
            Op::Conv2d { .. } | Op::DepthwiseConv2d { .. } => {
                let out = &self[node.output].shape;
                out[0] * out[1] * len(1)
            }
            Op::TransposeConv2d { .. } => {
                let x = &self[node.inputs[0]].shape;
                x[0] * x[1] * len(1)
            }
            Op::Dense { .. } => len(1),
            _ => 0,
        }
    }

    /// Drops tensors that nothing refers to and renumbers the rest.
    pub fn compact(&mut self) {
        let mut used = vec![false; self.tensors.len()];
        for node in &self.nodes {
            for id in node.inputs.iter().chain([&node.output]) {
                used[id.0] = true;
            }
        }
        for id in self.inputs.iter().chain(&self.outputs) {
            used[id.0] = true;
        }
        let mut new_ids = Vec::with_capacity(used.len());
        let mut next = 0;
        for &u in &used {
            new_ids.push(TensorId(next));
            next += usize::from(u);
        }
        let mut keep = used.iter();
        self.tensors.retain(|_| *keep.next().expect("one flag a tensor"));
        let renumber = |id: &mut TensorId| *id = new_ids[id.0];
        for node in &mut self.nodes {
            node.inputs.iter_mut().for_each(renumber);
            renumber(&mut node.output);
        }
        self.inputs.iter_mut().for_each(renumber);
        self.outputs.iter_mut().for_each(renumber);
    }
}
