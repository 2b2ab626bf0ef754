//! The state of a run after an epoch: one file, replaced as a whole.

use super::{EpochRow, Phase, TrainError, qat, weights};
use crate::graph::{Graph, GraphError};
use crate::io::atomic::{self, WriteError};
use crate::quantize::Quantize;
use crate::sparsify::{blocks::blocks, remove::drop_blocks};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, path::Path};

/// The checkpoint of a run folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// Keys of the optimizer's moments.
const MOMENTS: [&str; 2] = ["optimizer.m", "optimizer.v"];
/// Key of the groups that are left.
const ALIVE: &str = "sparsity.alive";
/// Key of [`Progress`] in the file's metadata.
const PROGRESS: &str = "progress";

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) phase: Phase,
    /// Epochs of the phase that are done.
    pub(super) epoch: usize,
    /// Every epoch so far.
    pub(super) epochs: Vec<EpochRow>,
    /// Blocks that were left out, by the names of their additions.
    #[serde(default)]
    pub(super) left_out: Vec<String>,
}

/// The optimizer's state, one entry a trained value.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Moments {
    pub(super) m: Vec<f32>,
    pub(super) v: Vec<f32>,
}

impl Moments {
    /// Makes room for a network's values; zeros where there was nothing.
    pub(super) fn resize(&mut self, len: usize) {
        self.m.resize(len, 0.0);
        self.v.resize(len, 0.0);
    }
}

/// Everything that the rest of a run depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    /// The network before training: names and the sizes that nothing was pruned from.
    pub(super) initial: Graph,
    pub(super) graph: Graph,
    pub(super) moments: Moments,
    /// One byte a group, 1 for those that are left; empty where nothing was dropped yet.
    pub(super) alive: Vec<u8>,
    pub(super) progress: Progress,
}

impl Checkpoint {
    pub(super) fn start(graph: Graph) -> Self {
        let progress = Progress { phase: Phase::Dense, epoch: 0, epochs: Vec::new(), left_out: Vec::new() };
        Self { initial: graph.clone(), graph, moments: Moments::default(), alive: Vec::new(), progress }
    }

    /// Begins `phase` with a fresh optimizer.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.epoch = 0;
        self.moments = Moments::default();
        self.alive = Vec::new();
    }

    pub(super) fn save(&self, path: &Path) -> Result<(), WriteError> {
        let mut tensors = weights::views(&self.graph);
        for (name, values) in MOMENTS.iter().zip([&self.moments.m, &self.moments.v]) {
            let bytes: &[u8] = bytemuck::cast_slice(values);
            tensors.extend(TensorView::new(Dtype::F32, vec![values.len()], bytes).ok().map(|v| (name.to_string(), v)));
        }
        let alive = TensorView::new(Dtype::U8, vec![self.alive.len()], &self.alive);
        tensors.extend(alive.ok().map(|view| (ALIVE.to_string(), view)));
        let progress = serde_json::to_string(&self.progress).unwrap_or_default();
        atomic::write(path, &weights::serialize(tensors, Some(HashMap::from([(PROGRESS.into(), progress)]))))
    }

    /// The network as it was cut, with the values and sizes that it started with.
    pub(super) fn pruned_structure(&self) -> Result<Graph, GraphError> {
        without_blocks(&self.initial, &self.progress.left_out)
    }

    /// The checkpoint at `path` of a run that started from `initial` and is quantised as `quantize` says; `None` if there
    /// is no such file.
    pub(super) fn load(path: &Path, initial: &Graph, quantize: &Quantize) -> Result<Option<Self>, TrainError> {
        let broken = |what: String| TrainError::Broken { path: path.into(), what };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(broken(format!("cannot be read ({e})"))),
        };
        let parse = || -> Result<Self, String> {
            let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| e.to_string())?;
            let file = SafeTensors::deserialize(&bytes).map_err(|e| e.to_string())?;
            let text = header.metadata().as_ref().and_then(|m| m.get(PROGRESS)).ok_or("has no progress")?;
            let progress: Progress = serde_json::from_str(text).map_err(|e| e.to_string())?;
            let moments = |name| weights::f32s(name, &file.tensor(name).map_err(|e| e.to_string())?);
            let [m, v] = MOMENTS.map(moments);
            let mut structure = without_blocks(initial, &progress.left_out).map_err(|e| e.to_string())?;
            if progress.phase == Phase::Qat {
                structure = qat::structure(&structure, quantize).map_err(|e| e.to_string())?;
            }
            let graph = weights::fill(&file, &structure)?;
            let alive = file.tensor(ALIVE).map_err(|e| e.to_string())?.data().to_vec();
            Ok(Self { initial: initial.clone(), graph, moments: Moments { m: m?, v: v? }, alive, progress })
        };
        parse().map(Some).map_err(|what| broken(format!("is no checkpoint of this run ({what})")))
    }
}

/// `graph` without the blocks whose additions are called `names`.
fn without_blocks(graph: &Graph, names: &[String]) -> Result<Graph, GraphError> {
    let mut graph = graph.clone();
    let left_out: Vec<_> = blocks(&graph).into_iter().filter(|block| names.contains(&block.name)).collect();
    drop_blocks(&mut graph, &left_out)?;
    Ok(graph)
}
