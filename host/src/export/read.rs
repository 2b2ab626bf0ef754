//! An exported file read back for people: operators, shapes, multiply-accumulates, the arena.

use super::{ExportError, Layout, export};
use crate::graph::Graph;
use crate::import::{self, Format, ImportError};
use crate::io::AlignedBytes;
use crate::simplify::simplify;
use niwaki_core::error::VerifyError;
use niwaki_core::format::{DType, Model, NONE, Place, TensorRecord};
use niwaki_core::ops::{self, OpCode};
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
    let model = Model::verify(&bytes, ops::ALL);
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
    let port = |t: &TensorRecord| Port {
        shape: shape(t),
        bytes: t.bytes as usize,
        dtype: dtype(t),
        scale: t.scale,
        zero_point: t.zero_point,
    };
    let mut params = 0;
    let operators: Vec<OperatorInfo> = (0..model.operator_count())
        .filter_map(|n| {
            let record = model.operator(n)?;
            let operands = record.inputs.iter().filter(|&&t| t != NONE).filter_map(|&t| model.tensor(t.into()));
            let constants: Vec<&TensorRecord> = operands.filter(|t| t.location() == Some(Place::Data)).collect();
            let (x, y) = (model.tensor(record.inputs[0].into())?, model.tensor(record.output.into())?);
            let code = OpCode::from_byte(record.code)?;
            let constant_bytes = constants.iter().map(|t| u64::from(t.bytes)).sum();
            let (cost, _) = model.step(n)?.describe().ok()?;
            let live = live(model, n);
            params += cost.weights + cost.biases;
            Some(OperatorInfo {
                op: code.name(),
                layout: code.layer_layout().map(Layout::name),
                dtype: dtype(x),
                input_shape: shape(x),
                output_shape: shape(y),
                macs: cost.macs as u64,
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
        inputs: (0..model.input_count()).filter_map(|i| tensor(model.input_tensor(i))).map(port).collect(),
        outputs: (0..model.output_count()).filter_map(|i| tensor(model.output_tensor(i))).map(port).collect(),
        operators,
    }
}

/// The parts of the arena that hold something needed while operator `n` runs, joined where they touch.
fn live(model: &Model<'_>, n: usize) -> Vec<[u64; 2]> {
    let records: Vec<_> = (0..model.operator_count()).filter_map(|i| model.operator(i)).collect();
    let is_output = |t: usize| (0..model.output_count()).any(|i| model.output_tensor(i) == Some(t));
    let is_input = |t: usize| (0..model.input_count()).any(|i| model.input_tensor(i) == Some(t));
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
