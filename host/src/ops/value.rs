//! The elements of an activation while a network is evaluated.

use super::{Data, Tensor};
use niwaki_core::format::DType;
use niwaki_core::num::quantize;

/// The elements of an activation.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Float.
    F32(Vec<f32>),
    /// int8 codes.
    I8(Vec<i8>),
    /// int16 codes.
    I16(Vec<i16>),
    /// Indices.
    I32(Vec<i32>),
}

impl Value {
    /// Real values as the elements of `tensor`: floats, or codes where it is quantised.
    pub fn of_reals(tensor: &Tensor, x: &[f32]) -> Self {
        match (&tensor.quant, tensor.dtype()) {
            (Some(q), DType::I16) => Self::I16(x.iter().map(|&v| quantize(v, q.scales[0], q.zero_point)).collect()),
            (None, DType::I32) => Self::I32(x.iter().map(|&v| v as i32).collect()),
            (Some(q), _) => Self::I8(x.iter().map(|&v| quantize(v, q.scales[0], q.zero_point)).collect()),
            (None, _) => Self::F32(x.to_vec()),
        }
    }

    /// The values of a constant, if operators take such as activations.
    pub(super) fn of_data(data: &Data) -> Option<Self> {
        match data {
            Data::F32(v) => Some(Self::F32(v.clone())),
            Data::I8(v) => Some(Self::I8(v.clone())),
            Data::I16(v) => Some(Self::I16(v.clone())),
            Data::I32(v) => Some(Self::I32(v.clone())),
            _ => None,
        }
    }

    /// Floats, if these are floats.
    pub fn f32s(&self) -> Option<&[f32]> {
        match self {
            Self::F32(v) => Some(v),
            _ => None,
        }
    }

    /// The bytes as they lie in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(v) => bytemuck::cast_slice(v).to_vec(),
            Self::I8(v) => bytemuck::cast_slice(v).to_vec(),
            Self::I16(v) => bytemuck::cast_slice(v).to_vec(),
            Self::I32(v) => bytemuck::cast_slice(v).to_vec(),
        }
    }
}

/// The floats that `bytes` hold, little-endian; a part of one at the end is left out.
pub fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The int16 codes that `bytes` hold, little-endian; a part of one at the end is left out.
pub fn i16s(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}
