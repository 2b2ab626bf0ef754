//! Parameter words of elementwise operators, reductions and conversions.

use crate::graph::lower::{Binary, Over, Unary};
use niwaki_core::format::Params;
use niwaki_core::kernels::{AddF32, MulF32, SubF32, SubInt};
use niwaki_core::ops::{Constants, Op, write};

/// Writes what an operator of one operand needs.
pub(super) fn unary(params: &mut Params, op: &Unary) -> Op {
    match op {
        Unary::Clamp(clamp) => clamp.write(params),
        Unary::LeakyRelu(op) => op.write(params),
        Unary::ClampInt16(op) => Constants::<i16>::write(op, params),
        Unary::LogisticInt16(op) | Unary::TanhInt16(op) => op.write(params),
        Unary::LeakyReluInt16(op) => Constants::<i16>::write(op, params),
        Unary::Requantize(op) => write::requantize(params, op.multiplier),
        Unary::Logistic | Unary::Tanh | Unary::HardSwish | Unary::Quantize(_) | Unary::Dequantize(_) => {}
    }
    match op {
        Unary::Clamp(_) | Unary::ClampInt16(_) => Op::Clamp,
        Unary::Logistic | Unary::LogisticInt16(_) => Op::Logistic,
        Unary::Tanh | Unary::TanhInt16(_) => Op::Tanh,
        Unary::HardSwish => Op::HardSwish,
        Unary::LeakyRelu(_) | Unary::LeakyReluInt16(_) => Op::LeakyRelu,
        Unary::Quantize(_) | Unary::Requantize(_) => Op::Quantize,
        Unary::Dequantize(_) => Op::Dequantize,
    }
}

/// Writes what an operator of two operands needs.
pub(super) fn binary(params: &mut Params, op: &Binary) -> Op {
    match *op {
        Binary::Add(clamp) => AddF32(clamp).write(params),
        Binary::Sub(clamp) => SubF32(clamp).write(params),
        Binary::Mul(clamp) => MulF32(clamp).write(params),
        Binary::AddInt(op) => Constants::<i16>::write(&op, params),
        Binary::SubInt(op) => Constants::<i16>::write(&SubInt(op), params),
        Binary::MulInt(op) => Constants::<i16>::write(&op, params),
        Binary::PreluInt(op) => Constants::<i8>::write(&op, params),
        Binary::Prelu => {}
    }
    match op {
        Binary::Add(_) | Binary::AddInt(_) => Op::Add,
        Binary::Sub(_) | Binary::SubInt(_) => Op::Sub,
        Binary::Mul(_) | Binary::MulInt(_) => Op::Mul,
        Binary::Prelu | Binary::PreluInt(_) => Op::Prelu,
    }
}

/// Writes what an operator over `axes` needs.
pub(super) fn over(params: &mut Params, op: &Over, axes: &[usize]) -> Op {
    write::axes(params, axes);
    match op {
        Over::MeanInt(by) | Over::SumInt(by) => Constants::<i8>::write(by, params),
        Over::Mean | Over::Sum | Over::ArgMax => {}
    }
    match op {
        Over::Mean | Over::MeanInt(_) => Op::Mean,
        Over::Sum | Over::SumInt(_) => Op::Sum,
        Over::ArgMax => Op::ArgMax,
    }
}
