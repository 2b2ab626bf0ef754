//! The epochs of one network over one graph: a step on all training nodes, then a look at all others.

use super::NodeTask;
use crate::engine::{Engine, EngineError, EngineOptions, NodeTeacher, Objective, Randomness, Slots, softmax};
use crate::graph::Graph;
use crate::recipe::Optimizer;
use crate::train::epoch::{Draw, EpochPlan, Goal};
use crate::train::run::{Around, Run, Task};
use crate::train::{EpochRow, Phase, TrainError, TrainEvent, Weights};
use std::sync::atomic::AtomicBool;

/// How a network is trained.
#[derive(Clone, Copy)]
pub struct Fit<'a> {
    /// Steps.
    pub epochs: usize,
    /// The step rule.
    pub optimizer: &'a Optimizer,
    /// Decides dropout.
    pub seed: u64,
    /// Threads; the result does not depend on them.
    pub threads: usize,
    /// Whose answers are learned on all nodes.
    pub teacher: Option<NodeTeacher<'a, f32>>,
    /// What holds weights at zero.
    pub weights: Weights<'a>,
    /// Set by someone else to end training after the current epoch.
    pub stop: &'a AtomicBool,
}

/// A trained network, as it was after its best epoch: the last of those with the highest validation accuracy.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// With its best values.
    pub graph: Graph,
    /// The best epoch, from 1.
    pub epoch: usize,
    /// Then, on the validation nodes.
    pub val_accuracy: f64,
    /// Then, on the test nodes.
    pub test_accuracy: f64,
    /// Then, on all nodes: `[nodes, classes]` before any softmax.
    pub logits: Vec<f32>,
    /// Every epoch.
    pub epochs: Vec<EpochRow>,
}

impl Fitted {
    /// Softmax of the logits: what a student learns from.
    pub fn probabilities(&self, classes: usize) -> Vec<f32> {
        let mut probabilities = vec![0.0; self.logits.len()];
        softmax(classes, &self.logits, &mut probabilities);
        probabilities
    }

    /// Wall-clock time of all epochs.
    pub fn seconds(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.seconds).sum()
    }
}

impl Fit<'_> {
    /// Trains `graph`, which is a network over `task`'s graph.
    ///
    /// # Errors
    /// [`TrainError`]: a network that cannot be trained, a loss that is no number, or a stop.
    pub fn run(
        &self,
        graph: &Graph,
        task: &NodeTask,
        phase: Phase,
        tell: &mut dyn FnMut(&EpochRow),
    ) -> Result<Fitted, TrainError> {
        let Self { epochs, optimizer, seed, threads, teacher, mut weights, stop } = *self;
        let mut engine = Engine::new(graph, EngineOptions { batch: 1, threads })?;
        let objective = Objective { labels: &task.labels, rows: &task.train, teacher };
        let best = Best { epoch: 0, val_accuracy: f64::NEG_INFINITY, values: Vec::new(), logits: Vec::new() };
        let mut nodes = Nodes { task, objective, seed, logits: Vec::new(), best, epochs: Vec::with_capacity(epochs) };
        let (lr, schedule) = (optimizer.lr, optimizer.schedule);
        let goal = Goal { phase, epochs, done: 0, lr, schedule, lambda: 0.0, rising: 0 };
        let mut tell = |event: TrainEvent<'_>| {
            if let TrainEvent::Epoch(row) = event {
                tell(row);
            }
        };
        let mut run = Run { optimizer, stop, tell: &mut tell };
        run.phase(&mut nodes, &goal, &mut engine, &mut Slots::default(), &mut weights)?;
        if epochs == 0 {
            let accuracy = nodes.score(&mut engine)?;
            nodes.keep_best(&engine, 0, accuracy);
        }
        let Nodes { best: Best { epoch, val_accuracy, values, logits }, epochs, .. } = nodes;
        engine.values_mut().copy_from_slice(&values);
        let mut graph = graph.clone();
        engine.store(&mut graph);
        let test_accuracy = task.accuracy(&logits, &task.test);
        Ok(Fitted { graph, epoch, val_accuracy, test_accuracy, logits, epochs })
    }
}

/// The task of one graph: every step sees all of its nodes, and of all epochs the best is kept.
struct Nodes<'a> {
    task: &'a NodeTask,
    objective: Objective<'a, f32>,
    /// Decides dropout.
    seed: u64,
    /// Of the last look at all nodes.
    logits: Vec<f32>,
    best: Best,
    epochs: Vec<EpochRow>,
}

struct Best {
    epoch: usize,
    val_accuracy: f64,
    values: Vec<f32>,
    logits: Vec<f32>,
}

impl Nodes<'_> {
    fn keep_best(&mut self, engine: &Engine, epoch: usize, val_accuracy: f64) {
        let Best { values, logits, .. } = &mut self.best;
        for (kept, found) in [(values, engine.values()), (logits, &self.logits)] {
            kept.clear();
            kept.extend_from_slice(found);
        }
        (self.best.epoch, self.best.val_accuracy) = (epoch, val_accuracy);
    }
}

impl Task for Nodes<'_> {
    fn steps(&self) -> usize {
        1
    }

    fn draw(&self, _phase: Phase, _epoch: usize) -> Draw {
        Draw::default()
    }

    fn loss(&mut self, engine: &mut Engine, plan: &EpochPlan, step: usize) -> Result<(f64, usize), EngineError> {
        let randomness = Randomness { seed: self.seed, step: plan.steps[step].number.into() };
        Ok((engine.loss_and_gradients_of_nodes(&self.objective, randomness)?.mean, 1))
    }

    fn score(&mut self, engine: &mut Engine) -> Result<f64, EngineError> {
        let logits = engine.logits(&[], 1)?;
        self.logits.clear();
        self.logits.extend_from_slice(logits);
        Ok(self.task.accuracy(logits, &self.task.val))
    }

    fn keep(
        &mut self,
        engine: &mut Engine,
        _slots: &Slots,
        _around: &dyn Around,
        row: &EpochRow,
    ) -> Result<usize, TrainError> {
        if row.val_accuracy >= self.best.val_accuracy {
            self.keep_best(engine, row.epoch, row.val_accuracy);
        }
        self.epochs.push(row.clone());
        Ok(0)
    }
}
