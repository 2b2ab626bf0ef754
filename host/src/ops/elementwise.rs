//! Elementwise operators in the terms of core: their words in a file, and their reference kernels.

use super::{Misfit, Value};
use niwaki_core::format::{DType, Params};
use niwaki_core::kernels::{
    self, AddInt, Affine, Broadcast, Clamp, LeakyReluInt, Lookup, MulInt, PreluInt, Rescale, Steps, reference,
};
use niwaki_core::num::Code;
use niwaki_core::ops::{Constants as Words, Op as CoreOp, write};

/// An operator of one operand in the terms of core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    /// f32 clamp.
    Clamp(Clamp<f32>),
    /// f32 logistic function.
    Logistic,
    /// f32 hyperbolic tangent.
    Tanh,
    /// f32 hard swish.
    HardSwish,
    /// f32 leaky ReLU.
    LeakyRelu(kernels::LeakyReluF32),
    /// int16 clamp with rescale.
    ClampInt16(Rescale),
    /// int16 logistic function.
    LogisticInt16(Steps),
    /// int16 hyperbolic tangent.
    TanhInt16(Steps),
    /// int16 leaky ReLU.
    LeakyReluInt16(LeakyReluInt),
    /// Quantised values of f32 values.
    Quantize(Affine),
    /// Quantised values of others.
    Requantize(Rescale),
    /// f32 values of quantised ones.
    Dequantize(Affine),
}

fn map<X: Copy, Y: Copy + Default>(op: &impl kernels::Unary<X, Y>, x: &[X]) -> Result<Vec<Y>, Misfit> {
    let mut y = vec![Y::default(); x.len()];
    reference::unary(op, x, &mut y)?;
    Ok(y)
}

/// An int8 operator given by its table.
pub(super) fn lookup(table: &[i8; 256], x: &Value) -> Result<Value, Misfit> {
    match x {
        Value::I8(x) => map(&Lookup { table }, x).map(Value::I8),
        _ => Err(Misfit::ValueTypes),
    }
}

impl Unary {
    /// Writes its parameter words; what it is in a file.
    pub(super) fn write(&self, params: &mut Params) -> CoreOp {
        match self {
            Self::Clamp(clamp) => clamp.write(params),
            Self::LeakyRelu(op) => op.write(params),
            Self::ClampInt16(op) => Words::<i16>::write(op, params),
            Self::LogisticInt16(op) | Self::TanhInt16(op) => op.write(params),
            Self::LeakyReluInt16(op) => Words::<i16>::write(op, params),
            Self::Requantize(op) => write::requantize(params, op.multiplier),
            Self::Logistic | Self::Tanh | Self::HardSwish | Self::Quantize(_) | Self::Dequantize(_) => {}
        }
        match self {
            Self::Clamp(_) | Self::ClampInt16(_) => CoreOp::Clamp,
            Self::Logistic | Self::LogisticInt16(_) => CoreOp::Logistic,
            Self::Tanh | Self::TanhInt16(_) => CoreOp::Tanh,
            Self::HardSwish => CoreOp::HardSwish,
            Self::LeakyRelu(_) | Self::LeakyReluInt16(_) => CoreOp::LeakyRelu,
            Self::Quantize(_) | Self::Requantize(_) => CoreOp::Quantize,
            Self::Dequantize(_) => CoreOp::Dequantize,
        }
    }

    /// What it makes of `x`; `to` is the element type of the result.
    pub(super) fn evaluate(&self, x: &Value, to: DType) -> Result<Value, Misfit> {
        Ok(match (self, x, to) {
            (Self::Clamp(clamp), Value::F32(x), _) => Value::F32(map(clamp, x)?),
            (Self::Logistic, Value::F32(x), _) => Value::F32(map(&kernels::LogisticF32, x)?),
            (Self::Tanh, Value::F32(x), _) => Value::F32(map(&kernels::TanhF32, x)?),
            (Self::HardSwish, Value::F32(x), _) => Value::F32(map(&kernels::HardSwishF32, x)?),
            (Self::LeakyRelu(op), Value::F32(x), _) => Value::F32(map(op, x)?),
            (Self::ClampInt16(op), Value::I16(x), _) => Value::I16(map(op, x)?),
            (Self::LogisticInt16(steps), Value::I16(x), _) => Value::I16(map(&kernels::LogisticInt16(*steps), x)?),
            (Self::TanhInt16(steps), Value::I16(x), _) => Value::I16(map(&kernels::TanhInt16(*steps), x)?),
            (Self::LeakyReluInt16(op), Value::I16(x), _) => Value::I16(map(op, x)?),
            (Self::Quantize(op), Value::F32(x), DType::I8) => Value::I8(map(op, x)?),
            (Self::Quantize(op), Value::F32(x), DType::I16) => Value::I16(map(op, x)?),
            (Self::Dequantize(op), Value::I8(x), _) => Value::F32(map(op, x)?),
            (Self::Dequantize(op), Value::I16(x), _) => Value::F32(map(op, x)?),
            (Self::Requantize(op), Value::I8(x), DType::I16) => Value::I16(map(op, x)?),
            (Self::Requantize(op), Value::I16(x), DType::I16) => Value::I16(map(op, x)?),
            (Self::Requantize(op), Value::I16(x), DType::I8) => Value::I8(map(op, x)?),
            _ => return Err(Misfit::ValueTypes),
        })
    }
}

