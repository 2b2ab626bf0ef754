//! What operators cost on a chip, by the tables in `host/data/costs`, which were measured there.
//!
//! An operator's instructions are a sum of terms that are known before it runs, each times a factor of its kernel: the
//! tables hold the factors. `cargo run --release -p niwaki-tests --bin costs` makes them.

use super::work::ANY;
pub use super::work::{TERMS, Work};
use crate::hardware::Chip;
use niwaki_core::ops::OpCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What one operator code costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorCost {
    /// Flash that its kernel takes in the smallest program with a session.
    pub code_bytes: u64,
    /// By [`Work::case`].
    pub cases: BTreeMap<String, CaseCost>,
}

/// What one of a kernel's loops costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseCost {
    /// Executed instructions for each unit of [`Work::terms`].
    pub instructions: [f64; TERMS],
    /// Layers that were measured.
    pub layers: usize,
    /// The part by which the sum misses a measured layer: the mean and the largest.
    pub error: [f64; 2],
}

/// What operators cost on one chip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostTable {
    /// The chip's name.
    pub chip: String,
    /// Flash of the smallest program with a session, its operators aside.
    pub base_code_bytes: u64,
    /// The deepest stack of a run that was measured.
    pub stack_bytes: u64,
    /// By the names of operator codes.
    pub operators: BTreeMap<String, OperatorCost>,
}

/// The tables that were measured.
static TABLES: LazyLock<Vec<CostTable>> = LazyLock::new(|| {
    let texts = Chip::EMULATED.iter().filter_map(|chip| chip.spec()?.costs);
    texts.filter_map(|text| serde_json::from_str(text).ok()).collect()
});

impl CostTable {
    /// The table of a chip; there is none for [`Chip::Host`] and for chips on which nothing was measured yet.
    pub fn of(chip: Chip) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.chip == chip.to_string())
    }

    /// Executed instructions of an operator; none where its code was not measured.
    pub fn instructions(&self, code: OpCode, work: &Work) -> Option<f64> {
        let cases = &self.operators.get(code.name())?.cases;
        let cost = cases.get(work.case).or_else(|| cases.get(ANY))?;
        Some(cost.instructions.iter().zip(work.terms()).map(|(each, count)| each * count).sum())
    }

    /// Flash of a program around a session with these operators, the model aside. Kernels that share code count it
    /// twice: at most this.
    pub fn code_bytes(&self, codes: impl IntoIterator<Item = OpCode>) -> u64 {
        let names: std::collections::BTreeSet<&str> = codes.into_iter().map(OpCode::name).collect();
        let each = names.iter().filter_map(|name| self.operators.get(*name));
        self.base_code_bytes + each.map(|cost| cost.code_bytes).sum::<u64>()
    }
}
