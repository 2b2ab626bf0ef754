//! The operators that a model may use. Only those named at `Model::verify` are linked.

mod conversion;
mod depthwise_tiled;
mod elementwise;
mod movement;
mod nodes;
mod packed;
mod pooling;
mod reduce;
mod softmax;
mod tiled;
mod weighted;

pub use conversion::{DEQUANTIZE_I8, DEQUANTIZE_I16, QUANTIZE_F32, QUANTIZE_I8, QUANTIZE_I16};
pub use depthwise_tiled::DEPTHWISE_CONV2D_TILED_I8;
pub use elementwise::{
    ADD_F32, ADD_I8, ADD_I16, CLAMP_F32, CLAMP_I8, CLAMP_I16, HARD_SWISH_F32, LEAKY_RELU_F32, LEAKY_RELU_I16,
    LOGISTIC_F32, LOGISTIC_I16, LOOKUP_I8, MUL_F32, MUL_I8, MUL_I16, PRELU_F32, PRELU_I8, SUB_F32, SUB_I8, SUB_I16,
    TANH_F32, TANH_I16,
};
pub use movement::{
    CONCAT_F32, CONCAT_I8, CONCAT_I16, PAD_F32, PAD_I8, PAD_I16, RESHAPE_F32, RESHAPE_I8, RESHAPE_I16,
    RESIZE_BILINEAR_F32, RESIZE_BILINEAR_I8, RESIZE_BILINEAR_I16, RESIZE_NEAREST_F32, RESIZE_NEAREST_I8,
    RESIZE_NEAREST_I16, SLICE_F32, SLICE_I8, SLICE_I16, TRANSPOSE_F32, TRANSPOSE_I8, TRANSPOSE_I16,
};
pub use nodes::{
    ATTEND_I8, GATHER_I8, KEEP_EDGES_I32, NODE_COMPRESSED_I8, NODE_DENSE_I8, PROPAGATE_BY_DEGREE_I8, PROPAGATE_I8,
    SPARSE_COMPRESSED_I16, SPARSE_DENSE_I8,
};
pub use packed::{
    CONV2D_BLOCKS_I8, CONV2D_CODEBOOK_I8, CONV2D_INT4_I8, CONV2D_KEPT_I8, CONV2D_ROWS_I8, CONV2D_TAPS_I8,
    DENSE_BLOCKS_I8, DENSE_CODEBOOK_I8, DENSE_COMPRESSED_I8, DENSE_INT4_I8, DENSE_KEPT_I8, DENSE_ROWS_I8,
    DENSE_TAPS_I8,
};
pub use pooling::{
    AVERAGE_POOL2D_F32, AVERAGE_POOL2D_I8, AVERAGE_POOL2D_I16, MAX_POOL2D_F32, MAX_POOL2D_I8, MAX_POOL2D_I16,
};
pub use reduce::{ARG_MAX_F32, ARG_MAX_I8, ARG_MAX_I16, MEAN_F32, MEAN_I8, MEAN_I16, SUM_F32, SUM_I8, SUM_I16};
pub use softmax::{SOFTMAX_F32, SOFTMAX_I8, SOFTMAX_I16};
pub use tiled::{CONV2D_TILED_I8, DENSE_TILED_I8};
pub use weighted::{
    CONV2D_F16, CONV2D_F32, CONV2D_I8, CONV2D_I16, DENSE_F16, DENSE_F32, DENSE_I8, DENSE_I16, DEPTHWISE_CONV2D_F16,
    DEPTHWISE_CONV2D_F32, DEPTHWISE_CONV2D_I8, DEPTHWISE_CONV2D_I16, TRANSPOSE_CONV2D_F16, TRANSPOSE_CONV2D_F32,
    TRANSPOSE_CONV2D_I8, TRANSPOSE_CONV2D_I16,
};

use crate::error::OperatorError;
use crate::format::Operator;

type Outcome = Result<(), OperatorError>;

