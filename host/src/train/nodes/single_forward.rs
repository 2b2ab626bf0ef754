//! ForwardGNN, single-forward (specs/sparse_and_graph.md §3.3): a GCN trained layer by layer, no gradient crosses layers.
//!
//! Each class is a virtual node, connected to its training nodes in both directions. A layer's loss is how much closer a
//! training node's channels are to its class's than to the others'; loss and closed-form gradients are core's. A trained
//! layer is frozen, its rows are divided by their length, and the next one learns from them. Layers vote.

use super::NodeTask;
use crate::engine::{Engine, EngineOptions, Slots};
use crate::graph::{Activation, Adjacency, Features, Graph, GraphError, Propagation, Worth};
use crate::ops;
use crate::train::TrainError;
use niwaki_core::learn::single_forward::{Outputs, normalize_rows};
use niwaki_core::optim::{Decay, Optimizer, adam::Adam};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::num::NonZeroU32;
use std::sync::Arc;

/// How layers are trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SingleForward {
    /// Channels of every layer.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Most steps of a layer.
    pub epochs: usize,
    /// Steps between two looks at the validation nodes.
    pub every: usize,
    /// Looks without a gain after which a layer is done.
    pub patience: usize,
    /// Adam's.
    pub lr: f64,
    /// Coupled.
    pub weight_decay: f64,
    /// Decides virtual features and initial weights.
    pub seed: u64,
    /// Threads; the result does not depend on them.
    pub threads: usize,
}

impl Default for SingleForward {
    fn default() -> Self {
        Self {
            hidden: 128,
            layers: 2,
            epochs: 1000,
            every: 2,
            patience: 100,
            lr: 1e-3,
            weight_decay: 5e-4,
            seed: 1,
            threads: 1,
        }
    }
}

/// One trained layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ForwardLayer {
    /// `[inputs, hidden]` and `[hidden]`
    pub weights: [Vec<f32>; 2],
    /// The best step, from 1.
    pub epoch: usize,
    /// Of this layer and those before it, on the validation nodes.
    pub val_accuracy: f64,
    /// The same on the test nodes.
    pub test_accuracy: f64,
}

/// Nodes and one virtual node a class.
struct Augmented<'a> {
    task: &'a NodeTask,
    adjacency: Arc<Adjacency>,
    nodes: usize,
}

impl SingleForward {
    /// Trains all layers.
    ///
    /// # Errors
    /// [`TrainError`]: a graph that cannot be built.
    pub fn run(&self, task: &NodeTask) -> Result<Vec<ForwardLayer>, TrainError> {
        let augmented = Augmented::new(task)?;
        let (nodes, classes) = (augmented.nodes, task.input.classes);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut features = augmented.features(&mut rng)?;
        let mut votes = vec![0.0; nodes * classes];
        let mut layers = Vec::new();
        for _ in 0..self.layers {
            let (layer, hidden) = self.layer(&augmented, features, &mut votes, &mut rng)?;
            layers.push(layer);
            features = dense_features(hidden, self.hidden).map_err(GraphError::from)?;
        }
        Ok(layers)
    }

    /// Trains one layer, adds its votes, and hands on what it gives for all nodes.
    fn layer(
        &self,
        on: &Augmented<'_>,
        features: Features,
        votes: &mut [f32],
        rng: &mut ChaCha8Rng,
    ) -> Result<(ForwardLayer, Vec<f32>), TrainError> {
        let (task, nodes, width) = (on.task, on.nodes, self.hidden);
        let classes = task.input.classes;
        let bound = (6.0 / (features.width() + width) as f32).sqrt();
        let initial = (0..features.width() * width).map(|_| (uniform(rng) * 2.0 - 1.0) * bound).collect();
        let mut engine =
            Engine::new(&on.network(features, width, initial)?, EngineOptions { batch: 1, threads: self.threads })?;
        let labels: Vec<u32> = task.train.iter().map(|node| task.labels[*node as usize]).collect();
        let mut scratch = vec![0.0; classes];
        let mut d_hidden = vec![0.0; task.train.len() * width];
        let mut gradient = vec![0.0; (nodes + classes) * width];
        let (mut best, mut idle) = ((f64::NEG_INFINITY, 0, engine.values().to_vec()), 0);
        let adam = Adam { lr: self.lr, decay: Decay::Coupled(self.weight_decay), ..Adam::default() };
        let mut slots = Slots::new(adam.slots(), engine.values().len());
        for epoch in 1..=self.epochs {
            let output = engine.logits(&[], 1)?;
            let hidden: Vec<f32> = task.train.iter().flat_map(|node| row(output, *node, width)).copied().collect();
            let anchors = &output[nodes * width..];
            let outputs = Outputs { hidden: &hidden, anchors, width, temperature: 1.0 };
            gradient.fill(0.0);
            let d_anchors = &mut gradient[nodes * width..];
            outputs.loss_and_gradients(&labels, &mut scratch, &mut d_hidden, d_anchors).map_err(GraphError::from)?;
            for (node, d) in task.train.iter().zip(d_hidden.chunks_exact(width)) {
                gradient[*node as usize * width..][..width].copy_from_slice(d);
            }
            engine.gradients_from(&gradient)?;
            let t = NonZeroU32::new(epoch as u32).unwrap_or(NonZeroU32::MIN);
            engine.update(&mut slots, |values, gradients, slots| adam.step(values, gradients, slots, t))?;
            if epoch % self.every.max(1) == 0 {
                let accuracy = self.accuracy(on, engine.logits(&[], 1)?, votes, &task.val)?;
                idle += 1;
                if accuracy > best.0 {
                    best = (accuracy, epoch, engine.values().to_vec());
                    idle = 0;
                }
                if idle >= self.patience {
                    break;
                }
            }
        }
        let (val_accuracy, epoch, values) = best;
        engine.values_mut().copy_from_slice(&values);
        let output = engine.logits(&[], 1)?.to_vec();
        let test_accuracy = self.accuracy(on, &output, votes, &task.test)?;
        let all = Outputs { hidden: &[], anchors: &output[nodes * width..], width, temperature: 1.0 };
        all.vote(&output[..nodes * width], &mut scratch, votes).map_err(GraphError::from)?;
        let inputs = values.len() / width - 1;
        let weights = [values[..inputs * width].to_vec(), values[inputs * width..].to_vec()];
        Ok((ForwardLayer { weights, epoch, val_accuracy, test_accuracy }, output))
    }

