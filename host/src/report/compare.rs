//! What a comparison of methods found: its cells, their means over seeds, and which method is best at each cost.

pub mod console;
pub mod html;
mod means;
mod plot;
#[cfg(test)]
mod tests;

pub use means::{Cost, Row, Spread};

use super::ReportError;
use crate::io::atomic;
use crate::recipe::Unit;
use serde::Serialize;
use std::path::Path;

/// File of the data in the folder of a comparison.
pub const JSON_FILE: &str = "compare.json";
/// File of the page in the folder of a comparison.
pub const HTML_FILE: &str = "compare.html";

/// A cost in running text.
pub(crate) fn unit_words(unit: Unit) -> &'static str {
    if unit == Unit::Macs { "MACs" } else { unit.name() }
}

/// All cells that are finished, and what they are compared by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Headline.
    pub title: String,
    /// Name of the data set.
    pub dataset: String,
    /// Name of the network.
    pub model: String,
    /// Where instructions were counted.
    pub chip: String,
    /// The cost that methods are given.
    pub unit: Unit,
    /// Names, in the order of the rows.
    pub methods: Vec<String>,
    /// Shares of the dense network's cost, in the order of the rows.
    pub keeps: Vec<f64>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Cells in all; fewer have a result while the comparison is under way.
    pub planned: usize,
    /// Cells with a result, in the order in which they were run.
    pub cells: Vec<Cell>,
    /// Cells without one.
    pub failed: Vec<Failure>,
    /// Remarks, a sentence each.
    pub notes: Vec<String>,
}

impl Default for Comparison {
    fn default() -> Self {
        let (text, unit) = (String::new, Unit::Instructions);
        let (title, dataset, model, chip) = (text(), text(), text(), text());
        let (methods, keeps, seeds, notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (planned, cells, failed) = (0, Vec::new(), Vec::new());
        Self { title, dataset, model, chip, unit, methods, keeps, seeds, planned, cells, failed, notes }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Name of its folder.
    pub name: String,
    /// Name of its method, or `dense`.
    pub method: String,
    /// Share of the dense network's cost; none for the dense network itself.
    pub keep: Option<f64>,
    /// The cost that `keep` is a share of.
    pub keep_unit: Option<Unit>,
    /// Seed.
    pub seed: u64,
    /// Share of test samples that the float network classifies right, 0 to 1.
    pub accuracy_f32: f64,
    /// The same of the exported network.
    pub accuracy_int8: f64,
    /// Multiply-accumulates with weights that are not zero.
    pub macs: u64,
    /// Number of trained values that are left.
    pub params: u64,
    /// Size of the exported file.
    pub model_bytes: u64,
    /// Working memory for tensors.
    pub arena_bytes: u64,
    /// Executed instructions of one inference on the chip, if it ran there.
    pub instructions: Option<u64>,
    /// Whether host and chip gave the same bytes.
    pub bytes_equal: Option<bool>,
    /// Wall-clock time of training.
    pub seconds: f64,
}

/// A run without a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Name of its folder.
    pub cell: String,
    /// Whether it was to be a dense network, which all of its seed start from.
    pub is_dense: bool,
    /// Why.
    pub error: String,
}

impl Comparison {
    /// What must be known beside the table: remarks, what is missing, and cells whose bytes differ on the chip.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let differ: Vec<&str> =
            self.cells.iter().filter(|c| c.bytes_equal == Some(false)).map(|c| c.name.as_str()).collect();
        if !differ.is_empty() {
            remarks.push(format!("HOST AND CHIP DISAGREE: {}.", differ.join(", ")));
        }
        let through = self.cells.len() + self.failed.len();
        if through < self.planned {
            remarks.push(format!("{through} of {} cells are through.", self.planned));
        }
        remarks.extend(self.notes.iter().cloned());
        remarks.extend(self.failed.iter().map(|f| format!("{} failed: {}", f.cell, f.error)));
        remarks
    }

    /// Everything, with rows and verdicts; unknown costs are null.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).expect("plain data with string keys");
        json["rows"] = serde_json::to_value(self.rows()).expect("plain data with string keys");
        json["verdicts"] = self.verdicts().into();
        json
    }

    /// Writes [`JSON_FILE`] and [`HTML_FILE`].
    ///
    /// # Errors
    /// [`ReportError::Write`] names the file.
    pub fn save(&self, dir: &Path) -> Result<(), ReportError> {
        atomic::write(&dir.join(JSON_FILE), format!("{:#}\n", self.to_json()).as_bytes())?;
        atomic::write(&dir.join(HTML_FILE), html::render(self).as_bytes())?;
        Ok(())
    }
}
