//! Operators: one row each of one table, read, written, checked, priced and run by the file of its family.
//!
//! # Adding an operator
//! Two new files, or their families' files, and six edited ones; in core:
//! 1. Its family's file here, or a new one: a record that implements the crate's `Record` trait. It names each of its
//!    parameter words once, and reads and writes them by that name; it says what verification must prove, what it costs, and
//!    how it runs.
//! 2. This file: its `mod` line, its name in [`Op`], the words for exporters in [`write`](mod@write), and its lines in the
//!    table: the byte that stands for it in a file, its name, its layout, and a record an element type. The file format,
//!    `inspect`, the cost of a model and the list of an exported module know it from here.
//! 3. `core/SPEC.md` §6: a row for people who write readers of their own.
//!
//! In the host:
//! 4. `host/src/ops`, its family's file or a new one: what it is before it is in a file, with an example that every test of
//!    all operators uses.
//! 5. `host/src/ops/mod.rs`: its `mod` and `pub use` lines and its name in the table.
//! 6. `host/src/import/tflite/operators`, its family's file: its row and how its node is made; `schema.rs` beside that folder
//!    where it has options in a file.
//! 7. `tests/src/models`: a network that has it, which `tests/tests/records.rs` asks for. It is then fuzzed, damaged, and run
//!    by digests.
//!
//! Where no kernel in [`kernels`](crate::kernels) computes it, add one there: its definition in
//! [`kernels::reference`](crate::kernels::reference), one for every back end, and its row in the suite that holds the one
//! against the other.

#![cfg_attr(not(feature = "host"), allow(dead_code, reason = "a chip neither prices operators nor writes their words"))]

mod binary;
mod conv2d;
mod conversion;
mod dense;
mod depthwise_conv2d;
mod layout;
mod memory;
mod movement;
mod nodes;
mod packed;
mod pool2d;
mod record;
mod reduce;
mod resize;
mod softmax;
mod transpose_conv2d;
mod unary;
mod weighted;
mod window;
mod words;

pub use layout::Layout;
pub use record::Constants;
pub use words::StoredClamp;

/// Parameter words as an exporter writes them: the other half of what each operator's record reads.
pub mod write {
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
}

use crate::error::OperatorError;
use crate::format::{Cost, DType, Operator, Step};
use crate::kernels::tiles::{Blocks, Codebook, Int4, Kept, Rows, Taps};
use crate::kernels::{
    AddF32, AddInt, Clamp, HardSwishF32, LeakyReluF32, LeakyReluInt, LogisticF32, LogisticInt16, MeanF32, MulF32,
    MulInt, PreluF32, PreluInt, ReduceInt, Rescale, SoftmaxInt8, SoftmaxInt16, SubF32, SubInt, SumF32, TanhF32,
    TanhInt16,
};
use binary::{AddInt8, Binary};
use conv2d::Conv2d;
use conversion::{Dequantize, Quantize, Requantize};
use dense::Dense;
use depthwise_conv2d::DepthwiseConv2d;
use movement::{Concat, Pad, Reshape, Slice, Transpose};
use nodes::{
    Attend, Gather, KeepEdges, NodeCompressed, NodeDense, Propagate, PropagateByDegree, SparseCompressed, SparseDense,
};
use packed::{CompressedDense, PackedConv2d, PackedDense, TiledConv2d, TiledDense};
use pool2d::{Maximum, Pooling};
use record::Record;
use reduce::{ArgMax, Over};
use resize::{Bilinear, Nearest};
use softmax::{Softmax, SoftmaxF32};
use transpose_conv2d::TransposeConv2d;
use unary::{Lookup, Unary};
use weighted::{EitherWidth, Float16File, FloatFile, Int8File, Int16File};

type Outcome = Result<(), OperatorError>;

