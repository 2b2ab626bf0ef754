//! Damage to operators that move elements: parts that leave a tensor, invalid orders of axes, sizes that do not add up.

use crate::{Damage, int16, moving, operand, set_param};
use niwaki_core::error::{OperatorError as O, ShapeError as S};
use niwaki_core::ops::Op;
use niwaki_tests::param;

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "border that pushes the input out",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::Pad, param::PAD_BEFORE, 2);
            operand(operator, O::Shape(S::Dim { name: "begin", value: 2 }))
        },
        says: "begin = 2",
    },
    Damage {
        name: "negative border",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::Pad, param::PAD_BEFORE + 1, -1);
            operand(operator, O::Param { name: "before", value: -1 })
        },
        says: "before = -1",
    },
    Damage {
        name: "part that starts after the end",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::Slice, param::SLICE_BEGIN, 4);
            operand(operator, O::Shape(S::Dim { name: "begin", value: 4 }))
        },
        says: "begin = 4",
    },
    Damage {
        name: "stride that leaves the input backwards",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::Slice, param::SLICE_STRIDE, -4);
            operand(operator, O::Shape(S::Dim { name: "begin", value: 3 }))
        },
        says: "begin = 3",
    },
    Damage {
        name: "stride as far as a word reaches",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::Slice, param::SLICE_STRIDE + 1, i32::MIN);
            operand(operator, O::Shape(S::Dim { name: "begin", value: 1 }))
        },
        says: "begin = 1",
    },
    Damage {
        name: "axis twice in an order",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::Transpose, param::ORDER, 1);
            operand(operator, O::Shape(S::Dim { name: "order", value: 1 }))
        },
        says: "order = 1",
    },
    Damage {
        name: "order that gives another shape",
        of: moving,
        edit: |f| {
            set_param(f, Op::Transpose, param::ORDER, 1);
            let operator = set_param(f, Op::Transpose, param::ORDER + 1, 2);
            operand(operator, O::Shape(S::Len { operand: "output axis", expected: 3, got: 2 }))
        },
        says: "output axis has 2",
    },
    Damage {
        name: "concatenation along an axis that is not there",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::Concat, param::CONCAT_AXIS, 3);
            operand(operator, O::Param { name: "axis", value: 3 })
        },
        says: "axis = 3",
    },
    Damage {
        name: "operands that do not fill the output",
        of: moving,
        edit: |f| {
            let operator = f.find(Op::Concat);
            f.edit_operator(operator, |record| record.inputs[2] = niwaki_core::format::NONE);
            operand(operator, O::Shape(S::Len { operand: "output", expected: 6, got: 9 }))
        },
        says: "output has 9",
    },
    Damage {
        name: "flag of a grid that is neither 0 nor 1",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::ResizeBilinear, param::HALF_PIXEL_CENTERS, 2);
            operand(operator, O::Param { name: "half_pixel_centers", value: 2 })
        },
        says: "half_pixel_centers = 2",
    },
    Damage {
        name: "transposed convolution from another size",
        of: moving,
        edit: |f| {
            let operator = set_param(f, Op::TransposeConv2d, param::STRIDE_Y, 1);
            operand(operator, O::Shape(S::Len { operand: "input rows", expected: 3, got: 2 }))
        },
        says: "input rows",
    },
    Damage {
        name: "zero point of an int16 tensor",
        of: int16,
        edit: |f| {
            let operator = f.find(Op::Dense);
            let output = f.operator(operator).output;
            f.edit_tensor(output, |t| t.zero_point = 5);
            operand(operator, O::Param { name: "zero_point", value: 5 })
        },
        says: "zero_point = 5",
    },
    Damage {
        name: "multiplier that shifts a wide sum out of its range",
        of: int16,
        edit: |f| {
            let operator = f.find(Op::TransposeConv2d);
            let [multipliers, shifts] = [3, 4].map(|i| f.operator(operator).inputs[i]);
            f.data_mut(shifts)[0] = 8;
            let mantissa = f.data_mut(multipliers)[..4].try_into().map_or(0, i32::from_le_bytes);
            operand(operator, O::Param { name: "multiplier", value: mantissa })
        },
        says: "multiplier",
    },
];
