//! Training over one graph: a teacher, pruned edges, projected weights, distillation (TEDDY, specs/sparse_and_graph.md
//! §1), and what it is compared with.

mod fit;
mod levels;
mod masks;
mod run;
mod single_forward;
#[cfg(test)]
mod tests;

pub use super::run::Weights;
pub use fit::{Fit, Fitted};
pub use levels::{Edges, Teacher, WeightRule, prune, train_level};
pub use masks::{Masked, iterative_masks};
pub use run::{TrainedNodes, edge_list, nonzero_macs, train_nodes};
pub use single_forward::{ForwardLayer, SingleForward};

use crate::data::graph::{FeatureRows, NodeDataset, UNLABELLED};
use crate::graph::{Adjacency, Features, GraphError, Worth};
use crate::zoo::NodeInput;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::sync::Arc;

/// A graph as networks and their training see it.
#[derive(Debug, Clone)]
pub struct NodeTask {
    /// Edges and features.
    pub input: NodeInput,
    /// The class of every node; 0 where it is not known, for nodes in no split.
    pub labels: Vec<u32>,
    /// Whether it is.
    pub known: Vec<bool>,
    /// What gradients see.
    pub train: Vec<u32>,
    /// What the best epoch is chosen by.
    pub val: Vec<u32>,
    /// What is reported.
    pub test: Vec<u32>,
}

impl NodeTask {
    /// The task that a data set poses: its features are divided by their sum in each row.
    ///
    /// # Errors
    /// [`GraphError::NodeSet`] with what core says of edges or features.
    pub fn new(data: &NodeDataset) -> Result<Self, GraphError> {
        let fail = |error| GraphError::NodeSet { data: data.name.clone(), error };
        let adjacency = Adjacency::from_edges(data.nodes, data.edges.iter().copied()).map_err(fail)?;
        let features = normalised(&data.features).map_err(fail)?;
        let input = NodeInput { adjacency: Arc::new(adjacency), features: Arc::new(features), classes: data.classes };
        let labels = data.labels.iter().map(|label| if *label == UNLABELLED { 0 } else { *label }).collect();
        let (train, val, test) = (data.train.clone(), data.val.clone(), data.test.clone());
        let known = data.labels.iter().map(|label| *label != UNLABELLED).collect();
        Ok(Self { input, labels, known, train, val, test })
    }

    /// The same task on a part of its edges.
    #[must_use]
    pub fn with_edges(&self, adjacency: Adjacency) -> Self {
        Self { input: NodeInput { adjacency: Arc::new(adjacency), ..self.input.clone() }, ..self.clone() }
    }

    /// The same task with other splits: a fifth of the nodes tests, a fifth of the rest validates, the others train.
    #[must_use]
    pub fn with_random_split(&self, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<u32> = (0..self.labels.len() as u32).filter(|node| self.known[*node as usize]).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize);
        }
        let mut rest = order.split_off(order.len() / 5);
        let train = rest.split_off(rest.len() / 5);
        Self { train, val: rest, test: order, ..self.clone() }
    }

    /// Share of `nodes` whose largest score is their label's; equal scores count for the lower class.
    pub fn accuracy(&self, logits: &[f32], nodes: &[u32]) -> f64 {
        let classes = self.input.classes;
        let right = |node: &&u32| {
            let row = &logits[**node as usize * classes..][..classes];
            let best = row.iter().enumerate().fold(0, |best, (class, z)| if *z > row[best] { class } else { best });
            best as u32 == self.labels[**node as usize]
        };
        nodes.iter().filter(right).count() as f64 / nodes.len().max(1) as f64
    }
}

fn normalised(rows: &FeatureRows) -> Result<Features, niwaki_core::error::GraphError> {
    let FeatureRows { offsets, columns, width, values } = rows.clone();
    let Some(mut values) = values else { return Features::normalised(offsets, columns, width) };
    for ends in offsets.windows(2) {
        let row = &mut values[ends[0] as usize..ends[1] as usize];
        let sum: f32 = row.iter().map(|value| value.abs()).sum();
        row.iter_mut().filter(|_| sum > 0.0).for_each(|value| *value /= sum);
    }
    Features::try_new(offsets, columns, width, Worth::Each(values))
}