/// What an operator computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Convolution: `x, w, bias` and for int8 `multipliers, shifts`.
    Conv2d,
    /// Depthwise convolution: operands as for a convolution.
    DepthwiseConv2d,
    /// Fully connected layer: operands as for a convolution.
    Dense,
    /// Maximum over windows: `x`.
    MaxPool2d,
    /// Mean over windows: `x`.
    AveragePool2d,
    /// Sum: `a, b`.
    Add,
    /// Clamp, for int8 with a rescale: `x`. ReLU, ReLU6.
    Clamp,
    /// Softmax along the last axis: `x`.
    Softmax,
    /// The same elements in another shape: `x`.
    Reshape,
    /// Transposed convolution: operands as for a convolution.
    TransposeConv2d,
    /// Difference: `a, b`.
    Sub,
    /// Product: `a, b`.
    Mul,
    /// Mean over axes: `x`.
    Mean,
    /// Sum over axes: `x`.
    Sum,
    /// int8 unary operator by table: `x, table`.
    Lookup,
    /// `1 / (1 + exp(-x))`: `x`.
    Logistic,
    /// Hyperbolic tangent: `x`.
    Tanh,
    /// `x` where positive, else `alpha * x`: `x`.
    LeakyRelu,
    /// As leaky ReLU with one `alpha` a channel: `x, alpha`.
    Prelu,
    /// `x * relu6(x + 3) / 6`: `x`.
    HardSwish,
    /// Borders of a constant: `x`.
    Pad,
    /// Operands one after the other along an axis: up to six.
    Concat,
    /// Every so many elements of a part: `x`.
    Slice,
    /// Axes in another order: `x`.
    Transpose,
    /// Nearest element of another grid: `x`.
    ResizeNearest,
    /// Interpolation between the four nearest elements of another grid: `x`.
    ResizeBilinear,
    /// Codes of real values, or of codes of another quantisation: `x`.
    Quantize,
    /// Real values of codes: `x`.
    Dequantize,
    /// Index of the largest element along an axis: `x`.
    ArgMax,
    /// Sums over the neighbours of each node: `x, offsets, neighbours, table, factors, kept`.
    Propagate,
    /// Sparse features times dense weights: `w, offsets, columns, table, factors, values`.
    SparseDense,
    /// A fully connected layer for each node: `x, w, table, factors`.
    NodeDense,
    /// Rows of a matrix by number: `x, rows`.
    Gather,
    /// Which edges of a graph count, by rank: `drop, ranks`.
    KeepEdges,
    /// GCN's sums with the degrees that are left: `x, offsets, neighbours, table, factors by degree, kept`.
    PropagateByDegree,
    /// Sums over neighbours by attention: `x, offsets, neighbours, table, vectors, kept`.
    Attend,
}

/// What stands for an operator in a file: what it computes, and how its weights lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpCode {
    op: Op,
    layout: Layout,
    byte: u8,
    name: &'static str,
}

impl OpCode {
    /// The code of `op` with weights in `layout`; `None` where there is no such operator.
    pub fn of(op: Op, layout: Layout) -> Option<Self> {
        Self::ALL.iter().find(|code| code.op == op && code.layout == layout).copied()
    }

    /// The operator that `byte` stands for.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.iter().find(|code| code.byte == byte).copied()
    }

    /// What is computed.
    pub const fn op(self) -> Op {
        self.op
    }

    /// How its weights lie.
    pub const fn layout(self) -> Layout {
        self.layout
    }

    /// How its weights lie, of a layer that is packed in one of several layouts.
    pub const fn layer_layout(self) -> Option<Layout> {
        match self.op {
            Op::Conv2d | Op::DepthwiseConv2d | Op::Dense | Op::TransposeConv2d => Some(self.layout),
            _ => None,
        }
    }

    /// The byte that stands for it.
    pub const fn byte(self) -> u8 {
        self.byte
    }

    /// Its name in tables, JSON and exported modules.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl From<Op> for OpCode {
    /// The code of `op` with weights as their tensor says.
    fn from(op: Op) -> Self {
        // A test says that every operator has such a code.
        Self::of(op, Layout::Plain).unwrap_or(Self { op, layout: Layout::Plain, byte: 0, name: "unknown" })
    }
}

impl core::fmt::Debug for Operator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", OpCode::from_byte(self.code).map_or("unknown", OpCode::name), self.dtype.name())
    }
}

impl Operator {
    /// What it is called in firmware: the name of its constant in this module.
    pub fn constant_name(&self) -> Option<&'static str> {
        NAMES.iter().find(|(row, _)| row.code == self.code && row.dtype == self.dtype).map(|(_, name)| *name)
    }
}

/// Reads a record for every use of it: what reading needs is not on the stack while a kernel runs.
#[inline(never)]
fn read<'m, R: Record<'m>>(step: &Step<'m>) -> Result<R, OperatorError> {
    R::read(step)
}

