//! Tensors of a file: shape, element type, quantisation and constant values, checked.

use super::error::Refusal;
use super::names;
use super::schema::{Model, Quantization, SubGraph};
use crate::graph::{Data, Quant};
use flatbuffers::Vector;
use niwaki_core::format::DType;
use niwaki_core::shape::MAX_LEN;

/// Codes of the element types that can be read.
pub(super) mod element {
    pub(crate) const F32: i8 = 0;
    pub(crate) const F16: i8 = 1;
    pub(crate) const I32: i8 = 2;
    pub(crate) const I64: i8 = 4;
    pub(crate) const I16: i8 = 7;
    pub(crate) const I8: i8 = 9;
    pub(crate) const I4: i8 = 17;
}

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(super) struct FileTensor<'a> {
    pub(super) name: String,
    /// With the batch axis. Every axis is at least 1, the number of elements at most [`MAX_LEN`].
    pub(super) shape: Vec<usize>,
    /// A code of [`element`], or of a type that cannot be read.
    pub(super) element: i8,
    pub(super) quant: Option<Quant>,
    /// The bytes of a constant.
    pub(super) bytes: Option<&'a [u8]>,
}

/// Text that need not be UTF-8.
pub(super) fn text(bytes: Vector<'_, u8>) -> String {
    String::from_utf8_lossy(bytes.bytes()).into_owned()
}

impl<'a> FileTensor<'a> {
    /// Tensor `index` of `subgraph`.
    pub(super) fn read(model: &Model<'a>, subgraph: &SubGraph<'a>, index: usize) -> Result<Self, Refusal> {
        let tensors = subgraph.tensors().filter(|t| index < t.len());
        let tensor = tensors.ok_or_else(|| Refusal::damaged(format!("there is no tensor {index}")))?.get(index);
        let name = tensor.name().map(text).filter(|n| !n.is_empty()).unwrap_or_else(|| format!("tensor{index}"));
        if tensor.is_variable() != 0 {
            return Err(Refusal::new(format!("`{name}` keeps its value between inferences"), STATELESS));
        }
        if tensor.sparsity() != 0 {
            return Err(Refusal::new(format!("`{name}` is stored sparsely"), "convert the network with dense weights"));
        }
        let mut shape = Vec::new();
        for dim in tensor.shape().iter().flatten() {
            let size = usize::try_from(dim).ok().filter(|&d| d > 0 && d <= MAX_LEN);
            let what = || format!("`{name}` has an axis of {dim} elements");
            shape.push(size.ok_or_else(|| Refusal::new(what(), "convert the network with fixed shapes"))?);
        }
        let len = shape.iter().try_fold(1, |len: usize, &dim| len.checked_mul(dim));
        if len.is_none_or(|len| len > MAX_LEN) || shape.len() > 8 {
            let what = format!("`{name}` of shape {shape:?} has more than {MAX_LEN} elements or 8 axes");
            return Err(Refusal::new(what, "make the network smaller"));
        }
        let buffers = model.buffers().filter(|b| (tensor.buffer() as usize) < b.len());
        let what = || format!("`{name}` is in buffer {}, which is not there", tensor.buffer());
        let buffer = buffers.ok_or_else(|| Refusal::damaged(what()))?.get(tensor.buffer() as usize);
        if buffer.offset() > 1 {
            let what = format!("the values of `{name}` lie after the tables");
            return Err(Refusal::new(what, "convert the network without `_experimental_use_buffer_offset`"));
        }
        let bytes = buffer.data().map(|d| d.bytes()).filter(|b| !b.is_empty());
        let quant = match tensor.quantization() {
            None => None,
            Some(q) => quant(&q, &shape, &name)?,
        };
        Ok(Self { name, shape, element: tensor.element(), quant, bytes })
    }

    /// `int8[1, 25, 5, 64]`
    pub(super) fn describe(&self) -> String {
        format!("{}{:?}", names::element(self.element), self.shape)
    }

    /// Whether the leading axis is a batch of one, which the graph does without.
    pub(super) fn batched(&self) -> bool {
        self.shape.len() > 1 && self.shape[0] == 1
    }

    /// The shape in the graph. A scalar is a vector of one element.
    pub(super) fn graph_shape(&self) -> Vec<usize> {
        match self.shape.as_slice() {
            [] => vec![1],
            [1, rest @ ..] if !rest.is_empty() => rest.to_vec(),
            all => all.to_vec(),
        }
    }

    /// The type of an activation.
    pub(super) fn activation_type(&self) -> Result<DType, Refusal> {
        let (zero_points, dtype) = match self.element {
            element::F32 => return Ok(DType::F32),
            element::I32 => return Ok(DType::I32),
            element::I8 => (-128..=127, DType::I8),
            element::I16 => (0..=0, DType::I16),
            _ => {
                let what = format!("`{}` has elements of type {}", self.name, names::element(self.element));
                return Err(Refusal::new(what, "convert the network to float32, int8 or int16 activations"));
            }
        };
        let per_tensor = self.quant.as_ref().filter(|q| q.axis.is_none());
        let what = || format!("`{}` holds codes but has no scale for the whole tensor", self.name);
        let quant = per_tensor.ok_or_else(|| Refusal::new(what(), "convert the network with full quantisation"))?;
        if !zero_points.contains(&quant.zero_point) {
            let what = format!("`{}` has zero point {}", self.name, quant.zero_point);
            return Err(Refusal::new(what, "int16 activations are symmetric: convert with zero point 0"));
        }
        Ok(dtype)
    }

