//! The codes of operators, with their names.

/// What an operator computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum OpCode {
    /// Convolution: `x, w, bias` and for int8 `multipliers, shifts`.
    Conv2d = 1,
    /// Depthwise convolution: operands as for a convolution.
    DepthwiseConv2d = 2,
    /// Fully connected layer: operands as for a convolution.
    Dense = 3,
    /// Maximum over windows: `x`.
    MaxPool2d = 4,
    /// Mean over windows: `x`.
    AveragePool2d = 5,
    /// Sum: `a, b`.
    Add = 6,
    /// Clamp, for int8 with a rescale: `x`. ReLU, ReLU6.
    Clamp = 7,
    /// Softmax along the last axis: `x`.
    Softmax = 8,
    /// The same elements in another shape: `x`.
    Reshape = 9,
    /// int8 convolution with weights in tiles of four filters: `x, tiles`.
    Conv2dTiled = 10,
    /// int8 depthwise convolution with weights in tiles of four channels: `x, tiles`.
    DepthwiseConv2dTiled = 11,
    /// int8 fully connected layer with weights in tiles of four outputs: `x, tiles`.
    DenseTiled = 12,
    /// Transposed convolution: operands as for a convolution.
    TransposeConv2d = 13,
    /// Difference: `a, b`.
    Sub = 14,
    /// Product: `a, b`.
    Mul = 15,
    /// Mean over axes: `x`.
    Mean = 16,
    /// Sum over axes: `x`.
    Sum = 17,
    /// int8 unary operator by table: `x, table`.
    Lookup = 18,
    /// `1 / (1 + exp(-x))`: `x`.
    Logistic = 19,
    /// Hyperbolic tangent: `x`.
    Tanh = 20,
    /// `x` where positive, else `alpha * x`: `x`.
    LeakyRelu = 21,
    /// As leaky ReLU with one `alpha` a channel: `x, alpha`.
    Prelu = 22,
    /// `x * relu6(x + 3) / 6`: `x`.
    HardSwish = 23,
    /// Borders of a constant: `x`.
    Pad = 24,
    /// Operands one behind the other along an axis: up to six.
    Concat = 25,
    /// Every so many elements of a part: `x`.
    Slice = 26,
    /// Axes in another order: `x`.
    Transpose = 27,
    /// Nearest element of another grid: `x`.
    ResizeNearest = 28,
    /// Interpolation between the four nearest elements of another grid: `x`.
    ResizeBilinear = 29,
    /// Codes of real values, or of codes of another quantisation: `x`.
    Quantize = 30,
    /// Real values of codes: `x`.
    Dequantize = 31,
    /// Index of the largest element along an axis: `x`.
    ArgMax = 32,
    /// int8 convolution with filters in blocks: `x, blocks`.
    Conv2dBlocks = 33,
    /// int8 fully connected layer with rows in blocks: `x, blocks`.
    DenseBlocks = 34,
    /// int8 convolution whose filters keep some positions: `x, tiles, positions`.
    Conv2dKept = 35,
    /// int8 fully connected layer whose rows keep some positions: `x, tiles, positions`.
    DenseKept = 36,
    /// int8 convolution some of whose filters are there: `x, tiles, rows, constants`.
    Conv2dRows = 37,
    /// int8 fully connected layer some of whose rows are there: `x, tiles, rows, constants`.
    DenseRows = 38,
    /// int8 convolution with four-bit weights: `x, tiles`.
    Conv2dInt4 = 39,
    /// int8 fully connected layer with four-bit weights: `x, tiles`.
    DenseInt4 = 40,
    /// int8 fully connected layer in compressed rows: `x, rows, columns`.
    DenseCompressed = 41,
    /// int8 convolution whose tiles keep single weights: `x, quads`.
    Conv2dTaps = 42,
    /// int8 fully connected layer whose tiles keep single weights: `x, quads`.
    DenseTaps = 43,
    /// int8 convolution with weights from a codebook: `x, tiles, codebook`.
    Conv2dCodebook = 44,
    /// int8 fully connected layer with weights from a codebook: `x, tiles, codebook`.
    DenseCodebook = 45,
    /// Sums over the neighbours of each node: `x, offsets, neighbours, table, factors, kept`.
    Propagate = 48,
    /// Sparse features times dense weights: `w, offsets, columns, table, factors, values`.
    SparseDense = 49,
    /// A fully connected layer for each node: `x, w, table, factors`.
    NodeDense = 50,
    /// Rows of a matrix by number: `x, rows`.
    Gather = 51,
    /// Which edges of a graph count, by rank: `drop, ranks`.
    KeepEdges = 52,
    /// GCN's sums with the degrees that are left: `x, offsets, neighbours, table, factors by degree, kept`.
    PropagateByDegree = 53,
    /// Sums over neighbours by attention: `x, offsets, neighbours, table, vectors, kept`.
    Attend = 54,
    /// Sparse features times sparse weights: `w, offsets, columns, table, factors, values`.
    SparseCompressed = 56,
    /// A fully connected layer for each node with sparse weights: `x, w, table, factors`.
    NodeCompressed = 57,
}

