//! What a target has room and time for, and what a plan is to have least of.

use serde::{Deserialize, Serialize};

/// What there is; no limit unless given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes for arena and stack.
    pub ram: Option<u64>,
    /// Bytes for model and code.
    pub flash: Option<u64>,
    /// Executed instructions of one inference.
    pub instructions: Option<u64>,
    /// What is to be least within the limits.
    pub least: Least,
}

/// What a plan has as little of as the limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Least {
    /// Executed instructions.
    #[default]
    Instructions,
    /// Bytes of model and code.
    Flash,
}
