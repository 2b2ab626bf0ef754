//! Where a run's network comes from: the zoo, a `.tflite` file, or another run.

use super::{PipelineError, RECIPE_FILE};
use crate::data::Dataset;
use crate::graph::Graph;
use crate::recipe::Recipe;
use crate::train::{DENSE_FILE, weights};
use crate::zoo::ZooError;
use crate::{import, zoo};
use std::path::Path;

/// The network that training starts from.
pub(super) fn initial(recipe: &Recipe, data: &Dataset) -> Result<Graph, PipelineError> {
    let model = &recipe.model;
    let graph = if let Some(run) = &model.run {
        of_run(run, data)?
    } else if let Some(path) = &model.import {
        imported(path)?
    } else {
        let name = model.zoo.as_deref().unwrap_or_default();
        let network = zoo::by_name(name).ok_or_else(|| ZooError::Unknown { name: name.into() })?;
        network.build(&data.input_shape, data.classes, recipe.train.seed)?
    };
    if let Some(path) = model.run.as_ref().or(model.import.as_ref()) {
        fits(&graph, data).map_err(|what| PipelineError::Source { path: path.clone(), what })?;
    }
    Ok(graph)
}

/// The dense network of a finished or interrupted run.
fn of_run(dir: &Path, data: &Dataset) -> Result<Graph, PipelineError> {
    let path = dir.join(RECIPE_FILE);
    let recipe = Recipe::load(&path, &[]).map_err(|e| PipelineError::Source { path, what: format!("{e}") })?;
    Ok(weights::load(&dir.join(DENSE_FILE), &initial(&recipe, data)?)?)
}

/// A float network of a file.
pub(super) fn imported(path: &Path) -> Result<Graph, PipelineError> {
    let refused = |what: String| PipelineError::Source { path: path.into(), what };
    let graph = import::read(path).map_err(|e| refused(format!("{e}")))?;
    match graph.tensors.iter().find(|t| t.quant.is_some()) {
        Some(t) => Err(refused(format!("`{}` is quantised already; give the float network", t.name))),
        None => Ok(graph),
    }
}

/// Whether `graph` takes the samples of `data` and tells their classes apart.
fn fits(graph: &Graph, data: &Dataset) -> Result<(), String> {
    let shape = |ids: &[crate::graph::TensorId]| ids.first().map(|&id| graph[id].shape.clone()).unwrap_or_default();
    let (input, output) = (shape(&graph.inputs), shape(&graph.outputs));
    let squeezed = |shape: &[usize]| shape.iter().copied().filter(|&n| n != 1).collect::<Vec<usize>>();
    if squeezed(&input) != squeezed(&data.input_shape) {
        return Err(format!("the network takes {input:?}, a sample of {} is {:?}", data.name, data.input_shape));
    }
    if output.iter().product::<usize>() != data.classes {
        return Err(format!("the network answers {output:?}, {} has {} classes", data.name, data.classes));
    }
    Ok(())
}
