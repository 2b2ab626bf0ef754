//! The operators that a model may use. Only those named at `Model::verify` are linked.

use super::operands::{Operands, activation, expect_output_image, image, operands, output};
use crate::error::{OperatorError, ShapeError};
use crate::format::{DType, Element, OpCode, Operator, Step, StoredClamp, TensorRecord, param};
use crate::kernels::best as kernels;
use crate::kernels::reference::PoolElement;
use crate::kernels::{
    AddInt8, Arithmetic, Clamp, Conv2d, Dense, DepthwiseConv2d, Float32, Int8, Pool2d, RescaleInt8, Softmax,
    SoftmaxInt8,
};
use crate::num::Multiplier;
use crate::shape::expect_len;

type Outcome = Result<(), OperatorError>;

/// Every operator.
pub const ALL: &[Operator] = &[
    CONV2D_I8,
    CONV2D_F32,
    DEPTHWISE_CONV2D_I8,
    DEPTHWISE_CONV2D_F32,
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
    ($(#[$doc:meta])* $name:ident = $code:ident, $dtype:ident, $in_place:literal, $check:expr, $run:expr) => {
        $(#[$doc])*
        pub const $name: Operator = Operator {
            code: OpCode::$code,
            dtype: DType::$dtype,
            in_place: $in_place,
            check: $check,
            run: $run,
        };
    };
}

operator!(/// int8 [`Conv2d`]
    CONV2D_I8 = Conv2d, I8, false, check_conv2d::<QuantisedFile>, run_conv2d::<QuantisedFile>);
operator!(/// f32 [`Conv2d`]
    CONV2D_F32 = Conv2d, F32, false, check_conv2d::<FloatFile>, run_conv2d::<FloatFile>);
operator!(/// int8 [`DepthwiseConv2d`]
    DEPTHWISE_CONV2D_I8 = DepthwiseConv2d, I8, false, check_depthwise::<QuantisedFile>, run_depthwise::<QuantisedFile>);
operator!(/// f32 [`DepthwiseConv2d`]
    DEPTHWISE_CONV2D_F32 = DepthwiseConv2d, F32, false, check_depthwise::<FloatFile>, run_depthwise::<FloatFile>);
operator!(/// int8 [`Dense`]
    DENSE_I8 = Dense, I8, false, check_dense::<QuantisedFile>, run_dense::<QuantisedFile>);
operator!(/// f32 [`Dense`]
    DENSE_F32 = Dense, F32, false, check_dense::<FloatFile>, run_dense::<FloatFile>);
operator!(/// int8 maximum over windows
    MAX_POOL2D_I8 = MaxPool2d, I8, false, check_pool::<i8>, run_max_pool::<i8>);
operator!(/// f32 maximum over windows
    MAX_POOL2D_F32 = MaxPool2d, F32, false, check_pool::<f32>, run_max_pool::<f32>);
operator!(/// int8 mean over windows
    AVERAGE_POOL2D_I8 = AveragePool2d, I8, false, check_pool::<i8>, run_average_pool::<i8>);
operator!(/// f32 mean over windows
    AVERAGE_POOL2D_F32 = AveragePool2d, F32, false, check_pool::<f32>, run_average_pool::<f32>);
operator!(/// int8 addition
    ADD_I8 = Add, I8, true, check_add_int8, run_add_int8);
operator!(/// f32 addition
    ADD_F32 = Add, F32, true, check_add_f32, run_add_f32);
operator!(/// int8 clamp with rescale
    CLAMP_I8 = Clamp, I8, true, check_clamp_int8, run_clamp_int8);
operator!(/// f32 clamp
    CLAMP_F32 = Clamp, F32, true, check_clamp_f32, run_clamp_f32);
operator!(/// int8 softmax
    SOFTMAX_I8 = Softmax, I8, false, check_softmax_int8, run_softmax_int8);
operator!(/// f32 softmax
    SOFTMAX_F32 = Softmax, F32, false, check_softmax_f32, run_softmax_f32);
operator!(/// int8 elements in another shape
    RESHAPE_I8 = Reshape, I8, true, check_reshape::<i8>, run_reshape::<i8>);
operator!(/// f32 elements in another shape
    RESHAPE_F32 = Reshape, F32, true, check_reshape::<f32>, run_reshape::<f32>);

/// A number format of weighted operators as files store it.
trait Stored {
    /// Element of input and output.
    type Value: Element + Default;
    /// Element of the weights.
    type Weight: Element + Default;
    /// Element of the bias.
    type Bias: Element + Default;
    /// How it computes.
    type Arithmetic<'m>: Arithmetic<Input = Self::Value, Weight = Self::Weight, Bias = Self::Bias, Output = Self::Value>;

    /// Reads the constants of `step`.
    fn read<'m>(step: &Step<'m>) -> Result<Self::Arithmetic<'m>, OperatorError>;

    /// Checks once what the inner loop relies on, for an operator with `channels` outputs.
    fn check(step: &Step<'_>, channels: usize) -> Outcome;
}

struct FloatFile;

impl Stored for FloatFile {
    type Value = f32;
    type Weight = f32;
    type Bias = f32;
    type Arithmetic<'m> = Float32;

    fn read<'m>(step: &Step<'m>) -> Result<Float32, OperatorError> {
        Ok(Float32 { clamp: StoredClamp::read_clamp(step)? })
    }

    fn check(step: &Step<'_>, channels: usize) -> Outcome {
        Ok(Self::read(step)?.check_channels(channels)?)
    }
}

struct QuantisedFile;

impl Stored for QuantisedFile {
    type Value = i8;
    type Weight = i8;
    type Bias = i32;
    type Arithmetic<'m> = Int8<'m>;

    fn read<'m>(step: &Step<'m>) -> Result<Int8<'m>, OperatorError> {
        Ok(Int8 {
            input_zero_point: step.input(0)?.zero_point,
            output_zero_point: step.output()?.zero_point,
            multipliers_q31: step.constant(3)?,
            shifts: step.constant(4)?,
            clamp: StoredClamp::read_clamp(step)?,
            rounding: step.model.rounding(),
        })
    }

    fn check(step: &Step<'_>, channels: usize) -> Outcome {
        let constants = Self::read(step)?;
        constants.check_channels(channels)?;
        for (&mantissa_q31, &shift) in constants.multipliers_q31.iter().zip(constants.shifts) {
            if !(Multiplier { mantissa_q31, shift: shift.into() }).is_valid() {
                return Err(OperatorError::Param { name: "multiplier", value: mantissa_q31 });
            }
        }
        Ok(())
    }
}

