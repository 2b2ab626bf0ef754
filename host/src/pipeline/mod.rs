//! A run from recipe to report: train, cut, quantise, export, measure; every result lands in the run's folder.

pub mod compare;
mod deploy;
mod describe;
mod fit;
pub mod imported;
mod meter;
pub mod nodes;
pub mod score;
mod source;

use crate::chip::{self, Chip, ChipError, Cost};
use crate::data::{self, DataError, Dataset};
use crate::engine::{Engine, EngineError, Options as EngineOptions};
use crate::export::ExportError;
use crate::graph::{Graph, GraphError};
use crate::hardware::Isa;
use crate::io::AlignedBytes;
use crate::io::atomic::{self, WriteError};
use crate::plan::Arena;
use crate::quantize::QuantizeError;
use crate::recipe::Recipe;
use crate::report::{Report, ReportError, Stage};
use crate::sparsify::{SparsifyError, cost, cost::Meter, wgsef::Prox};
use crate::train::{self, Phase, TrainError};
use crate::tune::{TuneError, export_planned, write_planned};
use meter::ChipMeter;
use niwaki_kernels::{DeviceKind, Gpu, GpuError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The recipe of a run, as used, in its folder.
pub const RECIPE_FILE: &str = "recipe.toml";
/// The exported model, in a run's folder.
pub const MODEL_FILE: &str = "model.niwaki";

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is the error of the step that it is named after")]
pub enum PipelineError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    #[error(transparent)]
    Sparsify(#[from] SparsifyError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Tune(#[from] TuneError),
    #[error(transparent)]
    Chip(#[from] ChipError),
    #[error(transparent)]
    Gpu(#[from] GpuError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{}: cannot be created: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("instructions cannot be counted: {why}; or compare by another cost: --unit macs, or `[compare] unit`")]
    NoInstructions { why: String },
    #[error(
        "{source}\nwhat was trained is in {}: the same command with --set target.flash=..., target.ram=... or \
         target.instructions=... goes on from there", dir.display()
    )]
    Limits { dir: PathBuf, source: TuneError },
    #[error("networks over graphs are trained on the CPU: leave --device out")]
    GraphDevice,
    #[error("stopped after {done} of {of} cells; the same command goes on from there")]
    Stopped { done: usize, of: usize },
    #[error("{}: {what}", path.display())]
    Source { path: PathBuf, what: String },
    #[error(
        "{} holds a run with another recipe ({difference}); give --out another folder, or delete that one",
        path.display()
    )]
    OtherRecipe { path: PathBuf, difference: String },
}

/// Where tensors are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The CPU: a GPU is used only where one is named.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU for the proximal steps.
    Cuda,
    /// Any Vulkan device for the proximal steps.
    Vulkan,
}

