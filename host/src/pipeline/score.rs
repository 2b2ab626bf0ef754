//! From samples to model inputs, and from model outputs to accuracy.

use crate::data::Split;
use crate::graph::{
    Graph, GraphError,
    eval::{Value, f32s},
};
use niwaki_core::format::DType;

/// The samples of a split as input bytes of `graph`: float, or quantised if its input is.
///
/// # Errors
/// [`GraphError::Sample`] when the samples do not fit the input.
pub fn inputs(graph: &Graph, split: &Split) -> Result<Vec<Vec<u8>>, GraphError> {
    let &[input] = graph.inputs.as_slice() else {
        return Err(GraphError::Inputs { what: "a score of samples", count: graph.inputs.len() });
    };
    let tensor = &graph[input];
    (0..split.len())
        .map(|i| {
            let x = split.sample(i);
            if x.len() != tensor.element_count() {
                let (tensor, shape) = (tensor.name.clone(), tensor.shape.clone());
                return Err(GraphError::Sample { tensor, shape, got: x.len() });
            }
            Ok(Value::of_reals(tensor, x).to_bytes())
        })
        .collect()
}

/// Index of the largest value; the first of several.
pub fn argmax<T: PartialOrd + Copy>(values: &[T]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

/// Share of outputs whose largest element is the label's.
pub fn accuracy(graph: &Graph, outputs: &[Vec<u8>], labels: &[u32]) -> f64 {
    let dtype = graph.outputs.first().map_or(DType::F32, |&output| graph[output].dtype());
    let class = |bytes: &[u8]| class_of(bytes, dtype.name());
    let correct = outputs.iter().zip(labels).filter(|(y, label)| class(y) == i64::from(**label)).count();
    correct as f64 / labels.len().max(1) as f64
}

/// The class that the output bytes of a model name: that with the largest score, the first of several. An output of
/// 32-bit integers, which only ARG_MAX has, is the class itself.
pub fn class_of(bytes: &[u8], dtype: &str) -> i64 {
    let class = match dtype {
        "i8" => argmax::<i8>(bytemuck::cast_slice(bytes)),
        "i16" => argmax(&elements(bytes, i16::from_le_bytes)),
        "i32" => return elements(bytes, i32::from_le_bytes).first().map_or(-1, |&class| class.into()),
        _ => argmax(&f32s(bytes)),
    };
    class as i64
}

/// The elements of an output, `N` bytes each.
pub fn elements<T, const N: usize>(bytes: &[u8], from_le_bytes: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&element| from_le_bytes(element)).collect()
}
