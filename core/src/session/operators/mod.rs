//! The operators that a model may use. Only those named at `Model::verify` are linked.

mod depthwise_tiled;
mod elementwise;
mod movement;
mod pooling;
mod softmax;
mod weighted;

pub use depthwise_tiled::DEPTHWISE_CONV2D_TILED_I8;
pub use elementwise::{ADD_F32, ADD_I8, CLAMP_F32, CLAMP_I8};
pub use movement::{RESHAPE_F32, RESHAPE_I8};
pub use pooling::{AVERAGE_POOL2D_F32, AVERAGE_POOL2D_I8, MAX_POOL2D_F32, MAX_POOL2D_I8};
pub use softmax::{SOFTMAX_F32, SOFTMAX_I8};
pub use weighted::{CONV2D_F32, CONV2D_I8, DENSE_F32, DENSE_I8, DEPTHWISE_CONV2D_F32, DEPTHWISE_CONV2D_I8};

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
];

macro_rules! operator {
    ($(#[$doc:meta])* $name:ident = $code:ident, $dtype:ident, $overlap:expr, $check:expr, $run:expr) => {
        $(#[$doc])*
        pub const $name: Operator = Operator {
            code: OpCode::$code,
            dtype: DType::$dtype,
            overlap: $overlap,
            check: $check,
            run: $run,
        };
    };
}

use operator;
