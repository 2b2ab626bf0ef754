//! Checking a file once: after this, nothing that reads it can fail.

use super::records::{ALIGN, DType, HEADER_BYTES, Header, MAGIC, NONE, Place, TensorRecord, VERSION};
use super::{Model, Operator, Overlap, Step, crc32};
use crate::error::VerifyError as E;
use bytemuck::Pod;

pub(super) fn verify<'m>(bytes: &'m [u8], rows: &'m [Operator]) -> Result<Model<'m>, E> {
    let header = header(bytes)?;
    let io_count = usize::from(header.input_count) + usize::from(header.output_count);
    let model = Model {
        tensors: section("tensors_offset", bytes, header.tensors_offset, header.tensor_count.into())?,
        operators: section("operators_offset", bytes, header.operators_offset, header.operator_count.into())?,
        io: section("io_offset", bytes, header.io_offset, io_count)?,
        data: data(bytes, header)?,
        header,
        rows,
    };
    records(&model)?;
    Ok(model)
}

/// Every record of a file whose sections are there.
fn records(model: &Model<'_>) -> Result<(), E> {
    ascending(model.rows)?;
    for index in 0..model.tensor_count() {
        tensor(model, index)?;
    }
    for index in 0..model.io.len() {
        io(model, index)?;
    }
    for index in 0..model.operator_count() {
        operator(model, index)?;
    }
    ends(model)
}

/// The header, and that the file is whole.
fn header(bytes: &[u8]) -> Result<&Header, E> {
    let truncated = |expected| E::Truncated { expected, got: bytes.len() };
    let head = bytes.get(..HEADER_BYTES).ok_or(truncated(HEADER_BYTES))?;
    if bytes.as_ptr().align_offset(ALIGN) != 0 {
        return Err(E::Misaligned);
    }
    let h: &Header = bytemuck::try_from_bytes(head).map_err(|_| E::Misaligned)?;
    if h.magic != MAGIC {
        return Err(E::Magic { got: h.magic });
    }
    if h.version != VERSION {
        return Err(E::Version { got: h.version });
    }
    if h.file_bytes as usize != bytes.len() {
        return Err(truncated(h.file_bytes as usize));
    }
    let computed = crc32(bytes.get(Header::CHECKSUM_FROM..).unwrap_or(&[]));
    if computed != h.checksum {
        return Err(E::Checksum { stored: h.checksum, computed });
    }
    let field = |field, value: u32, good: bool| {
        if good { Ok(()) } else { Err(E::Header { field, value }) }
    };
    field("flags", h.flags.into(), h.flags <= 1)?;
    let reserved = h.used_reserve();
    field("reserved", reserved, reserved == 0)?;
    field("operator_count", h.operator_count.into(), h.operator_count > 0)?;
    field("input_count", h.input_count.into(), h.input_count > 0)?;
    field("output_count", h.output_count.into(), h.output_count > 0)?;
    Ok(h)
}

/// `count` records from `offset` on, where they lie.
fn section<'m, T: Pod>(name: &'static str, bytes: &'m [u8], offset: u32, count: usize) -> Result<&'m [T], E> {
    let inside = part(bytes, offset, count.saturating_mul(size_of::<T>()));
    let records = inside.and_then(|bytes| bytemuck::try_cast_slice(bytes).ok());
    records.ok_or(E::Header { field: name, value: offset })
}

/// The data section.
fn data<'m>(bytes: &'m [u8], header: &Header) -> Result<&'m [u8], E> {
    let aligned = (header.data_offset as usize).is_multiple_of(ALIGN);
    let inside = part(bytes, header.data_offset, header.data_bytes as usize).filter(|_| aligned);
    inside.ok_or(E::Header { field: "data_offset", value: header.data_offset })
}

/// `len` bytes from `offset` on, which is not in the header.
fn part(bytes: &[u8], offset: u32, len: usize) -> Option<&[u8]> {
    let offset = offset as usize;
    bytes.get(offset..offset.checked_add(len)?).filter(|_| offset >= HEADER_BYTES)
}

/// Rows are looked up by halving, so they must ascend.
fn ascending(rows: &[Operator]) -> Result<(), E> {
    let wrong = rows.windows(2).position(|pair| pair.first().map(Operator::key) >= pair.last().map(Operator::key));
    match wrong {
        None => Ok(()),
        Some(position) => Err(E::Operators { position: position + 1 }),
    }
}

fn tensor(model: &Model<'_>, index: usize) -> Result<(), E> {
    let Some(t) = model.tensor(index) else { return Ok(()) };
    let field = |field, value: u32, good: bool| {
        if good { Ok(()) } else { Err(E::Tensor { tensor: index as u16, field, value }) }
    };
    let Some(dtype) = t.element() else { return field("dtype", t.dtype.into(), false) };
    field("rank", t.rank.into(), t.rank <= 4)?;
    let reserved = t.used_reserve();
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
    let quantised = matches!(dtype, DType::I8 | DType::I16) && !t.is_in(Place::Data);
    field("scale", t.scale.to_bits(), !quantised || t.scale > 0.0)
}