    /// The axis of the graph's tensor that `axis` of the file's means, counted from the end when negative; `None` for
    /// the batch axis.
    pub(super) fn axis(&self, axis: i64) -> Result<Option<usize>, Refusal> {
        let rank = self.shape.len();
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        let axis = usize::try_from(axis).ok().filter(|&a| a < rank);
        let axis = axis.ok_or_else(|| Refusal::damaged(format!("there is no such axis of {:?}", self.shape)))?;
        Ok(if self.batched() { axis.checked_sub(1) } else { Some(axis) })
    }

    /// The values of a constant, int4 expanded to int8.
    pub(super) fn data(&self) -> Result<Data, Refusal> {
        let bytes = self.bytes.ok_or_else(|| {
            Refusal::new(format!("`{}` must be constant", self.name), "convert the network with constant weights")
        })?;
        let len: usize = self.shape.iter().product();
        let data = match self.element {
            element::F32 => Data::F32(numbers(bytes, f32::from_le_bytes)),
            element::F16 => Data::F16(numbers(bytes, half::f16::from_le_bytes)),
            element::I8 => Data::I8(numbers(bytes, i8::from_le_bytes)),
            element::I16 => Data::I16(numbers(bytes, i16::from_le_bytes)),
            element::I32 => Data::I32(numbers(bytes, i32::from_le_bytes)),
            element::I64 => Data::I64(numbers(bytes, i64::from_le_bytes)),
            element::I4 if bytes.len() == len.div_ceil(2) => Data::I8(nibbles(bytes).take(len).collect()),
            _ => {
                let what = format!("constant `{}` has elements of type {}", self.name, names::element(self.element));
                return Err(Refusal::new(what, "convert the network to float32, float16, int8 or int4 weights"));
            }
        };
        let size = if self.element == element::I4 { 1 } else { data.element().element_bytes() };
        if data.len() != len || (self.element != element::I4 && bytes.len() != len * size) {
            let what = format!("constant `{}` of shape {:?} has {} bytes", self.name, self.shape, bytes.len());
            return Err(Refusal::damaged(what));
        }
        Ok(data)
    }

    /// The values of a constant of indices.
    pub(super) fn indices(&self) -> Result<Vec<i64>, Refusal> {
        match self.data()? {
            Data::I32(v) => Ok(v.into_iter().map(i64::from).collect()),
            Data::I64(v) => Ok(v),
            _ => Err(Refusal::damaged(format!("`{}` must hold int32 or int64 indices", self.name))),
        }
    }
}

const STATELESS: &str = "convert the network so that its state is an input and an output";

/// The numbers in little-endian bytes; a part of one at the end is left out.
fn numbers<T, const N: usize>(bytes: &[u8], from_le_bytes: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|&chunk| from_le_bytes(chunk)).collect()
}

/// Two's-complement nibbles, the low one of each byte first (specs/integer_arithmetic.md §1).
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = i8> + '_ {
    bytes.iter().flat_map(|&b| [(b << 4) as i8 >> 4, b as i8 >> 4])
}

/// Quantisation as the graph has it; `None` where the file has no scale.
fn quant(q: &Quantization<'_>, shape: &[usize], name: &str) -> Result<Option<Quant>, Refusal> {
    let scales: Vec<f32> = q.scale().iter().flatten().collect();
    let zero_points: Vec<i64> = q.zero_point().iter().flatten().collect();
    if scales.is_empty() {
        return Ok(None);
    }
    let bad = |what: String| Err(Refusal::new(format!("`{name}` {what}"), "convert the network again"));
    if let Some(scale) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return bad(format!("has the scale {scale}"));
    }
    if !zero_points.is_empty() && zero_points.len() != scales.len() {
        return bad(format!("has {} scales but {} zero points", scales.len(), zero_points.len()));
    }
    if scales.len() == 1 {
        let zero_point = zero_points.first().copied().unwrap_or(0);
        let Ok(zero_point) = i32::try_from(zero_point) else { return bad(format!("has zero point {zero_point}")) };
        return Ok(Some(Quant { scales, zero_point, axis: None }));
    }
    let axis = usize::try_from(q.quantized_dimension()).ok().filter(|&a| shape.get(a) == Some(&scales.len()));
    match axis {
        None => bad(format!("has {} scales along axis {} of {shape:?}", scales.len(), q.quantized_dimension())),
        Some(_) if zero_points.iter().any(|&z| z != 0) => bad("has a scale a channel but is not symmetric".into()),
        Some(_) => Ok(Some(Quant { scales, zero_point: 0, axis })),
    }
}
