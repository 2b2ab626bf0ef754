//! `cargo run --release -p niwaki-tests --bin nodes -- --data cora [--dir DIR] …`: what a graph network costs on the
//! emulated Cortex-M4, dense and at TEDDY's levels, stored, streamed and for single nodes; and with edges that are
//! chosen at run time.
//!
//! A benchmark, not a test: it prints. Every output of the chip is compared with this machine's, byte for byte, and this
//! machine's with the reference kernels'.

use niwaki::chip::{self, Chip, Cost};
use niwaki::data::graph;
use niwaki::export::{ExportError, Room, export_within, query, read::describe};
use niwaki::graph::{Graph, eval::Value};
use niwaki::hardware::Isa;
use niwaki::io::AlignedBytes;
use niwaki::quantize::{Calibration, post_training};
use niwaki::recipe::{Optimizer, OptimizerName, Schedule};
use niwaki::sparsify::teddy::{DropUnit, EdgeOrder, EdgeRanks, Level, choose_edges, has_attention};
use niwaki::train::Phase;
use niwaki::train::nodes::{Edges, Fit, Fitted, NodeTask, Teacher, WeightRule, Weights, prune, train_level};
use niwaki::zoo::{self, Entry, NodeSizes};
use niwaki_core::format::Model;
use std::{collections::BTreeMap, error::Error, path::PathBuf, process::ExitCode, sync::atomic::AtomicBool};

const USAGE: &str =
    "usage: nodes --data cora [--dir DIR] [--network gcn] [--hidden 16] [--levels 5,10,15,20] [--lambda 10] [--seed 0]";

type Outcome<T> = Result<T, Box<dyn Error>>;

static GO: AtomicBool = AtomicBool::new(false);

