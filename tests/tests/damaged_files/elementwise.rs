//! Damage to elementwise operators, reductions and conversions: axes, tables, shapes that do not broadcast.

use crate::{Damage, codes, halves, operand, point, set_param};
use niwaki_core::error::{OperatorError as O, ShapeError as S};
use niwaki_core::ops::Op;
use niwaki_tests::param;

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "mean over an axis that is not there",
        of: codes,
        edit: |f| {
            let operator = set_param(f, Op::Mean, param::AXES, 0b1000);
            operand(operator, O::Param { name: "axes", value: 8 })
        },
        says: "axes = 8",
    },
    Damage {
        name: "position along two axes",
        of: codes,
        edit: |f| {
            let operator = set_param(f, Op::ArgMax, param::AXES, 3);
            operand(operator, O::Param { name: "axes", value: 3 })
        },
        says: "axes = 3",
    },
    Damage {
        name: "sum over an axis that gives another length",
        of: codes,
        edit: |f| {
            let operator = set_param(f, Op::Sum, param::AXES, 1);
            operand(operator, O::Shape(S::Len { operand: "y", expected: 6, got: 8 }))
        },
        says: "y has 8",
    },
    Damage {
        name: "table with an entry too few",
        of: codes,
        edit: |f| {
            let operator = f.find(Op::Lookup);
            let table = f.operator(operator).inputs[1];
            f.edit_tensor(table, |t| (t.dims[0], t.bytes) = (255, 255));
            operand(operator, O::Shape(S::Len { operand: "table", expected: 256, got: 255 }))
        },
        says: "table has 255",
    },
    Damage {
        name: "table in the arena",
        of: codes,
        edit: |f| {
            let x = f.operator(f.find(Op::Lookup)).inputs[0];
            let operator = point(f, Op::Lookup, 1, x);
            operand(operator, O::Constant { operand: 1, expected: "i8" })
        },
        says: "must be constant",
    },
    Damage {
        name: "operand that does not broadcast",
        of: codes,
        edit: |f| {
            let operator = f.find(Op::Add);
            let columns = f.operator(operator).inputs[1];
            f.edit_tensor(columns, |t| (t.rank, t.dims) = (1, [3, 1, 1, 1]));
            operand(operator, O::Shape(S::Dim { name: "axis of b", value: 3 }))
        },
        says: "axis of b = 3",
    },
    Damage {
        name: "output of another shape than the broadcast",
        of: codes,
        edit: |f| {
            let operator = f.find(Op::Add);
            let output = f.operator(operator).output;
            f.edit_tensor(output, |t| t.dims = [3, 4, 2, 1]);
            operand(operator, O::Shape(S::Len { operand: "axis of the output", expected: 4, got: 3 }))
        },
        says: "axis of the output has 3",
    },
    Damage {
        name: "real values of codes without a scale",
        of: codes,
        edit: |f| {
            let operator = f.find(Op::Dequantize);
            let table = f.operator(f.find(Op::Lookup)).inputs[1];
            point(f, Op::Dequantize, 0, table);
            operand(operator, O::Param { name: "scale", value: 0 })
        },
        says: "scale = 0",
    },
    Damage {
        name: "steps that overflow",
        of: halves,
        edit: |f| {
            let operator = set_param(f, Op::Tanh, param::STEPS, 65536);
            operand(operator, O::Param { name: "factor", value: 65536 })
        },
        says: "factor = 65536",
    },
    Damage {
        name: "shift of steps beyond a word",
        of: halves,
        edit: |f| {
            let operator = set_param(f, Op::Logistic, param::STEPS + 1, 32);
            operand(operator, O::Param { name: "shift", value: 32 })
        },
        says: "shift = 32",
    },
    Damage {
        name: "clamp beyond int16",
        of: halves,
        edit: |f| {
            let operator = set_param(f, Op::Mul, param::CLAMP_MAX, 32768);
            operand(operator, O::Param { name: "clamp", value: -32768 })
        },
        says: "clamp",
    },
];
