//! What a run found, for people: a data model, a console table, and one self-contained HTML page.
//!
//! Nothing here prints: [`console::render`] and [`html::render`] return text. A run folder stores the data as
//! `report.json`, so that the page can be drawn again.

mod arena;
mod charts;
pub mod compare;
pub mod console;
mod degrees;
pub mod html;
mod operator_bars;
mod page;
#[cfg(test)]
mod tests;

use crate::io::{atomic, format};
pub use crate::train::EpochRow;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// File of the data in a run folder.
pub const JSON_FILE: &str = "report.json";
/// File of the page in a run folder.
pub const HTML_FILE: &str = "report.html";

/// Stands wherever instructions are shown.
const INSTRUCTIONS_NOTE: &str = "Instructions are counted on the emulated chip; they are not cycles.";
/// Stands wherever estimated cycles are shown.
const CYCLES_NOTE: &str = "Cycles are estimated for a Cortex-M4: zero wait states, taken branch 1+2.";

/// Everything the console table and the page show.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Headline.
    pub title: String,
    /// Name of the data set.
    pub dataset: String,
    /// Name of the network.
    pub model: String,
    /// Seed of the run.
    pub seed: u64,
    /// The network after each step; the first one is what the others are compared with.
    pub stages: Vec<Stage>,
    /// Operators of the exported model, in execution order.
    #[serde(default)]
    pub operators: Vec<OperatorRow>,
    /// Where the exported model keeps its tensors; empty if it was not exported.
    #[serde(default)]
    pub arena: ArenaMap,
    /// One row an epoch, in order.
    #[serde(default)]
    pub training: Vec<EpochRow>,
    /// Whether host and chip gave the same bytes on every test input; `None` if there was no chip.
    #[serde(default)]
    pub bytes_equal: Option<bool>,
    /// What is left of a graph; `None` for networks over samples.
    #[serde(default)]
    pub graph: Option<GraphSparsity>,
    /// Remarks, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A graph before and, where edges went, after.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GraphSparsity {
    /// How many nodes have 0, 1, 2, … neighbours.
    pub degrees: Vec<Vec<u64>>,
    /// Directed edges.
    pub edges: Vec<u64>,
    /// Weights that are not zero.
    pub weights: Vec<u64>,
}

/// The network after one step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Stage {
    /// `dense`, `sparse`, `int8`, …
    pub name: String,
    /// Share of test samples that are classified right, 0 to 1.
    pub accuracy: f64,
    /// Mean loss over the test samples.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Number of trained values that are left.
    pub params: u64,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Those with weights that are not zero; fewer than all where a method sets weights to zero and leaves them there.
    #[serde(default)]
    pub nonzero_macs: Option<u64>,
    /// Size of the weights or of the exported file.
    #[serde(default)]
    pub model_bytes: Option<u64>,
    /// Executed instructions of one inference on the chip: a count, not cycles.
    #[serde(default)]
    pub instructions: Option<u64>,
    /// Estimated cycles of one inference on a Cortex-M4, see [`crate::chip::cycles`].
    #[serde(default)]
    pub est_cycles: Option<u64>,
    /// Working memory for tensors.
    #[serde(default)]
    pub arena_bytes: Option<u64>,
    /// Deepest stack.
    #[serde(default)]
    pub stack_bytes: Option<u64>,
    /// Flash taken by code.
    #[serde(default)]
    pub code_bytes: Option<u64>,
    /// Wall-clock time of the step on the host.
    #[serde(default)]
    pub seconds: f64,
}

/// One operator of the exported model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OperatorRow {
    /// Node name.
    pub name: String,
    /// Operator name.
    pub op: String,
    /// Per-sample shape of the first operand.
    pub input_shape: Vec<usize>,
    /// Per-sample shape of the result.
    pub output_shape: Vec<usize>,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Bytes of its constants.
    pub weight_bytes: u64,
    /// Executed instructions on the chip.
    #[serde(default)]
    pub instructions: Option<u64>,
}

