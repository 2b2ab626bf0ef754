//! What a sparsity method does while a network is trained: the one interface of WGSEF and its baselines.

use super::alive::Alive;
use super::error::SparsifyError;
use super::parameter_groups::{KeptGroups, ParameterGroups};
use crate::engine::Slots;
use crate::graph::Graph;
use rand_chacha::ChaCha8Rng;

/// Where the ramp is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Epochs of the ramp, half-space epochs included.
    pub epochs: usize,
    /// Step, from 1.
    pub step: usize,
    /// Steps of the ramp.
    pub steps: usize,
    /// Learning rate of the step.
    pub lr: f64,
    /// Weight of the regulariser at this step.
    pub lambda: f64,
    /// Whether the ramp is over and half-space steps are taken.
    pub half_space: bool,
}

/// What a method may look at and change around an optimizer step.
pub struct Stage<'a> {
    /// The groups.
    pub layers: &'a mut ParameterGroups,
    /// All trained values.
    pub values: &'a mut [f32],
    /// Their gradients.
    pub gradients: &'a mut [f32],
    /// The optimizer's state.
    pub slots: &'a mut Slots,
    /// What is left; the trainer holds the rest at zero.
    pub alive: &'a mut Alive,
    /// Where the ramp is.
    pub at: Moment,
}

/// Whether the optimizer takes its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// It does.
    Optimizer,
    /// The method has done something else instead.
    Replaced,
}

/// A way to find out which groups a network can do without.
pub trait Method {
    /// Before the first step of an epoch; `rng` depends on seed and epoch alone.
    ///
    /// # Errors
    /// [`SparsifyError`].
    fn begin_epoch(&mut self, _stage: &mut Stage<'_>, _rng: &mut ChaCha8Rng) -> Result<(), SparsifyError> {
        Ok(())
    }

    /// After the gradients of a step are known.
    ///
    /// # Errors
    /// [`SparsifyError`].
    fn before_step(&mut self, _stage: &mut Stage<'_>) -> Result<Update, SparsifyError> {
        Ok(Update::Optimizer)
    }

    /// After the optimizer's step.
    ///
    /// # Errors
    /// [`SparsifyError`].
    fn after_step(&mut self, _stage: &mut Stage<'_>) -> Result<(), SparsifyError> {
        Ok(())
    }

    /// How much each group is worth, comparable within its layer: the larger, the longer it stays. By default the
    /// square of its norm.
    ///
    /// # Errors
    /// [`SparsifyError`].
    fn scores(&mut self, layers: &mut ParameterGroups, values: &[f32]) -> Result<Vec<Vec<f64>>, SparsifyError> {
        layers.list.iter_mut().map(|layer| Ok(layer.squares(values)?.to_vec())).collect()
    }

    /// Whether the groups that are left at the end of the ramp are the choice; otherwise the scores decide.
    fn decides(&self) -> bool {
        false
    }
}

/// Where proximal steps are computed.
pub enum Prox {
    /// core, on the CPU.
    Cpu,
    /// The GPU kernel where every group is one row of each tensor; core elsewhere (depthwise kernels).
    Gpu(Box<niwaki_kernels::Gpu>),
}

/// What a method starts from.
pub struct Start<'a> {
    /// The dense network.
    pub graph: &'a Graph,
    /// The groups.
    pub layers: &'a mut ParameterGroups,
    /// The values of the dense network.
    pub values: &'a [f32],
    /// The groups that would stay if the choice were made now.
    pub kept: &'a KeptGroups,
    /// The weights `d_j` of all groups, one list a layer, their mean 1.
    pub weights: &'a [Vec<f64>],
    /// Where proximal steps run.
    pub prox: Prox,
    /// Adam's constants, for methods that use its metric.
    pub adam: Option<AdamMetric>,
}

/// What makes Adam's diagonal metric `√(v / (1 − beta2^t)) + epsilon` of its second moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamMetric {
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root.
    pub epsilon: f64,
}