/// Every operator.
pub const ALL: &[Operator] = &[
    CONV2D_I8,
    CONV2D_F32,
    DEPTHWISE_CONV2D_I8,
    DEPTHWISE_CONV2D_F32,
    DEPTHWISE_CONV2D_TILED_I8,
    DENSE_I8,
    DENSE_F32,
    MAX_POOL2D_I8,
    MAX_POOL2D_F32,
    AVERAGE_POOL2D_I8,
    AVERAGE_POOL2D_F32,
    ADD_I8,
    ADD_F32,
    CLAMP_I8,
    CLAMP_F32,
    SOFTMAX_I8,
    SOFTMAX_F32,
    RESHAPE_I8,
    RESHAPE_F32,
    RESHAPE_I16,
    CONV2D_I16,
    CONV2D_F16,
    DEPTHWISE_CONV2D_I16,
    DEPTHWISE_CONV2D_F16,
    DENSE_I16,
    DENSE_F16,
    TRANSPOSE_CONV2D_I8,
    TRANSPOSE_CONV2D_I16,
    TRANSPOSE_CONV2D_F32,
    TRANSPOSE_CONV2D_F16,
    PAD_I8,
    PAD_I16,
    PAD_F32,
    CONCAT_I8,
    CONCAT_I16,
    CONCAT_F32,
    SLICE_I8,
    SLICE_I16,
    SLICE_F32,
    TRANSPOSE_I8,
    TRANSPOSE_I16,
    TRANSPOSE_F32,
    RESIZE_NEAREST_I8,
    RESIZE_NEAREST_I16,
    RESIZE_NEAREST_F32,
    RESIZE_BILINEAR_I8,
    RESIZE_BILINEAR_I16,
    RESIZE_BILINEAR_F32,
    CONV2D_TILED_I8,
    DENSE_TILED_I8,
    LOOKUP_I8,
    SUB_I8,
    SUB_F32,
    MUL_I8,
    MUL_F32,
    PRELU_I8,
    PRELU_F32,
    MEAN_I8,
    MEAN_F32,
    SUM_I8,
    SUM_F32,
    ARG_MAX_I8,
    ARG_MAX_F32,
    LOGISTIC_F32,
    TANH_F32,
    LEAKY_RELU_F32,
    HARD_SWISH_F32,
    QUANTIZE_F32,
    QUANTIZE_I8,
    QUANTIZE_I16,
    DEQUANTIZE_I8,
    DEQUANTIZE_I16,
    ADD_I16,
    SUB_I16,
    MUL_I16,
    CLAMP_I16,
    LOGISTIC_I16,
    TANH_I16,
    LEAKY_RELU_I16,
    SOFTMAX_I16,
    MAX_POOL2D_I16,
    AVERAGE_POOL2D_I16,
    MEAN_I16,
    SUM_I16,
    ARG_MAX_I16,
    CONV2D_BLOCKS_I8,
    DENSE_BLOCKS_I8,
    CONV2D_KEPT_I8,
    DENSE_KEPT_I8,
    CONV2D_ROWS_I8,
    DENSE_ROWS_I8,
    CONV2D_INT4_I8,
    DENSE_INT4_I8,
    DENSE_COMPRESSED_I8,
    CONV2D_TAPS_I8,
    DENSE_TAPS_I8,
    CONV2D_CODEBOOK_I8,
    DENSE_CODEBOOK_I8,
    PROPAGATE_I8,
    SPARSE_DENSE_I8,
    NODE_DENSE_I8,
    GATHER_I8,
    KEEP_EDGES_I32,
    PROPAGATE_BY_DEGREE_I8,
    ATTEND_I8,
    SPARSE_COMPRESSED_I16,
    NODE_COMPRESSED_I8,
];

macro_rules! operator {
    ($(#[$doc:meta])* $name:ident = $code:ident, $dtype:ident, $overlap:expr, $check:expr, $run:expr) => {
        operator!($(#[$doc])* $name = $code, $dtype, $overlap, $check, $run, None);
    };
    ($(#[$doc:meta])* $name:ident = $code:ident, $dtype:ident, $overlap:expr, $check:expr, $run:expr, $rows:expr) => {
        $(#[$doc])*
        pub const $name: Operator = Operator {
            code: OpCode::$code,
            dtype: DType::$dtype,
            overlap: $overlap,
            check: $check,
            run: $run,
            rows: $rows,
        };
    };
}

use operator;
