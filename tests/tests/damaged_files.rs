//! Damaged models: every kind of damage is refused by name, and whatever is not refused runs.

use niwaki::export::{AlignedBytes, export};
use niwaki_core::error::{OperatorError as O, SessionError, ShapeError as S, VerifyError as E};
use niwaki_core::format::{DType, HEADER_BYTES, NONE, OPERATOR_BYTES, OpCode, TENSOR_BYTES, param};
use niwaki_core::session::{Model, Session, operators};
use niwaki_tests::{edit::Editor, models};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// The models that are damaged.
struct Models {
    /// int8 and sequential.
    cnn: Editor,
    /// int8 with residual additions.
    residual: Editor,
    /// f32 with every operator.
    float: Editor,
}

fn models() -> Models {
    let file = |graph| Editor::new(&export(&graph).expect("exports").0);
    let int8 = |name, input: [usize; 3], classes| {
        file(models::quantised(&models::network(name, &input, classes, 1).expect("builds"), 2).expect("quantises"))
    };
    Models {
        cnn: int8("small-cnn", [8, 8, 1], 10),
        residual: int8("tiny-resnet", [12, 12, 3], 5),
        float: file(models::every_operator_f32().expect("builds")),
    }
}

/// A kind of damage.
struct Damage {
    name: &'static str,
    of: fn(&Models) -> &Editor,
    /// Does it and says which error must come.
    edit: fn(&mut Editor) -> E,
    /// Part of the message: the field, as SPEC.md calls it.
    says: &'static str,
}

fn cnn(models: &Models) -> &Editor {
    &models.cnn
}

fn residual(models: &Models) -> &Editor {
    &models.residual
}

fn float(models: &Models) -> &Editor {
    &models.float
}

fn header(field: &'static str, value: u32) -> E {
    E::Header { field, value }
}

fn tensor(tensor: u16, field: &'static str, value: u32) -> E {
    E::Tensor { tensor, field, value }
}

fn operand(operator: u16, error: O) -> E {
    E::Operand { operator, error }
}

/// Sets a parameter of the first operator of a kind.
fn set_param(file: &mut Editor, code: OpCode, index: usize, value: i32) -> u16 {
    let operator = file.find(code);
    file.edit_operator(operator, |record| record.params[index] = value);
    operator
}

/// Operand `index` of the first convolution.
fn conv_operand(file: &Editor, index: usize) -> (u16, u16) {
    let operator = file.find(OpCode::Conv2d);
    (operator, file.operator(operator).inputs[index])
}

/// Points operand `index` of the first operator of a kind to another tensor.
fn point(file: &mut Editor, code: OpCode, index: usize, tensor: u16) -> u16 {
    let operator = file.find(code);
    file.edit_operator(operator, |record| record.inputs[index] = tensor);
    operator
}

