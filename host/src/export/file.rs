//! The tables and the data of a file, and how they are put together.

use super::nodes::Choice;
use super::{Constant, ExportError, Kernel};
use crate::graph::lower::Scaling;
use crate::graph::{Data, Graph, GraphError, Node, Role, TensorId};
use crate::io::AlignedBytes;
use crate::plan::{Arena, Placement};
use niwaki_core::format::{
    ALIGN, DType, HEADER_BYTES, Header, NONE, OperatorRecord, Params, TENSOR_BYTES, TensorRecord, crc32,
};
use niwaki_core::num::Rounding;
use niwaki_core::ops::{StoredClamp, write};

/// The file of planned kernels; `compressed`: weights over nodes without their zeros.
pub(super) fn assemble(
    graph: &Graph,
    kernels: &[Kernel],
    choice: &Choice,
    compressed: bool,
) -> Result<AlignedBytes, ExportError> {
    let Choice { on_demand, arena } = choice;
    let (tensors, data, ids) = (Vec::new(), Vec::new(), vec![None; graph.tensors.len()]);
    let mut file = File { graph, arena, on_demand, compressed, tensors, data, ids };
    let mut operators = Vec::new();
    let mut io = Vec::new();
    for &id in graph.inputs.iter().chain(&graph.outputs) {
        io.extend_from_slice(&file.activation(id)?.to_le_bytes());
    }
    for (n, (node, kernel)) in graph.nodes.iter().zip(kernels).enumerate() {
        let record = file.operator(node, kernel, arena.scratch[n])?;
        operators.extend_from_slice(&record.to_bytes());
    }
    join(&file, &operators, &io)
}

fn join(file: &File<'_>, operators: &[u8], io: &[u8]) -> Result<AlignedBytes, ExportError> {
    let graph = file.graph;
    let tensors_offset = HEADER_BYTES;
    let operators_offset = tensors_offset + file.tensors.len() * TENSOR_BYTES;
    let io_offset = operators_offset + operators.len();
    let data_offset = (io_offset + io.len()).next_multiple_of(ALIGN);
    let file_bytes = data_offset + file.data.len();
    let mut header = Header {
        flags: u16::from(graph.rounding == Rounding::Single),
        file_bytes: narrow("file size", file_bytes)?,
        arena_bytes: narrow("arena size", file.arena.bytes)?,
        tensor_count: narrow("tensor count", file.tensors.len())?,
        operator_count: narrow("operator count", graph.nodes.len())?,
        input_count: narrow("input count", graph.inputs.len())?,
        output_count: narrow("output count", graph.outputs.len())?,
        tensors_offset: narrow("offset", tensors_offset)?,
        operators_offset: narrow("offset", operators_offset)?,
        io_offset: narrow("offset", io_offset)?,
        data_offset: narrow("offset", data_offset)?,
        data_bytes: narrow("data size", file.data.len())?,
        ..Header::new()
    };
    let mut bytes = Vec::with_capacity(file_bytes);
    bytes.extend_from_slice(&header.to_bytes());
    for tensor in &file.tensors {
        bytes.extend_from_slice(&tensor.to_bytes());
    }
    bytes.extend_from_slice(operators);
    bytes.extend_from_slice(io);
    bytes.resize(data_offset, 0);
    bytes.extend_from_slice(&file.data);
    header.checksum = crc32(&bytes[Header::CHECKSUM_FROM..]);
    bytes[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    Ok(AlignedBytes::from(bytes.as_slice()))
}

pub(super) fn narrow<T: TryFrom<usize>>(what: &'static str, value: usize) -> Result<T, ExportError> {
    T::try_from(value).map_err(|_| ExportError::TooLarge { what, value })
}

/// The tables of a file while they grow.
pub(super) struct File<'a> {
    pub(super) graph: &'a Graph,
    arena: &'a Arena,
    /// Tensors that are computed where they are read.
    pub(super) on_demand: &'a [bool],
    /// Whether weights over nodes are stored without their zeros where that takes less.
    pub(super) compressed: bool,
    tensors: Vec<TensorRecord>,
    data: Vec<u8>,
    /// File index of each activation.
    ids: Vec<Option<u16>>,
}