/// The weights' record, whose rank must be `rank`.
fn weights(step: &Step<'_>, rank: u8) -> Result<TensorRecord, OperatorError> {
    let w = step.input(1)?;
    if w.rank != rank {
        return Err(ShapeError::Dim { name: "rank of w", value: w.rank.into() }.into());
    }
    Ok(w)
}

fn conv2d(step: &Step<'_>) -> Result<Conv2d, OperatorError> {
    let (input, in_channels) = image(&step.input(0)?, 0)?;
    let w = weights(step, 4)?;
    expect_len("channels of w", in_channels, w.dim(3))?;
    let window = step.window(input, [w.dim(1), w.dim(2)], step.dilation()?)?;
    Ok(Conv2d::try_new(window, in_channels, w.dim(0))?)
}

fn check_conv2d<S: Stored>(step: &Step<'_>) -> Outcome {
    let op = conv2d(step)?;
    expect_output_image(step, &op.window, op.out_channels().get())?;
    S::check(step, op.out_channels().get())?;
    let (x, y) = (activation::<S::Value>(step, 0)?, output::<S::Value>(step)?);
    let (w, bias) = (step.constant::<S::Weight>(1)?, step.constant::<S::Bias>(2)?);
    Ok(op.check(x.element_count(), w.len(), bias.len(), y.element_count())?)
}

fn run_conv2d<S: Stored>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(kernels::conv2d(&conv2d(step)?, &S::read(step)?, x, step.constant(1)?, step.constant(2)?, output)?)
}

