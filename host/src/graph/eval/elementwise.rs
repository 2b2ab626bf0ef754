//! Elementwise operators, reductions and conversions with core's reference kernels.

use super::Value;
use crate::graph::lower::{Binary, Over, Unary};
use niwaki_core::error::ShapeError;
use niwaki_core::format::DType;
use niwaki_core::kernels::{self, Broadcast, Lookup, Reduce, reference};
use niwaki_core::num::Code;

/// A result, or what is wrong with the operands.
type Outcome = Result<Value, String>;

const WRONG_TYPES: &str = "the operands' types do not fit the operator";

fn said<T>(outcome: Result<T, ShapeError>) -> Result<T, String> {
    outcome.map_err(|error| error.to_string())
}

fn map<X: Copy, Y: Copy + Default>(op: &impl kernels::Unary<X, Y>, x: &[X]) -> Result<Vec<Y>, String> {
    let mut y = vec![Y::default(); x.len()];
    said(reference::unary(op, x, &mut y))?;
    Ok(y)
}

/// An int8 operator given by its table.
pub(super) fn lookup(table: &[i8; 256], x: &Value) -> Outcome {
    match x {
        Value::I8(x) => map(&Lookup { table }, x).map(Value::I8),
        _ => Err(WRONG_TYPES.into()),
    }
}

/// An operator of one operand; `to` is the element type of the result.
pub(super) fn unary(op: &Unary, x: &Value, to: DType) -> Outcome {
    Ok(match (op, x, to) {
        (Unary::Clamp(clamp), Value::F32(x), _) => Value::F32(map(clamp, x)?),
        (Unary::Logistic, Value::F32(x), _) => Value::F32(map(&kernels::LogisticF32, x)?),
        (Unary::Tanh, Value::F32(x), _) => Value::F32(map(&kernels::TanhF32, x)?),
        (Unary::HardSwish, Value::F32(x), _) => Value::F32(map(&kernels::HardSwishF32, x)?),
        (Unary::LeakyRelu(op), Value::F32(x), _) => Value::F32(map(op, x)?),
        (Unary::ClampInt16(op), Value::I16(x), _) => Value::I16(map(op, x)?),
        (Unary::LogisticInt16(steps), Value::I16(x), _) => Value::I16(map(&kernels::LogisticInt16(*steps), x)?),
        (Unary::TanhInt16(steps), Value::I16(x), _) => Value::I16(map(&kernels::TanhInt16(*steps), x)?),
        (Unary::LeakyReluInt16(op), Value::I16(x), _) => Value::I16(map(op, x)?),
        (Unary::Quantize(op), Value::F32(x), DType::I8) => Value::I8(map(op, x)?),
        (Unary::Quantize(op), Value::F32(x), DType::I16) => Value::I16(map(op, x)?),
        (Unary::Dequantize(op), Value::I8(x), _) => Value::F32(map(op, x)?),
        (Unary::Dequantize(op), Value::I16(x), _) => Value::F32(map(op, x)?),
        (Unary::Requantize(op), Value::I8(x), DType::I16) => Value::I16(map(op, x)?),
        (Unary::Requantize(op), Value::I16(x), DType::I16) => Value::I16(map(op, x)?),
        (Unary::Requantize(op), Value::I16(x), DType::I8) => Value::I8(map(op, x)?),
        _ => return Err(WRONG_TYPES.into()),
    })
}

/// An operator of two operands.
pub(super) fn binary(shape: &Broadcast, op: &Binary, a: &Value, b: &Value) -> Outcome {
    match (a, b) {
        (Value::F32(a), Value::F32(b)) => match op {
            Binary::Add(clamp) => zip(&kernels::AddF32(*clamp), shape, a, b),
            Binary::Sub(clamp) => zip(&kernels::SubF32(*clamp), shape, a, b),
            Binary::Mul(clamp) => zip(&kernels::MulF32(*clamp), shape, a, b),
            Binary::Prelu => zip(&kernels::PreluF32, shape, a, b),
            _ => Err(WRONG_TYPES.into()),
        }
        .map(Value::F32),
        (Value::I8(a), Value::I8(b)) => binary_codes(op, shape, a, b).map(Value::I8),
        (Value::I16(a), Value::I16(b)) => binary_codes(op, shape, a, b).map(Value::I16),
        _ => Err(WRONG_TYPES.into()),
    }
}

fn binary_codes<T: Code>(op: &Binary, shape: &Broadcast, a: &[T], b: &[T]) -> Result<Vec<T>, String> {
    match op {
        Binary::AddInt(op) => zip(op, shape, a, b),
        Binary::SubInt(op) => zip(&kernels::SubInt(*op), shape, a, b),
        Binary::MulInt(op) => zip(op, shape, a, b),
        Binary::PreluInt(op) => zip(op, shape, a, b),
        _ => Err(WRONG_TYPES.into()),
    }
}

fn zip<T: Copy + Default>(op: &impl kernels::Binary<T>, shape: &Broadcast, a: &[T], b: &[T]) -> Result<Vec<T>, String> {
    let mut y = vec![T::default(); shape.sizes().iter().product()];
    said(reference::binary(op, shape, a, b, &mut y))?;
    Ok(y)
}

/// An operator over axes.
pub(super) fn over(op: &Reduce, over: &Over, x: &Value) -> Outcome {
    Ok(match (over, x) {
        (Over::Mean, Value::F32(x)) => Value::F32(fold(op, &kernels::MeanF32 { count: op.count() as f32 }, x)?),
        (Over::Sum, Value::F32(x)) => Value::F32(fold(op, &kernels::SumF32, x)?),
        (Over::MeanInt(by) | Over::SumInt(by), Value::I8(x)) => Value::I8(fold(op, by, x)?),
        (Over::MeanInt(by) | Over::SumInt(by), Value::I16(x)) => Value::I16(fold(op, by, x)?),
        (Over::ArgMax, x) => {
            let mut y = vec![0; op.output_len()];
            said(match x {
                Value::F32(x) => reference::arg_max(op, x, &mut y),
                Value::I8(x) => reference::arg_max(op, x, &mut y),
                Value::I16(x) => reference::arg_max(op, x, &mut y),
                Value::I32(x) => reference::arg_max(op, x, &mut y),
            })?;
            Value::I32(y)
        }
        _ => return Err(WRONG_TYPES.into()),
    })
}

fn fold<T: Copy + Default>(op: &Reduce, by: &impl kernels::Reduction<T>, x: &[T]) -> Result<Vec<T>, String> {
    let mut y = vec![T::default(); op.output_len()];
    said(reference::reduce(op, by, x, &mut y))?;
    Ok(y)
}
