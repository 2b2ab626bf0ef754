//! Poolings: maximum or mean over windows of `x`.

use super::memory::{Operands, check_output_image, input_image, operands};
use super::words::StoredClamp;
use super::{Cost, Outcome, Record, window};
use crate::error::{OperatorError, ShapeError};
use crate::format::{Element, Params, Step};
use crate::kernels::reference::PoolElement;
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{Clamp, Pool2d};
use core::marker::PhantomData;

pub use window::write_pooling as write;

/// One kind of pooling of elements `T`.
pub(super) trait Kind<T> {
    /// Runs it.
    fn run(op: &Pool2d, clamp: Clamp<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError>;
}

/// The maximum.
pub(super) struct Maximum;

/// The mean.
pub(super) struct Mean;

impl Kind<i8> for Maximum {
    fn run(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        Best::max_pool2d_int8(op, clamp, x, y)
    }
}

impl Kind<i8> for Mean {
    fn run(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
        Best::average_pool2d_int8(op, clamp, x, y)
    }
}

macro_rules! portable_kinds {
    ($($element:ty),*) => {$(
        impl Kind<$element> for Maximum {
            fn run(op: &Pool2d, clamp: Clamp<$element>, x: &[$element], y: &mut [$element]) -> Result<(), ShapeError> {
                Best::max_pool2d(op, clamp, x, y)
            }
        }

        impl Kind<$element> for Mean {
            fn run(op: &Pool2d, clamp: Clamp<$element>, x: &[$element], y: &mut [$element]) -> Result<(), ShapeError> {
                Best::average_pool2d(op, clamp, x, y)
            }
        }
    )*};
}

portable_kinds!(i16, f32);

/// A pooling of elements `T`.
pub(super) struct Pooling<T, K> {
    op: Pool2d,
    clamp: Clamp<T>,
    kind: PhantomData<K>,
}

impl<'m, T: Element + StoredClamp + PoolElement, K: Kind<T>> Record<'m> for Pooling<T, K> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let (input, channels) = input_image(step)?;
        let op = Pool2d::try_new(window::pooling(&step.record.params, input)?, channels)?;
        Ok(Self { op, clamp: T::read_clamp(&step.record.params)?, kind: PhantomData })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        write(params, &self.op.window);
        T::write_clamp(self.clamp, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check_output_image(step, &self.op.window, self.op.channels().get())?;
        let (x, y) = (step.activation::<T>(0)?, step.result::<T>()?);
        Ok(self.op.check(x.element_count(), y.element_count())?)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(K::run(&self.op, self.clamp, x, output)?)
    }
}
