//! Operators that move elements: padding, joining, cutting, reordering.

use super::super::error::Refusal;
use super::super::network::{Call, Network};
use super::super::schema::{ConcatenationOptions, StridedSliceOptions};
use super::super::tensors::FileTensor;
use super::{ARITHMETIC, Row, activation, indices, no_options, row};
use crate::graph::{Activation, Data, TensorId};
use crate::ops;
use niwaki_core::shape::MAX_LEN;

/// The operators of this family.
pub(super) const ROWS: &[Row] = &[
    row("PAD", ARITHMETIC, pad),
    row("PADV2", ARITHMETIC, pad),
    row("CONCATENATION", ARITHMETIC, concatenation),
    Row { name: "SPLIT", data: 1, elements: ARITHMETIC, import: split },
    row("SLICE", ARITHMETIC, slice),
    row("STRIDED_SLICE", ARITHMETIC, strided_slice),
    row("RESHAPE", ARITHMETIC, reshape),
    row("SQUEEZE", ARITHMETIC, reshape),
    row("EXPAND_DIMS", ARITHMETIC, reshape),
    row("TRANSPOSE", ARITHMETIC, transpose),
];

/// Operands that one operator of a model file can have.
const OPERANDS: usize = 6;

const DAMAGED_INDICES: &str = "its indices do not fit its operand";

/// PAD and PADV2: the latter says what the border holds.
fn pad(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let tensor = network.file(call.input(0)?)?;
    let counts = indices(network, call, 1)?;
    let counts: Option<Vec<usize>> =
        counts.into_iter().map(|c| usize::try_from(c).ok().filter(|&c| c <= MAX_LEN)).collect();
    let counts = counts.filter(|c| c.len() == 2 * tensor.shape.len());
    let counts = counts.ok_or_else(|| Refusal::damaged(DAMAGED_INDICES))?;
    let mut pads: Vec<[usize; 2]> = counts.as_chunks().0.to_vec();
    if tensor.batched() && pads.remove(0) != [0, 0] {
        return Err(Refusal::new("it pads the batch", "pad other axes only"));
    }
    let value = if call.has(2) { scalar(&network.source(call.input(2)?)?)? } else { 0.0 };
    let x = network.operand(call, 0)?;
    network.push(ops::Pad { pads, value }, &[x], call.output()?)
}

/// The real value of a constant of one element.
fn scalar(tensor: &FileTensor<'_>) -> Result<f32, Refusal> {
    let real = |code: i32| {
        let quant = tensor.quant.as_ref()?;
        Some(quant.scales[0] * (code - quant.zero_point) as f32)
    };
    let value = match tensor.data()? {
        Data::F32(v) => v.first().copied(),
        Data::I8(v) => v.first().and_then(|&code| real(code.into())),
        Data::I16(v) => v.first().and_then(|&code| real(code.into())),
        _ => None,
    };
    value.ok_or_else(|| Refusal::damaged(format!("`{}` must be a number of the operand's type", tensor.name)))
}

fn concatenation(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: ConcatenationOptions<'_> = call.operator.options().ok_or_else(no_options)?;
    if activation(options.activation())? != Activation::None {
        return Err(Refusal::new("it has a fused activation", "make the activation an operator of its own"));
    }
    let Some(axis) = network.file(call.input(0)?)?.axis(options.axis().into())? else {
        return Err(Refusal::new("it joins samples of a batch", "join along another axis"));
    };
    let output = network.file(call.output()?)?;
    let mut operands: Vec<TensorId> = Vec::new();
    for i in 0..call.inputs.len() {
        let id = network.operand(call, i)?;
        // The reference kernel copies codes as they are, so other scales would change what they mean.
        if network.graph()[id].quant != output.quant {
            let what = format!("operand {i} has another scale or zero point than the output");
            return Err(Refusal::new(what, "convert the network with a current converter, which makes them equal"));
        }
        operands.push(id);
    }
    while operands.len() > OPERANDS {
        let first: Vec<TensorId> = operands.drain(..OPERANDS).collect();
        operands.insert(0, network.node(ops::Concat { axis }, &first, &output)?);
    }
    network.push(ops::Concat { axis }, &operands, call.output()?)
}

