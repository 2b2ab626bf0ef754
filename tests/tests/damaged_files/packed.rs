//! Damage to sparse and four-bit weights: indices, lists, counts, sums.

use crate::{Damage, operand, packed};
use niwaki_core::error::{OperatorError as O, ShapeError as S, VerifyError as E};
use niwaki_core::ops::{Layout, Op, OpCode};
use niwaki_tests::edit::{Editor, layer};

/// Sets a word of a constant operand of the first operator of a kind.
fn set_word(f: &mut Editor, code: impl Into<OpCode>, word: usize, edit: impl Fn(i32) -> i32) -> u16 {
    let operator = f.find(code);
    let tiles = f.operator(operator).inputs[1];
    let bytes = &mut f.data_mut(tiles)[4 * word..4 * word + 4];
    let value = bytes.try_into().map_or(0, i32::from_le_bytes);
    bytes.copy_from_slice(&edit(value).to_le_bytes());
    operator
}

/// Sets an entry of the list after the weights.
fn set_entry(f: &mut Editor, code: impl Into<OpCode>, entry: usize, value: i16) -> u16 {
    let operator = f.find(code);
    let list = f.operator(operator).inputs[2];
    f.data_mut(list)[2 * entry..2 * entry + 2].copy_from_slice(&value.to_le_bytes());
    operator
}

/// Removes elements of a constant operand.
fn shorten(f: &mut Editor, code: impl Into<OpCode>, index: usize, by: u32, element_bytes: u32) -> (u16, u32) {
    let operator = f.find(code);
    let tensor = f.operator(operator).inputs[index];
    let mut left = 0;
    f.edit_tensor(tensor, |t| {
        let elements = t.bytes / element_bytes - by;
        (t.rank, t.dims, t.bytes) = (1, [elements, 1, 1, 1], elements * element_bytes);
        left = elements;
    });
    (operator, left)
}

