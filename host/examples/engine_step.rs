//! Samples per CPU-second of a DS-CNN training step (forward, backward, Adam) on one thread, as one JSON line a round.
//!
//! `cargo run --release --example engine_step [-- ROUNDS [STEPS]]`; with `-` for ROUNDS, runs one round for each line
//! on stdin, so that a driver can alternate it with another engine (tests/bench/engine_vs_pytorch.py).

use niwaki::engine::{Engine, Options};
use niwaki::zoo;
use niwaki_core::optim::adam;
use std::error::Error;
use std::io::{BufRead, Write};
use std::num::NonZeroU32;

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
    m: Vec<f32>,
    v: Vec<f32>,
    t: NonZeroU32,
}

impl Trainer {
    fn new(engine: Engine) -> Self {
        let x = (0..BATCH * INPUT.iter().product::<usize>()).map(|i| (i as f32 * 0.37).sin()).collect();
        let labels = (0..BATCH).map(|i| (i % CLASSES) as u32).collect();
        let moments = vec![0.0; engine.values().len()];
        Self { engine, x, labels, m: moments.clone(), v: moments, t: NonZeroU32::MIN }
    }

    fn step(&mut self) -> Result<f64, Box<dyn Error>> {
        let loss = self.engine.loss_and_gradients(&self.x, &self.labels)?;
        let (values, gradients) = self.engine.values_and_gradients();
        let state = adam::State { m: &mut self.m, v: &mut self.v };
        adam::step(values, gradients, state, &adam::Hyper::default(), self.t)?;
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
