//! Samples per CPU-second of a training step (forward, backward, Adam) on one thread, as one JSON line a round.
//!
//! `cargo run --release --example engine_step [-- ROUNDS [STEPS [NETWORK [wgsef]]]]`; with `-` for ROUNDS, runs one round
//! for each line on stdin, so that a driver can alternate it with another engine (tests/bench/engine_vs_pytorch.py). With
//! `wgsef`, every step takes the proximal step of the Fashion-MNIST recipes too.

use niwaki::engine::{Engine, EngineOptions, Slots};
use niwaki::graph::Graph;
use niwaki::sparsify;
use niwaki::sparsify::alive::Alive;
use niwaki::sparsify::method::{AdamMetric, Method, Moment, Prox, Stage, Start};
use niwaki::sparsify::options::{Method as Name, Metric, Sparsity};
use niwaki::sparsify::parameter_groups::ParameterGroups;
use niwaki::zoo;
use niwaki_core::optim::{Decay, Optimizer, adam::Adam};
use std::error::Error;
use std::io::{BufRead, Write};
use std::num::NonZeroU32;

/// A network of the zoo and what it is trained on.
struct Workload {
    network: &'static str,
    input: [usize; 3],
    classes: usize,
    batch: usize,
    decay: Decay,
}

/// Keyword spotting with Adam, and Fashion-MNIST as its recipes have it.
const WORKLOADS: &[Workload] = &[
    Workload { network: "ds-cnn", input: [49, 10, 1], classes: 12, batch: 100, decay: Decay::None },
    fashion("compact-cnn"),
    fashion("ds-cnn-image"),
    fashion("resnet-8"),
];

const fn fashion(network: &'static str) -> Workload {
    Workload { network, input: [28, 28, 1], classes: 10, batch: 128, decay: Decay::Decoupled(0.01) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().unwrap_or_else(|| "5".into());
    let steps: usize = arguments.next().unwrap_or_else(|| "20".into()).parse()?;
    let network = arguments.next().unwrap_or_else(|| "ds-cnn".into());

    let names: Vec<&str> = WORKLOADS.iter().map(|w| w.network).collect();
    let workload = WORKLOADS.iter().find(|w| w.network == network);
    let workload = workload.ok_or_else(|| format!("no workload `{network}`; known: {}", names.join(", ")))?;
    let mut trainer = Trainer::new(workload, arguments.next().as_deref() == Some("wgsef"))?;
    trainer.step()?;
    if rounds == "-" {
        for line in std::io::stdin().lock().lines() {
            line?;
            trainer.round(steps)?;
        }
    } else {
        for _ in 0..rounds.parse::<usize>()? {
            trainer.round(steps)?;
        }
    }
    Ok(())
}

struct Trainer {
    engine: Engine,
    x: Vec<f32>,
    labels: Vec<u32>,
    slots: Slots,
    adam: Adam,
    t: NonZeroU32,
    sparse: Option<Sparse>,
}

/// What a run with a sparsity method has besides.
struct Sparse {
    layers: ParameterGroups,
    alive: Alive,
    method: Box<dyn Method>,
    lambda: f64,
}

impl Sparse {
    /// WGSEF as the recipes have it, with half of the filters as budget.
    fn new(graph: &Graph, engine: &Engine, adam: &Adam) -> Result<Option<Self>, Box<dyn Error>> {
        let options = Sparsity { method: Name::Wgsef, metric: Metric::Adam, lambda: 0.01, ..Sparsity::default() };
        let mut layers = ParameterGroups::new(graph, engine.parameters(), &options)?;
        let kept = layers.list.iter().map(|layer| (0..layer.groups.div_ceil(2)).collect()).collect();
        let weights: Vec<Vec<f64>> = layers.list.iter().map(|layer| vec![1.0; layer.groups]).collect();
        let start = Start {
            graph,
            layers: &mut layers,
            values: engine.values(),
            kept: &kept,
            weights: &weights,
            prox: Prox::Cpu,
            adam: Some(AdamMetric { beta2: adam.beta2, epsilon: adam.eps }),
        };
        let Some(method) = sparsify::start(&options, start)? else { return Ok(None) };
        let alive = Alive::new(&layers, layers.all())?;
        Ok(Some(Self { layers, alive, method, lambda: options.lambda }))
    }
}

impl Trainer {
    fn new(workload: &Workload, wgsef: bool) -> Result<Self, Box<dyn Error>> {
        let &Workload { network, input, classes, batch, decay } = workload;
        let graph = zoo::by_name(network).ok_or("not in the zoo")?.build(&input, classes, 1)?;
        let engine = Engine::new(&graph, EngineOptions { batch, threads: 1 })?;
        let x = (0..batch * input.iter().product::<usize>()).map(|i| (i as f32 * 0.37).sin()).collect();
        let labels = (0..batch).map(|i| (i % classes) as u32).collect();
        let adam = Adam { decay, ..Adam::default() };
        let slots = Slots::new(adam.slots(), engine.values().len());
        let sparse = if wgsef { Sparse::new(&graph, &engine, &adam)? } else { None };
        Ok(Self { engine, x, labels, slots, adam, t: NonZeroU32::MIN, sparse })
    }

    fn step(&mut self) -> Result<f64, Box<dyn Error>> {
        let loss = self.engine.loss_and_gradients(&self.x, &self.labels)?;
        let (values, gradients) = self.engine.values_and_gradients();
        self.adam.step(values, gradients, &mut self.slots.flat_mut(), self.t)?;
        if let Some(Sparse { layers, alive, method, lambda }) = &mut self.sparse {
            let (values, gradients) = self.engine.values_and_gradients_mut();
            let step = self.t.get() as usize;
            let at =
                Moment { epoch: 0, epochs: 1, step, steps: step, lr: self.adam.lr, lambda: *lambda, half_space: false };
            let slots = &mut self.slots;
            method.after_step(&mut Stage { layers, values, gradients, slots, alive, at })?;
        }
        self.t = self.t.saturating_add(1);
        Ok(loss.mean)
    }

    fn round(&mut self, steps: usize) -> Result<(), Box<dyn Error>> {
        let start = cpu_seconds()?;
        let mut loss = 0.0;
        for _ in 0..steps {
            loss = self.step()?;
        }
        let seconds = cpu_seconds()? - start;
        println!(
            "{}",
            serde_json::json!({
                "samples_per_cpu_second": (steps * self.labels.len()) as f64 / seconds,
                "cpu_seconds": seconds,
                "loss": loss,
                "parameters": self.engine.values().len(),
            })
        );
        std::io::stdout().flush()?;
        Ok(())
    }
}

/// CPU time of this process so far, all threads, in seconds.
///
/// From `/proc/self/schedstat` (nanoseconds on a CPU); this example runs on Linux only.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: u64 = text.split_whitespace().next().ok_or("empty schedstat")?.parse()?;
    Ok(nanoseconds as f64 * 1e-9)
}