impl OpCode {
    /// Every code with its name.
    const ALL: [(OpCode, &'static str); 54] = [
        (Self::Conv2d, "conv2d"),
        (Self::DepthwiseConv2d, "depthwise_conv2d"),
        (Self::Dense, "dense"),
        (Self::MaxPool2d, "max_pool2d"),
        (Self::AveragePool2d, "average_pool2d"),
        (Self::Add, "add"),
        (Self::Clamp, "clamp"),
        (Self::Softmax, "softmax"),
        (Self::Reshape, "reshape"),
        (Self::Conv2dTiled, "conv2d_tiled"),
        (Self::DepthwiseConv2dTiled, "depthwise_conv2d_tiled"),
        (Self::DenseTiled, "dense_tiled"),
        (Self::TransposeConv2d, "transpose_conv2d"),
        (Self::Sub, "sub"),
        (Self::Mul, "mul"),
        (Self::Mean, "mean"),
        (Self::Sum, "sum"),
        (Self::Lookup, "lookup"),
        (Self::Logistic, "logistic"),
        (Self::Tanh, "tanh"),
        (Self::LeakyRelu, "leaky_relu"),
        (Self::Prelu, "prelu"),
        (Self::HardSwish, "hard_swish"),
        (Self::Pad, "pad"),
        (Self::Concat, "concat"),
        (Self::Slice, "slice"),
        (Self::Transpose, "transpose"),
        (Self::ResizeNearest, "resize_nearest"),
        (Self::ResizeBilinear, "resize_bilinear"),
        (Self::Quantize, "quantize"),
        (Self::Dequantize, "dequantize"),
        (Self::ArgMax, "arg_max"),
        (Self::Conv2dBlocks, "conv2d_blocks"),
        (Self::DenseBlocks, "dense_blocks"),
        (Self::Conv2dKept, "conv2d_kept"),
        (Self::DenseKept, "dense_kept"),
        (Self::Conv2dRows, "conv2d_rows"),
        (Self::DenseRows, "dense_rows"),
        (Self::Conv2dInt4, "conv2d_int4"),
        (Self::DenseInt4, "dense_int4"),
        (Self::DenseCompressed, "dense_compressed"),
        (Self::Conv2dTaps, "conv2d_taps"),
        (Self::DenseTaps, "dense_taps"),
        (Self::Conv2dCodebook, "conv2d_codebook"),
        (Self::DenseCodebook, "dense_codebook"),
        (Self::Propagate, "propagate"),
        (Self::SparseDense, "sparse_dense"),
        (Self::NodeDense, "node_dense"),
        (Self::Gather, "gather"),
        (Self::KeepEdges, "keep_edges"),
        (Self::PropagateByDegree, "propagate_by_degree"),
        (Self::Attend, "attend"),
        (Self::SparseCompressed, "sparse_compressed"),
        (Self::NodeCompressed, "node_compressed"),
    ];

    /// The byte that stands for this operator.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The operator that `code` stands for.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().find(|row| row.0.code() == code).map(|row| row.0)
    }

    /// Whether operand 0 may be on demand.
    pub const fn reads_rows(self) -> bool {
        self.gathers() || matches!(self, Self::NodeDense | Self::NodeCompressed | Self::Gather)
    }

    /// Whether it brings the rows of a node's neighbours together.
    pub const fn gathers(self) -> bool {
        matches!(self, Self::Propagate | Self::PropagateByDegree | Self::Attend)
    }

    /// The operator's name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("unknown", |row| row.1)
    }
}