/// One row for a record.
macro_rules! row {
    ($byte:literal, $dtype:ident, $record:ty) => {
        Operator {
            code: $byte,
            dtype: DType::$dtype,
            overlap: <$record as Record<'_>>::OVERLAP,
            reads_rows: <$record as Record<'_>>::READS_ROWS,
            rows: <$record as Record<'_>>::ROWS,
            // Used where it was read: a copy would lie on the stack below the kernel.
            check: |step| match &read::<$record>(step) {
                Ok(record) => record.check(step),
                Err(error) => Err(*error),
            },
            run: |step, arena| match &read::<$record>(step) {
                Ok(record) => record.run(step, arena),
                Err(error) => Err(*error),
            },
            #[cfg(feature = "host")]
            describe: |step| {
                let (record, mut params) = (read::<$record>(step)?, crate::format::Params::default());
                record.write(step, &mut params);
                Ok((record.cost(step), params))
            },
        }
    };
}

/// The table: a byte, an operator, a layout and a name for each code, and a record for each of its element types, by
/// bytes and then by the types' codes.
macro_rules! ops {
    ($($byte:literal $op:ident $layout:ident $name:literal { $($row:ident = $dtype:ident $record:ty,)* })*) => {
        impl OpCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self { op: Op::$op, layout: Layout::$layout, byte: $byte, name: $name }),*];
        }

        $($(
            #[doc = concat!("`", $name, "` of ", stringify!($dtype), ", layout ", stringify!($layout), ".")]
            pub const $row: Operator = row!($byte, $dtype, $record);
        )*)*

        /// Every operator, in the order that [`Model::verify`](crate::format::Model::verify) asks for.
        pub const ALL: &[Operator] = &[$($($row),*),*];

        /// Every operator with the name of its constant.
        const NAMES: &[(Operator, &str)] = &[$($(($row, stringify!($row))),*),*];
    };
}

