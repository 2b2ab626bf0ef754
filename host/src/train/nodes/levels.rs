//! One level of sparsity: which edges and how many weights stay, and the network trained with what is left.

use super::{Fit, Fitted, NodeTask, Weights};
use crate::engine::NodeTeacher;
use crate::graph::{Graph, GraphError};
use crate::sparsify::teddy::{self, DropUnit, EdgeOrder, EdgeRanks};
use crate::train::{EpochRow, Phase, TrainError};
use crate::zoo::{Entry, NodeSizes};
use serde::{Deserialize, Serialize};

/// Which edges go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edges {
    /// None.
    All,
    /// Those of TEDDY.
    Teddy,
    /// Those that TEDDY keeps longest.
    Inverted,
    /// Any.
    Random,
}

/// How weights become zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightRule {
    /// They do not.
    All,
    /// By projection after every step.
    Projected,
    /// The smallest of the dense network, once and for all.
    Magnitude,
}

/// What a dense network hands on.
#[derive(Debug, Clone, Copy)]
pub struct Teacher<'a> {
    /// The dense network.
    pub dense: &'a Fitted,
    /// Its answers on all nodes.
    pub probabilities: &'a [f32],
    /// What the divergence from them counts; 0: nothing.
    pub weight: f64,
}

/// The task with the edges that stay.
///
/// # Errors
/// [`GraphError`] with what core says.
pub fn prune(
    task: &NodeTask,
    edges: Edges,
    unit: DropUnit,
    ratio: f64,
    attention: bool,
    seed: u64,
) -> Result<NodeTask, GraphError> {
    let order = match edges {
        Edges::All => return Ok(task.clone()),
        Edges::Teddy => EdgeOrder::Degree,
        Edges::Inverted => EdgeOrder::Inverted,
        // Away from the seeds of initial weights.
        Edges::Random => EdgeOrder::Random(seed ^ 0x5eed_ed6e),
    };
    let ranks = EdgeRanks::new(&task.input.adjacency, order, unit, attention)?;
    Ok(task.with_edges(task.input.adjacency.filtered(&ranks.keep(ratio))))
}

/// Trains `entry`'s network anew on a task whose edges were pruned, from the initial weights of `fit.seed`.
///
/// # Errors
/// [`TrainError`].
pub fn train_level(
    (entry, sizes): (&Entry, NodeSizes),
    pruned: &NodeTask,
    (rule, zero_ratio): (WeightRule, f64),
    teacher: Teacher<'_>,
    fit: Fit<'_>,
    tell: &mut dyn FnMut(&EpochRow),
) -> Result<Fitted, TrainError> {
    let mut graph = entry.build_over(&pruned.input, sizes, fit.seed)?;
    let zeros = teddy::zero_count(graph.parameter_count(), zero_ratio);
    let kept = largest(&teacher.dense.graph, zeros);
    let weights = match rule {
        WeightRule::All => Weights::Free,
        WeightRule::Projected => Weights::Ball { zeros },
        WeightRule::Magnitude => {
            // Goes on from the dense network's weights.
            for (tensor, dense) in graph.tensors.iter_mut().zip(&teacher.dense.graph.tensors) {
                tensor.data.clone_from(&dense.data);
            }
            Weights::Held(&kept)
        }
    };
    let distilled = NodeTeacher { probabilities: teacher.probabilities, weight: teacher.weight };
    let fit = Fit { weights, teacher: (teacher.weight > 0.0).then_some(distilled), ..fit };
    fit.run(&graph, pruned, Phase::Finetune, tell)
}

/// Marks all but the `zeros` smallest parameters of a network.
fn largest(graph: &Graph, zeros: usize) -> Vec<bool> {
    let parameters = graph.tensors.iter().filter(|t| t.role == crate::graph::Role::Parameter);
    let mut values: Vec<f32> = parameters.flat_map(|t| t.f32s().unwrap_or_default().to_vec()).collect();
    niwaki_core::teddy::project_l0(&mut [&mut values], zeros);
    values.iter().map(|value| *value != 0.0).collect()
}
