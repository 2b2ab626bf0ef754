//! A graph as a `.niwaki` file: all planning done, everything aligned, verified by core before it is handed out.

mod compress;
mod layout;
mod nodes;
pub mod read;
pub mod rust;
mod tiles;

use crate::hardware::Isa;
use crate::io::AlignedBytes;
pub use layout::{Constant, Layout, PLAIN, PackedLayer, pack_layer};
pub use nodes::{is_over_graph, query};

use crate::graph::lower::{Lowered, Scaling};
use crate::graph::{Data, Graph, GraphError, Node, Role, TensorId};
use crate::plan::{Arena, Memory, Placement};
use niwaki_core::error::VerifyError;
use niwaki_core::format::{
    ALIGN, DType, HEADER_BYTES, Header, Model, NONE, OperatorRecord, Params, TENSOR_BYTES, TensorRecord, crc32,
};

use niwaki_core::num::Rounding;
use niwaki_core::ops::{self as core_ops, Op as CoreOp, OpCode, StoredClamp, write};
use nodes::Choice;

/// Why a graph cannot become a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The graph itself is wrong.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Something is larger than the file format allows.
    #[error("{what} = {value} is more than a .niwaki file can hold")]
    TooLarge {
        /// The quantity.
        what: &'static str,
        /// Its value.
        value: usize,
    },
    /// No way of running the network needs so little memory.
    #[error("the arena needs {needed} bytes at least, there are {available}")]
    Ram {
        /// Bytes of the smallest arena.
        needed: usize,
        /// Bytes that there are.
        available: usize,
    },
    /// A layer has no form in the layout that was asked for.
    #[error("`{node}` cannot be packed as {}: {why}", layout.name())]
    Layout {
        /// The layer.
        node: String,
        /// The layout.
        layout: Layout,
        /// What it asks for that the layer has not.
        why: &'static str,
    },
    /// The finished file was refused by core: a bug in the exporter.
    #[error("the exported file does not verify: {0}")]
    Verify(#[from] VerifyError),
}

/// [`export_for`] any chip.
///
/// # Errors
/// As [`export_for`].
pub fn export(graph: &Graph) -> Result<(AlignedBytes, Arena), ExportError> {
    export_for(graph, Isa::Portable)
}

/// The bytes of the `.niwaki` file of `graph`, with the arena plan that they contain.
///
/// Operators keep the order of `graph.nodes`.
///
/// # Errors
/// [`ExportError`] names the operator that has no form in the file.
pub fn export_for(graph: &Graph, isa: Isa) -> Result<(AlignedBytes, Arena), ExportError> {
    export_within(graph, isa, Room::ANY)
}

/// What a network over a graph must fit into; others are chosen for by [`crate::tune`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Largest arena: rows are computed again that there is no room for.
    pub ram_bytes: usize,
    /// Largest file: above it weights are stored without their zeros, which takes more instructions. A file that is still
    /// larger is written all the same.
    pub file_bytes: usize,
}

impl Room {
    /// As much as there may be.
    pub const ANY: Self = Self { ram_bytes: usize::MAX, file_bytes: usize::MAX };
}

/// As [`export_for`], with a file and an arena that fit into `room`.
///
/// # Errors
/// [`ExportError::Ram`] if the arena cannot be so small.
pub fn export_within(graph: &Graph, isa: Isa, room: Room) -> Result<(AlignedBytes, Arena), ExportError> {
    write(graph, isa, &[], room)
}

/// As [`export_for`], with `layouts[n]` for node `n` where there is one: what chooses among layouts by cost ends here.
///
/// # Errors
/// As [`export_for`] and [`pack_layer`].
pub fn export_with(graph: &Graph, isa: Isa, layouts: &[Option<Layout>]) -> Result<(AlignedBytes, Arena), ExportError> {
    write(graph, isa, layouts, Room::ANY)
}

fn write(
    graph: &Graph,
    isa: Isa,
    layouts: &[Option<Layout>],
    room: Room,
) -> Result<(AlignedBytes, Arena), ExportError> {
    graph.validate()?;
    let graph = &*nodes::with_input(graph);
    let layout = |n: usize| layouts.get(n).copied().flatten();
    let kernels = graph.nodes.iter().enumerate().map(|(n, node)| Kernel::new(graph, node, isa, layout(n)));
    let kernels = kernels.collect::<Result<Vec<_>, _>>()?;
    let choice = nodes::choose(graph, &kernels, room.ram_bytes)?;
    let mut bytes = file(graph, &kernels, &choice, false)?;
    if bytes.len() > room.file_bytes && is_over_graph(graph) {
        bytes = file(graph, &kernels, &choice, true)?;
    }
    Model::verify(&bytes, core_ops::ALL)?;
    Ok((bytes, choice.arena))
}

