//! An exported file read back for people: operators, shapes, multiply-accumulates, the arena.

use super::{ExportError, Layout, export};
use crate::graph::Graph;
use crate::import::{self, Format, ImportError};
use crate::io::AlignedBytes;
use crate::simplify::simplify;
use niwaki_core::error::VerifyError;
use niwaki_core::format::{DType, Model, NONE, OpCode, Place, TensorRecord, param};
use niwaki_core::kernels::nodes::BLOCK;
use niwaki_core::kernels::tiles::blocks::INDEXED_GROUP_WORDS;
use niwaki_core::kernels::tiles::compressed::{QUAD_WORDS, UNITS};
use niwaki_core::kernels::tiles::filters::GROUP;
use niwaki_core::kernels::tiles::{CONSTANT_WORDS, FILTERS, taps};
use niwaki_core::session::operators;
use std::path::{Path, PathBuf};

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A network of another tool that cannot be used.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// An imported network that has no form in a model file.
    #[error("{}: {source}", path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// What has none.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Core refused the file.
    #[error("{}: {source}", path.display())]
    Verify {
        /// The file.
        path: PathBuf,
        /// The field and the place.
        source: VerifyError,
    },
}

/// A verified model file.
pub struct ModelFile {
    /// The file.
    pub bytes: AlignedBytes,
    /// What is in it.
    pub description: Description,
}

/// [`read_with`] an export for any chip.
///
/// # Errors
/// As [`read_with`].
pub fn read(path: &Path) -> Result<ModelFile, ReadError> {
    read_with(path, |graph| Ok::<_, ExportError>(export(graph)?.0))
}

/// Reads and verifies a model file; imports and simplifies a `.tflite` file on the way, whose bytes `export` makes.
///
/// # Errors
/// [`ReadError`] names the file and what is wrong with it.
pub fn read_with<E: std::error::Error + Send + Sync + From<ExportError> + 'static>(
    path: &Path,
    export: impl FnOnce(&Graph) -> Result<AlignedBytes, E>,
) -> Result<ModelFile, ReadError> {
    let bytes = match Format::of(path) {
        Some(_) => {
            let graph = import::read(path)?;
            let simple = simplify(&graph).map_err(|error| E::from(ExportError::from(error)));
            let exported = simple.and_then(|graph| export(&graph));
            exported.map_err(|source| ReadError::Export { path: path.into(), source: Box::new(source) })?
        }
        None => {
            let bytes = std::fs::read(path).map_err(|source| ReadError::Read { path: path.into(), source })?;
            AlignedBytes::from(bytes.as_slice())
        }
    };
    let model = Model::verify(&bytes, operators::ALL);
    let description = describe(&model.map_err(|source| ReadError::Verify { path: path.into(), source })?);
    Ok(ModelFile { bytes, description })
}

/// An input or output of a model.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Port {
    /// Per-sample shape.
    pub shape: Vec<usize>,
    /// Size in memory.
    pub bytes: usize,
    /// `f32` or `i8`.
    pub dtype: &'static str,
    /// Real value of one code; 0 for floats.
    pub scale: f32,
    /// Code of the real value 0.
    pub zero_point: i32,
}

/// One operator of a model.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct OperatorInfo {
    /// Operator name.
    pub op: &'static str,
    /// How its weights lie in the file; none without weights.
    pub layout: Option<&'static str>,
    /// Element type of its activations.
    pub dtype: &'static str,
    /// Shape of the first operand.
    pub input_shape: Vec<usize>,
    /// Shape of the result.
    pub output_shape: Vec<usize>,
    /// Multiply-accumulates, padding taps included.
    pub macs: u64,
    /// Bytes of its constants.
    pub constant_bytes: u64,
    /// First byte of the result in the arena.
    pub output_offset: u64,
    /// Size of the result there; 0 for one on demand, whose rows are computed where they are read.
    pub output_bytes: u64,
    /// First byte of its working memory in the arena.
    pub scratch_offset: u64,
    /// Size of its working memory.
    pub scratch_bytes: u64,
    /// Bytes of the arena that are in use while it runs, its working memory included.
    pub live_bytes: u64,
    /// Those bytes as `[from, to)`, ascending and apart.
    pub live: Vec<[u64; 2]>,
}

/// A model file in words and numbers.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Description {
    /// Size of the file.
    pub file_bytes: u64,
    /// Working memory.
    pub arena_bytes: u64,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Weights and biases.
    pub params: u64,
    /// What the caller fills.
    pub inputs: Vec<Port>,
    /// What the caller reads.
    pub outputs: Vec<Port>,
    /// In execution order.
    pub operators: Vec<OperatorInfo>,
}