const ROWS: &[Damage] = &[
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
        name: "bytes behind the end",
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
            f.edit_header(|h| h.magic = *b"NIWAKI\n\n");
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
    Damage {
        name: "element type of a tensor unknown",
        of: cnn,
        edit: |f| {
            f.edit_tensor(0, |t| t.dtype = 4);
            tensor(0, "dtype", 4)
        },
        says: "dtype = 4",
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
        name: "reserved bytes behind an operator",
        of: cnn,
        edit: |f| {
            let at = f.operator_at(2) + OPERATOR_BYTES - 1;
            f.bytes[at] = 3;
            E::Operator { operator: 2, field: "reserved", value: 3 }
        },
        says: "operator 2: reserved = 3",
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
            E::Unsupported { operator: 0, code: OpCode::Conv2d.code(), dtype: DType::I32.code() }
        },
        says: "dtype = 3",
    },
    Damage {
        name: "float operator over int8 tensors",
        of: cnn,
        edit: |f| {
            let operator = f.find(OpCode::MaxPool2d);
            f.edit_operator(operator, |o| {
                o.dtype = DType::F32.code();
                (o.params[param::CLAMP_MIN], o.params[param::CLAMP_MAX]) = (0, 0);
            });
            operand(operator, O::Activation { operand: 0, expected: "f32" })
        },
        says: "must be f32",
    },
    Damage {
        name: "operand index out of range",
        of: cnn,
        edit: |f| {
            let operator = point(f, OpCode::Conv2d, 0, 500);
            E::Operator { operator, field: "inputs", value: 500 }
        },
        says: "inputs = 500",
    },
    Damage {
        name: "operand missing",
        of: cnn,
        edit: |f| {
            let operator = point(f, OpCode::Conv2d, 2, NONE);
            operand(operator, O::Missing { operand: 2 })
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
            let operator = set_param(f, OpCode::Add, param::MULTIPLIERS + 3, -32);
            operand(operator, O::Param { name: "multiplier", value: -32 })
        },
        says: "multiplier = -32",
    },
    Damage {
        name: "negative shift of a softmax",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::Softmax, param::MULTIPLIERS + 1, -1);
            operand(operator, O::Param { name: "multiplier", value: -1 })
        },
        says: "multiplier = -1",
    },
    Damage {
        name: "clamp with min above max",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::Conv2d, param::CLAMP_MAX, -128);
            f.edit_operator(operator, |o| o.params[param::CLAMP_MIN] = 5);
            operand(operator, O::Param { name: "clamp", value: 5 })
        },
        says: "clamp = 5",
    },
    Damage {
        name: "clamp beyond int8",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::MaxPool2d, param::CLAMP_MIN, -129);
            operand(operator, O::Param { name: "clamp", value: -129 })
        },
        says: "clamp = -129",
    },
    Damage {
        name: "float clamp NaN",
        of: float,
        edit: |f| {
            let nan = f32::NAN.to_bits() as i32;
            let operator = set_param(f, OpCode::Conv2d, param::CLAMP_MIN, nan);
            operand(operator, O::Param { name: "clamp", value: nan })
        },
        says: "clamp",
    },
    Damage {
        name: "stride 0",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::Conv2d, param::STRIDE_X, 0);
            operand(operator, O::Shape(S::Dim { name: "stride", value: 0 }))
        },
        says: "stride = 0",
    },
    Damage {
        name: "negative stride",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::MaxPool2d, param::STRIDE_Y, -1);
            operand(operator, O::Param { name: "stride_y", value: -1 })
        },
        says: "stride_y = -1",
    },
    Damage {
        name: "padding as large as the kernel",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::Conv2d, param::PAD_TOP, 3);
            operand(operator, O::Shape(S::Dim { name: "pad_before", value: 3 }))
        },
        says: "pad_before = 3",
    },
    Damage {
        name: "dilated kernel larger than the input",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::Conv2d, param::DILATION_Y, 20);
            operand(operator, O::Shape(S::Window { extent: 41, padded: 10 }))
        },
        says: "spans 41",
    },
    Damage {
        name: "output rows that the window does not give",
        of: cnn,
        edit: |f| {
            let operator = set_param(f, OpCode::Conv2d, param::PAD_TOP, 0);
            operand(operator, O::Shape(S::Len { operand: "output rows", expected: 7, got: 8 }))
        },
        says: "output rows has 8",
    },
    Damage {
        name: "output over an input that a later operator needs",
        of: residual,
        edit: |f| {
            // The stem's output is needed by the first addition; the second convolution is put over it.
            let add = f.find(OpCode::Add);
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
            let operator = f.find(OpCode::Conv2d) + 1;
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
            let operator = f.find(OpCode::Add);
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
            let operator = f.find(OpCode::Add);
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
            // Both lists grow into each other: the only output becomes a second input, and the output follows it.
            f.edit_io(1, 0);
            f.edit_header(|h| (h.input_count, h.output_count) = (2, 1));
            let at = f.io_at(2);
            f.bytes[at..at + 2].copy_from_slice(&1_u16.to_le_bytes());
            E::Overlap { operator: u16::MAX, tensor: 0, writes: 0 }
        },
        says: "inputs 0 and 0 share memory",
    },
];

#[test]
fn every_kind_of_damage_is_refused_by_name() {
    let models = models();
    for row in ROWS {
        let mut file = (row.of)(&models).clone();
        assert!(Model::verify(&file.aligned(), operators::ALL).is_ok());
        let expected = (row.edit)(&mut file);
        file.seal();
        let error = Model::verify(&file.aligned(), operators::ALL).expect_err(row.name);
        assert_eq!(error, expected, "{}", row.name);
        assert!(error.to_string().contains(row.says), "{}: `{error}` does not say `{}`", row.name, row.says);
    }
}

#[test]
fn any_changed_bit_breaks_the_checksum() {
    let mut file = models().cnn;
    let (stored, middle) = (file.header().checksum, file.bytes.len() / 2);
    file.bytes[middle] ^= 1;
    let error = Model::verify(&file.aligned(), operators::ALL).expect_err("changed");
    assert!(matches!(error, E::Checksum { stored: s, computed } if s == stored && computed != stored), "{error:?}");
    assert!(error.to_string().starts_with("checksum: the file says"));
}

#[test]
fn a_model_at_no_16_byte_boundary_is_refused() {
    let file = models().cnn;
    let mut shifted = AlignedBytes::zeroed(file.bytes.len() + 8);
    shifted[8..].copy_from_slice(&file.bytes);
    assert_eq!(Model::verify(&shifted[8..], operators::ALL).expect_err("misaligned"), E::Misaligned);
}

