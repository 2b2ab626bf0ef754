//! Checking a file once: after this, nothing that reads it can fail.

use super::records::{
    ALIGN, DType, HEADER_BYTES, Header, MAGIC, NONE, OPERATOR_BYTES, OperatorRecord, Place, TENSOR_BYTES, TensorRecord,
    VERSION,
};
use super::{Model, Operator, Overlap, Step, crc32};
use crate::error::VerifyError as E;

pub(super) fn verify<'m>(bytes: &'m [u8], operators: &'m [Operator]) -> Result<Model<'m>, E> {
    // Parsed where it stays: the model is what is moved least.
    let model = Model { bytes, header: Header::from_bytes(bytes), operators };
    header(bytes, &model.header)?;
    for index in 0..model.tensor_count() {
        tensor(&model, index)?;
    }
    for index in 0..model.input_count() + model.output_count() {
        io(&model, index)?;
    }
    for index in 0..model.operator_count() {
        operator(&model, index)?;
    }
    ends(&model)?;
    Ok(model)
}

/// The first byte in `ranges` that is not zero, or zero.
fn used_reserve(record: &[u8], ranges: &[(usize, usize)]) -> u32 {
    let bytes = ranges.iter().filter_map(|&(first, end)| record.get(first..end)).flatten();
    bytes.copied().find(|&byte| byte != 0).unwrap_or(0).into()
}

fn header(bytes: &[u8], h: &Header) -> Result<(), E> {
    if bytes.len() < HEADER_BYTES {
        return Err(E::Truncated { expected: HEADER_BYTES, got: bytes.len() });
    }
    if bytes.as_ptr().align_offset(ALIGN) != 0 {
        return Err(E::Misaligned);
    }
    if let Some(&got) = bytes.first_chunk()
        && got != MAGIC
    {
        return Err(E::Magic { got });
    }
    if h.version != VERSION {
        return Err(E::Version { got: h.version });
    }
    if h.file_bytes as usize != bytes.len() {
        return Err(E::Truncated { expected: h.file_bytes as usize, got: bytes.len() });
    }
    let computed = crc32(bytes.get(Header::CHECKSUM_FROM..).unwrap_or(&[]));
    if computed != h.checksum {
        return Err(E::Checksum { stored: h.checksum, computed });
    }
    let field = |field, value: u32, good: bool| {
        if good { Ok(()) } else { Err(E::Header { field, value }) }
    };
    field("flags", h.flags.into(), h.flags <= 1)?;
    let reserved = used_reserve(bytes, Header::RESERVED);
    field("reserved", reserved, reserved == 0)?;
    field("operator_count", h.operator_count.into(), h.operator_count > 0)?;
    field("input_count", h.input_count.into(), h.input_count > 0)?;
    field("output_count", h.output_count.into(), h.output_count > 0)?;
    let section = |name, offset: u32, count: usize, size: usize, align: u32| {
        let end = count.checked_mul(size).and_then(|len| len.checked_add(offset as usize));
        let inside = offset as usize >= HEADER_BYTES && end.is_some_and(|end| end <= bytes.len());
        field(name, offset, inside && offset & (align - 1) == 0)
    };
    section("tensors_offset", h.tensors_offset, h.tensor_count.into(), TENSOR_BYTES, 4)?;
    section("operators_offset", h.operators_offset, h.operator_count.into(), OPERATOR_BYTES, 4)?;
    section("io_offset", h.io_offset, h.input_count as usize + h.output_count as usize, 2, 2)?;
    section("data_offset", h.data_offset, h.data_bytes as usize, 1, ALIGN as u32)
}