fn shape(tensor: &TensorRecord) -> Vec<usize> {
    tensor.shape().iter().map(|&d| d as usize).collect()
}

fn dtype(tensor: &TensorRecord) -> &'static str {
    tensor.element().map_or("?", DType::name)
}

/// Describes a verified model.
pub fn describe(model: &Model<'_>) -> Description {
    let tensor = |index: Option<usize>| index.and_then(|i| model.tensor(i));
    let port = |t: TensorRecord| Port {
        shape: shape(&t),
        bytes: t.bytes as usize,
        dtype: dtype(&t),
        scale: t.scale,
        zero_point: t.zero_point,
    };
    let mut params = 0;
    let operators: Vec<OperatorInfo> = (0..model.operator_count())
        .filter_map(|n| {
            let record = model.operator(n)?;
            let operands = record.inputs.iter().filter(|&&t| t != NONE).filter_map(|&t| model.tensor(t.into()));
            let constants: Vec<TensorRecord> = operands.filter(|t| t.location() == Some(Place::Data)).collect();
            let (x, y) = (model.tensor(record.inputs[0].into())?, model.tensor(record.output.into())?);
            let code = OpCode::from_code(record.code)?;
            let constant_bytes = constants.iter().map(|t| u64::from(t.bytes)).sum();
            let entries = record.inputs.get(2).and_then(|&t| model.tensor(t.into())).map_or(0, |t| t.element_count());
            let row = |t: &TensorRecord| t.element_count() / t.dim(0);
            let constant = |i: usize| constants.get(i).map_or(0, TensorRecord::element_count);
            // Tiles hold weights and biases, and some padding.
            let area: usize =
                record.params[param::TILED_KERNEL_Y..].iter().take(2).map(|&size| size as usize).product();
            let (weights, biases) = match code {
                OpCode::Conv2dTiled => (area * x.dim(2) * y.dim(2), y.dim(2)),
                OpCode::DepthwiseConv2dTiled => (area * y.dim(2), y.dim(2)),
                OpCode::DenseTiled => (x.element_count() * y.element_count(), y.element_count()),
                OpCode::Conv2dBlocks
                | OpCode::DenseBlocks
                | OpCode::Conv2dKept
                | OpCode::DenseKept
                | OpCode::Conv2dRows
                | OpCode::DenseRows
                | OpCode::Conv2dInt4
                | OpCode::DenseInt4
                | OpCode::Conv2dCodebook
                | OpCode::DenseCodebook
                | OpCode::Conv2dTaps
                | OpCode::DenseTaps
                | OpCode::DenseCompressed => {
                    let inputs =
                        if record.params[param::TILED_KERNEL_Y] == 0 { x.element_count() } else { area * x.dim(2) };
                    let outputs = y.dim(y.rank.saturating_sub(1).into());
                    (stored_weights(code, [inputs, outputs], [constant(0), constant(1)]), outputs)
                }
                // A table is made from two scales; nobody trained it.
                OpCode::Lookup => (0, 0),
                // A graph is data, not trained.
                OpCode::Propagate | OpCode::PropagateByDegree | OpCode::Attend | OpCode::Gather | OpCode::KeepEdges => {
                    (0, 0)
                }
                OpCode::SparseDense | OpCode::NodeDense => (constant(0), 0),
                // Behind the offsets of the rows of each block.
                OpCode::SparseCompressed => {
                    (compressed_weights(constant(0), record.params[param::FEATURES] as usize, row(&y)), 0)
                }
                OpCode::NodeCompressed => (compressed_weights(constant(0), row(&x), row(&y)), 0),
                _ => (constant(0), constant(1)),
            };
            let macs = match code {
                OpCode::Conv2d | OpCode::DepthwiseConv2d | OpCode::Conv2dTiled | OpCode::DepthwiseConv2dTiled => {
                    y.dim(0) * y.dim(1) * weights
                }
                OpCode::TransposeConv2d => x.dim(0) * x.dim(1) * weights,
                OpCode::Conv2dBlocks
                | OpCode::Conv2dTaps
                | OpCode::Conv2dKept
                | OpCode::Conv2dRows
                | OpCode::Conv2dInt4
                | OpCode::Conv2dCodebook => y.dim(0) * y.dim(1) * weights,
                OpCode::Dense | OpCode::DenseTiled => weights,
                OpCode::DenseBlocks
                | OpCode::DenseTaps
                | OpCode::DenseKept
                | OpCode::DenseRows
                | OpCode::DenseInt4
                | OpCode::DenseCodebook
                | OpCode::DenseCompressed => weights,
                _ if code.gathers() || matches!(code, OpCode::SparseDense | OpCode::SparseCompressed) => {
                    entries * row(&y)
                }
                OpCode::NodeDense | OpCode::NodeCompressed => y.dim(0) * weights,
                _ => 0,
            };
            let live = live(model, n);
            params += weights + biases;
            Some(OperatorInfo {
                op: code.name(),
                layout: Layout::name_of(code),
                dtype: dtype(&x),
                input_shape: shape(&x),
                output_shape: shape(&y),
                macs: macs as u64,
                constant_bytes,
                output_offset: y.offset.into(),
                output_bytes: if y.location() == Some(Place::Arena) { y.bytes.into() } else { 0 },
                scratch_offset: record.scratch_offset.into(),
                scratch_bytes: record.scratch_bytes.into(),
                live_bytes: live.iter().map(|[from, to]| to - from).sum(),
                live,
            })
        })
        .collect();
    Description {
        file_bytes: model.file_bytes() as u64,
        arena_bytes: model.arena_bytes() as u64,
        macs: operators.iter().map(|o| o.macs).sum(),
        params: params as u64,
        inputs: (0..model.input_count()).filter_map(|i| tensor(model.input(i))).map(port).collect(),
        outputs: (0..model.output_count()).filter_map(|i| tensor(model.output(i))).map(port).collect(),
        operators,
    }
}

