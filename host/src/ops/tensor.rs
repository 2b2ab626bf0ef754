//! Tensors: shape, element type, quantisation, and the values of those that are constant.

use niwaki_core::format::DType;

/// What a tensor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Computed by a node, or a graph input; has no data.
    Activation,
    /// Trained by gradient.
    Parameter,
    /// Constant during a step, updated outside the gradient (batch-norm statistics).
    Buffer,
}

/// The values of a constant tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Float values.
    F32(Vec<f32>),
    /// Quantised weights.
    I8(Vec<i8>),
    /// Quantised biases.
    I32(Vec<i32>),
    /// Quantised constants of int16 networks.
    I16(Vec<i16>),
    /// Biases of int16 networks.
    I64(Vec<i64>),
    /// Float weights stored in 16 bits.
    F16(Vec<half::f16>),
}

impl Data {
    /// How the values are stored.
    pub fn element(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::I8(_) => DType::I8,
            Self::I32(_) => DType::I32,
            Self::I16(_) => DType::I16,
            Self::I64(_) => DType::I64,
            Self::F16(_) => DType::F16,
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::I8(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::I16(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::F16(v) => v.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as they lie in a file.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::F32(v) => bytemuck::cast_slice(v),
            Self::I8(v) => bytemuck::cast_slice(v),
            Self::I32(v) => bytemuck::cast_slice(v),
            Self::I16(v) => bytemuck::cast_slice(v),
            Self::I64(v) => bytemuck::cast_slice(v),
            Self::F16(v) => bytemuck::cast_slice(v),
        }
    }
}

/// `real = scale * (q - zero_point)`; specs/integer_arithmetic.md §1.
#[derive(Debug, Clone, PartialEq)]
pub struct Quant {
    /// One scale for the tensor, or one per index of `axis`. Finite and positive.
    pub scales: Vec<f32>,
    /// Zero point of the whole tensor; 0 where `axis` is set.
    pub zero_point: i32,
    /// The axis that `scales` runs along; `None` for per-tensor quantisation.
    pub axis: Option<usize>,
}

/// A tensor: its shape, what it is for, and its values if it is constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Unique in the graph; the key in `.safetensors` files.
    pub name: String,
    /// Per-sample shape.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// Values of parameters and buffers.
    pub data: Option<Data>,
    /// Type of an activation's elements: f32, i8, i16, or i32 for indices. A constant's is its data's.
    pub element: DType,
    /// `None` while the tensor is not quantised.
    pub quant: Option<Quant>,
    /// Bits that a code of quantised weights needs: 8, or 4 where all lie in `-7..=7`. The codes are i8 either way, and
    /// every int8 kernel computes with them.
    pub code_bits: u8,
}

impl Tensor {
    /// Type of the elements, of a constant or an activation.
    pub fn dtype(&self) -> DType {
        self.data.as_ref().map_or(self.element, Data::element)
    }

    /// Number of elements.
    pub fn element_count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Float values, if this tensor holds any.
    pub fn f32s(&self) -> Option<&[f32]> {
        match &self.data {
            Some(Data::F32(values)) => Some(values),
            _ => None,
        }
    }

    /// Float values to change, if this tensor holds any.
    pub fn f32s_mut(&mut self) -> Option<&mut Vec<f32>> {
        match &mut self.data {
            Some(Data::F32(values)) => Some(values),
            _ => None,
        }
    }
}
