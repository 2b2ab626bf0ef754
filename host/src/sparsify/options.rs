//! What may be asked of a sparsity method: the `[sparsity]` section of a recipe.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser::SerializeMap};

/// `[sparsity]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sparsity {
    /// How groups are ranked and emptied; `none` leaves the network dense and the other keys without effect.
    pub method: Method,
    /// What is kept or dropped as one.
    pub groups: GroupKind,
    /// Rows and columns of a block, for `groups = "block"`.
    pub block: [usize; 2],
    /// Share of the groups that stays, above 0 and at most 1; without effect where there is a budget.
    pub keep: f64,
    /// What the sparse network may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How the groups that stay are spread over the layers.
    pub allocation: Allocation,
    /// Groups of a layer are kept in multiples of this: kernels for DSP compute four filters for the price of three.
    pub multiple: usize,
    /// The weights `d_j` of the groups where layers compete with each other (`allocation = "global"`).
    pub weights: GroupWeights,
    /// Weight of the regulariser at the end of the ramp.
    pub lambda: f64,
    /// The metric of the proximal step.
    pub metric: Metric,
    /// Epochs over which the weight rises to `lambda`.
    pub ramp_epochs: usize,
    /// Epochs after the ramp in which groups that turn around are set to zero (half-space steps). With `hspg`, whose
    /// second stage they are, 0 takes the second half of the ramp for them: the same epochs as every other method.
    pub half_space_epochs: usize,
    /// Epochs with the kept groups alone.
    pub finetune_epochs: usize,
    /// Weight of the dense network's answers in the loss, 0 to 1; 0 trains on labels alone.
    pub distill: f64,
    /// Temperature of the dense network's answers.
    pub temperature: f64,
}

impl Default for Sparsity {
    fn default() -> Self {
        Self {
            method: Method::None,
            groups: GroupKind::Filter,
            block: [4, 1],
            keep: 0.5,
            budget: None,
            allocation: Allocation::Uniform,
            multiple: 1,
            weights: GroupWeights::One,
            lambda: 1.0,
            metric: Metric::Euclidean,
            ramp_epochs: 10,
            half_space_epochs: 0,
            finetune_epochs: 10,
            distill: 0.0,
            temperature: 4.0,
        }
    }
}

impl Sparsity {
    /// Steps over which the weight rises to `lambda`, with `steps` to an epoch; half-space steps follow.
    pub fn rising_steps(&self, steps: usize) -> usize {
        let ramp = self.ramp_epochs * steps;
        if self.method == Method::Hspg && self.half_space_epochs == 0 { ramp / 2 } else { ramp }
    }
}

/// `sparsity.method`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Dense.
    None,
    /// Weighted group sparse envelope function (specs/sparse_and_graph.md §2).
    Wgsef,
    /// The groups of largest norm stay.
    Magnitude,
    /// Proximal group lasso.
    GroupLasso,
    /// Group lasso, then half-space steps (HSPG, §2.8).
    Hspg,
    /// PQ index and sparsity-informed adaptive pruning (§5).
    Sap,
    /// Drop by magnitude, grow by gradient (RigL, §6.3).
    Rigl,
    /// Drop by magnitude, grow at random (SET, §6.2).
    Set,
    /// Magnitude within a layer, rate–distortion between layers (specs/compression.md §5).
    RateDistortion,
}

impl Method {
    /// Every method with its name in recipes and on the command line.
    pub const ALL: [(&'static str, Self); 9] = [
        ("none", Self::None),
        ("wgsef", Self::Wgsef),
        ("magnitude", Self::Magnitude),
        ("group-lasso", Self::GroupLasso),
        ("hspg", Self::Hspg),
        ("sap", Self::Sap),
        ("rigl", Self::Rigl),
        ("set", Self::Set),
        ("rate-distortion", Self::RateDistortion),
    ];

    /// The name in recipes and on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, method)| *method == self).map_or("", |(name, _)| name)
    }
}

/// `sparsity.groups`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupKind {
    /// A channel with everything that makes it, in all tensors that must keep the same width; removed physically.
    Filter,
    /// A whole residual branch; removed physically.
    Layer,
    /// A single weight; set to zero.
    Weight,
    /// The weights of one layer that read one channel; set to zero.
    InputChannel,
    /// One position of the unrolled filter in all filters of a layer; set to zero.
    FilterShape,
    /// One row of a filter's window; set to zero.
    KernelRow,
    /// One column of a filter's window; set to zero.
    KernelColumn,
    /// Blocks of `sparsity.block` filters × positions of the unrolled filter; set to zero.
    Block,
}

impl GroupKind {
    /// Whether what is dropped leaves the network, rather than standing in it as zeros.
    pub fn is_removed(self) -> bool {
        matches!(self, Self::Filter | Self::Layer)
    }
}

/// `sparsity.allocation`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Allocation {
    /// The same share of every layer.
    Uniform,
    /// One budget for all layers.
    Global,
    /// The least distortion of the outputs, by multiple-choice knapsack (specs/compression.md §0, §5).
    RateDistortion,
}

/// `sparsity.weights`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupWeights {
    /// 1.
    One,
    /// Trained values of the group.
    Size,
    /// Multiply-accumulates that go with the group.
    Macs,
    /// Instructions that go with the group, measured on the target chip.
    Instructions,
}

/// `sparsity.metric`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Every value counts alike, whatever the optimizer.
    Euclidean,
    /// Adam's own diagonal metric, averaged over each group (specs/optimizers.md §6).
    Adam,
}

/// What a network costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Multiply-accumulates of one inference, with weights that are not zero.
    Macs,
    /// Bytes of the exported int8 model.
    Bytes,
    /// Executed instructions of one inference on the target chip.
    Instructions,
}

impl Unit {
    const ALL: [(&'static str, Self); 3] =
        [("macs", Self::Macs), ("bytes", Self::Bytes), ("instructions", Self::Instructions)];

    /// Names in recipes.
    pub const NAMES: [&'static str; 3] = ["macs", "bytes", "instructions"];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| name)
    }

    /// The unit called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
    }
}

/// `sparsity.budget`: `{ macs = … }`, `{ bytes = … }` or `{ instructions = … }`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// What is counted.
    pub unit: Unit,
    /// The limit; up to 1 it is a share of what the dense network costs.
    pub limit: f64,
}

impl Budget {
    /// The limit for a dense network that costs `dense`.
    pub fn of(&self, dense: f64) -> f64 {
        if self.limit <= 1.0 { self.limit * dense } else { self.limit }
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.unit.name(), &self.limit)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<String, f64>::deserialize(deserializer)?;
        let mut entries = map.into_iter();
        let (Some((name, limit)), None) = (entries.next(), entries.next()) else {
            return Err(D::Error::custom("a budget has one limit"));
        };
        let unit = Unit::by_name(&name).ok_or_else(|| D::Error::custom(format!("no budget is counted in `{name}`")))?;
        Ok(Self { unit, limit })
    }
}
