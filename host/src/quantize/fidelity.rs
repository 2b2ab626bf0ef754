//! How close an integer network stays to the float one that it was made of.

use super::QuantizeError;
use crate::graph::{Graph, GraphError, TensorId, eval::Value};
use crate::ops::Softmax;
use niwaki_core::num::dequantize;

/// A comparison of scores: of the network's output, or of what its final softmax reads.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Fidelity {
    /// Samples that were compared.
    pub samples: usize,
    /// Pearson's correlation of all scores of all samples.
    pub correlation: f64,
    /// Mean absolute difference of a score.
    pub mean_error: f64,
    /// Largest absolute difference of a score.
    pub worst_error: f64,
    /// Smallest and largest score of the float network, to measure errors by.
    pub range: (f64, f64),
    /// Share of samples in which the same score is the largest.
    pub agreement: f64,
}

/// Compares `integer` with `float` on `samples`.
///
/// # Errors
/// [`QuantizeError`] when a sample does not fit, or there is none.
pub fn fidelity(float: &Graph, integer: &Graph, samples: &[&[f32]]) -> Result<Fidelity, QuantizeError> {
    if samples.is_empty() {
        return Err(QuantizeError::NoSamples { what: "a comparison" });
    }
    let (float_scores, integer_scores) = (scores_of(float)?, scores_of(integer)?);
    let (mut pairs, mut agreed) = (Vec::new(), 0);
    for x in samples {
        let exact = reals(float, float_scores, &float.evaluate(x)?);
        let rounded = reals(integer, integer_scores, &integer.evaluate(x)?);
        agreed += usize::from(largest(&exact) == largest(&rounded));
        pairs.extend(exact.into_iter().zip(rounded));
    }
    let n = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / n;
    let (a, b) = (mean(|p| p.0), mean(|p| p.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let covariance = sum(&|p| (p.0 - a) * (p.1 - b));
    let deviations = (sum(&|p| (p.0 - a).powi(2)) * sum(&|p| (p.1 - b).powi(2))).sqrt();
    Ok(Fidelity {
        samples: samples.len(),
        correlation: if deviations > 0.0 { covariance / deviations } else { 0.0 },
        mean_error: mean(|p| (p.0 - p.1).abs()),
        worst_error: pairs.iter().map(|p| (p.0 - p.1).abs()).fold(0.0, f64::max),
        range: pairs.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| (l.min(p.0), h.max(p.0))),
        agreement: agreed as f64 / samples.len() as f64,
    })
}

/// The tensor of the scores.
fn scores_of(graph: &Graph) -> Result<TensorId, QuantizeError> {
    let output = *graph.outputs.first().ok_or(GraphError::NoOutput)?;
    let head = graph.producer(output).map(|n| &graph.nodes[n]).filter(|node| node.op.is::<Softmax>());
    Ok(head.map_or(output, |node| node.inputs[0]))
}

fn reals(graph: &Graph, id: TensorId, values: &[Option<Value>]) -> Vec<f64> {
    match (&values[id.0], &graph[id].quant) {
        (Some(Value::F32(x)), _) => x.iter().map(|&v| v.into()).collect(),
        (Some(Value::I8(codes)), Some(q)) => {
            codes.iter().map(|&c| dequantize(c, q.scales[0], q.zero_point).into()).collect()
        }
        _ => Vec::new(),
    }
}

fn largest(scores: &[f64]) -> usize {
    (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}
