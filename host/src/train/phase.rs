//! The phases of a run.

use serde::{Deserialize, Serialize};

/// One of the phases of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The whole network.
    Dense,
    /// The whole network under a rising penalty.
    Ramp,
    /// The pruned network.
    Finetune,
    /// Quantisation-aware training: the network as it will be rounded.
    Qat,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Dense => "dense",
            Self::Ramp => "ramp",
            Self::Finetune => "finetune",
            Self::Qat => "qat",
        })
    }
}