/// Weights that a packed layer of so many inputs and outputs stores and multiplies, those that fill its units included;
/// from the lengths of its first two constants.
fn stored_weights(code: OpCode, [inputs, outputs]: [usize; 2], [words, list]: [usize; 2]) -> usize {
    let tiles = outputs.div_ceil(FILTERS);
    match code {
        OpCode::Conv2dBlocks | OpCode::DenseBlocks => {
            let groups = words.saturating_sub(CONSTANT_WORDS * tiles) / INDEXED_GROUP_WORDS;
            groups * FILTERS * GROUP
        }
        OpCode::Conv2dTaps | OpCode::DenseTaps => {
            words.saturating_sub((1 + CONSTANT_WORDS) * tiles) / taps::QUAD_WORDS * FILTERS * GROUP
        }
        OpCode::Conv2dKept | OpCode::DenseKept => list * outputs,
        OpCode::Conv2dRows | OpCode::DenseRows => list * inputs,
        // Three words of a row are no quads; rows of more than 32 units have some more.
        OpCode::DenseCompressed => words.saturating_sub(3 * outputs) / QUAD_WORDS * UNITS * 2,
        _ => inputs * outputs,
    }
}

/// Weights that `len` words of packed ones hold.
fn compressed_weights(len: usize, inputs: usize, channels: usize) -> usize {
    len.saturating_sub(inputs * channels.div_ceil(BLOCK) + 1)
}

/// The parts of the arena that hold something needed while operator `n` runs, joined where they touch.
fn live(model: &Model<'_>, n: usize) -> Vec<[u64; 2]> {
    let records: Vec<_> = (0..model.operator_count()).filter_map(|i| model.operator(i)).collect();
    let is_output = |t: usize| (0..model.output_count()).any(|i| model.output(i) == Some(t));
    let is_input = |t: usize| (0..model.input_count()).any(|i| model.input(i) == Some(t));
    let live = |t: usize| {
        let written = is_input(t) || records[..=n].iter().any(|r| r.output as usize == t);
        let reads = |user| model.reads(user).any(|read| read == t);
        let read = is_output(t) || (n..records.len()).any(reads);
        written && (read || records[n].output as usize == t)
    };
    let mut spans: Vec<(usize, usize)> = (0..model.tensor_count())
        .filter_map(|t| model.tensor(t).filter(|r| r.location() == Some(Place::Arena) && live(t)))
        .map(|t| t.span())
        .collect();
    let scratch = records[n].scratch_offset as usize;
    spans.push((scratch, scratch + records[n].scratch_bytes as usize));
    spans.sort_unstable();
    let mut joined: Vec<[u64; 2]> = Vec::new();
    for (from, to) in spans.into_iter().filter(|(from, to)| from < to) {
        let (from, to) = (from as u64, to as u64);
        match joined.last_mut() {
            Some([_, end]) if from <= *end => *end = to.max(*end),
            _ => joined.push([from, to]),
        }
    }
    joined
}
