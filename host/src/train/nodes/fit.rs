//! The epochs of one network over one graph: a step on all training nodes, then a look at all others.

use super::NodeTask;
use crate::engine::{Engine, NodeTeacher, Objective, Options, Randomness, Slots, softmax};
use crate::graph::Graph;
use crate::recipe::Optimizer;
use crate::train::{Phase, TrainError};
use niwaki_core::schedule;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What holds weights at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights<'a> {
    /// Nothing.
    Free,
    /// After every step all but the largest are zeroed: this many are zero. The support may change.
    Ball {
        /// Zeros of all weights together.
        zeros: usize,
    },
    /// Those that are marked stay, and no others ever come back.
    Held(&'a [bool]),
}

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

/// One epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeEpoch {
    /// From 1.
    pub epoch: usize,
    /// The loss of its step.
    pub loss: f64,
    /// After the step, on the validation nodes.
    pub val_accuracy: f64,
    /// Wall-clock time.
    pub seconds: f64,
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
    pub epochs: Vec<NodeEpoch>,
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
        tell: &mut dyn FnMut(&NodeEpoch),
    ) -> Result<Fitted, TrainError> {
        let mut engine = Engine::new(graph, Options { batch: 1, threads: self.threads })?;
        let objective = Objective { labels: &task.labels, rows: &task.train, teacher: self.teacher };
        let slots = self.optimizer.name.slots(&self.optimizer.hyper(self.optimizer.lr));
        let mut slots = Slots::new(slots, engine.values().len());
        let mut best = Best::none(engine.values().len());
        let mut epochs = Vec::with_capacity(self.epochs);
        for epoch in 1..=self.epochs {
            let started = Instant::now();
            let lr = self.optimizer.schedule.rate(self.optimizer.lr, schedule::progress(epoch as u32, self.epochs));
            let randomness = Randomness { seed: self.seed, step: epoch as u64 };
            let loss = engine.loss_and_gradients_of_nodes(&objective, randomness)?.mean;
            if !loss.is_finite() {
                return Err(TrainError::Diverged { phase, epoch, step: epoch as u32, loss, lr, lambda: 0.0 });
            }
            self.step(&mut engine, &mut slots, lr, epoch)?;
            let logits = engine.logits(&[], 1)?;
            let val_accuracy = task.accuracy(logits, &task.val);
            if val_accuracy >= best.val_accuracy {
                best = Best { epoch, val_accuracy, logits: logits.to_vec(), ..best };
                best.values.copy_from_slice(engine.values());
            }
            let row = NodeEpoch { epoch, loss, val_accuracy, seconds: started.elapsed().as_secs_f64() };
            tell(&row);
            epochs.push(row);
            if self.stop.load(Ordering::Relaxed) {
                return Err(TrainError::Interrupted { phase, epoch: 0 });
            }
        }
        if self.epochs == 0 {
            best.logits = engine.logits(&[], 1)?.to_vec();
            best.values.copy_from_slice(engine.values());
            best.val_accuracy = task.accuracy(&best.logits, &task.val);
        }
        engine.values_mut().copy_from_slice(&best.values);
        let mut graph = graph.clone();
        engine.store(&mut graph);
        let Best { epoch, val_accuracy, logits, .. } = best;
        let test_accuracy = task.accuracy(&logits, &task.test);
        Ok(Fitted { graph, epoch, val_accuracy, test_accuracy, logits, epochs })
    }

    /// The optimizer's step, then what holds weights at zero.
    fn step(&self, engine: &mut Engine, slots: &mut Slots, lr: f64, epoch: usize) -> Result<(), TrainError> {
        let t = NonZeroU32::new(epoch as u32).unwrap_or(NonZeroU32::MIN);
        let (rule, hyper) = (self.optimizer.name, self.optimizer.hyper(lr));
        engine.update(slots, |values, gradients, slots| rule.step(&hyper, values, gradients, slots, t))?;
        match self.weights {
            Weights::Free => {}
            Weights::Ball { zeros } => engine.project_l0(zeros),
            Weights::Held(kept) => {
                let dropped = engine.values_mut().iter_mut().zip(kept).filter(|(_, kept)| !**kept);
                dropped.for_each(|(value, _)| *value = 0.0);
            }
        }
        Ok(())
    }
}

struct Best {
    epoch: usize,
    val_accuracy: f64,
    values: Vec<f32>,
    logits: Vec<f32>,
}

impl Best {
    fn none(values: usize) -> Self {
        Self { epoch: 0, val_accuracy: f64::NEG_INFINITY, values: vec![0.0; values], logits: Vec::new() }
    }
}
