//! The `[graph]` section: what only networks over graphs have.

use crate::sparsify::teddy::{DropUnit, Level};
use serde::{Deserialize, Serialize};

/// `[graph]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphOptions {
    /// Channels of the hidden layers.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// How the graph and its network become sparse.
    pub method: GraphMethod,
    /// The paper's level, unless shares are given: each drops 5 % of the edges and 10 % of the weights that are left.
    pub level: u32,
    /// Share of the edges that stay, in place of the level's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_edges: Option<f64>,
    /// Share of the weights that stay, in place of the level's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_weights: Option<f64>,
    /// What goes as one: both directions of an edge, or one.
    pub unit: EdgeUnit,
    /// What the divergence from the dense network's answers counts, over all nodes.
    pub distill: f64,
    /// Whether the exported network has all edges, and an input that says how many go.
    pub choose_edges: bool,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            hidden: 512,
            layers: 2,
            method: GraphMethod::None,
            level: 20,
            keep_edges: None,
            keep_weights: None,
            unit: EdgeUnit::Pair,
            distill: 10.0,
            choose_edges: false,
        }
    }
}

impl GraphOptions {
    /// How sparse.
    pub fn shares(&self) -> Level {
        let level = Level::of(self.level);
        Level {
            edges: self.keep_edges.map_or(level.edges, |keep| 1.0 - keep),
            weights: self.keep_weights.map_or(level.weights, |keep| 1.0 - keep),
        }
    }
}

/// `graph.method`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GraphMethod {
    /// The dense network alone.
    None,
    /// TEDDY: edges by degree scores, weights by projection, answers of the dense network.
    Teddy,
    /// As TEDDY, with edges that go by chance.
    RandomEdges,
    /// As TEDDY, with the edges first that TEDDY drops last.
    Inverted,
    /// As TEDDY, with the smallest weights of the dense network dropped once and for all.
    Magnitude,
    /// Masks that are trained and cut a little each round.
    Ugs,
}

impl GraphMethod {
    /// Every method by its name in recipes.
    pub const NAMES: [&'static str; 6] = ["none", "teddy", "random-edges", "inverted", "magnitude", "ugs"];
}

/// `graph.unit`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeUnit {
    /// The graph stays symmetric.
    Pair,
    /// As in the authors' code.
    Direction,
}

impl From<EdgeUnit> for DropUnit {
    fn from(unit: EdgeUnit) -> Self {
        match unit {
            EdgeUnit::Pair => Self::Pair,
            EdgeUnit::Direction => Self::Direction,
        }
    }
}