fn tensor(model: &Model<'_>, index: usize) -> Result<(), E> {
    let Some(t) = model.tensor(index) else { return Err(E::Header { field: "tensor_count", value: index as u32 }) };
    let field = |field, value: u32, good: bool| {
        if good { Ok(()) } else { Err(E::Tensor { tensor: index as u16, field, value }) }
    };
    let Some(dtype) = t.element() else { return field("dtype", t.dtype.into(), false) };
    field("rank", t.rank.into(), t.rank <= 4)?;
    let reserved = used_reserve(model.tensor_bytes(index).unwrap_or(&[]), TensorRecord::RESERVED);
    field("reserved", reserved, reserved == 0)?;
    for (axis, &dim) in t.dims.iter().enumerate() {
        let good = if axis < t.rank.into() { dim > 0 && dim as usize <= crate::shape::MAX_LEN } else { dim == 1 };
        field("dims", dim, good)?;
    }
    let len = t.element_count();
    field("dims", u32::try_from(len).unwrap_or(u32::MAX), len <= crate::shape::MAX_LEN)?;
    field("bytes", t.bytes, t.bytes as usize == len * dtype.element_bytes())?;
    let room = match t.location() {
        Some(Place::Arena) => model.header.arena_bytes,
        Some(Place::Data) => model.header.data_bytes,
        Some(Place::OnDemand) => t.bytes,
        None => return field("place", t.place.into(), false),
    };
    field("offset", t.offset, t.span().1 <= room as usize && (t.offset as usize).is_multiple_of(ALIGN))?;
    field("zero_point", t.zero_point as u32, (-128..=127).contains(&t.zero_point))?;
    field("scale", t.scale.to_bits(), t.scale.is_finite() && t.scale >= 0.0)?;
    let quantised = matches!(dtype, DType::I8 | DType::I16) && t.location() != Some(Place::Data);
    field("scale", t.scale.to_bits(), !quantised || t.scale > 0.0)
}

fn io(model: &Model<'_>, index: usize) -> Result<(), E> {
    let is_input = index < model.input_count();
    let (field, position, tensor) = if is_input {
        ("inputs", index, model.input(index))
    } else {
        let position = index - model.input_count();
        ("outputs", position, model.output(position))
    };
    let value = tensor.map_or(u32::MAX, |t| t as u32);
    let in_arena = tensor.and_then(|t| model.tensor(t)).is_some_and(|t| t.location() == Some(Place::Arena));
    if in_arena { Ok(()) } else { Err(E::Io { field, index: position as u16, tensor: value }) }
}

fn operator(model: &Model<'_>, index: usize) -> Result<(), E> {
    let operator = index as u16;
    // Steps are matched where they lie: they are too large to be moved cheaply.
    let step = model.step(index);
    let Some(step) = &step else {
        return Err(match model.operator_bytes(index) {
            Some(&[code, dtype, ..]) => E::Unsupported { operator, code, dtype },
            _ => E::Header { field: "operator_count", value: index as u32 },
        });
    };
    let record = &step.record;
    let bad = |field, value: u32| Err(E::Operator { operator, field, value });
    for (position, &input) in record.inputs.iter().enumerate().filter(|&(_, &t)| t != NONE) {
        let rows = position == 0 && step.code().reads_rows();
        match model.tensor(input.into()) {
            Some(t) if rows || t.location() != Some(Place::OnDemand) => {}
            _ => return bad("inputs", input.into()),
        }
    }
    match step.output() {
        Ok(t) if t.location() == Some(Place::Arena) => {}
        Ok(t) if t.location() == Some(Place::OnDemand) && step.kernel.rows.is_some() => {}
        _ => return bad("output", record.output.into()),
    }
    let reserved = used_reserve(model.operator_bytes(index).unwrap_or(&[]), OperatorRecord::RESERVED);
    if reserved != 0 {
        return bad("reserved", reserved);
    }
    let scratch_offset = record.scratch_offset as usize;
    let scratch_end = scratch_offset.saturating_add(record.scratch_bytes as usize);
    if scratch_end > model.arena_bytes() || !scratch_offset.is_multiple_of(ALIGN) {
        return bad("scratch_offset", record.scratch_offset);
    }
    (step.kernel.check)(step).map_err(|error| E::Operand { operator, error })?;
    memory(model, step)
}

