//! `cargo run --release -p niwaki-tests --bin graph -- edges | run … | table …`: what TEDDY costs and what it is worth.
//!
//! A benchmark, not a test: it prints, and times depend on the machine. `edges` shows that scores and cuts take the same
//! time for each edge from 10⁵ to 10⁷ edges; `run` trains a teacher and one level; `forward` trains without gradients across
//! layers; `table` compares TEDDY with random edges, inverted scores, UGS, magnitudes and no distillation.

use niwaki::data::graph;
use niwaki::graph::Adjacency;
use niwaki::recipe::{Optimizer, OptimizerName, Schedule};
use niwaki::sparsify::teddy::{DropUnit, Level, has_attention};
use niwaki::train::Phase;
use niwaki::train::nodes::{
    Edges, Fit, Fitted, Masked, NodeTask, SingleForward, Teacher, WeightRule, Weights, iterative_masks, prune,
    train_level,
};
use niwaki::zoo::{self, Entry, NodeSizes};
use niwaki_core::graph::Csr;
use niwaki_core::teddy::{self, Scores};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

const USAGE: &str = "usage: graph edges [--max-edges N]
       graph run   --data cora [--dir DIR] [--network gcn] [--hidden 512] [--epochs 200] [--level 20] [--lambda 10] [--seed 0]
       graph forward --data cora [--dir DIR] [--network gcn] [--hidden 128] [--layers 2] [--epochs 200] [--seeds 0,1,2]
       graph table --data cora [--dir DIR] [--network gcn] [--hidden 512] [--epochs 200] [--levels 5,10,15,20] [--lambda 10]
                   [--seeds 0,1,2] [--ugs 20]";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let known = |pair: &[String]| pair.len() == 2 && pair[0].starts_with("--");
    let options: BTreeMap<String, String> =
        rest.chunks(2).filter(|pair| known(pair)).map(|pair| (pair[0][2..].to_owned(), pair[1].clone())).collect();
    let done = match command.as_str() {
        _ if options.len() * 2 != rest.len() => Err(USAGE.into()),
        "edges" => edges(&options),
        "run" => Bench::new(&options).and_then(|bench| bench.run()),
        "forward" => Bench::new(&options).and_then(|bench| bench.forward()),
        "table" => Bench::new(&options).and_then(|bench| bench.table()),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn Error>>;

fn option<T: std::str::FromStr>(
    options: &BTreeMap<String, String>,
    name: &str,
    default: T,
) -> Result<T, Box<dyn Error>> {
    let Some(text) = options.get(name) else { return Ok(default) };
    text.parse().map_err(|_| format!("--{name} {text}: not a value\n{USAGE}").into())
}

fn list<T: std::str::FromStr>(
    options: &BTreeMap<String, String>,
    name: &str,
    default: &str,
) -> Result<Vec<T>, Box<dyn Error>> {
    let text = options.get(name).map_or(default, String::as_str);
    text.split(',')
        .map(|item| item.parse().map_err(|_| format!("--{name} {text}: not a list\n{USAGE}").into()))
        .collect()
}

/// Time and memory of scores, cut and ranks on random graphs with ten directed edges for each node.
fn edges(options: &BTreeMap<String, String>) -> Outcome {
    let most = option(options, "max-edges", 10_000_000_usize)?;
    println!(
        "random graphs, 10 directed edges a node, f32; one thread, the fastest of up to 20 times; keep 35.9 % of the edges"
    );
    println!("{:>10} {:>9} {:>14} {:>14} {:>12}", "edges", "nodes", "scores ns/edge", "cut ns/edge", "bytes/node");
    for size in [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000].into_iter().filter(|size| *size <= most) {
        let nodes = size / 10;
        let mut random = ChaCha8Rng::seed_from_u64(size as u64);
        let mut node = || ((u64::from(random.next_u32()) * nodes as u64) >> 32) as u32;
        let pairs: Vec<(u32, u32)> = (0..size / 2).map(|_| (node(), node())).collect();
        let graph = Adjacency::from_edges(nodes, pairs.iter().flat_map(|&(u, v)| [(u, v), (v, u)]))?;
        let csr = Csr::try_new(graph.offsets(), graph.neighbours(), nodes)?;
        let (mut scratch, mut of_nodes) = (vec![0.0_f32; nodes], vec![0.0_f32; nodes]);
        let mut keep = vec![false; csr.entry_count()];
        let repeats = (30_000_000 / size).clamp(3, 20);
        let (mut score_ns, mut cut_ns) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..repeats {
            let started = Instant::now();
            teddy::node_scores(&csr, &mut scratch, &mut of_nodes)?;
            score_ns = score_ns.min(started.elapsed().as_nanos() as f64);
            let started = Instant::now();
            let scores = Scores::try_new(csr, &of_nodes)?;
            let drop = DropUnit::Direction.drop_count(csr.entry_count(), Level::of(20).edges);
            teddy::prune(&scores, DropUnit::Direction, drop, &mut keep)?;
            cut_ns = cut_ns.min(started.elapsed().as_nanos() as f64);
            assert_eq!(keep.iter().filter(|keep| !**keep).count(), drop, "exactly so many");
        }
        let edges = csr.entry_count();
        println!("{edges:>10} {nodes:>9} {:>14.2} {:>14.2} {:>12}", score_ns / edges as f64, cut_ns / edges as f64, 8);
    }
    Ok(())
}

struct Bench<'a> {
    options: &'a BTreeMap<String, String>,
    task: NodeTask,
    network: (&'static Entry, NodeSizes),
    optimizer: Optimizer,
    epochs: usize,
    threads: usize,
}

static GO: AtomicBool = AtomicBool::new(false);

impl<'a> Bench<'a> {
    fn new(options: &'a BTreeMap<String, String>) -> Result<Self, Box<dyn Error>> {
        let name: String = option(options, "data", "cora".into())?;
        let dir = options.get("dir").map(PathBuf::from);
        let task = NodeTask::new(&graph::load(&name, dir.as_deref())?)?;
        let network: String = option(options, "network", "gcn".into())?;
        let entry = zoo::by_name(&network).ok_or_else(|| format!("no network `{network}`"))?;
        let sizes = NodeSizes { hidden: option(options, "hidden", 512)?, layers: 2 };
        let optimizer = Optimizer {
            name: OptimizerName::Adam,
            lr: 0.01,
            schedule: Schedule::Constant,
            weight_decay: 5e-4,
            ..Optimizer::default()
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { options, task, network: (entry, sizes), optimizer, epochs: option(options, "epochs", 200)?, threads })
    }

    fn fit(&self, seed: u64) -> Fit<'_> {
        let Self { epochs, optimizer, threads, .. } = self;
        Fit { epochs: *epochs, optimizer, seed, threads: *threads, teacher: None, weights: Weights::Free, stop: &GO }
    }

    fn dense(&self, seed: u64) -> Result<Fitted, Box<dyn Error>> {
        let (entry, sizes) = self.network;
        let graph = entry.build_over(&self.task.input, sizes, seed)?;
        Ok(self.fit(seed).run(&graph, &self.task, Phase::Dense, &mut |_| ())?)
    }

    fn level(
        &self,
        (edges, rule, lambda): (Edges, WeightRule, f64),
        level: Level,
        dense: &Fitted,
        seed: u64,
    ) -> Result<Fitted, Box<dyn Error>> {
        let attention = has_attention(&dense.graph);
        let pruned = prune(&self.task, edges, DropUnit::Pair, level.edges, attention, seed)?;
        let probabilities = dense.probabilities(self.task.input.classes);
        let teacher = Teacher { dense, probabilities: &probabilities, weight: lambda };
        Ok(train_level(self.network, &pruned, (rule, level.weights), teacher, self.fit(seed), &mut |_| ())?)
    }

    /// A teacher and one level, for comparing times.
    fn run(&self) -> Outcome {
        let (level, lambda) = (option(self.options, "level", 20)?, option(self.options, "lambda", 10.0)?);
        let seed = option(self.options, "seed", 0)?;
        let started = Instant::now();
        let dense = self.dense(seed)?;
        let middle = started.elapsed().as_secs_f64();
        let sparse = self.level((Edges::Teddy, WeightRule::Projected, lambda), Level::of(level), &dense, seed)?;
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "{}",
            serde_json::json!({
                "dense": dense.test_accuracy, "dense_seconds": middle,
                "teddy": sparse.test_accuracy, "teddy_seconds": seconds - middle, "seconds": seconds,
            })
        );
        Ok(())
    }

    /// Single-forward layers, compared with a network of as many layers that is trained by gradients across layers.
    fn forward(&self) -> Outcome {
        let seeds: Vec<u64> = list(self.options, "seeds", "0,1,2")?;
        let (hidden, layers) = (option(self.options, "hidden", 128)?, option(self.options, "layers", 2)?);
        println!("64/16/20 splits, {hidden} channels; test accuracy in %");
        println!("{:>5} {:>15} {:>18} {:>9} {:>9}", "seed", "across layers", "single-forward", "seconds", "seconds");
        let (mut across, mut single) = (0.0, 0.0);
        for &seed in &seeds {
            let task = self.task.with_random_split(seed);
            let started = Instant::now();
            let entry = self.network.0;
            let graph = entry.build_over(&task.input, NodeSizes { hidden, layers }, seed)?;
            let fitted = self.fit(seed).run(&graph, &task, Phase::Dense, &mut |_| ())?;
            let middle = started.elapsed().as_secs_f64();
            let how = SingleForward { hidden, layers, seed, threads: self.threads, ..SingleForward::default() };
            let trained = how.run(&task)?;
            let last = trained.last().map_or(0.0, |layer| layer.test_accuracy);
            let seconds = started.elapsed().as_secs_f64() - middle;
            println!(
                "{seed:>5} {:>15.2} {:>18.2} {middle:>9.1} {seconds:>9.1}",
                100.0 * fitted.test_accuracy,
                100.0 * last
            );
            across += 100.0 * fitted.test_accuracy / seeds.len() as f64;
            single += 100.0 * last / seeds.len() as f64;
        }
        println!(" mean {across:>15.2} {single:>18.2}");
        Ok(())
    }

    fn table(&self) -> Outcome {
        let levels: Vec<u32> = list(self.options, "levels", "5,10,15,20")?;
        let seeds: Vec<u64> = list(self.options, "seeds", "0,1,2")?;
        let lambda = option(self.options, "lambda", 10.0)?;
        let rounds: u32 = option(self.options, "ugs", levels.iter().copied().max().unwrap_or(0))?;
        let mut cells: BTreeMap<(usize, u32), Vec<(f64, f64)>> = BTreeMap::new();
        let methods = [
            ("teddy", Edges::Teddy, WeightRule::Projected, lambda),
            ("random edges", Edges::Random, WeightRule::Projected, lambda),
            ("inverted score", Edges::Inverted, WeightRule::Projected, lambda),
            ("no distillation", Edges::Teddy, WeightRule::Projected, 0.0),
            ("random, no distillation", Edges::Random, WeightRule::Projected, 0.0),
            ("magnitude weights", Edges::Teddy, WeightRule::Magnitude, lambda),
        ];
        let mut dense_accuracy = Vec::new();
        for &seed in &seeds {
            let dense = self.dense(seed)?;
            eprintln!("seed {seed}: dense {:.2} %, {:.1} s", 100.0 * dense.test_accuracy, dense.seconds());
            for &level in &levels {
                for (at, (name, edges, rule, lambda)) in methods.into_iter().enumerate() {
                    let fitted = self.level((edges, rule, lambda), Level::of(level), &dense, seed)?;
                    eprintln!("seed {seed}, level {level}: {name} {:.2} %", 100.0 * fitted.test_accuracy);
                    let cell = (fitted.test_accuracy, dense.seconds() + fitted.seconds());
                    cells.entry((at, level)).or_default().push(cell);
                }
            }
            dense_accuracy.push((dense.test_accuracy, dense.seconds()));
            if rounds > 0 {
                let started = Instant::now();
                let masked = Masked { rounds, ..Masked::default() };
                iterative_masks(self.network, &self.task, masked, self.fit(seed), &mut |round, _, fitted| {
                    if levels.contains(&round) {
                        let cell = (fitted.test_accuracy, started.elapsed().as_secs_f64());
                        eprintln!("seed {seed}, level {round}: UGS {:.2} %", 100.0 * fitted.test_accuracy);
                        cells.entry((methods.len(), round)).or_default().push(cell);
                    }
                })?;
            }
        }
        let mean = |cells: &[(f64, f64)]| {
            let n = cells.len().max(1) as f64;
            let accuracy = 100.0 * cells.iter().map(|(a, _)| a).sum::<f64>() / n;
            let deviation = (cells.iter().map(|(a, _)| (100.0 * a - accuracy).powi(2)).sum::<f64>() / n).sqrt();
            (accuracy, deviation, cells.iter().map(|(_, s)| s).sum::<f64>() / n)
        };
        let (accuracy, deviation, seconds) = mean(&dense_accuracy);
        println!(
            "{} seeds, {} epochs, lambda {lambda}; test accuracy in %, mean (deviation)",
            seeds.len(),
            self.epochs
        );
        println!("dense: {accuracy:.2} ({deviation:.2}), {} epochs, {seconds:.1} s", self.epochs);
        print!("{:<26}", "level: edges / weights");
        for &level in &levels {
            let Level { edges, weights } = Level::of(level);
            let head = format!("{level}: {:.1} / {:.1} %", 100.0 * (1.0 - edges), 100.0 * (1.0 - weights));
            print!(" {head:>22}");
        }
        println!();
        let names = methods.iter().map(|(name, ..)| *name).chain(["UGS"]);
        for (at, name) in names.enumerate() {
            print!("{name:<26}");
            for &level in &levels {
                let cell = cells.get(&(at, level)).map_or("-".into(), |cells| {
                    let (accuracy, deviation, seconds) = mean(cells);
                    let rounds = if at == methods.len() { 2 * level as usize } else { 2 };
                    format!("{accuracy:.2} ({deviation:.2}) {}e {seconds:.1}s", rounds * self.epochs)
                });
                print!(" {cell:>22}");
            }
            println!();
        }
        Ok(())
    }
}
