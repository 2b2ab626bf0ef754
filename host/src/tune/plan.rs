//! How a model came to be as it is, for people and beside its file.

use crate::io::atomic::{self, WriteError};
use crate::io::format;
use crate::plan::limits::Limits;
use niwaki_core::format::crc32;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A layout that a layer can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The layout's name; `plain` where nothing is packed.
    pub layout: String,
    /// Bytes of the file that go with it.
    pub bytes: u64,
    /// Estimated instructions.
    pub instructions: u64,
    /// Working memory in bytes.
    pub scratch_bytes: u64,
    /// Whether the arena has room for it within the limit.
    pub fits_ram: bool,
}

/// What was chosen for a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerPlan {
    /// The node's name.
    pub name: String,
    /// Its place in execution order.
    pub operator: usize,
    /// What was chosen among.
    pub candidates: Vec<Candidate>,
    /// The index of the candidate that was taken.
    pub chosen: usize,
    /// Why, in words.
    pub why: String,
}

impl LayerPlan {
    /// The candidate that was taken; none in a plan that somebody changed.
    pub fn taken(&self) -> Option<&Candidate> {
        self.candidates.get(self.chosen)
    }
}

/// What a model will need. Instructions and code are estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Needs {
    /// Bytes of arena and stack.
    pub ram: u64,
    /// Bytes of model and code.
    pub flash: u64,
    /// Executed instructions of one inference.
    pub instructions: u64,
}

/// How an exported model came to be as it is; lies beside it, as `model.plan.json` beside `model.niwaki`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The chip.
    pub chip: String,
    /// The limits that were kept.
    pub limits: Limits,
    /// What the model will need.
    pub needs: Needs,
    /// The layers that had a choice.
    pub layers: Vec<LayerPlan>,
    /// Operators whose instructions are not in [`Needs::instructions`], as no table has them.
    pub not_counted: Vec<String>,
    /// Checksum of the model that this is about.
    pub checksum: u32,
}

/// Limits that no plan keeps, with the plan that comes closest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The closest plan.
    pub closest: Plan,
    /// What would have to give, one remedy a line.
    pub remedies: Vec<String>,
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Plan { chip, limits, needs, .. } = &self.closest;
        write!(f, "no layouts of the weights keep the limits of the {chip}; the closest plan")?;
        for (what, need, limit) in needs.beside(limits) {
            write!(f, "\n  takes {} {what} of {}", format::exact(need), format::exact(limit))?;
        }
        for remedy in &self.remedies {
            write!(f, "\n  {remedy}")?;
        }
        Ok(())
    }
}

impl Needs {
    /// The quantities that have a limit: what they are, the need, the limit.
    fn beside(&self, limits: &Limits) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let all = [
            ("bytes of RAM", self.ram, limits.ram),
            ("bytes of flash", self.flash, limits.flash),
            ("instructions", self.instructions, limits.instructions),
        ];
        all.into_iter().filter_map(|(what, need, limit)| Some((what, need, limit?)))
    }

    /// The largest part by which a limit is passed; 0 where all are kept.
    pub(super) fn excess(&self, limits: &Limits) -> f64 {
        let over = |(_, need, limit): (_, u64, u64)| need as f64 / (limit as f64).max(1.0) - 1.0;
        self.beside(limits).map(over).fold(0.0, f64::max)
    }
}

/// Writes a model with its plan beside it, where there is one; a plan of what was there before is removed.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_planned(path: &Path, model: &[u8], plan: Option<&Plan>) -> Result<(), WriteError> {
    atomic::write(path, model)?;
    match plan.map(serde_json::to_string_pretty) {
        Some(Ok(text)) => atomic::write(&plan_path(path), text.as_bytes()),
        _ => {
            drop(std::fs::remove_file(plan_path(path)));
            Ok(())
        }
    }
}

/// The file of the plan beside a model.
fn plan_path(model: &Path) -> PathBuf {
    model.with_extension("plan.json")
}

/// The plan beside a model file, where there is one that is about these bytes.
pub fn plan_of(path: &Path, model: &[u8]) -> Option<Plan> {
    let text = std::fs::read_to_string(plan_path(path)).ok()?;
    let plan: Plan = serde_json::from_str(&text).ok()?;
    (plan.checksum == crc32(model)).then_some(plan)
}