fn depthwise(step: &Step<'_>) -> Result<DepthwiseConv2d, OperatorError> {
    let (input, in_channels) = image(&step.input(0)?, 0)?;
    let w = weights(step, 3)?;
    let window = step.window(input, [w.dim(0), w.dim(1)], step.dilation()?)?;
    Ok(DepthwiseConv2d::try_new(window, in_channels, w.dim(2))?)
}

fn check_depthwise<S: Stored>(step: &Step<'_>) -> Outcome {
    let op = depthwise(step)?;
    expect_output_image(step, &op.window, op.out_channels().get())?;
    S::check(step, op.out_channels().get())?;
    let (x, y) = (activation::<S::Value>(step, 0)?, output::<S::Value>(step)?);
    let (w, bias) = (step.constant::<S::Weight>(1)?, step.constant::<S::Bias>(2)?);
    Ok(op.check(x.element_count(), w.len(), bias.len(), y.element_count())?)
}

fn run_depthwise<S: Stored>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    let (op, arithmetic) = (depthwise(step)?, S::read(step)?);
    Ok(kernels::depthwise_conv2d(&op, &arithmetic, x, step.constant(1)?, step.constant(2)?, output)?)
}

fn dense(step: &Step<'_>) -> Result<Dense, OperatorError> {
    let w = weights(step, 2)?;
    Ok(Dense::try_new(w.dim(1), w.dim(0))?)
}

fn check_dense<S: Stored>(step: &Step<'_>) -> Outcome {
    let op = dense(step)?;
    S::check(step, op.outputs().get())?;
    let (x, y) = (activation::<S::Value>(step, 0)?, output::<S::Value>(step)?);
    let (w, bias) = (step.constant::<S::Weight>(1)?, step.constant::<S::Bias>(2)?);
    Ok(op.check(x.element_count(), w.len(), bias.len(), y.element_count())?)
}

fn run_dense<S: Stored>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(kernels::dense(&dense(step)?, &S::read(step)?, x, step.constant(1)?, step.constant(2)?, output)?)
}

fn pool(step: &Step<'_>) -> Result<Pool2d, OperatorError> {
    let (input, channels) = image(&step.input(0)?, 0)?;
    Ok(Pool2d::try_new(step.window(input, step.kernel_size()?, [1, 1])?, channels)?)
}

fn check_pool<T: Element + StoredClamp>(step: &Step<'_>) -> Outcome {
    let op = pool(step)?;
    T::read_clamp(step)?;
    expect_output_image(step, &op.window, op.channels().get())?;
    let (x, y) = (activation::<T>(step, 0)?, output::<T>(step)?);
    Ok(op.check(x.element_count(), y.element_count())?)
}

fn run_max_pool<T: Element + StoredClamp + PoolElement>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(kernels::max_pool2d(&pool(step)?, T::read_clamp(step)?, x, output)?)
}

fn run_average_pool<T: Element + StoredClamp + PoolElement>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(kernels::average_pool2d(&pool(step)?, T::read_clamp(step)?, x, output)?)
}

/// Checks that `inputs` operands and the output have one length and type.
fn check_elementwise<T: Element>(step: &Step<'_>, inputs: usize) -> Outcome {
    let y = output::<T>(step)?;
    for index in 0..inputs {
        let x = activation::<T>(step, index)?;
        expect_len("operand", y.element_count(), x.element_count())?;
    }
    Ok(())
}

fn add_int8(step: &Step<'_>) -> Result<AddInt8, OperatorError> {
    Ok(AddInt8 {
        input_zero_points: [step.input(0)?.zero_point, step.input(1)?.zero_point],
        input_multipliers: [step.multiplier(param::MULTIPLIERS)?, step.multiplier(param::MULTIPLIERS + 2)?],
        output_zero_point: step.output()?.zero_point,
        output_multiplier: step.multiplier(param::MULTIPLIERS + 4)?,
        clamp: StoredClamp::read_clamp(step)?,
        rounding: step.model.rounding(),
    })
}

fn check_add_int8(step: &Step<'_>) -> Outcome {
    add_int8(step)?;
    check_elementwise::<i8>(step, 2)
}