/// The file of planned kernels; `compressed`: weights over nodes without their zeros.
fn file(graph: &Graph, kernels: &[Kernel], choice: &Choice, compressed: bool) -> Result<AlignedBytes, ExportError> {
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
    assemble(&file, &operators, &io)
}

fn assemble(file: &File<'_>, operators: &[u8], io: &[u8]) -> Result<AlignedBytes, ExportError> {
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

fn narrow<T: TryFrom<usize>>(what: &'static str, value: usize) -> Result<T, ExportError> {
    T::try_from(value).map_err(|_| ExportError::TooLarge { what, value })
}

/// What runs for a node.
struct Kernel {
    lowered: Lowered,
    /// Its constants packed, where that was asked for, or where the instruction set wants tiles and they can be.
    packed: Option<PackedLayer>,
}

impl Kernel {
    fn new(graph: &Graph, node: &Node, isa: Isa, layout: Option<Layout>) -> Result<Self, ExportError> {
        let lowered = graph.lower(node)?;
        let packed = match (layout, isa) {
            (Some(layout), _) => Some(layout::pack_lowered(graph, node, &lowered, layout)?),
            (None, Isa::ArmDsp) => tiles::tile(graph, node, &lowered),
            (None, Isa::Portable) => None,
        };
        Ok(Self { lowered, packed })
    }

    fn memory(&self, node: &Node) -> Memory {
        self.packed.as_ref().map_or_else(|| Memory::plain(node), |packed| packed.memory)
    }
}

/// The plain layout of a convolution or dense layer of int8 weights: its code, and the bytes of its constants; `None` for
/// other operators.
///
/// # Errors
/// [`ExportError::Graph`] for a node that has no form in a file.
pub fn plain_layer(graph: &Graph, node: &Node) -> Result<Option<(OpCode, [usize; 4])>, ExportError> {
    let lowered = graph.lower(node)?;
    let op = match lowered {
        Lowered::Conv2d(..) => CoreOp::Conv2d,
        Lowered::DepthwiseConv2d(..) => CoreOp::DepthwiseConv2d,
        Lowered::Dense(..) => CoreOp::Dense,
        _ => return Ok(None),
    };
    let Some(Scaling::Int8 { multipliers_q31, shifts, .. }) = lowered.scaling() else { return Ok(None) };
    let weights = graph[node.inputs[1]].element_count();
    let bias = graph.bias_data(node).bytes().len();
    Ok(Some((op.into(), [weights, bias, size_of_val(&multipliers_q31[..]), size_of_val(&shifts[..])])))
}

/// The tables of a file while they grow.
struct File<'a> {
    graph: &'a Graph,
    arena: &'a Arena,
    /// Tensors that are computed where they are read.
    on_demand: &'a [bool],
    /// Whether weights over nodes are stored without their zeros where that takes less.
    compressed: bool,
    tensors: Vec<TensorRecord>,
    data: Vec<u8>,
    /// File index of each activation.
    ids: Vec<Option<u16>>,
}

impl File<'_> {
    fn activation(&mut self, id: TensorId) -> Result<u16, ExportError> {
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

    fn constant(&mut self, dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<u16, ExportError> {
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
        if let Lowered::Nodes(nodes) = lowered {
            return self.nodes(node, nodes, scratch);
        }
        let mut params = Params::default();
        let op = lowered.write(graph[node.output].element, &mut params);
        let mut inputs = vec![self.operand(node.inputs[0])?];
        match lowered {
            Lowered::Movement(_) | Lowered::Binary(..) => {
                for &id in &node.inputs[1..] {
                    inputs.push(self.operand(id)?);
                }
            }
            Lowered::Lookup(table) => {
                inputs.push(self.constant(DType::I8, &[table.len()], bytemuck::cast_slice(table.as_slice()))?);
            }
            _ => {}
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
            let weights = &graph[node.inputs[1]];
            let missing = || GraphError::NoData { tensor: weights.name.clone() };
            inputs.push(self.graph_data(&weights.shape, weights.data.as_ref().ok_or_else(missing)?)?);
            let bias = graph.bias_data(node);
            inputs.push(self.graph_data(&graph[node.output].shape[graph[node.output].shape.len() - 1..], &bias)?);
            match scaling {
                Scaling::F32(arithmetic) => StoredClamp::write_clamp(arithmetic.clamp, &mut params),
                Scaling::Int8 { multipliers_q31, shifts, clamp, .. }
                | Scaling::Int16x8 { multipliers_q31, shifts, clamp } => {
                    StoredClamp::write_clamp(*clamp, &mut params);
                    let shape = [shifts.len()];
                    inputs.push(self.constant(DType::I32, &shape, bytemuck::cast_slice(multipliers_q31))?);
                    inputs.push(self.constant(DType::I8, &shape, bytemuck::cast_slice(shifts))?);
                }
            }
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

#[cfg(test)]
mod tests;
