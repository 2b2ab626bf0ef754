//! A run over one graph in its folder: the dense network, then the sparse one; what is finished is not done again.

use super::{Edges, Fit, Fitted, Masked, NodeTask, Teacher, WeightRule, Weights, iterative_masks, prune, train_level};
use crate::engine::{Engine, EngineOptions};
use crate::graph::{Adjacency, Graph};
use crate::recipe::{GraphMethod, GraphOptions, Recipe};
use crate::sparsify::teddy::has_attention;
use crate::train::checkpoint::save_metrics;
use crate::train::{DENSE_FILE, EpochRow, METRICS_FILE, Phase, SPARSE_FILE, TrainError, TrainEvent, weights};
use crate::zoo::{self, Entry, NodeSizes, ZooError};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// A finished run over a graph.
#[derive(Debug, Clone)]
pub struct TrainedNodes {
    /// The dense network at its best epoch.
    pub dense: Fitted,
    /// The sparse one, and the edges that it has; `None` without a method.
    pub sparse: Option<(Fitted, NodeTask)>,
    /// Every epoch, both phases.
    pub epochs: Vec<EpochRow>,
}

/// Trains in the folder `dir`. Files: [`DENSE_FILE`] once the dense network is trained, then [`SPARSE_FILE`], and one line
/// an epoch in [`METRICS_FILE`]. A run that was ended goes on with the phase that it was in, from that phase's start.
///
/// # Errors
/// [`TrainError`]; phases that were finished are saved.
pub fn train_nodes(
    recipe: &Recipe,
    task: &NodeTask,
    dir: &Path,
    threads: usize,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(TrainEvent<'_>),
) -> Result<TrainedNodes, TrainError> {
    let options = recipe.graph.clone().unwrap_or_default();
    let name = recipe.model.zoo.as_deref().unwrap_or_default();
    let entry = zoo::by_name(name)
        .filter(|entry| entry.is_over_nodes())
        .ok_or_else(|| ZooError::OfSamples { name: name.into() })?;
    let sizes = NodeSizes { hidden: options.hidden, layers: options.layers };
    let run = NodeRun { recipe, options: &options, network: (entry, sizes), dir, threads, stop };
    let mut epochs = Vec::new();
    let dense = run.dense(task, &mut epochs, tell)?;
    let sparse = match options.method {
        GraphMethod::None => None,
        GraphMethod::Ugs => Some(run.masks(task, tell)?),
        _ => Some(run.level(task, &dense, &mut epochs, tell)?),
    };
    if let Some((fitted, _)) = &sparse {
        weights::save(&dir.join(SPARSE_FILE), &fitted.graph)?;
    }
    save_metrics(dir, &epochs)?;
    Ok(TrainedNodes { dense, sparse, epochs })
}

struct NodeRun<'a> {
    recipe: &'a Recipe,
    options: &'a GraphOptions,
    network: (&'static Entry, NodeSizes),
    dir: &'a Path,
    threads: usize,
    stop: &'a AtomicBool,
}

impl NodeRun<'_> {
    fn fit(&self) -> Fit<'_> {
        let Self { recipe, threads, stop, .. } = *self;
        let (epochs, optimizer, seed) = (recipe.train.epochs, &recipe.optimizer, recipe.train.seed);
        Fit { epochs, optimizer, seed, threads, teacher: None, weights: Weights::Free, stop }
    }

    fn initial(&self, task: &NodeTask) -> Result<Graph, ZooError> {
        self.network.0.build_over(&task.input, self.network.1, self.recipe.train.seed)
    }

    /// The dense network, trained or as it lies in the folder.
    fn dense(
        &self,
        task: &NodeTask,
        epochs: &mut Vec<EpochRow>,
        tell: &mut dyn FnMut(TrainEvent<'_>),
    ) -> Result<Fitted, TrainError> {
        let path = self.dir.join(DENSE_FILE);
        let total = self.recipe.train.epochs;
        let initial = self.initial(task)?;
        if path.is_file() {
            tell(TrainEvent::Phase { phase: Phase::Dense, epochs: total, done: total });
            let graph = weights::load(&path, &initial)?;
            let text = std::fs::read_to_string(self.dir.join(METRICS_FILE)).unwrap_or_default();
            let rows = text.lines().filter_map(|line| serde_json::from_str::<EpochRow>(line).ok());
            epochs.extend(rows.filter(|row| row.phase == Phase::Dense));
            return as_it_is(graph, task, self.threads);
        }
        tell(TrainEvent::Phase { phase: Phase::Dense, epochs: total, done: 0 });
        let fitted = self.fit().run(&initial, task, Phase::Dense, &mut |row| {
            tell(TrainEvent::Epoch(row));
            epochs.push(row.clone());
        })?;
        save_metrics(self.dir, epochs)?;
        weights::save(&path, &fitted.graph)?;
        Ok(fitted)
    }

    fn level(
        &self,
        task: &NodeTask,
        dense: &Fitted,
        epochs: &mut Vec<EpochRow>,
        tell: &mut dyn FnMut(TrainEvent<'_>),
    ) -> Result<(Fitted, NodeTask), TrainError> {
        let (method, shares) = (self.options.method, self.options.shares());
        let edges = match method {
            GraphMethod::RandomEdges => Edges::Random,
            GraphMethod::Inverted => Edges::Inverted,
            _ => Edges::Teddy,
        };
        let rule = if method == GraphMethod::Magnitude { WeightRule::Magnitude } else { WeightRule::Projected };
        let attention = has_attention(&dense.graph);
        let seed = self.recipe.train.seed;
        let pruned = prune(task, edges, self.options.unit.into(), shares.edges, attention, seed)?;
        let probabilities = dense.probabilities(task.input.classes);
        let teacher = Teacher { dense, probabilities: &probabilities, weight: self.options.distill };
        tell(TrainEvent::Phase { phase: Phase::Finetune, epochs: self.recipe.train.epochs, done: 0 });
        let fitted = train_level(self.network, &pruned, (rule, shares.weights), teacher, self.fit(), &mut |row| {
            tell(TrainEvent::Epoch(row));
            epochs.push(row.clone());
        })?;
        Ok((fitted, pruned))
    }

    /// The last of as many rounds as the level says.
    fn masks(&self, task: &NodeTask, tell: &mut dyn FnMut(TrainEvent<'_>)) -> Result<(Fitted, NodeTask), TrainError> {
        let rounds = self.options.level.max(1);
        tell(TrainEvent::Phase { phase: Phase::Finetune, epochs: rounds as usize, done: 0 });
        let mut last = None;
        let masked = Masked { rounds, ..Masked::default() };
        iterative_masks(self.network, task, masked, self.fit(), &mut |round, task, fitted| {
            tell(TrainEvent::Epoch(&EpochRow {
                phase: Phase::Finetune,
                epoch: round as usize,
                train_loss: fitted.epochs.last().map_or(0.0, |epoch| epoch.train_loss),
                val_accuracy: fitted.val_accuracy,
                lambda: None,
                alive_groups: None,
                seconds: fitted.seconds(),
            }));
            last = Some((fitted.clone(), task.clone()));
        })?;
        last.ok_or(TrainError::NoRounds)
    }
}

/// A trained network as [`Fitted`], without its epochs.
fn as_it_is(graph: Graph, task: &NodeTask, threads: usize) -> Result<Fitted, TrainError> {
    let logits = Engine::new(&graph, EngineOptions { batch: 1, threads })?.logits(&[], 1)?.to_vec();
    let [val_accuracy, test_accuracy] = [&task.val, &task.test].map(|nodes| task.accuracy(&logits, nodes));
    Ok(Fitted { graph, epoch: 0, val_accuracy, test_accuracy, logits, epochs: Vec::new() })
}

/// Multiply-accumulates with weights that are not zero, one more for every edge and channel.
pub fn nonzero_macs(graph: &Graph) -> u64 {
    use crate::ops::{Conv2d, SparseDense};
    let nonzero = |values: &[f32]| values.iter().filter(|value| **value != 0.0).count();
    let of_node = |node: &crate::graph::Node| match (node.op.get::<SparseDense>(), node.op.is::<Conv2d>()) {
        (Some(SparseDense { features, .. }), _) => {
            let w = &graph[node.inputs[0]];
            let rows: Vec<usize> = w.f32s().unwrap_or_default().chunks(w.shape[1].max(1)).map(nonzero).collect();
            features.columns().iter().map(|column| rows.get(*column as usize).copied().unwrap_or(0)).sum()
        }
        (None, true) => graph[node.output].shape[0] * nonzero(graph[node.inputs[1]].f32s().unwrap_or_default()),
        (None, false) => graph.node_macs(node),
    };
    graph.nodes.iter().map(of_node).sum::<usize>() as u64
}

/// Directed edges that are no self loops once, as pairs with the lower node first, where the graph has both directions;
/// else every directed edge.
pub fn edge_list(adjacency: &Adjacency) -> Vec<u32> {
    let all = adjacency.csr().entries().filter(|(from, to)| !adjacency.is_symmetric() || from <= to);
    all.flat_map(|(from, to)| [from as u32, to as u32]).collect()
}
