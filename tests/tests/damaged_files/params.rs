//! Damage to parameters of operators: multipliers, clamps, windows.

use crate::{Damage, cnn, conv_operand, float, operand, residual, set_param};
use niwaki_core::error::{OperatorError as O, ShapeError as S};
use niwaki_core::ops::Op;
use niwaki_tests::param;

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "multiplier shift out of range",
        of: cnn,
        edit: |f| {
            let (operator, shifts) = conv_operand(f, 4);
            f.data_mut(shifts)[3] = 31;
            let (_, multipliers) = conv_operand(f, 3);
            let mantissa = f.data_mut(multipliers)[12..16].try_into().map_or(0, i32::from_le_bytes);
            operand(operator, O::Param { name: "multiplier", value: mantissa })
        },
        says: "multiplier",
    },
    Damage {
        name: "multipliers for fewer channels than there are",
        of: cnn,
        edit: |f| {
            let (operator, multipliers) = conv_operand(f, 3);
            f.edit_tensor(multipliers, |t| (t.dims[0], t.bytes) = (8, 32));
            operand(operator, O::Shape(S::Len { operand: "multipliers", expected: 16, got: 8 }))
        },
        says: "multipliers has 8",
    },
    Damage {
        name: "shift of an addition out of range",
        of: residual,
        edit: |f| {
            let operator = set_param(f, Op::Add, param::MULTIPLIERS + 3, -32);
            operand(operator, O::Param { name: "multiplier", value: -32 })
        },
        says: "multiplier = -32",
    },
    Damage {
        name: "negative shift of a softmax",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::Softmax, param::MULTIPLIERS + 1, -1);
            operand(operator, O::Param { name: "multiplier", value: -1 })
        },
        says: "multiplier = -1",
    },
    Damage {
        name: "clamp with min above max",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::Conv2d, param::CLAMP_MAX, -128);
            f.edit_operator(operator, |o| o.params[param::CLAMP_MIN] = 5);
            operand(operator, O::Param { name: "clamp", value: 5 })
        },
        says: "clamp = 5",
    },
    Damage {
        name: "clamp beyond int8",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::MaxPool2d, param::CLAMP_MIN, -129);
            operand(operator, O::Param { name: "clamp", value: -129 })
        },
        says: "clamp = -129",
    },
    Damage {
        name: "float clamp NaN",
        of: float,
        edit: |f| {
            let nan = f32::NAN.to_bits() as i32;
            let operator = set_param(f, Op::Conv2d, param::CLAMP_MIN, nan);
            operand(operator, O::Param { name: "clamp", value: nan })
        },
        says: "clamp",
    },
    Damage {
        name: "stride 0",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::Conv2d, param::STRIDE_X, 0);
            operand(operator, O::Shape(S::Dim { name: "stride", value: 0 }))
        },
        says: "stride = 0",
    },
    Damage {
        name: "negative stride",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::MaxPool2d, param::STRIDE_Y, -1);
            operand(operator, O::Param { name: "stride_y", value: -1 })
        },
        says: "stride_y = -1",
    },
    Damage {
        name: "padding as large as the kernel",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::Conv2d, param::PAD_TOP, 3);
            operand(operator, O::Shape(S::Dim { name: "pad_before", value: 3 }))
        },
        says: "pad_before = 3",
    },
    Damage {
        name: "dilated kernel larger than the input",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::Conv2d, param::DILATION_Y, 20);
            operand(operator, O::Shape(S::Window { extent: 41, padded: 10 }))
        },
        says: "spans 41",
    },
    Damage {
        name: "output rows that the window does not give",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, Op::Conv2d, param::PAD_TOP, 0);
            operand(operator, O::Shape(S::Len { operand: "output rows", expected: 7, got: 8 }))
        },
        says: "output rows has 8",
    },
];
