//! From samples to model inputs, and from model outputs to accuracy.

use crate::data::Split;
use crate::graph::{
    Graph, GraphError,
    eval::{Value, f32s},
};

/// The samples of a split as input bytes of `graph`: float, or quantised if its input is.
///
/// # Errors
/// [`GraphError::Eval`] when the samples do not fit the input.
pub fn inputs(graph: &Graph, split: &Split) -> Result<Vec<Vec<u8>>, GraphError> {
    let &[input] = graph.inputs.as_slice() else {
        return Err(GraphError::Eval("samples have one tensor, the network has several inputs".into()));
    };
    let tensor = &graph[input];
    (0..split.len())
        .map(|i| {
            let x = split.sample(i);
            if x.len() != tensor.element_count() {
                let (shape, got) = (&tensor.shape, x.len());
                return Err(GraphError::Eval(format!("the network takes {shape:?}, a sample has {got} values")));
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
    let quantized = graph.outputs.first().is_some_and(|&o| graph[o].quant.is_some());
    let class = |bytes: &[u8]| class_of(bytes, quantized);
    let correct = outputs.iter().zip(labels).filter(|(y, label)| class(y) == **label as usize).count();
    correct as f64 / labels.len().max(1) as f64
}

/// The class with the largest score in the output bytes of a model: int8 codes, or floats.
pub fn class_of(bytes: &[u8], quantized: bool) -> usize {
    if quantized { argmax::<i8>(bytemuck::cast_slice(bytes)) } else { argmax(&f32s(bytes)) }
}