/// SPLIT: one slice an output.
fn split(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let tensor = network.file(call.input(1)?)?;
    let &[axis] = indices(network, call, 0)?.as_slice() else {
        return Err(Refusal::damaged("it needs one axis"));
    };
    let Some(axis) = tensor.axis(axis)? else {
        return Err(Refusal::new("it splits a batch", "split along another axis"));
    };
    let shape = tensor.graph_shape();
    let parts = call.outputs.len();
    if parts == 0 || shape[axis] % parts != 0 {
        return Err(Refusal::damaged(format!("{} elements do not fall into {parts} equal parts", shape[axis])));
    }
    let x = network.operand(call, 1)?;
    let mut size = shape.clone();
    size[axis] /= parts;
    for (part, &output) in call.outputs.iter().enumerate() {
        let output = usize::try_from(output).map_err(|_| Refusal::damaged("an output is missing"))?;
        let mut begin = vec![0; shape.len()];
        begin[axis] = part * size[axis];
        network.push(ops::Slice { begin, size: size.clone(), stride: vec![1; shape.len()] }, &[x], output)?;
    }
    Ok(())
}

fn slice(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let tensor = network.file(call.input(0)?)?;
    let (begin, size) = (indices(network, call, 1)?, indices(network, call, 2)?);
    if begin.len() != tensor.shape.len() || size.len() != tensor.shape.len() {
        return Err(Refusal::damaged(DAMAGED_INDICES));
    }
    let mut spans = Vec::new();
    for ((&dim, begin), size) in tensor.shape.iter().zip(begin).zip(size) {
        let dim = dim as i64;
        let size = if size == -1 { dim.saturating_sub(begin) } else { size };
        if begin < 0 || size <= 0 || begin.checked_add(size).is_none_or(|end| end > dim) {
            return Err(Refusal::damaged(DAMAGED_INDICES));
        }
        spans.push(Span { begin: begin as usize, size: size as usize, stride: 1 });
    }
    push_spans(network, call, &tensor, spans)
}

/// What a slice takes of one axis.
struct Span {
    begin: usize,
    size: usize,
    stride: isize,
}

fn push_spans(
    network: &mut Network<'_>,
    call: &Call<'_>,
    tensor: &FileTensor<'_>,
    mut spans: Vec<Span>,
) -> Result<(), Refusal> {
    if tensor.batched() {
        spans.remove(0);
    }
    if spans.is_empty() {
        spans.push(Span { begin: 0, size: 1, stride: 1 });
    }
    let x = network.operand(call, 0)?;
    let op = ops::Slice {
        begin: spans.iter().map(|s| s.begin).collect(),
        size: spans.iter().map(|s| s.size).collect(),
        stride: spans.iter().map(|s| s.stride).collect(),
    };
    network.push(op, &[x], call.output()?)
}

fn strided_slice(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: StridedSliceOptions<'_> = call.operator.options().ok_or_else(no_options)?;
    if options.ellipsis_mask() != 0 || options.new_axis_mask() != 0 {
        return Err(Refusal::new("it adds axes or leaves some out", "index every axis, and reshape instead"));
    }
    let tensor = network.file(call.input(0)?)?;
    let mut limits = [1, 2, 3].map(|i| indices(network, call, i));
    let rank = tensor.shape.len();
    let mut spans = Vec::new();
    for (axis, &dim) in tensor.shape.iter().enumerate() {
        let of = |limit: &mut Result<Vec<i64>, Refusal>| match limit {
            Ok(values) if values.len() <= rank => Ok(values.get(axis).copied()),
            Ok(_) => Err(Refusal::damaged(DAMAGED_INDICES)),
            Err(e) => Err(e.clone()),
        };
        let [begin, end, stride] = &mut limits;
        // Axes after the last that is named are taken whole.
        let span = match (of(begin)?, of(end)?, of(stride)?) {
            (Some(begin), Some(end), Some(stride)) => {
                let flag = |mask: i32| mask >> axis & 1 == 1;
                let masks = Masks {
                    begin: flag(options.begin_mask()),
                    end: flag(options.end_mask()),
                    shrink: flag(options.shrink_axis_mask()),
                    offset: options.offset() != 0,
                };
                masks.span(dim as i64, begin, end, stride).ok_or_else(|| Refusal::damaged(DAMAGED_INDICES))?
            }
            _ => Span { begin: 0, size: dim, stride: 1 },
        };
        spans.push(span);
    }
    push_spans(network, call, &tensor, spans)
}