fn io(model: &Model<'_>, index: usize) -> Result<(), E> {
    let is_input = index < model.input_count();
    let (field, position, tensor) = if is_input {
        ("inputs", index, model.input_tensor(index))
    } else {
        let position = index - model.input_count();
        ("outputs", position, model.output_tensor(position))
    };
    let value = tensor.map_or(u32::MAX, |t| t as u32);
    let in_arena = tensor.and_then(|t| model.tensor(t)).is_some_and(|t| t.is_in(Place::Arena));
    if in_arena { Ok(()) } else { Err(E::Io { field, index: position as u16, tensor: value }) }
}

fn operator(model: &Model<'_>, index: usize) -> Result<(), E> {
    let (operator, Some(record)) = (index as u16, model.operator(index)) else { return Ok(()) };
    let Some(step) = model.step(index) else {
        return Err(E::Unsupported { operator, code: record.code, dtype: record.dtype });
    };
    let bad = |field, value: u32| Err(E::Operator { operator, field, value });
    for (position, &input) in record.inputs.iter().enumerate().filter(|&(_, &t)| t != NONE) {
        let rows = position == 0 && step.operator.reads_rows;
        match model.tensor(input.into()) {
            Some(t) if rows || !t.is_in(Place::OnDemand) => {}
            _ => return bad("inputs", input.into()),
        }
    }
    match step.output() {
        Ok(t) if t.is_in(Place::Arena) => {}
        Ok(t) if t.is_in(Place::OnDemand) && step.operator.rows.is_some() => {}
        _ => return bad("output", record.output.into()),
    }
    let reserved = record.used_reserve();
    if reserved != 0 {
        return bad("reserved", reserved);
    }
    let scratch_offset = record.scratch_offset as usize;
    let scratch_end = scratch_offset.saturating_add(record.scratch_bytes as usize);
    if scratch_end > model.arena_bytes() || !scratch_offset.is_multiple_of(ALIGN) {
        return bad("scratch_offset", record.scratch_offset);
    }
    (step.operator.check)(&step).map_err(|error| E::Operand { operator, error })?;
    memory(model, &step)
}

/// What a tensor takes of the arena; nothing where it lies elsewhere.
fn arena_span(tensor: &TensorRecord) -> (usize, usize) {
    if tensor.is_in(Place::Arena) { tensor.span() } else { (0, 0) }
}

/// Whether two parts of the arena share memory; nothing shares memory with an empty one.
fn overlap((a0, a1): (usize, usize), (b0, b1): (usize, usize)) -> bool {
    a0.max(b0) < a1.min(b1)
}

/// What an operator reads was written and is still there. Its output may share memory with its operands only as its
/// kernel allows, and then with one of them; its scratch memory with none.
fn memory(model: &Model<'_>, step: &Step<'_>) -> Result<(), E> {
    let index = step.index;
    let Ok(output_tensor) = step.output() else { return Ok(()) };
    let (output, scratch) = (arena_span(output_tensor), step.record.scratch());
    if overlap(output, scratch) {
        let tensor = step.record.output;
        return Err(E::Overlap { operator: index as u16, tensor, writes: tensor });
    }
    let mut in_place = 0;
    for (position, tensor) in model.reads(index).enumerate() {
        written_before(model, tensor, index)?;
        let Some(read) = model.tensor(tensor) else { continue };
        let input = arena_span(read);
        let mut allowed = !overlap(input, scratch);
        if overlap(input, output) {
            in_place += 1;
            allowed &= in_place == 1
                && match step.operator.overlap {
                    Overlap::Never => false,
                    Overlap::Exact => input == output,
                    Overlap::InPlaceOffset(least) => {
                        let distance = input.0 as isize - output.0 as isize;
                        position == 0 && least(step).is_ok_and(|least| distance >= least)
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
        if let Some(tensor) = model.output_tensor(index) {
            written_before(model, tensor, model.operator_count())?;
        }
    }
    for a in 0..model.input_count() {
        for b in 0..a {
            let (Some(a), Some(b)) = (model.input_tensor(a), model.input_tensor(b)) else { continue };
            let (Some(x), Some(y)) = (model.tensor(a), model.tensor(b)) else { continue };
            if overlap(arena_span(x), arena_span(y)) {
                return Err(E::Inputs { tensors: [a as u16, b as u16] });
            }
        }
    }
    Ok(())
}

/// Follows a tensor back to the operator that wrote it, or to an input; whatever ran in between must not have written
/// over it.
fn written_before(model: &Model<'_>, tensor: usize, user: usize) -> Result<(), E> {
    let Some(read) = model.tensor(tensor).filter(|read| !read.is_in(Place::Data)) else { return Ok(()) };
    let span = arena_span(read);
    for (earlier, record) in model.operators.iter().enumerate().take(user).rev() {
        if usize::from(record.output) == tensor {
            return Ok(());
        }
        let Some(written) = model.tensor(record.output.into()) else { continue };
        if overlap(span, arena_span(written)) || overlap(span, record.scratch()) {
            return Err(E::Overlap { operator: earlier as u16, tensor: tensor as u16, writes: record.output });
        }
    }
    let is_input = (0..model.input_count()).any(|i| model.input_tensor(i) == Some(tensor));
    if is_input { Ok(()) } else { Err(E::Unwritten { operator: user as u16, tensor: tensor as u16 }) }
}