    /// Share of `which` that is classified right when this layer's votes come to those before it.
    fn accuracy(&self, on: &Augmented<'_>, output: &[f32], votes: &[f32], which: &[u32]) -> Result<f64, TrainError> {
        let (width, classes) = (self.hidden, on.task.input.classes);
        let outputs = Outputs { hidden: &[], anchors: &output[on.nodes * width..], width, temperature: 1.0 };
        let mut sums: Vec<f32> = votes.to_vec();
        let mut scratch = vec![0.0; classes];
        for node in which {
            let sum = &mut sums[*node as usize * classes..][..classes];
            outputs.vote(row(output, *node, width), &mut scratch, sum).map_err(GraphError::from)?;
        }
        Ok(on.task.accuracy(&sums, which))
    }
}

impl<'a> Augmented<'a> {
    fn new(task: &'a NodeTask) -> Result<Self, GraphError> {
        let nodes = task.input.adjacency.nodes();
        let own = task.input.adjacency.csr();
        let edges = own.entries().map(|(from, to)| (from as u32, to as u32));
        // Training nodes alone: nothing of the others' labels comes in.
        let anchored = task.train.iter().flat_map(|&node| {
            let anchor = nodes as u32 + task.labels[node as usize];
            [(node, anchor), (anchor, node)]
        });
        let all = Adjacency::from_edges(nodes + task.input.classes, edges.chain(anchored)).map_err(GraphError::from)?;
        Ok(Self { task, adjacency: Arc::new(all), nodes })
    }

    /// The nodes' features and normally distributed ones of the virtual nodes, every row of length 1.
    fn features(&self, rng: &mut ChaCha8Rng) -> Result<Features, GraphError> {
        let own = &self.task.input.features;
        let (mut offsets, mut columns, mut values) = (own.offsets().to_vec(), own.columns().to_vec(), own.values());
        for _ in 0..self.task.input.classes {
            columns.extend(0..own.width() as u32);
            values.extend((0..own.width()).map(|_| normal(rng)));
            offsets.push(columns.len() as u32);
        }
        for ends in offsets.windows(2) {
            let row = &mut values[ends[0] as usize..ends[1] as usize];
            let width = row.len().max(1);
            normalize_rows(row, width).map_err(GraphError::from)?;
        }
        Features::try_new(offsets, columns, own.width(), Worth::Each(values)).map_err(GraphError::from)
    }

    /// `relu(S X W + b)`
    fn network(&self, features: Features, width: usize, initial: Vec<f32>) -> Result<Graph, GraphError> {
        let mut graph = Graph::default();
        let w = graph.parameter("weight", &[features.width(), width], initial);
        let bias = graph.parameter("bias", &[width], vec![0.0; width]);
        let op = ops::SparseDense { features: Arc::new(features), activation: Activation::None };
        let x = graph.push("product", op, &[w])?;
        let (adjacency, rule) = (self.adjacency.clone(), Propagation::Gcn);
        let x = graph.push("propagate", ops::Propagate { adjacency, rule, activation: Activation::None }, &[x])?;
        let x = graph.push("bias_add", ops::Add { activation: Activation::Relu }, &[x, bias])?;
        graph.outputs.push(x);
        Ok(graph)
    }
}

/// A layer's outputs as the next one's features: rows of length 1, without the zeros.
fn dense_features(mut output: Vec<f32>, width: usize) -> Result<Features, niwaki_core::error::GraphError> {
    normalize_rows(&mut output, width)?;
    let (mut offsets, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for row in output.chunks_exact(width) {
        for (column, value) in (0..).zip(row).filter(|(_, value)| **value != 0.0) {
            columns.push(column);
            values.push(*value);
        }
        offsets.push(columns.len() as u32);
    }
    Features::try_new(offsets, columns, width, Worth::Each(values))
}

fn row(x: &[f32], node: u32, width: usize) -> &[f32] {
    &x[node as usize * width..][..width]
}

/// In `[0, 1)`.
fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

/// Box and Muller 1958.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (u, v) = (1.0 - uniform(rng), uniform(rng));
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}