/// Which limits of one axis of a strided slice count.
struct Masks {
    /// The first element is where the axis begins.
    begin: bool,
    /// The last one is where it ends.
    end: bool,
    /// One element is taken, and the axis leaves the shape.
    shrink: bool,
    /// `end` counts from `begin`.
    offset: bool,
}

impl Masks {
    /// What is taken of an axis of `dim` elements; `None` where that is nothing or outside.
    fn span(&self, dim: i64, begin: i64, end: i64, stride: i64) -> Option<Span> {
        if stride == 0 || stride.unsigned_abs() > MAX_LEN as u64 {
            return None;
        }
        // A cursor that walks backwards ends one before the first element.
        let (low, high) = if stride > 0 { (0, dim) } else { (-1, dim - 1) };
        let place = |index: i64| {
            let index = if index < 0 { index.saturating_add(dim) } else { index };
            index.clamp(low, high)
        };
        let end = if self.offset { begin.checked_add(end)? } else { end };
        let start = match (self.begin, stride > 0) {
            (false, _) => place(begin),
            (true, true) => low,
            (true, false) => high,
        };
        let (stop, stride) = match (self.shrink, self.end, stride > 0) {
            (true, ..) => (start + 1, 1),
            (false, false, _) => (place(end), stride),
            (false, true, true) => (high, stride),
            (false, true, false) => (low, stride),
        };
        let distance = if stride > 0 { stop - start } else { start - stop };
        let size = usize::try_from(distance).ok()?.div_ceil(stride.unsigned_abs() as usize);
        let begin = usize::try_from(start).ok().filter(|&s| s < dim as usize)?;
        (size > 0).then_some(Span { begin, size, stride: stride as isize })
    }
}

/// RESHAPE, SQUEEZE and EXPAND_DIMS: the output's shape says it all.
fn reshape(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let shape = network.file(call.output()?)?.graph_shape();
    let x = network.operand(call, 0)?;
    network.push(ops::Reshape { shape }, &[x], call.output()?)
}

fn transpose(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let tensor = network.file(call.input(0)?)?;
    let order = indices(network, call, 1)?;
    let mut axes = Vec::new();
    for &axis in &order {
        // Wherever a batch of one goes, the other axes keep their order.
        axes.extend(tensor.axis(axis)?);
    }
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if order.len() != tensor.shape.len() || !sorted.iter().copied().eq(0..tensor.graph_shape().len()) {
        return Err(Refusal::damaged(DAMAGED_INDICES));
    }
    let x = network.operand(call, 0)?;
    network.push(ops::Transpose { order: axes }, &[x], call.output()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(masks: &Masks, dim: i64, begin: i64, end: i64, stride: i64) -> Option<(usize, usize, isize)> {
        masks.span(dim, begin, end, stride).map(|s| (s.begin, s.size, s.stride))
    }

    #[test]
    fn strided_limits_are_those_of_python_slices() {
        let plain = Masks { begin: false, end: false, shrink: false, offset: false };
        assert_eq!(taken(&plain, 10, 2, 9, 3), Some((2, 3, 3)), "[2:9:3] = 2, 5, 8");
        assert_eq!(taken(&plain, 10, -3, 100, 1), Some((7, 3, 1)), "[-3:100]");
        assert_eq!(taken(&plain, 10, 8, 1, -2), Some((8, 4, -2)), "[8:1:-2] = 8, 6, 4, 2");
        assert_eq!(taken(&plain, 10, -1, -100, -1), Some((9, 10, -1)), "[-1:-100:-1]");
        assert_eq!(taken(&plain, 10, 5, 5, 1), None, "nothing");
        assert_eq!(taken(&plain, 10, 5, 9, 0), None, "a stride of 0");
        assert_eq!(taken(&Masks { begin: true, end: true, ..plain }, 10, 5, 5, -1), Some((9, 10, -1)), "[::-1]");
        assert_eq!(taken(&Masks { shrink: true, ..plain }, 10, -2, 0, 1), Some((8, 1, 1)), "[-2]");
        assert_eq!(taken(&Masks { offset: true, ..plain }, 10, 4, 3, 1), Some((4, 3, 1)), "3 from 4 on");
        assert_eq!(taken(&plain, i64::from(u8::MAX), i64::MIN, i64::MAX, 1), Some((0, 255, 1)));
    }
}
