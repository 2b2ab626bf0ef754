//! The state of a run after an epoch: one file, replaced as a whole.

use super::{EpochRow, METRICS_FILE, Phase, TrainError, qat, weights};
use crate::engine::Slots;
use crate::graph::Graph;
use crate::io::atomic::{self, WriteError};
use crate::quantize::Quantize;
use crate::sparsify::{SparsifyError, blocks::blocks, remove::drop_blocks};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, path::Path};

/// The checkpoint of a run folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// What the keys of the optimizer's slots begin with.
const SLOT: &str = "optimizer.";
/// Slots that every file has, zeros where the rule does not keep them: files of before there were others read on.
const ALWAYS: [&str; 2] = ["m", "v"];
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

/// Everything that the rest of a run depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    /// The network before training: names and the sizes that nothing was pruned from.
    pub(super) initial: Graph,
    pub(super) graph: Graph,
    /// The optimizer's state when the phase goes on.
    pub(super) slots: Slots,
    /// One byte a group, 1 for those that are left; empty where nothing was dropped yet.
    pub(super) alive: Vec<u8>,
    pub(super) progress: Progress,
}

impl Checkpoint {
    pub(super) fn start(graph: Graph) -> Self {
        let progress = Progress { phase: Phase::Dense, epoch: 0, epochs: Vec::new(), left_out: Vec::new() };
        Self { initial: graph.clone(), graph, slots: Slots::default(), alive: Vec::new(), progress }
    }

    /// Begins `phase` with a fresh optimizer.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.progress.phase = phase;
        self.progress.epoch = 0;
        self.slots = Slots::default();
        self.alive = Vec::new();
    }

    /// Writes the run with the optimizer's state as it is.
    pub(super) fn save(&self, slots: &Slots, path: &Path) -> Result<(), WriteError> {
        let mut tensors = weights::views(&self.graph);
        let zeros = vec![0.0; slots.iter().map(|(_, values)| values.len()).max().unwrap_or(0)];
        let missing = ALWAYS.into_iter().filter(|name| slots.get(name).is_none());
        for (name, values) in slots.iter().chain(missing.map(|name| (name, &zeros[..]))) {
            let bytes: &[u8] = bytemuck::cast_slice(values);
            let view = TensorView::new(Dtype::F32, vec![values.len()], bytes);
            tensors.extend(view.ok().map(|view| (format!("{SLOT}{name}"), view)));
        }
        let alive = TensorView::new(Dtype::U8, vec![self.alive.len()], &self.alive);
        tensors.extend(alive.ok().map(|view| (ALIVE.to_string(), view)));
        let progress = serde_json::to_string(&self.progress).unwrap_or_default();
        atomic::write(path, &weights::serialize(tensors, Some(HashMap::from([(PROGRESS.into(), progress)]))))
    }

    /// The network as it was cut, with the values and sizes that it started with.
    pub(super) fn pruned_structure(&self) -> Result<Graph, SparsifyError> {
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
            let slots: Result<Vec<_>, String> = file
                .iter()
                .filter_map(|(key, view)| Some((key.strip_prefix(SLOT)?.to_owned(), weights::f32s(key, &view))))
                .map(|(name, values)| Ok((name, values?)))
                .collect();
            let mut structure = without_blocks(initial, &progress.left_out).map_err(|e| e.to_string())?;
            if progress.phase == Phase::Qat {
                structure = qat::structure(&structure, quantize).map_err(|e| e.to_string())?;
            }
            let graph = weights::fill(&file, &structure)?;
            let alive = file.tensor(ALIVE).map_err(|e| e.to_string())?.data().to_vec();
            Ok(Self { initial: initial.clone(), graph, slots: Slots::with_values(slots?), alive, progress })
        };
        parse().map(Some).map_err(|what| broken(format!("is no checkpoint of this run ({what})")))
    }
}

/// Writes the lines of [`METRICS_FILE`].
pub(super) fn save_metrics(dir: &Path, epochs: &[EpochRow]) -> Result<(), WriteError> {
    let lines = epochs.iter().filter_map(|row| serde_json::to_string(row).ok()).map(|line| line + "\n");
    atomic::write(&dir.join(METRICS_FILE), lines.collect::<String>().as_bytes())
}

/// `graph` without the blocks whose additions are called `names`.
fn without_blocks(graph: &Graph, names: &[String]) -> Result<Graph, SparsifyError> {
    let mut graph = graph.clone();
    let left_out: Vec<_> = blocks(&graph).into_iter().filter(|block| names.contains(&block.name)).collect();
    drop_blocks(&mut graph, &left_out)?;
    Ok(graph)
}
