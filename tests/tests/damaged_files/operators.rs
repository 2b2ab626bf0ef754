//! Damage to operator records and their operands.

use crate::{Damage, cnn, conv_operand, operand, point};
use niwaki_core::error::{Operand, OperatorError as O, ShapeError as S, VerifyError as E};
use niwaki_core::format::{DType, NONE, OPERATOR_BYTES};
use niwaki_core::ops::{Op, OpCode};
use niwaki_tests::param;

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "reserved bytes of an operator",
        of: cnn,
        edit: |f| {
            let at = f.operator_at(2) + OPERATOR_BYTES - 1;
            f.bytes[at] = 3;
            E::Operator { operator: 2, field: "reserved", value: 3 }
        },
        says: "operator 2: reserved = 3",
    },
    Damage {
        name: "operator code unknown",
        of: cnn,
        edit: |f| {
            f.edit_operator(1, |o| o.code = 200);
            E::Unsupported { operator: 1, code: 200, dtype: DType::I8.code() }
        },
        says: "operator 1: code = 200",
    },
    Damage {
        name: "element type of an operator without a kernel",
        of: cnn,
        edit: |f| {
            f.edit_operator(0, |o| o.dtype = DType::I32.code());
            E::Unsupported { operator: 0, code: OpCode::from(Op::Conv2d).byte(), dtype: DType::I32.code() }
        },
        says: "dtype = 3",
    },
    Damage {
        name: "float operator over int8 tensors",
        of: cnn,
        edit: |f| {
            let operator = f.find(Op::MaxPool2d);
            f.edit_operator(operator, |o| {
                o.dtype = DType::F32.code();
                (o.params[param::CLAMP_MIN], o.params[param::CLAMP_MAX]) = (0, 0);
            });
            operand(operator, O::Activation { operand: Operand::Input(0), expected: "f32" })
        },
        says: "must be f32",
    },
    Damage {
        name: "operand index out of range",
        of: cnn,
        edit: |f| {
            let operator = point(f, Op::Conv2d, 0, 500);
            E::Operator { operator, field: "inputs", value: 500 }
        },
        says: "inputs = 500",
    },
    Damage {
        name: "operand missing",
        of: cnn,
        edit: |f| {
            let operator = point(f, Op::Conv2d, 2, NONE);
            operand(operator, O::Missing { operand: Operand::Input(2) })
        },
        says: "operand 2 is missing",
    },
    Damage {
        name: "output missing",
        of: cnn,
        edit: |f| {
            f.edit_operator(0, |o| o.output = NONE);
            E::Operator { operator: 0, field: "output", value: NONE.into() }
        },
        says: "output = 65535",
    },
    Damage {
        name: "output in the data section",
        of: cnn,
        edit: |f| {
            let (operator, weights) = conv_operand(f, 1);
            f.edit_operator(operator, |o| o.output = weights);
            E::Operator { operator, field: "output", value: weights.into() }
        },
        says: "output",
    },
    Damage {
        name: "bias with one entry too few",
        of: cnn,
        edit: |f| {
            let (operator, bias) = conv_operand(f, 2);
            f.edit_tensor(bias, |t| (t.dims[0], t.bytes) = (15, 60));
            operand(operator, O::Shape(S::Len { operand: "bias", expected: 16, got: 15 }))
        },
        says: "bias has 15 elements, expected 16",
    },
    Damage {
        name: "weights in the arena",
        of: cnn,
        edit: |f| {
            let (operator, weights) = conv_operand(f, 1);
            f.edit_tensor(weights, |t| (t.place, t.offset, t.scale) = (0, 0, 1.0));
            operand(operator, O::Constant { operand: 1, expected: "i8" })
        },
        says: "operand 1 must be constant data of type i8",
    },
    Damage {
        name: "weights of rank 2 for a convolution",
        of: cnn,
        edit: |f| {
            let (operator, weights) = conv_operand(f, 1);
            f.edit_tensor(weights, |t| (t.rank, t.dims) = (2, [144, 1, 1, 1]));
            operand(operator, O::Shape(S::Dim { name: "rank of w", value: 2 }))
        },
        says: "rank of w = 2",
    },
];