/// Whether two arena tensors share memory; nothing shares memory with an empty one.
fn overlap(a: &TensorRecord, b: &TensorRecord) -> bool {
    let ((a0, a1), (b0, b1)) = (a.span(), b.span());
    a.location() == Some(Place::Arena) && b.location() == Some(Place::Arena) && a0.max(b0) < a1.min(b1)
}

/// The scratch memory of an operator in the form of a tensor.
fn scratch(step: &Step<'_>, output: TensorRecord) -> TensorRecord {
    TensorRecord { offset: step.record.scratch_offset, bytes: step.record.scratch_bytes, ..output }
}

/// What an operator reads was written and is still there. Its output may share memory with its operands only as its
/// kernel allows, and then with one of them; its scratch memory with none.
fn memory(model: &Model<'_>, step: &Step<'_>) -> Result<(), E> {
    let index = step.index;
    let Ok(output) = step.output() else { return Ok(()) };
    let scratch = scratch(step, output);
    if overlap(&output, &scratch) {
        let tensor = step.record.output;
        return Err(E::Overlap { operator: index as u16, tensor, writes: tensor });
    }
    let mut in_place = 0;
    for (position, tensor) in model.reads(index).enumerate() {
        written_before(model, tensor, index)?;
        let Some(input) = model.tensor(tensor) else { continue };
        let mut allowed = !overlap(&input, &scratch);
        if overlap(&input, &output) {
            in_place += 1;
            allowed &= in_place == 1
                && match step.kernel.overlap {
                    Overlap::Never => false,
                    Overlap::Exact => input.span() == output.span(),
                    Overlap::Lead(lead) => {
                        let distance = input.offset as isize - output.offset as isize;
                        position == 0 && lead(step).is_ok_and(|lead| distance >= lead)
                    }
                };
        }
        if !allowed {
            return Err(E::Overlap { operator: index as u16, tensor: tensor as u16, writes: step.record.output });
        }
    }
    Ok(())
}

/// What the caller reads is still there after the last operator, and what it fills shares no memory.
fn ends(model: &Model<'_>) -> Result<(), E> {
    for index in 0..model.output_count() {
        if let Some(tensor) = model.output(index) {
            written_before(model, tensor, model.operator_count())?;
        }
    }
    for a in 0..model.input_count() {
        for b in 0..a {
            let (Some(a), Some(b)) = (model.input(a), model.input(b)) else { continue };
            let (Some(x), Some(y)) = (model.tensor(a), model.tensor(b)) else { continue };
            if overlap(&x, &y) {
                return Err(E::Overlap { operator: NONE, tensor: a as u16, writes: b as u16 });
            }
        }
    }
    Ok(())
}

/// Follows a tensor back to the operator that wrote it, or to an input; whatever ran in between must not have written
/// over it.
fn written_before(model: &Model<'_>, tensor: usize, user: usize) -> Result<(), E> {
    let unwritten = E::Unwritten { operator: user as u16, tensor: tensor as u16 };
    let Some(read) = model.tensor(tensor) else { return Ok(()) };
    if read.location() == Some(Place::Data) {
        return Ok(());
    }
    for earlier in (0..user).rev() {
        let step = model.step(earlier);
        let Some(step) = &step else { continue };
        if step.record.output as usize == tensor {
            return Ok(());
        }
        let Ok(written) = step.output() else { continue };
        if overlap(&read, &written) || overlap(&read, &scratch(step, written)) {
            return Err(E::Overlap { operator: earlier as u16, tensor: tensor as u16, writes: step.record.output });
        }
    }
    let is_input = (0..model.input_count()).any(|i| model.input(i) == Some(tensor));
    if is_input { Ok(()) } else { Err(unwritten) }
}
