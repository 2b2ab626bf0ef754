//! The one network type: typed operators over tensors with static shapes, quantisation attached to tensors.
//!
//! Shapes are per sample (no batch axis): activations are `[H, W, C]` or `[C]`. The one sample of a network over a graph
//! is its whole node set: activations are `[N, 1, C]`, and it may have no input at all. Nodes are kept in execution order.
//! An operator is one row everywhere: its shape rule is in [`shape`], its evaluation in [`eval`], its gradient in
//! `engine`, its file form in `export`.

mod attributes;
mod build;
pub mod channels;
pub mod eval;
pub mod lower;
pub mod shape;
mod sparse;

pub use crate::ops::Op;
pub use attributes::{Activation, Grid, Padding, Propagation, Sliding};
pub use sparse::{Adjacency, Features, Worth};

use crate::ops;
use niwaki_core::format::DType;
use niwaki_core::num::Rounding;

/// Index of a tensor in [`Graph::tensors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

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

/// One operator applied to tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique in the graph.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// Operands in the order that the operator documents.
    pub inputs: Vec<TensorId>,
    /// The tensor that this node writes.
    pub output: TensorId,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Graph {
    /// Every tensor; [`TensorId`] indexes it.
    pub tensors: Vec<Tensor>,
    /// Nodes in execution order.
    pub nodes: Vec<Node>,
    /// Tensors that the caller fills.
    pub inputs: Vec<TensorId>,
    /// Tensors that the caller reads.
    pub outputs: Vec<TensorId>,
    /// How requantisation rounds.
    pub rounding: Rounding,
}

/// Why a graph is not a network.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// An operand does not fit its operator.
    #[error("{op} `{node}`: {what} (input shapes {shapes:?})")]
    Shape {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// What does not fit.
        what: String,
        /// Shapes of all inputs.
        shapes: Vec<Vec<usize>>,
    },
    /// A tensor is read before any node writes it.
    #[error("{op} `{node}` reads tensor `{tensor}` before it is written")]
    Order {
        /// Operator name.
        op: &'static str,
        /// Node name.
        node: String,
        /// Tensor name.
        tensor: String,
    },
    /// The data of a constant does not fit its shape.
    #[error("tensor `{tensor}` has shape {shape:?} but {len} values")]
    Data {
        /// Tensor name.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Number of values.
        len: usize,
    },
    /// The graph has no value for something that evaluation needs.
    #[error("{0}")]
    Eval(String),
}

impl std::ops::Index<TensorId> for Graph {
    type Output = Tensor;
    fn index(&self, id: TensorId) -> &Tensor {
        &self.tensors[id.0]
    }
}

impl std::ops::IndexMut<TensorId> for Graph {
    fn index_mut(&mut self, id: TensorId) -> &mut Tensor {
        &mut self.tensors[id.0]
    }
}

impl Graph {
    /// The node that writes `tensor`, if any.
    pub fn producer(&self, tensor: TensorId) -> Option<usize> {
        self.nodes.iter().position(|n| n.output == tensor)
    }

    /// The nodes that read `tensor`.
    pub fn consumers(&self, tensor: TensorId) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&n| self.nodes[n].inputs.contains(&tensor)).collect()
    }

    /// Number of trained values.
    pub fn parameter_count(&self) -> usize {
        self.tensors.iter().filter(|t| t.role == Role::Parameter).map(Tensor::element_count).sum()
    }

    /// Multiply-accumulates of one inference: convolutions and dense layers, padding taps included, products with
    /// sparse features, and one an edge and channel that is propagated.
    pub fn macs(&self) -> usize {
        self.nodes.iter().map(|n| self.node_macs(n)).sum()
    }

    /// Multiply-accumulates of one node.
    pub fn node_macs(&self, node: &Node) -> usize {
        let len = |i: usize| self[node.inputs[i]].element_count();
        match node.op {
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) => {
                let out = &self[node.output].shape;
                out[0] * out[1] * len(1)
            }
            Op::TransposeConv2d(_) => {
                let x = &self[node.inputs[0]].shape;
                x[0] * x[1] * len(1)
            }
            Op::Dense(_) => len(1),
            Op::SparseDense(ops::SparseDense { ref features, .. }) => features.entries() * self[node.output].shape[2],
            Op::Propagate(ops::Propagate { ref adjacency, .. }) => adjacency.edges() * (len(0) / adjacency.nodes()),
            _ => 0,
        }
    }

    /// Drops tensors that nothing refers to and renumbers the rest.
    pub fn compact(&mut self) {
        let mut used = vec![false; self.tensors.len()];
        for node in &self.nodes {
            for id in node.inputs.iter().chain([&node.output]) {
                used[id.0] = true;
            }
        }
        for id in self.inputs.iter().chain(&self.outputs) {
            used[id.0] = true;
        }
        let mut new_ids = Vec::with_capacity(used.len());
        let mut next = 0;
        for &u in &used {
            new_ids.push(TensorId(next));
            next += usize::from(u);
        }
        let mut keep = used.iter();
        self.tensors.retain(|_| *keep.next().expect("one flag a tensor"));
        let renumber = |id: &mut TensorId| *id = new_ids[id.0];
        for node in &mut self.nodes {
            node.inputs.iter_mut().for_each(renumber);
            renumber(&mut node.output);
        }
        self.inputs.iter_mut().for_each(renumber);
        self.outputs.iter_mut().for_each(renumber);
    }
}
