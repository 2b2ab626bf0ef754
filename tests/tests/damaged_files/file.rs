//! Damage to the file as a whole, its header and its sections.

use crate::{Damage, cnn, header};
use niwaki_core::error::VerifyError as E;
use niwaki_core::format::HEADER_BYTES;

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "empty file",
        of: cnn,
        edit: |f| {
            f.bytes.clear();
            E::Truncated { expected: HEADER_BYTES, got: 0 }
        },
        says: "expected 64 bytes, got 0",
    },
    Damage {
        name: "truncated header",
        of: cnn,
        edit: |f| {
            f.bytes.truncate(HEADER_BYTES - 1);
            E::Truncated { expected: HEADER_BYTES, got: 63 }
        },
        says: "file_bytes",
    },
    Damage {
        name: "truncated data",
        of: cnn,
        edit: |f| {
            let expected = f.bytes.len();
            f.bytes.pop();
            E::Truncated { expected, got: expected - 1 }
        },
        says: "file_bytes",
    },
    Damage {
        name: "bytes after the end",
        of: cnn,
        edit: |f| {
            let expected = f.bytes.len();
            f.bytes.push(0);
            E::Truncated { expected, got: expected + 1 }
        },
        says: "file_bytes",
    },
    Damage {
        name: "file_bytes too small",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.file_bytes = 64);
            E::Truncated { expected: 64, got: f.bytes.len() }
        },
        says: "file_bytes",
    },
    Damage {
        name: "magic after a transfer in text mode",
        of: cnn,
        edit: |f| {
            f.bytes[..8].copy_from_slice(b"NIWAKI\n\n");
            E::Magic { got: *b"NIWAKI\n\n" }
        },
        says: "magic",
    },
    Damage {
        name: "version of the future",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.version = 2);
            E::Version { got: 2 }
        },
        says: "version = 2",
    },
    Damage {
        name: "unknown flag",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.flags = 2);
            header("flags", 2)
        },
        says: "flags = 2",
    },
    Damage {
        name: "reserved byte of the header",
        of: cnn,
        edit: |f| {
            f.bytes[63] = 9;
            header("reserved", 9)
        },
        says: "reserved = 9",
    },
    Damage {
        name: "no operator",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.operator_count = 0);
            header("operator_count", 0)
        },
        says: "operator_count",
    },
    Damage {
        name: "no input",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.input_count = 0);
            header("input_count", 0)
        },
        says: "input_count",
    },
    Damage {
        name: "no output",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.output_count = 0);
            header("output_count", 0)
        },
        says: "output_count",
    },
    Damage {
        name: "more tensors than the file holds",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.tensor_count = u16::MAX);
            header("tensors_offset", 64)
        },
        says: "tensors_offset",
    },
    Damage {
        name: "more operators than the file holds",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.operator_count = u16::MAX);
            header("operators_offset", f.header().operators_offset)
        },
        says: "operators_offset",
    },
    Damage {
        name: "more inputs than the file holds",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.input_count = u16::MAX);
            header("io_offset", f.header().io_offset)
        },
        says: "io_offset",
    },
    Damage {
        name: "tensor table inside the header",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.tensors_offset = 60);
            header("tensors_offset", 60)
        },
        says: "tensors_offset",
    },
    Damage {
        name: "operator table at an odd offset",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.operators_offset += 2);
            header("operators_offset", f.header().operators_offset)
        },
        says: "operators_offset",
    },
    Damage {
        name: "input list past the end",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.io_offset = u32::MAX - 1);
            header("io_offset", u32::MAX - 1)
        },
        says: "io_offset",
    },
    Damage {
        name: "data section at no 16-byte boundary",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| (h.data_offset, h.data_bytes) = (h.data_offset + 8, h.data_bytes - 8));
            header("data_offset", f.header().data_offset)
        },
        says: "data_offset",
    },
    Damage {
        name: "data section longer than the file",
        of: cnn,
        edit: |f| {
            f.edit_header(|h| h.data_bytes += 1);
            header("data_offset", f.header().data_offset)
        },
        says: "data_offset",
    },
];
