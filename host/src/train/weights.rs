//! Weights and batch-norm statistics of a graph to and from `.safetensors`.

use super::TrainError;
use crate::graph::{Data, Graph, Role, Tensor, eval};
use crate::io::atomic::{self, WriteError};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::path::Path;

/// The f32 constants of `graph` as named views.
pub(super) fn views(graph: &Graph) -> Vec<(String, TensorView<'_>)> {
    let constants = graph.tensors.iter().filter(|t| t.role != Role::Activation);
    constants.filter_map(|t| Some((t.name.clone(), view(t)?))).collect()
}

fn view(t: &Tensor) -> Option<TensorView<'_>> {
    TensorView::new(Dtype::F32, t.shape.clone(), bytemuck::cast_slice(t.f32s()?)).ok()
}

/// Writes the weights of `graph`.
///
/// # Errors
/// [`WriteError`].
pub fn save(path: &Path, graph: &Graph) -> Result<(), WriteError> {
    atomic::write(path, &serialize(views(graph), None))
}

/// The bytes of a `.safetensors` file; the same tensors give the same bytes.
pub(super) fn serialize(
    tensors: Vec<(String, TensorView<'_>)>,
    metadata: Option<std::collections::HashMap<String, String>>,
) -> Vec<u8> {
    safetensors::serialize(tensors, metadata).unwrap_or_default()
}

/// `graph` with the weights of a file. Their sizes may be smaller: a pruned network keeps its graph and its names.
///
/// # Errors
/// [`TrainError::Broken`] names what does not fit.
pub fn load(path: &Path, graph: &Graph) -> Result<Graph, TrainError> {
    let broken = |what: String| TrainError::Broken { path: path.into(), what };
    let bytes = std::fs::read(path).map_err(|e| broken(format!("cannot be read ({e})")))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| broken(format!("is no .safetensors file ({e})")))?;
    fill(&file, graph).map_err(broken)
}

/// `graph` with the values and sizes of `file`.
pub(super) fn fill(file: &SafeTensors<'_>, graph: &Graph) -> Result<Graph, String> {
    let mut graph = graph.clone();
    for t in graph.tensors.iter_mut().filter(|t| t.role != Role::Activation) {
        let view = file.tensor(&t.name).map_err(|_| format!("has no tensor `{}`", t.name))?;
        t.shape = view.shape().to_vec();
        t.data = Some(Data::F32(f32s(&t.name, &view)?));
    }
    graph.propagate_shapes().and_then(|()| graph.validate()).map_err(|e| format!("does not fit the network ({e})"))?;
    Ok(graph)
}

/// The values of an f32 tensor.
pub(super) fn f32s(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, String> {
    if view.dtype() != Dtype::F32 {
        return Err(format!("tensor `{name}` is {:?}, expected F32", view.dtype()));
    }
    Ok(eval::f32s(view.data()))
}
