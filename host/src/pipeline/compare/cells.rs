//! The cells of a comparison: the dense network of each seed, and every method at every cost.

use crate::chip::Chip;
use crate::recipe::{Model, Recipe};
use crate::report::Report;
use crate::report::compare::Cell;
use crate::sparsify::Sparsity;
use crate::sparsify::options::{Budget, GroupKind, Method, Unit};
use std::path::Path;

/// A cell that is to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its folder's name.
    pub name: String,
    /// What is run.
    pub recipe: Recipe,
    /// The share of the dense network's cost; none for the dense network.
    pub keep: Option<f64>,
}

impl Planned {
    pub(super) fn epochs(&self) -> usize {
        let s = &self.recipe.sparsity;
        let sparse = s.ramp_epochs + s.half_space_epochs + s.finetune_epochs;
        // One more for what is measured at the end.
        let qat = self.recipe.quantize.qat_epochs;
        1 + qat + if s.method == Method::None { self.recipe.train.epochs } else { sparse }
    }

    /// The result that an earlier comparison left, if it ran on the chip where it is to.
    pub(super) fn finished(&self, dir: &Path, chip: Option<Chip>) -> Option<Cell> {
        let report = Report::load(dir).ok()?;
        if chip.is_some() && report.bytes_equal.is_none() {
            return None;
        }
        let float = report.stages.iter().rfind(|s| s.name.ends_with("-f32"))?;
        let int8 = report.stages.iter().find(|s| s.name == "int8-host")?;
        let sparsity = &self.recipe.sparsity;
        Some(Cell {
            name: self.name.clone(),
            method: if self.keep.is_some() { sparsity.method.name() } else { DENSE }.into(),
            keep: self.keep,
            keep_unit: sparsity.budget.map(|budget| budget.unit),
            seed: self.recipe.train.seed,
            accuracy_f32: float.accuracy,
            accuracy_int8: int8.accuracy,
            macs: float.nonzero_macs.unwrap_or(float.macs),
            params: float.params,
            model_bytes: int8.model_bytes?,
            arena_bytes: int8.arena_bytes?,
            instructions: report.stages.iter().rev().find_map(|s| s.instructions),
            bytes_equal: report.bytes_equal,
            seconds: report.training.iter().map(|e| e.seconds).sum(),
        })
    }
}

/// What the dense network is called where methods stand.
const DENSE: &str = "dense";

/// The cells of a recipe in the order in which they are run: for each seed the dense network, then the methods at the
/// first cost, and so on.
pub fn plan(recipe: &Recipe, dir: &Path) -> Vec<Planned> {
    let compare = recipe.compare.clone().unwrap_or_default();
    let mut cells = Vec::new();
    for &seed in &compare.seeds {
        let mut dense = Recipe { compare: None, sparsity: Sparsity::default(), ..recipe.clone() };
        dense.train.seed = seed;
        let name = format!("{DENSE}-seed{seed}");
        let run = Some(dir.join(&name));
        cells.push(Planned { name, recipe: dense.clone(), keep: None });
        for &keep in &compare.keeps {
            for &method in &compare.methods {
                let mut sparse = dense.clone();
                sparse.model = Model { run: run.clone(), ..Model::default() };
                sparse.train.epochs = 0;
                let groups = groups(method, recipe.sparsity.groups);
                let unit = if groups.is_removed() { compare.unit } else { Unit::Macs };
                let budget = Some(Budget { unit, limit: keep });
                sparse.sparsity = Sparsity { method, groups, keep, budget, ..recipe.sparsity.clone() };
                let name = format!("{}-{keep}-seed{seed}", method.name());
                cells.push(Planned { name, recipe: sparse, keep: Some(keep) });
            }
        }
    }
    cells
}

/// The groups of a method: those of the recipe, but single weights for the methods that were published for them, unless
/// the recipe names other groups than the default.
pub(super) fn groups(method: Method, named: GroupKind) -> GroupKind {
    let of_weights = matches!(method, Method::Rigl | Method::Set | Method::Sap);
    if of_weights && named == GroupKind::Filter { GroupKind::Weight } else { named }
}
