//! Parameters of elementwise operators, reductions and conversions.

use super::{clamp_codes, clamp_f32, multipliers};
use crate::graph::lower::{Binary, Over, Unary};
use niwaki_core::format::{OpCode, PARAM_COUNT, param};
use niwaki_core::kernels::{AddInt, Steps};

type Params = [i32; PARAM_COUNT];

/// Writes what an operator of one operand needs.
pub(super) fn unary(params: &mut Params, op: &Unary) -> OpCode {
    match op {
        Unary::Clamp(clamp) => {
            clamp_f32(params, *clamp);
            OpCode::Clamp
        }
        Unary::Logistic => OpCode::Logistic,
        Unary::Tanh => OpCode::Tanh,
        Unary::HardSwish => OpCode::HardSwish,
        Unary::LeakyRelu(op) => {
            params[param::ALPHA] = op.alpha.to_bits().cast_signed();
            OpCode::LeakyRelu
        }
        Unary::ClampInt16(op) => {
            multipliers(params, &[op.multiplier]);
            clamp_codes(params, op.clamp);
            OpCode::Clamp
        }
        Unary::LogisticInt16(op) => steps(params, *op, OpCode::Logistic),
        Unary::TanhInt16(op) => steps(params, *op, OpCode::Tanh),
        Unary::LeakyReluInt16(op) => {
            multipliers(params, &[op.positive, op.negative]);
            OpCode::LeakyRelu
        }
        Unary::Quantize(_) => OpCode::Quantize,
        Unary::Requantize(op) => {
            multipliers(params, &[op.multiplier]);
            OpCode::Quantize
        }
        Unary::Dequantize(_) => OpCode::Dequantize,
    }
}

fn steps(params: &mut Params, op: Steps, code: OpCode) -> OpCode {
    (params[param::STEPS], params[param::STEPS + 1]) = (op.factor, op.shift.cast_signed());
    code
}

/// Writes what an operator of two operands needs.
pub(super) fn binary(params: &mut Params, op: &Binary) -> OpCode {
    let sum = |params: &mut Params, op: &AddInt| {
        let [a, b] = op.input_multipliers;
        multipliers(params, &[a, b, op.output_multiplier]);
        clamp_codes(params, op.clamp);
    };
    match op {
        Binary::Add(clamp) | Binary::Sub(clamp) | Binary::Mul(clamp) => clamp_f32(params, *clamp),
        Binary::AddInt(op) | Binary::SubInt(op) => sum(params, op),
        Binary::MulInt(op) => {
            multipliers(params, &[op.multiplier]);
            clamp_codes(params, op.clamp);
        }
        Binary::PreluInt(op) => multipliers(params, &[op.positive, op.negative]),
        Binary::Prelu => {}
    }
    match op {
        Binary::Add(_) | Binary::AddInt(_) => OpCode::Add,
        Binary::Sub(_) | Binary::SubInt(_) => OpCode::Sub,
        Binary::Mul(_) | Binary::MulInt(_) => OpCode::Mul,
        Binary::Prelu | Binary::PreluInt(_) => OpCode::Prelu,
    }
}

/// Writes what an operator over `axes` needs.
pub(super) fn over(params: &mut Params, op: &Over, axes: &[usize]) -> OpCode {
    params[param::AXES] = axes.iter().fold(0, |mask, axis| mask | 1 << axis);
    match op {
        Over::MeanInt(by) | Over::SumInt(by) => multipliers(params, &[by.multiplier]),
        Over::Mean | Over::Sum | Over::ArgMax => {}
    }
    match op {
        Over::Mean | Over::MeanInt(_) => OpCode::Mean,
        Over::Sum | Over::SumInt(_) => OpCode::Sum,
        Over::ArgMax => OpCode::ArgMax,
    }
}