fn run_add_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = add_int8(step)?;
    let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(0) => kernels::add_int8_in_place(&op, kernels::Side::Left, b, output)?,
        Some(_) => kernels::add_int8_in_place(&op, kernels::Side::Right, a, output)?,
        None => kernels::add_int8(&op, a, b, output)?,
    }
    Ok(())
}

fn check_add_f32(step: &Step<'_>) -> Outcome {
    f32::read_clamp(step)?;
    check_elementwise::<f32>(step, 2)
}

fn run_add_f32(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let clamp = StoredClamp::read_clamp(step)?;
    let Operands { inputs: [a, b], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(0) => kernels::add_f32_in_place(clamp, b, output)?,
        Some(_) => kernels::add_f32_in_place(clamp, a, output)?,
        None => kernels::add_f32(clamp, a, b, output)?,
    }
    Ok(())
}

fn rescale(step: &Step<'_>) -> Result<RescaleInt8, OperatorError> {
    Ok(RescaleInt8 {
        input_zero_point: step.input(0)?.zero_point,
        output_zero_point: step.output()?.zero_point,
        multiplier: step.multiplier(param::MULTIPLIERS)?,
        clamp: StoredClamp::read_clamp(step)?,
        rounding: step.model.rounding(),
    })
}

fn check_clamp_int8(step: &Step<'_>) -> Outcome {
    rescale(step)?;
    check_elementwise::<i8>(step, 1)
}

fn run_clamp_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let op = rescale(step)?;
    let Operands { inputs: [x], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(_) => kernels::rescale_int8_in_place(&op, output),
        None => kernels::rescale_int8(&op, x, output)?,
    }
    Ok(())
}

fn check_clamp_f32(step: &Step<'_>) -> Outcome {
    f32::read_clamp(step)?;
    check_elementwise::<f32>(step, 1)
}

fn run_clamp_f32(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let clamp: Clamp<f32> = StoredClamp::read_clamp(step)?;
    let Operands { inputs: [x], output, in_place } = operands(step, arena)?;
    match in_place {
        Some(_) => kernels::clamp_f32_in_place(clamp, output),
        None => kernels::clamp_f32(clamp, x, output)?,
    }
    Ok(())
}

/// Softmax along the last axis of operand 0.
fn softmax(step: &Step<'_>) -> Result<Softmax, OperatorError> {
    let x = step.input(0)?;
    Ok(Softmax::try_new(x.shape().last().copied().unwrap_or(0) as usize)?)
}

fn softmax_constants(step: &Step<'_>) -> Result<SoftmaxInt8, OperatorError> {
    let multiplier = step.multiplier(param::MULTIPLIERS)?;
    if multiplier.shift < 0 {
        return Err(OperatorError::Param { name: "multiplier", value: multiplier.shift });
    }
    Ok(SoftmaxInt8 { multiplier, difference_min: step.param(param::DIFFERENCE_MIN) })
}

fn check_softmax_int8(step: &Step<'_>) -> Outcome {
    softmax_constants(step)?;
    let op = softmax(step)?;
    let (x, y) = (activation::<i8>(step, 0)?, output::<i8>(step)?);
    Ok(op.check(x.element_count(), y.element_count())?)
}

fn run_softmax_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(kernels::softmax_int8(&softmax(step)?, &softmax_constants(step)?, x, output)?)
}

fn check_softmax_f32(step: &Step<'_>) -> Outcome {
    let op = softmax(step)?;
    let (x, y) = (activation::<f32>(step, 0)?, output::<f32>(step)?);
    Ok(op.check(x.element_count(), y.element_count())?)
}

fn run_softmax_f32(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(kernels::softmax_f32(&softmax(step)?, x, output)?)
}

fn check_reshape<T: Element>(step: &Step<'_>) -> Outcome {
    check_elementwise::<T>(step, 1)
}

fn run_reshape<T: Element>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands::<'_, T, 1> { inputs: [x], output, in_place } = operands(step, arena)?;
    if in_place.is_none() {
        output.iter_mut().zip(x).for_each(|(y, &x)| *y = x);
    }
    Ok(())
}
