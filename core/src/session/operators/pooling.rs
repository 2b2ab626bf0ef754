//! Pooling.

use super::super::operands::{Operands, activation, expect_output_image, operands, output, windowed};
use super::{Outcome, operator};
use crate::error::OperatorError;
use crate::format::{DType, Element, OpCode, Operator, Overlap, Step, StoredClamp};
use crate::kernels::Pool2d;
use crate::kernels::reference::PoolElement;
use crate::kernels::{BackEnd as _, Best};

operator!(/// int8 maximum over windows
    MAX_POOL2D_I8 = MaxPool2d, I8, Overlap::Never, check_pool::<i8>, run_max_pool_int8);
operator!(/// int16 maximum over windows
    MAX_POOL2D_I16 = MaxPool2d, I16, Overlap::Never, check_pool::<i16>, run_max_pool::<i16>);
operator!(/// f32 maximum over windows
    MAX_POOL2D_F32 = MaxPool2d, F32, Overlap::Never, check_pool::<f32>, run_max_pool::<f32>);
operator!(/// int8 mean over windows
    AVERAGE_POOL2D_I8 = AveragePool2d, I8, Overlap::Never, check_pool::<i8>, run_average_pool_int8);
operator!(/// int16 mean over windows
    AVERAGE_POOL2D_I16 = AveragePool2d, I16, Overlap::Never, check_pool::<i16>, run_average_pool::<i16>);
operator!(/// f32 mean over windows
    AVERAGE_POOL2D_F32 = AveragePool2d, F32, Overlap::Never, check_pool::<f32>, run_average_pool::<f32>);

fn pool(step: &Step<'_>) -> Result<Pool2d, OperatorError> {
    let (window, channels) = windowed(step, false)?;
    Ok(Pool2d::try_new(window, channels)?)
}

fn check_pool<T: Element + StoredClamp>(step: &Step<'_>) -> Outcome {
    let op = pool(step)?;
    T::read_clamp(step)?;
    expect_output_image(step, &op.window, op.channels().get())?;
    let (x, y) = (activation::<T>(step, 0)?, output::<T>(step)?);
    Ok(op.check(x.element_count(), y.element_count())?)
}

fn run_max_pool_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::max_pool2d_int8(&pool(step)?, StoredClamp::read_clamp(step)?, x, output)?)
}

fn run_max_pool<T: Element + StoredClamp + PoolElement>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::max_pool2d(&pool(step)?, T::read_clamp(step)?, x, output)?)
}

fn run_average_pool_int8(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::average_pool2d_int8(&pool(step)?, StoredClamp::read_clamp(step)?, x, output)?)
}

fn run_average_pool<T: Element + StoredClamp + PoolElement>(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let Operands { inputs: [x], output, .. } = operands(step, arena)?;
    Ok(Best::average_pool2d(&pool(step)?, T::read_clamp(step)?, x, output)?)
}