fn param(operator: u16, name: &'static str, value: i32) -> E {
    operand(operator, O::Param { name, value })
}

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "index of a group past the end of the filter",
        of: packed,
        edit: |f| {
            // The index of the first group may not lead past the end of the filter.
            let operator = set_word(f, layer(Op::Conv2d, Layout::Blocks), 4, |index| index | 1000 << 5);
            let value = f.data_mut(f.operator(operator).inputs[1])[16..20].try_into().map_or(0, i32::from_le_bytes);
            param(operator, "group index", value)
        },
        says: "group index",
    },
    Damage {
        name: "index of a group with bits that have no meaning",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Dense, Layout::Blocks), 4, |index| index | 4);
            let value = f.data_mut(f.operator(operator).inputs[1])[16..20].try_into().map_or(0, i32::from_le_bytes);
            param(operator, "group index", value)
        },
        says: "group index",
    },
    Damage {
        name: "blocks with a word too few",
        of: packed,
        edit: |f| {
            let (operator, _) = shorten(f, layer(Op::Conv2d, Layout::Blocks), 1, 1, 4);
            // The last record is no longer complete.
            operand(operator, O::Shape(S::Len { operand: "tiles", expected: 2, got: 1 }))
        },
        says: "tiles has 1 elements, expected 2",
    },
    Damage {
        name: "start of a block record that leads out of the range",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Conv2d, Layout::Blocks), 0, |_| i32::MAX);
            param(operator, "tiles", i32::MAX)
        },
        says: "tiles = 2147483647",
    },
    Damage {
        name: "number of quads that is impossible",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Conv2d, Layout::Taps), 4, |_| 8);
            param(operator, "quads", 8)
        },
        says: "quads = 8",
    },
    Damage {
        name: "distance that is no multiple of four",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Dense, Layout::Taps), 5, |_| 0x0101);
            param(operator, "distance", 0x0101)
        },
        says: "distance = 257",
    },
    Damage {
        name: "distance that leads past the end of the filter",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Dense, Layout::Taps), 5, |_| 200);
            param(operator, "distance", 50)
        },
        says: "distance = 50",
    },
    Damage {
        name: "position past the end of the filter",
        of: packed,
        edit: |f| {
            let operator = set_entry(f, layer(Op::Conv2d, Layout::Kept), 1, 5000);
            param(operator, "position", 5000)
        },
        says: "position = 5000",
    },
    Damage {
        name: "position that falls",
        of: packed,
        edit: |f| {
            let operator = set_entry(f, layer(Op::Dense, Layout::Kept), 3, 0);
            param(operator, "position", 0)
        },
        says: "position = 0",
    },
    Damage {
        name: "positions that are no whole groups",
        of: packed,
        edit: |f| {
            let (operator, left) = shorten(f, layer(Op::Dense, Layout::Kept), 2, 1, 2);
            operand(operator, O::Shape(S::Dim { name: "positions", value: left as usize }))
        },
        says: "positions = ",
    },
    Damage {
        name: "row that is no output channel",
        of: packed,
        edit: |f| {
            let operator = set_entry(f, layer(Op::Conv2d, Layout::Rows), 0, -1);
            param(operator, "row", -1)
        },
        says: "row = -1",
    },
    Damage {
        name: "row that does not rise",
        of: packed,
        edit: |f| {
            let operator = f.find(layer(Op::Dense, Layout::Rows));
            let first = f.data_mut(f.operator(operator).inputs[2])[..2].try_into().map_or(0, i16::from_le_bytes);
            set_entry(f, layer(Op::Dense, Layout::Rows), 1, first);
            param(operator, "row", first.into())
        },
        says: "row = ",
    },
    Damage {
        name: "constants for fewer channels than there are",
        of: packed,
        edit: |f| {
            let (operator, left) = shorten(f, layer(Op::Dense, Layout::Rows), 3, 1, 1);
            let left = left as usize;
            operand(operator, O::Shape(S::Len { operand: "constants", expected: left + 1, got: left }))
        },
        says: "constants has",
    },
    Damage {
        name: "four-bit weights whose sum can leave the range of the fourth filter",
        of: packed,
        edit: |f| {
            // The third word also has the share of the fourth.
            let operator = f.find(layer(Op::Conv2d, Layout::Int4));
            let tiles = f.operator(operator).inputs[1];
            let third = f.data_mut(tiles)[12..16].try_into().map_or(0, i32::from_le_bytes);
            set_word(f, layer(Op::Conv2d, Layout::Int4), 2, |all| all.wrapping_sub(third).wrapping_add(i32::MIN));
            set_word(f, layer(Op::Conv2d, Layout::Int4), 3, |_| i32::MIN);
            param(operator, "tiles", i32::MIN >> 12)
        },
        says: "tiles = -524288",
    },
    Damage {
        name: "invalid multiplier of a four-bit filter",
        of: packed,
        edit: |f| {
            let operator = f.find(layer(Op::Dense, Layout::Int4));
            let words = f.tensor(f.operator(operator).inputs[1]).dims[1] as usize;
            set_word(f, layer(Op::Dense, Layout::Int4), words - 5, |_| 5);
            param(operator, "multiplier", 5)
        },
        says: "multiplier = 5",
    },
    Damage {
        name: "codebook with an entry too few",
        of: packed,
        edit: |f| {
            let (operator, left) = shorten(f, layer(Op::Conv2d, Layout::Codebook), 2, 1, 1);
            operand(operator, O::Shape(S::Len { operand: "codebook", expected: 16, got: left as usize }))
        },
        says: "codebook has 15 elements, expected 16",
    },
    Damage {
        name: "index of a value that is not 0 past the end of a filter",
        of: packed,
        edit: |f| {
            // Rows of 21 weights: of the last group only the lowest four bits belong to a weight.
            let operator = f.find(layer(Op::Dense, Layout::Codebook));
            let words = f.tensor(f.operator(operator).inputs[1]).dims[1] as usize;
            let codebook = f.operator(operator).inputs[2];
            let other = f.data_mut(codebook).iter().position(|&value| value != 0).map_or(0, |at| at as i32);
            set_word(f, layer(Op::Dense, Layout::Codebook), words - 6, |last| last & !0xF0 | other << 4);
            operand(operator, O::Shape(S::Dim { name: "weights past a filter", value: 21 }))
        },
        says: "weights past a filter = 21",
    },
    Damage {
        name: "start of a filter with a codebook that leads out of the range",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Conv2d, Layout::Codebook), 3, |_| i32::MIN);
            param(operator, "tiles", i32::MIN)
        },
        says: "tiles = -2147483648",
    },
    Damage {
        name: "invalid multiplier of a filter with a codebook",
        of: packed,
        edit: |f| {
            let operator = f.find(layer(Op::Dense, Layout::Codebook));
            let words = f.tensor(f.operator(operator).inputs[1]).dims[1] as usize;
            set_word(f, layer(Op::Dense, Layout::Codebook), words - 5, |_| 5);
            param(operator, "multiplier", 5)
        },
        says: "multiplier = 5",
    },
    Damage {
        name: "column that is no input",
        of: packed,
        edit: |f| {
            let operator = set_entry(f, layer(Op::Dense, Layout::Compressed), 2, 5000);
            param(operator, "column", 5000)
        },
        says: "column = 5000",
    },
    Damage {
        name: "head with bits that mean nothing",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Dense, Layout::Compressed), 2, |head| head | 1 << 20);
            let value = f.data_mut(f.operator(operator).inputs[1])[8..12].try_into().map_or(0, i32::from_le_bytes);
            param(operator, "head", value)
        },
        says: "head",
    },
    Damage {
        name: "row that starts out of its range",
        of: packed,
        edit: |f| {
            let operator = set_word(f, layer(Op::Dense, Layout::Compressed), 0, |_| i32::MIN);
            param(operator, "rows", i32::MIN)
        },
        says: "rows = -2147483648",
    },
    Damage {
        name: "compressed rows with a word too few",
        of: packed,
        edit: |f| {
            let (operator, _) = shorten(f, layer(Op::Dense, Layout::Compressed), 1, 1, 4);
            let outputs = f.tensor(f.operator(operator).output).dims[0] as usize;
            operand(operator, O::Shape(S::Len { operand: "rows", expected: outputs, got: outputs - 1 }))
        },
        says: "rows has",
    },
];
