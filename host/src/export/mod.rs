//! A graph as a `.niwaki` file: all planning done, everything aligned, verified by core before it is handed out.

mod compress;
mod file;
mod layout;
mod nodes;
pub mod read;
pub mod rust;
mod tiles;

pub use layout::{Constant, Layout, PLAIN, PackedLayer, pack_layer};
pub use nodes::{is_over_graph, query};

use crate::graph::lower::{Lowered, Scaling};
use crate::graph::{Graph, GraphError, Node};
use crate::hardware::Isa;
use crate::io::AlignedBytes;
use crate::plan::{Arena, Memory};
use niwaki_core::error::VerifyError;
use niwaki_core::format::Model;
use niwaki_core::ops::{self as core_ops, OpCode};

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
    let mut bytes = file::assemble(graph, &kernels, &choice, false)?;
    if bytes.len() > room.file_bytes && is_over_graph(graph) {
        bytes = file::assemble(graph, &kernels, &choice, true)?;
    }
    Model::verify(&bytes, core_ops::ALL)?;
    Ok((bytes, choice.arena))
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
    let Some(op) = lowered.packable() else { return Ok(None) };
    let Some(Scaling::Int8 { multipliers_q31, shifts, .. }) = lowered.scaling() else { return Ok(None) };
    let weights = graph[node.inputs[1]].element_count();
    let bias = graph.bias_data(node).bytes().len();
    Ok(Some((op.into(), [weights, bias, size_of_val(&multipliers_q31[..]), size_of_val(&shifts[..])])))
}

#[cfg(test)]
mod tests;
