//! Damage to where tensors lie: shared memory, scratch memory, reading before writing.

use crate::{Damage, cnn, conv_operand, residual};
use niwaki_core::error::VerifyError as E;
use niwaki_core::ops::Op;

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "output over an input that a later operator needs",
        of: residual,
        edit: |f| {
            // The stem's output is needed by the first addition; the second convolution is put over it.
            let add = f.find(Op::Add);
            let needed = f.operator(add).inputs[0];
            let offset = f.tensor(needed).offset;
            let between = add - 2;
            let written = f.operator(between).output;
            f.edit_tensor(written, |t| t.offset = offset);
            E::Overlap { operator: between, tensor: needed, writes: written }
        },
        says: "which is still needed",
    },
    Damage {
        name: "convolution in place",
        of: residual,
        edit: |f| {
            let operator = f.find(Op::Conv2d) + 1;
            let record = f.operator(operator);
            let offset = f.tensor(record.inputs[0]).offset;
            f.edit_tensor(record.output, |t| t.offset = offset);
            E::Overlap { operator, tensor: record.inputs[0], writes: record.output }
        },
        says: "writes tensor",
    },
    Damage {
        name: "addition half over its operand",
        of: residual,
        edit: |f| {
            let operator = f.find(Op::Add);
            let record = f.operator(operator);
            let needed = f.tensor(record.inputs[0]);
            f.edit_header(|h| h.arena_bytes += 1 << 16);
            f.edit_tensor(record.output, |t| t.offset = needed.offset + needed.bytes / 2);
            E::Overlap { operator, tensor: record.inputs[0], writes: record.output }
        },
        says: "offset: operator",
    },
    Damage {
        name: "addition in place of both its operands",
        of: residual,
        edit: |f| {
            let operator = f.find(Op::Add);
            let record = f.operator(operator);
            let tensor = record.inputs[0];
            let offset = f.tensor(record.output).offset;
            f.edit_tensor(tensor, |t| t.offset = offset);
            f.edit_operator(operator, |o| o.inputs[1] = tensor);
            E::Overlap { operator, tensor, writes: record.output }
        },
        says: "offset: operator",
    },
    Damage {
        name: "scratch past the end of the arena",
        of: cnn,
        edit: |f| {
            f.edit_operator(0, |o| (o.scratch_offset, o.scratch_bytes) = (u32::MAX - 15, 32));
            E::Operator { operator: 0, field: "scratch_offset", value: u32::MAX - 15 }
        },
        says: "scratch_offset",
    },
    Damage {
        name: "scratch over an operand",
        of: cnn,
        edit: |f| {
            let (operator, x) = conv_operand(f, 0);
            let offset = f.tensor(x).offset;
            f.edit_operator(operator, |o| (o.scratch_offset, o.scratch_bytes) = (offset, 16));
            E::Overlap { operator, tensor: x, writes: f.operator(operator).output }
        },
        says: "offset: operator",
    },
    Damage {
        name: "tensor read before anything writes it",
        of: cnn,
        edit: |f| {
            let later = f.operator(0).output;
            f.edit_io(0, later);
            E::Unwritten { operator: 0, tensor: 0 }
        },
        says: "tensor 0 is read before anything writes it",
    },
    Damage {
        name: "two inputs in one place",
        of: cnn,
        edit: |f| {
            // The list of inputs takes one entry from the outputs: the only output becomes a second input, and an output follows.
            f.edit_io(1, 0);
            f.edit_header(|h| (h.input_count, h.output_count) = (2, 1));
            let at = f.io_at(2);
            f.bytes[at..at + 2].copy_from_slice(&1_u16.to_le_bytes());
            E::Inputs { tensors: [0, 0] }
        },
        says: "inputs 0 and 0 share memory",
    },
];
