//! A run over samples: dense, sparse, and the model that they leave.

use super::measure::{Found, Measured, Model, Scores, measure};
use super::meter::ChipMeter;
use super::{Device, PipelineError, RunEvent, RunOptions, fit, planned, score, source, without_limits};
use crate::chip::{self, Chip};
use crate::data::{self, Dataset};
use crate::engine::{Engine, EngineOptions};
use crate::graph::Graph;
use crate::recipe::Recipe;
use crate::report::Stage;
use crate::sparsify::{cost, method::Prox};
use crate::train::{self, Phase, Trained};
use niwaki_kernels::{DeviceKind, Gpu, GpuError};
use std::time::Instant;

/// As [`super::run`], for a data set of samples; the folder is open.
pub(super) fn run(
    recipe: &Recipe,
    options: &RunOptions<'_>,
    tell: &mut dyn FnMut(RunEvent<'_>),
) -> Result<Measured, PipelineError> {
    let data = data::load(&recipe.data.name, recipe.data.dir.as_deref())?;
    let initial = source::initial(recipe, &data)?;
    let (prox, meter) = (prox(options.device)?, &mut ChipMeter::new(recipe, &data));
    let training = train::TrainOptions { threads: options.threads, prox, meter, stop: options.stop };
    let trained = train::train(recipe, initial, &data, options.dir, training, &mut |e| tell(RunEvent::Train(e)))?;

    let mut found = Found::default();
    let dense_seconds = trained.seconds(|p| p == Phase::Dense);
    found.stage(float_stage("dense-f32", &trained.dense, recipe, &data, options.threads, dense_seconds)?, tell);
    if let Some(sparse) = &trained.sparse {
        let seconds = trained.seconds(|p| matches!(p, Phase::Ramp | Phase::Finetune));
        found.stage(float_stage("sparse-f32", sparse, recipe, &data, options.threads, seconds)?, tell);
    }
    let (model, four_bits) = exported(recipe, options, &data, &trained)?;
    if !four_bits.is_empty() {
        let names = four_bits.join(", ");
        found.notes[1].push(format!("The flash asks for four bits in the weights of {names}; all others have eight."));
    }
    found.training = trained.epochs;
    measure(recipe, options, &model, &data, found, tell)
}

/// The integer network in its file, and the layers that were given four bits to fit.
fn exported(
    recipe: &Recipe,
    options: &RunOptions<'_>,
    data: &Dataset,
    trained: &Trained,
) -> Result<(Model, Vec<String>), PipelineError> {
    let at = Instant::now();
    let (graph, four_bits) = match &trained.quantized {
        Some(quantized) => (quantized.clone(), Vec::new()),
        None => {
            let samples = recipe.quantize.samples.min(data.train.len());
            let samples: Vec<&[f32]> = (0..samples).map(|i| data.train.sample(i)).collect();
            fit::fitted(trained.last(), &samples, recipe)?
        }
    };
    let (file, arena) = match planned(&graph, recipe, options.dir) {
        Err(error @ PipelineError::Limits { .. }) if options.keep_limits => return Err(error),
        Err(PipelineError::Limits { .. }) => planned(&graph, &without_limits(recipe), options.dir)?,
        exported => exported?,
    };
    let inputs = score::inputs(&graph, &data.test)?;
    let seconds = at.elapsed().as_secs_f64() + trained.seconds(|p| p == Phase::Qat);
    Ok((Model { graph, file, arena, inputs, seconds }, four_bits))
}

impl Scores for Dataset {
    fn test(&self, model: &Model, outputs: &[Vec<u8>]) -> f64 {
        score::accuracy(&model.graph, outputs, &self.test.y)
    }

    fn val(&self, model: &Model, _: &[Vec<u8>]) -> Result<f64, PipelineError> {
        let inputs = score::inputs(&model.graph, &self.val)?;
        let outputs = chip::run(Chip::Host, &model.file, &inputs, &mut |_| ())?.outputs;
        Ok(score::accuracy(&model.graph, &outputs, &self.val.y))
    }
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
