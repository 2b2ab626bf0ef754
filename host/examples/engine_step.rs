//! Samples per CPU-second of a DS-CNN training step (forward, backward, Adam) on one thread, as one JSON line a round.
//!
//! `cargo run --release --example engine_step [-- ROUNDS [STEPS]]`; with `-` for ROUNDS, runs one round for each line
//! on stdin, so that a driver can alternate it with another engine (tests/bench/engine_vs_pytorch.py).

use niwaki::engine::{Engine, Options};
use niwaki::zoo;
use std::error::Error;
use std::io::{BufRead, Write};

const BATCH: usize = 100;
const INPUT: [usize; 3] = [49, 10, 1];
const CLASSES: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().unwrap_or_else(|| "5".into());
    let steps: usize = arguments.next().unwrap_or_else(|| "20".into()).parse()?;

    let entry = zoo::by_name("ds-cnn").ok_or("the zoo has no ds-cnn")?;
    let mut trainer =
        Trainer::new(Engine::new(&entry.build(&INPUT, CLASSES, 1)?, Options { batch: BATCH, threads: 1 })?);
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
    adam: Adam,
}

impl Trainer {
    fn new(engine: Engine) -> Self {
        let x = (0..BATCH * INPUT.iter().product::<usize>()).map(|i| (i as f32 * 0.37).sin()).collect();
        let labels = (0..BATCH).map(|i| (i % CLASSES) as u32).collect();
        let adam = Adam::new(engine.values().len());
        Self { engine, x, labels, adam }
    }

    fn step(&mut self) -> Result<f64, Box<dyn Error>> {
        let loss = self.engine.loss_and_gradients(&self.x, &self.labels)?;
        let (values, gradients) = self.engine.values_and_gradients();
        self.adam.step(values, gradients);
        Ok(loss.mean)
    }

    fn round(&mut self, steps: usize) -> Result<(), Box<dyn Error>> {
        let start = cpu_seconds()?;
        let mut loss = 0.0;
        for _ in 0..steps {
            loss = self.step()?;
        }
        let seconds = cpu_seconds()? - start;
        let rate = (steps * BATCH) as f64 / seconds;
        println!("{}", serde_json::json!({ "samples_per_cpu_second": rate, "cpu_seconds": seconds, "loss": loss }));
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

/// Adam (Kingma & Ba 2015, algorithm 1).
struct Adam {
    mean: Vec<f32>,
    square: Vec<f32>,
    step: i32,
}

impl Adam {
    fn new(len: usize) -> Self {
        Self { mean: vec![0.0; len], square: vec![0.0; len], step: 0 }
    }

    fn step(&mut self, values: &mut [f32], gradients: &[f32]) {
        const RATE: f32 = 1e-3;
        const BETA: [f32; 2] = [0.9, 0.999];
        const EPSILON: f32 = 1e-8;
        self.step += 1;
        let correct = BETA.map(|beta| 1.0 - beta.powi(self.step));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, &g), (mean, square)) in values.iter_mut().zip(gradients).zip(moments) {
            *mean += (g - *mean) * (1.0 - BETA[0]);
            *square += (g * g - *square) * (1.0 - BETA[1]);
            *value -= RATE * (*mean / correct[0]) / ((*square / correct[1]).sqrt() + EPSILON);
        }
    }
}
