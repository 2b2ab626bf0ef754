//! Quantising a network of another tool: no training and no labels, only inputs.

use super::{MODEL_FILE, PipelineError, fit::fitted, planned, source};
use crate::quantize::fidelity::{Fidelity, fidelity};
use crate::recipe::Recipe;
use crate::simplify::simplify;
use std::path::{Path, PathBuf};

/// A float network that was quantised.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Quantized {
    /// Where the model is.
    pub model: PathBuf,
    /// Inputs that the scales were chosen by.
    pub calibration_samples: usize,
    /// Layers that were given four bits to fit the flash.
    pub four_bits: Vec<String>,
    /// How close the integer network is on the others.
    pub fidelity: Fidelity,
    /// Bytes of the file.
    pub model_bytes: u64,
    /// Bytes of RAM for activations.
    pub arena_bytes: u64,
}

/// Quantises the float network `recipe.model.import` as `[quantize]` says and writes it to [`MODEL_FILE`] in `dir`.
///
/// Every second of `inputs` is left out of calibration and is what both networks are compared on; of the others, as many
/// as `quantize.samples` are used.
///
/// # Errors
/// [`PipelineError::Source`] names a file that is no float network or inputs that do not fit; [`PipelineError::Graph`]
/// what cannot be quantised.
pub fn quantize_imported(recipe: &Recipe, inputs: &[Vec<f32>], dir: &Path) -> Result<Quantized, PipelineError> {
    let path = recipe.model.import.clone().unwrap_or_default();
    let refused = |what: String| PipelineError::Source { path: path.clone(), what };
    let graph = simplify(&source::imported(&path)?)?;
    let &[input] = graph.inputs.as_slice() else {
        return Err(refused(format!("it has {} inputs; an array fills one", graph.inputs.len())));
    };
    let len = graph[input].element_count();
    if let Some(x) = inputs.iter().find(|x| x.len() != len) {
        return Err(refused(format!("it takes {:?}, an input has {} values", graph[input].shape, x.len())));
    }
    if inputs.len() < 2 {
        return Err(refused(format!("{} inputs are too few: some calibrate, others are compared on", inputs.len())));
    }
    let of = |start| inputs.iter().skip(start).step_by(2).map(Vec::as_slice);
    let calibration: Vec<&[f32]> = of(0).take(recipe.quantize.samples).collect();
    let rest: Vec<&[f32]> = of(1).collect();
    let (integer, four_bits) = fitted(&graph, &calibration, recipe)?;
    std::fs::create_dir_all(dir).map_err(|source| PipelineError::Folder { path: dir.into(), source })?;
    // There is no training to go on from.
    let (file, arena) = planned(&integer, recipe, dir).map_err(|error| match error {
        PipelineError::Limits { source, .. } => PipelineError::Tune(source),
        error => error,
    })?;
    Ok(Quantized {
        model: dir.join(MODEL_FILE),
        calibration_samples: calibration.len(),
        four_bits,
        fidelity: fidelity(&graph, &integer, &rest)?,
        model_bytes: file.len() as u64,
        arena_bytes: arena.bytes as u64,
    })
}