/// How a run is carried out.
pub struct Options<'a> {
    /// The run's folder; created, or gone on with.
    pub dir: &'a Path,
    /// Threads.
    pub threads: usize,
    /// Where proximal steps run.
    pub device: Device,
    /// The chip to measure on, if any.
    pub chip: Option<Chip>,
    /// Test inputs that run there, from the first on; all unless given. Accuracy is then counted on this machine, on
    /// all of them.
    pub chip_inputs: Option<usize>,
    /// Whether a model that passes a limit of its target is refused; if not, the report has a note.
    pub keep_limits: bool,
    /// Set by someone else to end the run after the current epoch.
    pub stop: &'a AtomicBool,
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Training.
    Train(train::Event<'a>),
    /// Measuring on a chip.
    Chip(chip::Step<'a>),
    /// A stage is done.
    Stage(&'a Stage),
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// What was found.
    pub report: Report,
    /// Accuracy of the exported model on the validation samples.
    pub val_accuracy: f64,
    /// What the model costs on the chip, if it ran on one.
    pub cost: Option<Cost>,
    /// Why it did not run on the chip although it was to.
    pub chip_missing: Option<String>,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Runs `recipe` in a folder, going on from whatever is there.
///
/// A chip whose emulator cannot be had is no error: the run ends without that stage, and says why.
///
/// # Errors
/// [`PipelineError`]; whatever was finished is in the folder.
pub fn run(recipe: &Recipe, options: Options<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<Finished, PipelineError> {
    let started = Instant::now();
    open_folder(options.dir, recipe)?;
    if data::known::by_name(&recipe.data.name)?.kind == data::known::Kind::Graph {
        return nodes::run(recipe, options, tell);
    }
    let data = data::load(&recipe.data.name, recipe.data.dir.as_deref())?;
    let initial = source::initial(recipe, &data)?;
    let mut meter = ChipMeter::new(recipe, &data);
    let (prox, meter): (_, &mut dyn Meter) = (prox(options.device)?, &mut meter);
    let training = train::Options { threads: options.threads, prox, meter, stop: options.stop };
    let trained = train::train(recipe, initial, &data, options.dir, training, &mut |e| tell(Event::Train(e)))?;

    let mut stages = Vec::new();
    let mut finish = |stage: Stage, tell: &mut dyn FnMut(Event<'_>)| {
        tell(Event::Stage(&stage));
        stages.push(stage);
    };
    let dense_seconds = trained.seconds(|p| p == Phase::Dense);
    finish(float_stage("dense-f32", &trained.dense, recipe, &data, options.threads, dense_seconds)?, tell);
    if let Some(sparse) = &trained.sparse {
        let seconds = trained.seconds(|p| matches!(p, Phase::Ramp | Phase::Finetune));
        finish(float_stage("sparse-f32", sparse, recipe, &data, options.threads, seconds)?, tell);
    }

    let at = Instant::now();
    let (quantized, four_bits) = match &trained.quantized {
        Some(quantized) => (quantized.clone(), Vec::new()),
        None => {
            let samples = recipe.quantize.samples.min(data.train.len());
            let samples: Vec<&[f32]> = (0..samples).map(|i| data.train.sample(i)).collect();
            fit::fitted(trained.last(), &samples, recipe)?
        }
    };
    let (file, arena) = match planned(&quantized, recipe, options.dir) {
        Err(error @ PipelineError::Limits { .. }) if options.keep_limits => return Err(error),
        Err(PipelineError::Limits { .. }) => planned(&quantized, &without_limits(recipe), options.dir)?,
        exported => exported?,
    };
    let test = score::inputs(&quantized, &data.test)?;
    let outputs = chip::run(Chip::Host, &file, &test, &mut |_| ())?.outputs;
    let int8 = Stage {
        name: "int8-host".into(),
        accuracy: score::accuracy(&quantized, &outputs, &data.test.y),
        params: quantized.parameter_count() as u64,
        macs: quantized.macs() as u64,
        model_bytes: Some(file.len() as u64),
        arena_bytes: Some(arena.bytes as u64),
        seconds: at.elapsed().as_secs_f64() + trained.seconds(|p| p == Phase::Qat),
        ..Stage::default()
    };
    finish(int8.clone(), tell);

    let at = Instant::now();
    let mut chip_missing = None;
    let mut cost = None;
    let mut bytes_equal = None;
    if let Some(chip) = options.chip {
        let on = &test[..options.chip_inputs.map_or(test.len(), |n| n.min(test.len()))];
        match chip::run(chip, &file, on, &mut |step| tell(Event::Chip(step))) {
            Ok(measured) => {
                bytes_equal = Some(measured.outputs == outputs[..on.len()]);
                let est_cycles = match test.first() {
                    Some(input) => chip::estimate_cycles(chip, &file, input, &mut |step| tell(Event::Chip(step)))?,
                    None => None,
                };
                let on_chip = Stage {
                    name: format!("int8-{chip}"),
                    accuracy: if on.len() < test.len() {
                        int8.accuracy
                    } else {
                        score::accuracy(&quantized, &measured.outputs, &data.test.y)
                    },
                    instructions: measured.cost.as_ref().map(|c| c.instructions),
                    est_cycles: est_cycles.map(|estimate| estimate.cycles),
                    arena_bytes: measured.cost.as_ref().map(|c| c.arena_bytes),
                    stack_bytes: measured.cost.as_ref().map(|c| c.stack_bytes),
                    code_bytes: measured.cost.as_ref().map(|c| c.code_bytes),
                    seconds: at.elapsed().as_secs_f64(),
                    ..int8
                };
                finish(on_chip, tell);
                cost = measured.cost;
            }
            Err(error @ ChipError::Missing { .. }) => chip_missing = Some(error.to_string()),
            Err(error) => return Err(error.into()),
        }
    }

    let val = chip::run(Chip::Host, &file, &score::inputs(&quantized, &data.val)?, &mut |_| ())?.outputs;
    let mut report = Report {
        title: format!("{} on {}", recipe.model.name(), recipe.data.name),
        dataset: recipe.data.name.clone(),
        model: recipe.model.name(),
        seed: recipe.train.seed,
        stages,
        operators: describe::operators(&quantized, cost.as_ref()),
        arena: describe::arena_map(&quantized, &arena),
        training: trained.epochs,
        bytes_equal,
        graph: None,
        notes: describe::over_budget(&recipe.target, &file, &arena, cost.as_ref()),
    };
    if !four_bits.is_empty() {
        let names = four_bits.join(", ");
        report.notes.push(format!("The flash asks for four bits in the weights of {names}; all others have eight."));
    }
    report.notes.extend(chip_missing.clone());
    if let Some(n) = options.chip_inputs.filter(|&n| n < test.len() && bytes_equal.is_some()) {
        let of = test.len();
        report.notes.push(format!("The chip ran the first {n} of {of} test inputs; accuracy is counted on the host."));
    }
    report.save(options.dir)?;
    Ok(Finished {
        val_accuracy: score::accuracy(&quantized, &val, &data.val.y),
        cost,
        chip_missing,
        seconds: started.elapsed().as_secs_f64(),
        report,
    })
}

/// Exports `graph` with the layouts that cost least on the recipe's chip within its limits, to [`MODEL_FILE`] in `dir` with
/// the plan beside it.
fn planned(graph: &Graph, recipe: &Recipe, dir: &Path) -> Result<(AlignedBytes, Arena), PipelineError> {
    let chip = recipe.target.chip.parse().ok();
    let (file, arena, plan) = match export_planned(graph, chip, &recipe.target.limits()) {
        Err(source @ (TuneError::Limits(_) | TuneError::Export(ExportError::Ram { .. }))) => {
            return Err(PipelineError::Limits { dir: dir.into(), source });
        }
        exported => exported?,
    };
    write_planned(&dir.join(MODEL_FILE), &file, plan.as_ref())?;
    Ok((file, arena))
}

/// The recipe for a model that may take what it takes.
fn without_limits(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.target.ram = None;
    recipe.target.flash = None;
    recipe.target.instructions = None;
    recipe
}

/// What the recipe's chip wants its weights packed for.
fn isa(recipe: &Recipe) -> Isa {
    recipe.target.chip.parse().map_or(Isa::Portable, Chip::isa)
}

/// Creates the run's folder with its recipe, or checks that it holds the same one.
fn open_folder(dir: &Path, recipe: &Recipe) -> Result<(), PipelineError> {
    std::fs::create_dir_all(dir).map_err(|source| PipelineError::Folder { path: dir.into(), source })?;
    let path = dir.join(RECIPE_FILE);
    let wanted = recipe.to_toml();
    match std::fs::read_to_string(&path) {
        // A recipe written before a key existed means that key's default.
        Ok(found) if found == wanted => Ok(()),
        Ok(found) if Recipe::parse(&found, "", &[]).is_ok_and(|found| is_same_run(&found, recipe)) => {
            Ok(atomic::write(&path, wanted.as_bytes())?)
        }
        Ok(found) => {
            let lines = found.lines().zip(wanted.lines()).find(|(a, b)| a != b);
            let difference = lines.map_or("more keys".into(), |(a, b)| format!("`{a}` there, `{b}` here"));
            Err(PipelineError::OtherRecipe { path: dir.into(), difference })
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(atomic::write(&path, wanted.as_bytes())?),
        Err(e) => Err(PipelineError::Source { path, what: format!("cannot be read ({e})") }),
    }
}

/// Whether `recipe` trains what `found` trained: what the exported model may take is settled after that.
fn is_same_run(found: &Recipe, recipe: &Recipe) -> bool {
    let mut found = without_limits(found);
    found.target.least = recipe.target.least;
    found == without_limits(recipe)
}

fn prox(device: Device) -> Result<Prox, GpuError> {
    let gpu = |kind| Ok(Prox::Gpu(Box::new(Gpu::open(kind)?)));
    match device {
        Device::Auto | Device::Cpu => Ok(Prox::Cpu),
        Device::Cuda => gpu(DeviceKind::Cuda),
        Device::Vulkan => gpu(DeviceKind::Vulkan),
    }
}

fn float_stage(
    name: &str,
    graph: &Graph,
    recipe: &Recipe,
    data: &Dataset,
    threads: usize,
    seconds: f64,
) -> Result<Stage, PipelineError> {
    let batch = recipe.train.batch;
    let mut engine = Engine::new(graph, EngineOptions { batch, threads })?;
    let score = train::evaluate(&mut engine, &data.test, batch)?;
    Ok(Stage {
        name: name.into(),
        accuracy: score.accuracy,
        loss: Some(score.loss),
        params: graph.parameter_count() as u64,
        macs: graph.macs() as u64,
        nonzero_macs: Some(cost::macs(graph).round() as u64),
        model_bytes: Some(4 * graph.parameter_count() as u64),
        seconds,
        ..Stage::default()
    })
}
