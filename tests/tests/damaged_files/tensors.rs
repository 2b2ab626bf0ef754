//! Damage to tensor records and to the list of inputs and outputs.

use crate::{Damage, cnn, conv_operand, tensor};
use niwaki_core::error::VerifyError as E;

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "element type of a tensor unknown",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.dtype = 200);
            tensor(0, "dtype", 200)
        },
        says: "dtype = 200",
    },
    Damage {
        name: "rank 5",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.rank = 5);
            tensor(0, "rank", 5)
        },
        says: "rank = 5",
    },
    Damage {
        name: "reserved byte of a tensor",
        of: cnn,
        edit: |f| {
            let at = f.tensor_at(1) + 3;
            f.bytes[at] = 1;
            tensor(1, "reserved", 1)
        },
        says: "reserved = 1",
    },
    Damage {
        name: "place 7",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.place = 7);
            tensor(0, "place", 7)
        },
        says: "place = 7",
    },
    Damage {
        name: "an axis of size zero",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.dims[1] = 0);
            tensor(0, "dims", 0)
        },
        says: "dims = 0",
    },
    Damage {
        name: "a size beyond the rank",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.dims[3] = 2);
            tensor(0, "dims", 2)
        },
        says: "dims = 2",
    },
    Damage {
        name: "one huge axis",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.dims[0] = u32::MAX);
            tensor(0, "dims", u32::MAX)
        },
        says: "dims",
    },
    Damage {
        name: "axes whose product overflows",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| (t.rank, t.dims) = (4, [1 << 16; 4]));
            tensor(0, "dims", u32::MAX)
        },
        says: "dims",
    },
    Damage {
        name: "size in bytes that is not the shape's",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.bytes -= 1);
            tensor(0, "bytes", 63)
        },
        says: "bytes = 63",
    },
    Damage {
        name: "activation past the end of the arena",
        of: cnn,
        edit: |f| {
            let offset = f.header().arena_bytes;
            f.edit_tensor(0, |t| t.offset = offset);
            tensor(0, "offset", offset)
        },
        says: "offset",
    },
    Damage {
        name: "constant past the end of the data",
        of: cnn,
        edit: |f| {
            let (_, weights) = conv_operand(f, 1);
            let offset = u32::MAX - 15;
            f.edit_tensor(weights, |t| t.offset = offset);
            tensor(weights, "offset", offset)
        },
        says: "offset",
    },
    Damage {
        name: "tensor at no 16-byte boundary",
        of: cnn,
        edit: |f| {
            let (_, weights) = conv_operand(f, 1);
            f.edit_tensor(weights, |t| t.offset += 4);
            tensor(weights, "offset", f.tensor(weights).offset)
        },
        says: "offset",
    },
    Damage {
        name: "arena smaller than its tensors",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.arena_bytes = 16);
            tensor(0, "offset", f.tensor(0).offset)
        },
        says: "offset",
    },
    Damage {
        name: "zero point 300",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.zero_point = 300);
            tensor(0, "zero_point", 300)
        },
        says: "zero_point = 300",
    },
    Damage {
        name: "scale NaN",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.scale = f32::NAN);
            tensor(0, "scale", f32::NAN.to_bits())
        },
        says: "scale",
    },
    Damage {
        name: "scale 0 of an int8 activation",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.scale = 0.0);
            tensor(0, "scale", 0)
        },
        says: "scale = 0",
    },
    Damage {
        name: "negative scale",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.scale = -0.5);
            tensor(0, "scale", (-0.5_f32).to_bits())
        },
        says: "scale",
    },
    Damage {
        name: "input that is no tensor",
        of: cnn,
        edit: |f| {
            f.edit_io(0, 999);
            E::Io { field: "inputs", index: 0, tensor: 999 }
        },
        says: "inputs[0] = 999",
    },
    Damage {
        name: "output that is constant data",
        of: cnn,
        edit: |f| {
            let (_, weights) = conv_operand(f, 1);
            f.edit_io(1, weights);
            E::Io { field: "outputs", index: 0, tensor: weights.into() }
        },
        says: "outputs[0]",
    },
];