struct Bench {
    options: BTreeMap<String, String>,
    task: NodeTask,
    network: (&'static Entry, NodeSizes),
    optimizer: Optimizer,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let pairs = words.chunks(2).filter(|pair| pair.len() == 2 && pair[0].starts_with("--"));
    let options: BTreeMap<_, _> = pairs.map(|pair| (pair[0][2..].to_owned(), pair[1].clone())).collect();
    let done = if options.len() * 2 == words.len() {
        Bench::new(options).and_then(|bench| bench.run())
    } else {
        Err(USAGE.into())
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn option<T: std::str::FromStr>(options: &BTreeMap<String, String>, name: &str, default: &str) -> Outcome<T> {
    let text = options.get(name).map_or(default, String::as_str);
    text.parse().map_err(|_| format!("--{name} {text}: not a value\n{USAGE}").into())
}

impl Bench {
    fn new(options: BTreeMap<String, String>) -> Outcome<Self> {
        let name: String = option(&options, "data", "cora")?;
        let task = NodeTask::new(&graph::load(&name, options.get("dir").map(PathBuf::from).as_deref())?)?;
        let network: String = option(&options, "network", "gcn")?;
        let entry = zoo::by_name(&network).ok_or_else(|| format!("no network `{network}`"))?;
        let sizes = NodeSizes { hidden: option(&options, "hidden", "16")?, layers: 2 };
        let optimizer = Optimizer {
            name: OptimizerName::Adam,
            lr: 0.01,
            schedule: Schedule::Constant,
            weight_decay: 5e-4,
            ..Optimizer::default()
        };
        Ok(Self { options, task, network: (entry, sizes), optimizer })
    }

    fn run(&self) -> Outcome<()> {
        let (seed, lambda) = (option(&self.options, "seed", "0")?, option(&self.options, "lambda", "10")?);
        let fit = || Fit {
            epochs: 200,
            optimizer: &self.optimizer,
            seed,
            threads: 2,
            teacher: None,
            weights: Weights::Free,
            stop: &GO,
        };
        let initial = self.network.0.build_over(&self.task.input, self.network.1, seed)?;
        let dense = fit().run(&initial, &self.task, Phase::Dense, &mut |_| ())?;
        self.report("dense", &self.task, &dense)?;
        let levels: String = option(&self.options, "levels", "5,10,15,20")?;
        for level in levels.split(',').filter(|level| !level.is_empty()) {
            let sparsity = Level::of(level.parse()?);
            let task = prune(&self.task, Edges::Teddy, DropUnit::Pair, sparsity.edges, false, seed)?;
            let probabilities = dense.probabilities(task.input.classes);
            let teacher = Teacher { dense: &dense, probabilities: &probabilities, weight: lambda };
            let rule = (WeightRule::Projected, sparsity.weights);
            let fitted = train_level(self.network, &task, rule, teacher, fit(), &mut |_| ())?;
            self.report(&format!("level {level}"), &task, &fitted)?;
            self.choosing(&format!("level {level}"), &fitted)?;
        }
        self.choosing("dense", &dense)
    }

    /// One network with all edges, of which some go at run time.
    fn choosing(&self, name: &str, fitted: &Fitted) -> Outcome<()> {
        let adjacency = &self.task.input.adjacency;
        let ranks = EdgeRanks::new(adjacency, EdgeOrder::Degree, DropUnit::Pair, has_attention(&fitted.graph))?;
        let float = choose_edges(&fitted.graph, adjacency, &ranks)?;
        let drops = [0, 5, 10, 15, 20].map(|level| ranks.drop_count(Level::of(level).edges).min(ranks.count()));
        let samples = drops.map(|drop| [drop as f32]);
        let samples = samples.each_ref().map(|sample| &sample[..]);
        let int8 = post_training(&float, &samples, Calibration::MinMax)?;
        let (file, _) = export_within(&int8, Isa::ArmDsp, Room::ANY)?;
        println!("{name}, edges chosen at run time:");
        for (drop, sample) in drops.into_iter().zip(samples) {
            let (outputs, cost) = measured(&file, &[(drop as i32).to_le_bytes().to_vec()])?;
            if int8.evaluate(sample)?[int8.outputs[0].0].as_ref().map(Value::to_bytes).as_ref() != Some(&outputs[0]) {
                return Err("the chip does not answer what the reference kernels do".into());
            }
            let accuracy = |network: &Graph| {
                Ok::<_, Box<dyn Error>>(100.0 * self.task.accuracy(&network.predict(sample)?, &self.task.test))
            };
            println!(
                "  {drop} of {} pairs go: f32 {:.1} %, int8 {:.1} %; {}; {}",
                ranks.count(),
                accuracy(&float)?,
                accuracy(&int8)?,
                line(&file, &cost),
                per_operator(&file, &cost)?
            );
        }
        Ok(())
    }

    /// Everything about one network.
    fn report(&self, name: &str, task: &NodeTask, fitted: &Fitted) -> Outcome<()> {
        let int8 = post_training(&fitted.graph, &[&[]], Calibration::MinMax)?;
        let values = int8.evaluate(&[])?;
        let codes = values[int8.outputs[0].0].as_ref().ok_or("no output")?.to_bytes();
        println!(
            "{name}: {} directed edges; test accuracy f32 {:.1} %, int8 {:.1} %",
            task.input.adjacency.edges(),
            100.0 * task.accuracy(&fitted.graph.predict(&[])?, &task.test),
            100.0 * task.accuracy(&int8.predict(&[])?, &task.test),
        );
        let mut room = Room::ANY;
        loop {
            let (file, arena) = match export_within(&int8, Isa::ArmDsp, room) {
                Ok(exported) => exported,
                Err(ExportError::Ram { .. }) => break,
                Err(error) => return Err(error.into()),
            };
            let (outputs, cost) = measured(&file, &[vec![0; 4]])?;
            if outputs[0] != codes {
                return Err("the chip does not answer what the reference kernels do".into());
            }
            println!("  all nodes: {}; {}", line(&file, &cost), per_operator(&file, &cost)?);
            room.ram_bytes = arena.bytes - 1;
        }
        let (file, _) = export_within(&int8, Isa::ArmDsp, Room { file_bytes: 0, ..Room::ANY })?;
        let (outputs, cost) = measured(&file, &[vec![0; 4]])?;
        if outputs[0] != codes {
            return Err("weights without zeros do not give what all of them give".into());
        }
        println!("  smallest flash: {}; {}", line(&file, &cost), per_operator(&file, &cost)?);
        self.single_nodes(task, &int8, &codes)
    }

    fn single_nodes(&self, task: &NodeTask, int8: &Graph, codes: &[u8]) -> Outcome<()> {
        let (file, _) = export_within(&query(int8, 1)?, Isa::ArmDsp, Room::ANY)?;
        let inputs: Vec<Vec<u8>> = task.test.iter().map(|node| node.to_le_bytes().to_vec()).collect();
        let (outputs, cost) = measured(&file, &inputs)?;
        let row = codes.len() / task.input.adjacency.nodes();
        let same = |(output, &node): (&Vec<u8>, &u32)| output[..] == codes[node as usize * row..][..row];
        if !outputs.iter().zip(&task.test).all(same) {
            return Err("a node on its own is not what it is among all".into());
        }
        let Cost { instructions_min, instructions_max, .. } = cost;
        println!("  one node: {}; {instructions_min} to {instructions_max} over the test nodes", line(&file, &cost));
        Ok(())
    }
}

/// What both machines answer, and what it cost on the chip.
fn measured(file: &AlignedBytes, inputs: &[Vec<u8>]) -> Outcome<(Vec<Vec<u8>>, Cost)> {
    let here = chip::run(Chip::Host, file, inputs, &mut |_| ())?;
    let there = chip::run(Chip::CortexM4, file, inputs, &mut |_| ())?;
    if there.outputs != here.outputs {
        return Err("the chip does not answer what this machine does".into());
    }
    Ok((there.outputs, there.cost.ok_or("the chip measures nothing")?))
}

fn line(file: &AlignedBytes, cost: &Cost) -> String {
    let Cost { instructions, arena_bytes, stack_bytes, code_bytes, .. } = cost;
    let (ram, flash) = (arena_bytes + stack_bytes, code_bytes + file.len() as u64);
    format!(
        "{instructions} instructions, RAM {ram} (arena {arena_bytes}, stack {stack_bytes}), flash {flash} (code \
         {code_bytes}, model and graph {})",
        file.len()
    )
}

fn per_operator(file: &AlignedBytes, cost: &Cost) -> Outcome<String> {
    let names = describe(&Model::verify(file, niwaki_core::ops::ALL)?).operators;
    let parts = names.iter().zip(&cost.per_op).filter(|(_, instructions)| **instructions > 10_000);
    Ok(parts.map(|(operator, instructions)| format!("{} {instructions}", operator.op)).collect::<Vec<_>>().join(", "))
}
