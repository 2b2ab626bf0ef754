//! The recipe of a run: a commented TOML file with a section for each step, in the order of the data.
//!
//! ```
//! use niwaki::recipe::{DEMO, Recipe};
//! let recipe = Recipe::parse(DEMO, "demo", &["train.epochs=3".into()])?;
//! assert_eq!((recipe.data.name.as_str(), recipe.train.epochs), ("digits", 3));
//! assert_eq!(Recipe::parse(&recipe.to_toml(), "recipe.toml", &[])?, recipe);
//! # Ok::<(), niwaki::recipe::RecipeError>(())
//! ```
//!
//! Only `data.name` and the one key of `[model]` have no default. What may stand in a recipe is one table, `FIELDS` in `fields.rs`.

mod compare;
mod error;
mod fields;
mod graph;
mod optimizer;
mod read;
#[cfg(test)]
mod tests;

pub use compare::Compare;
pub use error::{Place, RecipeError};
pub use fields::Size;
pub use graph::{EdgeUnit, GraphMethod, GraphOptions};
pub use optimizer::{Optimizer, OptimizerName, Schedule};
pub use read::apply_set;

use crate::plan::limits::{Least, Limits};
pub use crate::quantize::Calibration;
pub use crate::quantize::options::{Granularity, Precision, Quantize};
pub use crate::sparsify::{Sparsity, options::Unit};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The recipe of `niwaki demo`.
pub const DEMO: &str = include_str!("../../recipes/digits-small-cnn-wgsef.toml");
/// The recipe of `niwaki demo --graph`.
pub const GRAPH_DEMO: &str = include_str!("../../recipes/karate-gcn-teddy.toml");

/// Everything that decides a run; the same recipe on the same device gives the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What is learned from.
    pub data: Data,
    /// The network.
    pub model: Model,
    /// How long, and from which seed.
    #[serde(default)]
    pub train: Train,
    /// The step rule.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// What is pruned.
    #[serde(default)]
    pub sparsity: Sparsity,
    /// The integer form.
    #[serde(default)]
    pub quantize: Quantize,
    /// Where it must fit.
    #[serde(default)]
    pub target: Target,
    /// What only networks over graphs have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<GraphOptions>,
    /// What `niwaki compare` sets beside each other; without effect on a single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
}

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// A name that [`crate::data::load`] or [`crate::data::graph::load`] knows.
    pub name: String,
    /// Folder of a set that is not bundled, relative to the working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

/// `[model]`: exactly one of its keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// A name in [`crate::zoo::ENTRIES`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoo: Option<String>,
    /// A `.tflite` file with a float network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<PathBuf>,
    /// The folder of a run, whose dense network is gone on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
}

impl Model {
    /// What reports call the network.
    pub fn name(&self) -> String {
        let path = self.import.as_deref().or(self.run.as_deref());
        let stem = |p: &std::path::Path| p.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.zoo.clone().or_else(|| path.map(stem)).unwrap_or_default()
    }
}

/// `[train]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Passes over the training samples before sparsification; 0 takes the network as it is.
    pub epochs: usize,
    /// Samples a step.
    pub batch: usize,
    /// Decides initial weights, sample order and augmentation. Below 2^63, TOML's largest integer.
    pub seed: u64,
    /// Every training sample is moved by up to this many pixels in each direction, at random; zeros move in.
    pub shift: usize,
    /// Every training sample is mirrored left to right with probability one half.
    pub flip: bool,
}

impl Default for Train {
    fn default() -> Self {
        Self { epochs: 20, batch: 32, seed: 1, shift: 0, flip: false }
    }
}

/// `[target]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// The core that the exported file is packed for.
    pub chip: String,
    /// RAM that arena and stack must fit in; no limit unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ram: Option<Size>,
    /// Flash that model and code must fit in; no limit unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flash: Option<Size>,
    /// Instructions that one inference may take; no limit unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// What the exported model has as little of as the limits allow.
    pub least: Least,
}

impl Target {
    /// What the layouts of the weights are chosen within.
    pub fn limits(&self) -> Limits {
        let bytes = |size: &Option<Size>| size.as_ref().map(|size| size.bytes());
        let Self { ram, flash, instructions, least, .. } = self;
        Limits { ram: bytes(ram), flash: bytes(flash), instructions: *instructions, least: *least }
    }
}

impl Default for Target {
    fn default() -> Self {
        Self { chip: "cortex-m4".into(), ram: None, flash: None, instructions: None, least: Least::Instructions }
    }
}
