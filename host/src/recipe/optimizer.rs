//! The `[optimizer]` section: the step rule and its hyper-parameters.

pub use niwaki_core::optim::Kind as OptimizerName;
pub use niwaki_core::schedule::Schedule;

use niwaki_core::optim::Hyper;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// `[optimizer]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Optimizer {
    /// The step rule.
    #[serde(with = "name")]
    pub name: OptimizerName,
    /// Largest learning rate.
    pub lr: f64,
    /// How the learning rate moves from there.
    #[serde(with = "schedule")]
    pub schedule: Schedule,
    /// Decoupled in AdamW, part of the gradient elsewhere. 0.01 for AdamW and 0 for the others unless given.
    pub weight_decay: f64,
    /// SGD only.
    pub momentum: f64,
    /// Adam and AdamW: decay of the mean gradient.
    pub beta1: f64,
    /// Adam and AdamW: decay of the mean squared gradient.
    pub beta2: f64,
    /// Adam and AdamW: added to the root of the mean squared gradient.
    pub epsilon: f64,
}

impl Optimizer {
    /// The hyper-parameters of a step at learning rate `lr`.
    pub fn hyper(&self, lr: f64) -> Hyper {
        let Self { weight_decay, momentum, beta1, beta2, epsilon, .. } = *self;
        Hyper { lr, weight_decay, momentum, beta1, beta2, eps: epsilon }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        let name = OptimizerName::AdamW;
        Self {
            name,
            lr: 1e-3,
            schedule: Schedule::Cosine,
            weight_decay: name.weight_decay(),
            momentum: 0.9,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// A module for `#[serde(with)]` that writes a choice of core by its name.
macro_rules! by_name {
    ($module:ident, $choice:ty) => {
        mod $module {
            use super::*;

            pub(super) fn serialize<S: Serializer>(choice: &$choice, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(choice.name())
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$choice, D::Error> {
                let name = String::deserialize(deserializer)?;
                let found = <$choice>::ALL.iter().copied().find(|choice| choice.name() == name);
                found.ok_or_else(|| D::Error::unknown_variant(&name, <$choice>::NAMES))
            }
        }
    };
}

by_name!(name, OptimizerName);
by_name!(schedule, Schedule);