/// An operator of two operands in the terms of core.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Binary {
    /// f32 sum.
    Add(Clamp<f32>),
    /// f32 difference.
    Sub(Clamp<f32>),
    /// f32 product.
    Mul(Clamp<f32>),
    /// f32 leaky ReLU with slopes.
    Prelu,
    /// Sum of quantised values.
    AddInt(AddInt),
    /// Difference of quantised values.
    SubInt(AddInt),
    /// Product of quantised values.
    MulInt(MulInt),
    /// Leaky ReLU of quantised values with slopes.
    PreluInt(PreluInt),
}

impl Binary {
    /// Writes its parameter words; what it is in a file.
    pub(super) fn write(&self, params: &mut Params) -> CoreOp {
        match *self {
            Self::Add(clamp) => kernels::AddF32(clamp).write(params),
            Self::Sub(clamp) => kernels::SubF32(clamp).write(params),
            Self::Mul(clamp) => kernels::MulF32(clamp).write(params),
            Self::AddInt(op) => Words::<i16>::write(&op, params),
            Self::SubInt(op) => Words::<i16>::write(&kernels::SubInt(op), params),
            Self::MulInt(op) => Words::<i16>::write(&op, params),
            Self::PreluInt(op) => Words::<i8>::write(&op, params),
            Self::Prelu => {}
        }
        match self {
            Self::Add(_) | Self::AddInt(_) => CoreOp::Add,
            Self::Sub(_) | Self::SubInt(_) => CoreOp::Sub,
            Self::Mul(_) | Self::MulInt(_) => CoreOp::Mul,
            Self::Prelu | Self::PreluInt(_) => CoreOp::Prelu,
        }
    }

    /// What it makes of `a` and `b`.
    pub(super) fn evaluate(&self, shape: &Broadcast, a: &Value, b: &Value) -> Result<Value, Misfit> {
        match (a, b) {
            (Value::F32(a), Value::F32(b)) => match self {
                Self::Add(clamp) => zip(&kernels::AddF32(*clamp), shape, a, b),
                Self::Sub(clamp) => zip(&kernels::SubF32(*clamp), shape, a, b),
                Self::Mul(clamp) => zip(&kernels::MulF32(*clamp), shape, a, b),
                Self::Prelu => zip(&kernels::PreluF32, shape, a, b),
                _ => Err(Misfit::ValueTypes),
            }
            .map(Value::F32),
            (Value::I8(a), Value::I8(b)) => self.integers(shape, a, b).map(Value::I8),
            (Value::I16(a), Value::I16(b)) => self.integers(shape, a, b).map(Value::I16),
            _ => Err(Misfit::ValueTypes),
        }
    }

    fn integers<T: Code>(&self, shape: &Broadcast, a: &[T], b: &[T]) -> Result<Vec<T>, Misfit> {
        match self {
            Self::AddInt(op) => zip(op, shape, a, b),
            Self::SubInt(op) => zip(&kernels::SubInt(*op), shape, a, b),
            Self::MulInt(op) => zip(op, shape, a, b),
            Self::PreluInt(op) => zip(op, shape, a, b),
            _ => Err(Misfit::ValueTypes),
        }
    }
}

fn zip<T: Copy + Default>(op: &impl kernels::Binary<T>, shape: &Broadcast, a: &[T], b: &[T]) -> Result<Vec<T>, Misfit> {
    let mut y = vec![T::default(); shape.sizes().iter().product()];
    reference::binary(op, shape, a, b, &mut y)?;
    Ok(y)
}