ops! {
    1 Conv2d Plain "conv2d" {
        CONV2D_F32 = F32 Conv2d<'_, FloatFile>,
        CONV2D_I8 = I8 Conv2d<'_, Int8File>,
        CONV2D_I16 = I16 EitherWidth<Conv2d<'_, Int16File<i64>>, Conv2d<'_, Int16File<i32>>>,
        CONV2D_F16 = F16 Conv2d<'_, Float16File>,
    }
    2 DepthwiseConv2d Plain "depthwise_conv2d" {
        DEPTHWISE_CONV2D_F32 = F32 DepthwiseConv2d<'_, FloatFile>,
        DEPTHWISE_CONV2D_I8 = I8 DepthwiseConv2d<'_, Int8File>,
        DEPTHWISE_CONV2D_I16 = I16 EitherWidth<DepthwiseConv2d<'_, Int16File<i64>>, DepthwiseConv2d<'_, Int16File<i32>>>,
        DEPTHWISE_CONV2D_F16 = F16 DepthwiseConv2d<'_, Float16File>,
    }
    3 Dense Plain "dense" {
        DENSE_F32 = F32 Dense<'_, FloatFile>,
        DENSE_I8 = I8 Dense<'_, Int8File>,
        DENSE_I16 = I16 EitherWidth<Dense<'_, Int16File<i64>>, Dense<'_, Int16File<i32>>>,
        DENSE_F16 = F16 Dense<'_, Float16File>,
    }
    4 MaxPool2d Plain "max_pool2d" {
        MAX_POOL2D_F32 = F32 Pooling<f32, Maximum>,
        MAX_POOL2D_I8 = I8 Pooling<i8, Maximum>,
        MAX_POOL2D_I16 = I16 Pooling<i16, Maximum>,
    }
    5 AveragePool2d Plain "average_pool2d" {
        AVERAGE_POOL2D_F32 = F32 Pooling<f32, pool2d::Mean>,
        AVERAGE_POOL2D_I8 = I8 Pooling<i8, pool2d::Mean>,
        AVERAGE_POOL2D_I16 = I16 Pooling<i16, pool2d::Mean>,
    }
    6 Add Plain "add" {
        ADD_F32 = F32 Binary<f32, AddF32>,
        ADD_I8 = I8 AddInt8,
        ADD_I16 = I16 Binary<i16, AddInt>,
    }
    7 Clamp Plain "clamp" {
        CLAMP_F32 = F32 Unary<f32, Clamp<f32>>,
        CLAMP_I8 = I8 Unary<i8, Rescale>,
        CLAMP_I16 = I16 Unary<i16, Rescale>,
    }
    8 Softmax Plain "softmax" {
        SOFTMAX_F32 = F32 Softmax<f32, SoftmaxF32>,
        SOFTMAX_I8 = I8 Softmax<i8, SoftmaxInt8>,
        SOFTMAX_I16 = I16 Softmax<i16, SoftmaxInt16>,
    }
    9 Reshape Plain "reshape" {
        RESHAPE_F32 = F32 Reshape<f32>,
        RESHAPE_I8 = I8 Reshape<i8>,
        RESHAPE_I16 = I16 Reshape<i16>,
    }
    10 Conv2d Tiled "conv2d_tiled" {
        CONV2D_TILED_I8 = I8 TiledConv2d<'_>,
    }
    11 DepthwiseConv2d Tiled "depthwise_conv2d_tiled" {
        DEPTHWISE_CONV2D_TILED_I8 = I8 depthwise_conv2d::Tiled<'_>,
    }
    12 Dense Tiled "dense_tiled" {
        DENSE_TILED_I8 = I8 TiledDense<'_>,
    }
    13 TransposeConv2d Plain "transpose_conv2d" {
        TRANSPOSE_CONV2D_F32 = F32 TransposeConv2d<'_, FloatFile>,
        TRANSPOSE_CONV2D_I8 = I8 TransposeConv2d<'_, Int8File>,
        TRANSPOSE_CONV2D_I16 = I16 EitherWidth<TransposeConv2d<'_, Int16File<i64>>, TransposeConv2d<'_, Int16File<i32>>>,
        TRANSPOSE_CONV2D_F16 = F16 TransposeConv2d<'_, Float16File>,
    }
    14 Sub Plain "sub" {
        SUB_F32 = F32 Binary<f32, SubF32>,
        SUB_I8 = I8 Binary<i8, SubInt>,
        SUB_I16 = I16 Binary<i16, SubInt>,
    }
    15 Mul Plain "mul" {
        MUL_F32 = F32 Binary<f32, MulF32>,
        MUL_I8 = I8 Binary<i8, MulInt>,
        MUL_I16 = I16 Binary<i16, MulInt>,
    }
    16 Mean Plain "mean" {
        MEAN_F32 = F32 Over<f32, MeanF32>,
        MEAN_I8 = I8 Over<i8, ReduceInt>,
        MEAN_I16 = I16 Over<i16, ReduceInt>,
    }
    17 Sum Plain "sum" {
        SUM_F32 = F32 Over<f32, SumF32>,
        SUM_I8 = I8 Over<i8, ReduceInt>,
        SUM_I16 = I16 Over<i16, ReduceInt>,
    }
    18 Lookup Plain "lookup" {
        LOOKUP_I8 = I8 Lookup<'_>,
    }
    19 Logistic Plain "logistic" {
        LOGISTIC_F32 = F32 Unary<f32, LogisticF32>,
        LOGISTIC_I16 = I16 Unary<i16, LogisticInt16>,
    }
    20 Tanh Plain "tanh" {
        TANH_F32 = F32 Unary<f32, TanhF32>,
        TANH_I16 = I16 Unary<i16, TanhInt16>,
    }
    21 LeakyRelu Plain "leaky_relu" {
        LEAKY_RELU_F32 = F32 Unary<f32, LeakyReluF32>,
        LEAKY_RELU_I16 = I16 Unary<i16, LeakyReluInt>,
    }
    22 Prelu Plain "prelu" {
        PRELU_F32 = F32 Binary<f32, PreluF32>,
        PRELU_I8 = I8 Binary<i8, PreluInt>,
    }
    23 HardSwish Plain "hard_swish" {
        HARD_SWISH_F32 = F32 Unary<f32, HardSwishF32>,
    }
    24 Pad Plain "pad" {
        PAD_F32 = F32 Pad,
        PAD_I8 = I8 Pad,
        PAD_I16 = I16 Pad,
    }
    25 Concat Plain "concat" {
        CONCAT_F32 = F32 Concat,
        CONCAT_I8 = I8 Concat,
        CONCAT_I16 = I16 Concat,
    }
    26 Slice Plain "slice" {
        SLICE_F32 = F32 Slice,
        SLICE_I8 = I8 Slice,
        SLICE_I16 = I16 Slice,
    }
    27 Transpose Plain "transpose" {
        TRANSPOSE_F32 = F32 Transpose,
        TRANSPOSE_I8 = I8 Transpose,
        TRANSPOSE_I16 = I16 Transpose,
    }
    28 ResizeNearest Plain "resize_nearest" {
        RESIZE_NEAREST_F32 = F32 Nearest,
        RESIZE_NEAREST_I8 = I8 Nearest,
        RESIZE_NEAREST_I16 = I16 Nearest,
    }
    29 ResizeBilinear Plain "resize_bilinear" {
        RESIZE_BILINEAR_F32 = F32 Bilinear<f32>,
        RESIZE_BILINEAR_I8 = I8 Bilinear<i8>,
        RESIZE_BILINEAR_I16 = I16 Bilinear<i16>,
    }
    30 Quantize Plain "quantize" {
        QUANTIZE_F32 = F32 Quantize,
        QUANTIZE_I8 = I8 Requantize<i8>,
        QUANTIZE_I16 = I16 Requantize<i16>,
    }
    31 Dequantize Plain "dequantize" {
        DEQUANTIZE_I8 = I8 Dequantize<i8>,
        DEQUANTIZE_I16 = I16 Dequantize<i16>,
    }
    32 ArgMax Plain "arg_max" {
        ARG_MAX_F32 = F32 ArgMax<f32>,
        ARG_MAX_I8 = I8 ArgMax<i8>,
        ARG_MAX_I16 = I16 ArgMax<i16>,
    }
    33 Conv2d Blocks "conv2d_blocks" {
        CONV2D_BLOCKS_I8 = I8 PackedConv2d<Blocks<'_>>,
    }
    34 Dense Blocks "dense_blocks" {
        DENSE_BLOCKS_I8 = I8 PackedDense<Blocks<'_>>,
    }
    35 Conv2d Kept "conv2d_kept" {
        CONV2D_KEPT_I8 = I8 PackedConv2d<Kept<'_>>,
    }
    36 Dense Kept "dense_kept" {
        DENSE_KEPT_I8 = I8 PackedDense<Kept<'_>>,
    }
    37 Conv2d Rows "conv2d_rows" {
        CONV2D_ROWS_I8 = I8 PackedConv2d<Rows<'_>>,
    }
    38 Dense Rows "dense_rows" {
        DENSE_ROWS_I8 = I8 PackedDense<Rows<'_>>,
    }
    39 Conv2d Int4 "conv2d_int4" {
        CONV2D_INT4_I8 = I8 PackedConv2d<Int4<'_>>,
    }
    40 Dense Int4 "dense_int4" {
        DENSE_INT4_I8 = I8 PackedDense<Int4<'_>>,
    }
    41 Dense Compressed "dense_compressed" {
        DENSE_COMPRESSED_I8 = I8 CompressedDense<'_>,
    }
    42 Conv2d Taps "conv2d_taps" {
        CONV2D_TAPS_I8 = I8 PackedConv2d<Taps<'_>>,
    }
    43 Dense Taps "dense_taps" {
        DENSE_TAPS_I8 = I8 PackedDense<Taps<'_>>,
    }
    44 Conv2d Codebook "conv2d_codebook" {
        CONV2D_CODEBOOK_I8 = I8 PackedConv2d<Codebook<'_>>,
    }
    45 Dense Codebook "dense_codebook" {
        DENSE_CODEBOOK_I8 = I8 PackedDense<Codebook<'_>>,
    }
    48 Propagate Plain "propagate" {
        PROPAGATE_I8 = I8 Propagate,
    }
    49 SparseDense Plain "sparse_dense" {
        SPARSE_DENSE_I8 = I8 SparseDense,
    }
    50 NodeDense Plain "node_dense" {
        NODE_DENSE_I8 = I8 NodeDense,
    }
    51 Gather Plain "gather" {
        GATHER_I8 = I8 Gather,
    }
    52 KeepEdges Plain "keep_edges" {
        KEEP_EDGES_I32 = I32 KeepEdges,
    }
    53 PropagateByDegree Plain "propagate_by_degree" {
        PROPAGATE_BY_DEGREE_I8 = I8 PropagateByDegree,
    }
    54 Attend Plain "attend" {
        ATTEND_I8 = I8 Attend,
    }
    56 SparseDense Compressed "sparse_compressed" {
        SPARSE_COMPRESSED_I16 = I16 SparseCompressed,
    }
    57 NodeDense Compressed "node_compressed" {
        NODE_COMPRESSED_I8 = I8 NodeCompressed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]
mod tests;
