//! The `[compare]` section: which methods, at which costs, over which seeds.

use crate::sparsify::options::{Method, Unit};
use serde::{Deserialize, Serialize};

/// `[compare]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Compare {
    /// All but `none`, which is compared with.
    pub methods: Vec<Method>,
    /// Shares of the dense network's cost that a method may use, each above 0 and at most 1.
    pub keeps: Vec<f64>,
    /// One dense network and one of each method and cost for each.
    pub seeds: Vec<u64>,
    /// The cost.
    pub unit: Unit,
}

impl Default for Compare {
    fn default() -> Self {
        let methods = Method::ALL.into_iter().map(|(_, method)| method).filter(|&m| m != Method::None).collect();
        Self { methods, keeps: vec![0.5, 0.3, 0.12], seeds: vec![1, 2, 3], unit: Unit::Instructions }
    }
}