/// The arena over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ArenaMap {
    /// Size of the arena.
    pub total_bytes: u64,
    /// Every tensor that lives in it.
    pub tensors: Vec<ArenaTensor>,
}

/// A tensor in the arena: a rectangle of time and addresses.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ArenaTensor {
    /// Tensor name.
    pub name: String,
    /// First byte.
    pub offset: u64,
    /// Length.
    pub bytes: u64,
    /// Index into [`Report::operators`] of the operator that writes it (0 for an input).
    pub first_op: usize,
    /// Index of the last operator that needs it, inclusive.
    pub last_op: usize,
}

/// Why a report could not be stored or read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a report.
    #[error("{}: not a report: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The parser's reason, with line and column.
        source: serde_json::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] atomic::WriteError),
}

impl Report {
    /// Writes [`JSON_FILE`] and [`HTML_FILE`] to a run folder.
    ///
    /// # Errors
    /// [`ReportError::Write`] names the file.
    pub fn save(&self, run_dir: &Path) -> Result<(), ReportError> {
        let json = serde_json::to_vec_pretty(self).expect("plain data with string keys");
        atomic::write(&run_dir.join(JSON_FILE), &json)?;
        atomic::write(&run_dir.join(HTML_FILE), html::render(self).as_bytes())?;
        Ok(())
    }

    /// Reads [`JSON_FILE`] of a run folder.
    ///
    /// # Errors
    /// [`ReportError::Read`] or [`ReportError::Format`], with the file.
    pub fn load(run_dir: &Path) -> Result<Self, ReportError> {
        let path = run_dir.join(JSON_FILE);
        match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|source| ReportError::Format { path, source }),
            Err(source) => Err(ReportError::Read { path, source }),
        }
    }

    /// What the run came to, in two sentences: the last stage against the first, and what it needs on a chip.
    pub fn verdict(&self) -> [String; 2] {
        let Some((first, last)) = self.stages.first().zip(self.stages.last()) else {
            return ["No stage has finished yet.".into(), "Nothing was measured.".into()];
        };
        [compared(first, last), self.needs(last)]
    }

    fn needs(&self, stage: &Stage) -> String {
        let parts = [("arena", stage.arena_bytes), ("stack", stage.stack_bytes), ("code", stage.code_bytes)];
        let parts = parts.iter().filter_map(|(what, n)| n.map(|n| format!("{} of {what}", format::bytes(n))));
        let parts: Vec<String> = parts.collect();
        let needs = if parts.is_empty() { String::new() } else { format!("It needs {}. ", parts.join(", ")) };
        let same = match self.bytes_equal {
            Some(true) => "Host and chip give the same bytes.",
            Some(false) => "HOST AND CHIP DISAGREE: do not ship this model.",
            None => "It was not run on a chip.",
        };
        needs + same
    }
}

fn compared(first: &Stage, last: &Stage) -> String {
    let accuracy = format::percent(last.accuracy);
    if first.name == last.name {
        return format!("{} classifies {accuracy} of the test samples right.", last.name);
    }
    let distance = format::points_from(last.accuracy, first.accuracy, &first.name);
    let pairs = [
        ("size", first.model_bytes.zip(last.model_bytes)),
        ("MACs", Some((first.macs, last.macs))),
        ("instructions", first.instructions.zip(last.instructions)),
    ];
    let ratio = |(what, pair): &(&str, Option<(u64, u64)>)| {
        let (base, value) = (*pair)?;
        Some(format!("{} the {what}", format::ratio(value, base)?))
    };
    let ratios: Vec<String> = pairs.iter().filter_map(ratio).collect();
    let costs = match ratios.as_slice() {
        [] => String::new(),
        [only] => format!(", at {only}"),
        [others @ .., last] => format!(", at {} and {last}", others.join(", ")),
    };
    format!("{} classifies {accuracy} of the test samples right, {distance}{costs}.", last.name)
}