impl File<'_> {
    pub(super) fn activation(&mut self, id: TensorId) -> Result<u16, ExportError> {
        if let Some(index) = self.ids[id.0] {
            return Ok(index);
        }
        let tensor = &self.graph[id];
        let mut record = if self.is_on_demand(id) {
            record(tensor.element, 2, &tensor.shape, 0)?
        } else {
            let placement = self.arena.placements[id.0]
                .filter(|_| tensor.role == Role::Activation)
                .ok_or_else(|| GraphError::Constant { tensor: tensor.name.clone() })?;
            record(tensor.element, 0, &tensor.shape, placement.offset)?
        };
        if let Some(q) = &tensor.quant {
            (record.scale, record.zero_point) = (q.scales[0], q.zero_point);
        }
        let index = self.push(record)?;
        self.ids[id.0] = Some(index);
        Ok(index)
    }

    /// An activation, or a constant in its place with its quantisation.
    fn operand(&mut self, id: TensorId) -> Result<u16, ExportError> {
        let tensor = &self.graph[id];
        let (Some(data), None) = (&tensor.data, self.ids[id.0]) else { return self.activation(id) };
        let index = self.graph_data(&tensor.shape, data)?;
        if let (Some(q), Some(record)) = (&tensor.quant, self.tensors.get_mut(usize::from(index))) {
            (record.scale, record.zero_point) = (q.scales[0], q.zero_point);
        }
        self.ids[id.0] = Some(index);
        Ok(index)
    }

    pub(super) fn constant(&mut self, dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<u16, ExportError> {
        self.data.resize(self.data.len().next_multiple_of(ALIGN), 0);
        let record = record(dtype, 1, shape, self.data.len())?;
        self.data.extend_from_slice(bytes);
        self.push(record)
    }

    fn push(&mut self, record: TensorRecord) -> Result<u16, ExportError> {
        let index = narrow("tensor count", self.tensors.len())?;
        self.tensors.push(record);
        Ok(index)
    }

    fn graph_data(&mut self, shape: &[usize], data: &Data) -> Result<u16, ExportError> {
        self.constant(data.element(), shape, data.bytes())
    }

    fn operator(
        &mut self,
        node: &Node,
        kernel: &Kernel,
        scratch: Option<Placement>,
    ) -> Result<OperatorRecord, ExportError> {
        let graph = self.graph;
        let Kernel { lowered, packed } = kernel;
        if let Some(nodes) = lowered.nodes() {
            return self.nodes(node, nodes, scratch);
        }
        let mut params = Params::default();
        let op = lowered.write(graph[node.output].element, &mut params);
        let mut inputs = vec![self.operand(node.inputs[0])?];
        if lowered.names_operands() {
            for &id in &node.inputs[1..] {
                inputs.push(self.operand(id)?);
            }
        }
        if let Some(table) = lowered.table() {
            inputs.push(self.constant(DType::I8, &[table.len()], bytemuck::cast_slice(table.as_slice()))?);
        }
        if let (Some(packed), Some(Scaling::Int8 { clamp, .. })) = (packed, lowered.scaling()) {
            StoredClamp::write_clamp(*clamp, &mut params);
            if let Some(window) = &packed.window {
                write::packed_convolution(&mut params, window);
            }
            for Constant { dtype, shape, bytes } in &packed.constants {
                inputs.push(self.constant(*dtype, shape, bytes)?);
            }
        } else if let Some(scaling) = lowered.scaling() {
            self.weighted(node, scaling, &mut params, &mut inputs)?;
        }
        let dtype = match lowered.scaling() {
            Some(_) => graph.weighted_dtype(node),
            None => graph[node.inputs[0]].dtype(),
        };
        let mut operands = [NONE; 6];
        operands[..inputs.len()].copy_from_slice(&inputs);
        Ok(OperatorRecord {
            code: packed.as_ref().map_or(op.into(), |packed| packed.code).byte(),
            dtype: dtype.code(),
            inputs: operands,
            output: self.activation(node.output)?,
            params,
            scratch_offset: narrow("offset", scratch.map_or(0, |s| s.offset))?,
            scratch_bytes: narrow("scratch", scratch.map_or(0, |s| s.bytes))?,
            ..OperatorRecord::default()
        })
    }

    /// Weights, bias and scaling of a layer in the plain layout.
    fn weighted(
        &mut self,
        node: &Node,
        scaling: &Scaling,
        params: &mut Params,
        inputs: &mut Vec<u16>,
    ) -> Result<(), ExportError> {
        let graph = self.graph;
        let weights = &graph[node.inputs[1]];
        let missing = || GraphError::NoData { tensor: weights.name.clone() };
        inputs.push(self.graph_data(&weights.shape, weights.data.as_ref().ok_or_else(missing)?)?);
        let (bias, shape) = (graph.bias_data(node), &graph[node.output].shape);
        inputs.push(self.graph_data(&shape[shape.len() - 1..], &bias)?);
        match scaling {
            Scaling::F32(arithmetic) => StoredClamp::write_clamp(arithmetic.clamp, params),
            Scaling::Int8 { multipliers_q31, shifts, clamp, .. }
            | Scaling::Int16x8 { multipliers_q31, shifts, clamp } => {
                StoredClamp::write_clamp(*clamp, params);
                let shape = [shifts.len()];
                inputs.push(self.constant(DType::I32, &shape, bytemuck::cast_slice(multipliers_q31))?);
                inputs.push(self.constant(DType::I8, &shape, bytemuck::cast_slice(shifts))?);
            }
        }
        Ok(())
    }
}

fn record(dtype: DType, place: u8, shape: &[usize], offset: usize) -> Result<TensorRecord, ExportError> {
    let mut dims = [1; 4];
    if shape.len() > dims.len() {
        return Err(ExportError::TooLarge { what: "rank", value: shape.len() });
    }
    for (dim, &size) in dims.iter_mut().zip(shape) {
        *dim = narrow("dimension", size)?;
    }
    Ok(TensorRecord {
        dtype: dtype.code(),
        rank: narrow("rank", shape.len())?,
        place,
        dims,
        offset: narrow("offset", offset)?,
        bytes: narrow("tensor size", shape.iter().product::<usize>() * dtype.element_bytes())?,
        ..TensorRecord::default()
    })
}
