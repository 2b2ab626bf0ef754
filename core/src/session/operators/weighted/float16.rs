//! f32 activations with weights that files store in 16 bits. The rows' type is that of the weights.

use super::{
    Stored, check_conv2d, check_dense, check_depthwise, check_transpose_conv2d, run_conv2d, run_dense, run_depthwise,
    run_transpose_conv2d,
};
use crate::error::OperatorError;
use crate::format::{DType, OpCode, Operator, Overlap, Step, StoredClamp};
use crate::kernels::{Arithmetic, Float16};
use crate::session::operators::{Outcome, operator};

operator!(/// f32 [`Conv2d`](crate::kernels::Conv2d) with binary16 weights
    CONV2D_F16 = Conv2d, F16, Overlap::Never, check_conv2d::<Float16File>, run_conv2d::<Float16File>);
operator!(/// f32 [`DepthwiseConv2d`](crate::kernels::DepthwiseConv2d) with binary16 weights
    DEPTHWISE_CONV2D_F16 = DepthwiseConv2d, F16, Overlap::Never, check_depthwise::<Float16File>, run_depthwise::<Float16File>);
operator!(/// f32 [`Dense`](crate::kernels::Dense) with binary16 weights
    DENSE_F16 = Dense, F16, Overlap::Never, check_dense::<Float16File>, run_dense::<Float16File>);
operator!(/// f32 [`TransposeConv2d`](crate::kernels::TransposeConv2d) with binary16 weights
    TRANSPOSE_CONV2D_F16 = TransposeConv2d, F16, Overlap::Never, check_transpose_conv2d::<Float16File>, run_transpose_conv2d::<Float16File>);

struct Float16File;

impl Stored for Float16File {
    type Value = f32;
    type Weight = half::f16;
    type Bias = f32;
    type Arithmetic<'m> = Float16;

    fn read<'m>(step: &Step<'m>) -> Result<Float16, OperatorError> {
        Ok(Float16 { clamp: StoredClamp::read_clamp(step)? })
    }

    fn check(step: &Step<'_>, channels: usize) -> Outcome {
        Ok(Self::read(step)?.check_channels(channels)?)
    }
}