#[test]
fn an_operator_without_a_named_kernel_is_refused() {
    let file = models().cnn;
    let some = [operators::CONV2D_I8, operators::MAX_POOL2D_I8];
    let reshape = file.find(OpCode::Reshape);
    let (code, dtype) = (OpCode::Reshape.code(), DType::I8.code());
    let error = Model::verify(&file.aligned(), &some).map(|_| ()).expect_err("not named");
    assert_eq!(error, E::Unsupported { operator: reshape, code, dtype });
}

#[test]
fn an_arena_that_is_short_or_misaligned_is_refused() {
    let file = models().cnn.aligned();
    let model = Model::verify(&file, operators::ALL).expect("whole");
    let needed = model.arena_bytes();
    let mut arena = AlignedBytes::zeroed(needed + 16);
    let short = Session::new(&model, &mut arena[..needed - 1]).map(|_| ()).expect_err("short");
    assert_eq!(short, SessionError::ArenaTooSmall { needed, got: needed - 1 });
    let shifted = Session::new(&model, &mut arena[4..]).map(|_| ()).expect_err("shifted");
    assert_eq!(shifted, SessionError::ArenaMisaligned);
}

/// Arenas up to this size are tried; a larger one is refused for want of memory.
const ARENA_MAX: usize = 1 << 18;

/// Damages `file` at random: mostly its tables, where every word means something.
fn mutate(rng: &mut ChaCha8Rng, file: &mut Editor) {
    let mut below = |n: usize| ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize;
    let tables_end = file.header().data_offset as usize;
    for _ in 0..1 + below(3) {
        let end = if below(8) == 0 { file.bytes.len() } else { tables_end };
        let at = below(end);
        let word = at.min(file.bytes.len() - 4) / 4 * 4;
        match below(6) {
            0 => file.bytes[at] ^= 1 << below(8),
            1 => file.bytes[at] = below(256) as u8,
            // A field takes an extreme or a neighbouring value …
            2 => {
                let value = [0, 1, 2, 16, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FC0_0000_u32][below(8)];
                file.bytes[word..word + 4].copy_from_slice(&value.to_le_bytes());
            }
            3 => {
                let by = [1, 255, 16, 240][below(4)];
                file.bytes[at] = file.bytes[at].wrapping_add(by);
            }
            // … or that of another field, record or tensor.
            4 => {
                let from = below(tables_end / 4) * 4;
                file.bytes.copy_within(from..from + 4, word);
            }
            _ => {
                let header = file.header();
                let (base, size, count) = match below(2) {
                    0 => (header.tensors_offset, TENSOR_BYTES, usize::from(header.tensor_count)),
                    _ => (header.operators_offset, OPERATOR_BYTES, usize::from(header.operator_count)),
                };
                let field = below(size);
                let [from, to] = [below(count.max(1)), below(count.max(1))].map(|i| base as usize + i * size + field);
                if from < file.bytes.len() && to < file.bytes.len() {
                    file.bytes[to] = file.bytes[from];
                }
            }
        }
    }
    file.seal();
}

/// Runs `file` if it verifies and fits; whether it did.
fn run(file: &AlignedBytes, arena: &mut AlignedBytes) -> bool {
    let Ok(model) = Model::verify(file, operators::ALL) else { return false };
    match Session::new(&model, arena) {
        Ok(mut session) => {
            for index in 0..model.input_count() {
                session.input_bytes_mut(index).fill(0x5A);
            }
            session.run();
            (0..model.output_count()).for_each(|index| assert!(!session.output_bytes(index).is_empty()));
            true
        }
        Err(error) => {
            assert!(matches!(error, SessionError::ArenaTooSmall { needed, .. } if needed > ARENA_MAX), "{error}");
            false
        }
    }
}

#[test]
fn whatever_is_not_refused_runs() {
    const MUTATIONS: usize = 75_000;
    let float = models().float;
    let every = Editor::new(&export(&models::every_operator().expect("builds")).expect("exports").0);
    let small = models::quantised(&models::network("tiny-resnet", &[4, 4, 1], 3, 5).expect("builds"), 6);
    let small = Editor::new(&export(&small.expect("quantises")).expect("exports").0);
    let mut arena = AlignedBytes::zeroed(ARENA_MAX);
    for (seed, (name, whole)) in [("int8", &every), ("f32", &float), ("residual", &small)].into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
        let mut ran = 0;
        for _ in 0..MUTATIONS {
            let mut file = whole.clone();
            mutate(&mut rng, &mut file);
            ran += usize::from(run(&file.aligned(), &mut arena));
        }
        println!("{name}: {MUTATIONS} damaged files of {} bytes, {ran} still run", whole.bytes.len());
        assert!(ran > MUTATIONS / 100, "{name}: damage this heavy tests only the door");
    }
}
