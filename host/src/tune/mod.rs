//! Which layout each layer gets: by measured costs, within what the user has of flash, RAM and instructions.
//!
//! A layer's candidates are the plain layout and every [`Layout`](crate::export::Layout) that it can be packed in and that
//! is no larger than the dense one. All compute the same outputs, so the choice is of time and room alone: of all choices,
//! those that no other beats in both.

pub mod cost;
mod plan;
mod planner;
mod work;

pub use plan::{Candidate, LayerPlan, Needs, Plan, Shortfall, plan_of, write_planned};
pub use work::work;

use crate::export::read::{ModelFile, ReadError, read_with};
use crate::export::{ExportError, Room, export_within, is_over_graph};
use crate::graph::Graph;
use crate::hardware::{Chip, Isa};
use crate::io::AlignedBytes;
use crate::plan::Arena;
use crate::plan::limits::{Least, Limits};
use cost::CostTable;
use planner::Planner;
use std::path::Path;

/// Why a model cannot be planned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// It has no form in a file.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// No layouts of the layers keep the limits of the target.
    #[error("{0}")]
    Limits(Box<Shortfall>),
}

/// What `limits` leave a network over a graph beside a stack of at most 3 KiB and code of at most 40 KiB.
pub fn room(limits: &Limits) -> Room {
    const STACK_BYTES: u64 = 3 << 10;
    const CODE_BYTES: u64 = 40 << 10;
    let left = |limit: Option<u64>, taken| limit.map_or(usize::MAX, |limit| limit.saturating_sub(taken) as usize);
    let file_bytes = if limits.least == Least::Flash { 0 } else { left(limits.flash, CODE_BYTES) };
    Room { ram_bytes: left(limits.ram, STACK_BYTES), file_bytes }
}

/// The bytes of the file of `graph` with the layouts that cost least on `chip` within `limits`.
///
/// A chip without a cost table, and a network over a graph, get what [`export_within`] gives.
///
/// # Errors
/// [`TuneError::Limits`] if no plan keeps the limits.
pub fn export_planned(
    graph: &Graph,
    chip: Option<Chip>,
    limits: &Limits,
) -> Result<(AlignedBytes, Arena, Option<Plan>), TuneError> {
    let isa = chip.map_or(Isa::Portable, Chip::isa);
    let Some(table) = chip.and_then(CostTable::of).filter(|_| !is_over_graph(graph)) else {
        let (file, arena) = export_within(graph, isa, room(limits))?;
        return Ok((file, arena, None));
    };
    let planner = Planner::new(graph, table, limits)?;
    let found = planner.best(limits);
    let chosen = found.as_ref().unwrap_or(&planner.smallest);
    let (file, arena, plan) = planner.export(chosen, limits)?;
    if plan.needs.excess(limits) > 0.0 {
        return Err(TuneError::Limits(Box::new(planner.shortfall(plan, limits)?)));
    }
    Ok((file, arena, Some(plan)))
}

/// Reads a model file with the plan beside it. A `.tflite` file is imported and exported as [`export_planned`] does.
///
/// # Errors
/// [`ReadError`] names the file and what is wrong with it; within, [`TuneError::Limits`].
pub fn read_planned(path: &Path, chip: Option<Chip>, limits: &Limits) -> Result<(ModelFile, Option<Plan>), ReadError> {
    let mut planned = None;
    let model = read_with(path, |graph| -> Result<AlignedBytes, TuneError> {
        let (bytes, _, plan) = export_planned(graph, chip, limits)?;
        planned = plan;
        Ok(bytes)
    })?;
    let plan = planned.or_else(|| plan_of(path, &model.bytes));
    Ok((model, plan))
}
