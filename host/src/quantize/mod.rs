//! Post-training quantisation: an f32 graph becomes an int8 graph with per-channel weights.

mod calibrate;
mod fold;
mod nodes;

pub use calibrate::{Calibration, ranges};
pub use fold::{fold_batch_norm, fuse_activations};

use crate::graph::{Data, Graph, GraphError, Op, Quant, TensorId};
use niwaki_core::num::round_away;

/// Largest magnitude of a quantised bias, so that accumulators stay inside i32.
const BIAS_MAX: f64 = (1 << 30) as f64;

/// Quantises `graph`: batch norm folded, clamps fused, activations int8 per tensor from `samples`, weights int8 per
/// output channel, biases int32.
///
/// # Errors
/// [`GraphError`] names the operator or activation that cannot be quantised.
pub fn post_training(graph: &Graph, samples: &[&[f32]], calibration: Calibration) -> Result<Graph, GraphError> {
    let float = fuse_activations(&fold_batch_norm(&nodes::without_dropout(graph))?);
    let ranges = ranges(&float, samples, calibration)?;
    let mut graph = float.clone();
    for id in float.activations() {
        let (low, high) = ranges[id.0].unwrap_or((0.0, 0.0));
        graph.quantise(id, activation_quant(low, high));
    }
    for node in &float.nodes {
        match node.op {
            Op::Softmax => {
                graph[node.output].quant = Some(Quant { scales: vec![1.0 / 256.0], zero_point: -128, axis: None });
            }
            // These move codes without changing their meaning.
            Op::MaxPool2d { .. } | Op::AveragePool2d { .. } | Op::Reshape { .. } => {
                graph[node.output].quant = graph[node.inputs[0]].quant.clone();
            }
            Op::Conv2d { .. } | Op::Dense { .. } => quantize_layer(&mut graph, &node.inputs, 0)?,
            Op::DepthwiseConv2d { .. } => quantize_layer(&mut graph, &node.inputs, 2)?,
            _ => {}
        }
    }
    nodes::quantise_constants(&mut graph, &float);
    nodes::quantise_features(&mut graph, &float)?;
    nodes::quantise_by_node(&mut graph, &float, samples, calibration)?;
    Ok(graph)
}

/// Asymmetric int8 parameters for values in `[low, high]`, widened to hold zero exactly (specs §8).
pub fn activation_quant(low: f32, high: f32) -> Quant {
    let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(0.0)));
    let scale = ((high - low) / 255.0) as f32;
    if scale < f32::MIN_POSITIVE {
        // Always zero: any scale does.
        return Quant { scales: vec![1.0], zero_point: 0, axis: None };
    }
    let step = f64::from(scale);
    // The zero point from the end of the range that loses less.
    let from_low = -128.0 - low / step;
    let from_high = 127.0 - high / step;
    let low_error = 128.0 + (low / step).abs();
    let high_error = 127.0 + (high / step).abs();
    let zero_point = round_away(if low_error < high_error { from_low } else { from_high });
    Quant { scales: vec![scale], zero_point: zero_point.clamp(-128.0, 127.0) as i32, axis: None }
}

/// The weights and bias of a layer with inputs `x, w` and maybe `bias`.
fn quantize_layer(graph: &mut Graph, inputs: &[TensorId], axis: usize) -> Result<(), GraphError> {
    let input_scale = graph[inputs[0]].quant.as_ref().map_or(1.0, |q| f64::from(q.scales[0]));
    quantize_weights(graph, inputs[1], inputs.get(2).copied(), input_scale, axis)
}

/// Symmetric per-channel weights, `scale = max|w| / 127`, and the bias in units of `input_scale * scale`.
fn quantize_weights(
    graph: &mut Graph,
    w: TensorId,
    bias: Option<TensorId>,
    input_scale: f64,
    axis: usize,
) -> Result<(), GraphError> {
    let name = graph[w].name.clone();
    let not_float = || GraphError::Eval(format!("weights `{name}` are used twice or are not f32"));
    let weights = graph[w].f32s().ok_or_else(not_float)?.to_vec();
    let channels = graph[w].shape[axis];
    // Filters are rows for axis 0 and the innermost axis otherwise.
    let channel = |i: usize| if axis == 0 { i * channels / weights.len() } else { i % channels };
    let mut peaks = vec![0.0_f32; channels];
    for (i, w) in weights.iter().enumerate() {
        if !w.is_finite() {
            return Err(GraphError::Eval(format!("weights `{name}` contain {w}")));
        }
        peaks[channel(i)] = peaks[channel(i)].max(w.abs());
    }
    let biases = match bias {
        Some(b) => graph[b].f32s().ok_or_else(|| GraphError::Eval(format!("bias of `{name}` is not f32")))?.to_vec(),
        None => vec![0.0; channels],
    };
    let scales: Vec<f32> = peaks.iter().zip(&biases).map(|(&peak, &b)| weight_scale(peak, b, input_scale)).collect();
    let codes = weights.iter().enumerate().map(|(i, &w)| {
        // f32 division, as the reference converter's.
        round_away(f64::from(w / scales[channel(i)])).clamp(-127.0, 127.0) as i8
    });
    let codes = codes.collect();
    if let Some(b) = bias {
        let units = biases.iter().zip(&scales).map(|(&b, &s)| {
            let unit = f64::from((input_scale * f64::from(s)) as f32);
            round_away(f64::from(b) / unit).clamp(-BIAS_MAX, BIAS_MAX) as i32
        });
        graph[b].data = Some(Data::I32(units.collect()));
        graph[b].quant = Some(Quant {
            scales: scales.iter().map(|&s| (input_scale * f64::from(s)) as f32).collect(),
            zero_point: 0,
            axis: Some(0),
        });
    }
    graph[w].data = Some(Data::I8(codes));
    graph[w].quant = Some(Quant { scales, zero_point: 0, axis: Some(axis) });
    Ok(())
}

/// The scale of one filter: fine enough for its weights, coarse enough for its bias to fit.
fn weight_scale(peak: f32, bias: f32, input_scale: f64) -> f32 {
    let for_bias = (f64::from(bias.abs()) / (input_scale * BIAS_MAX)) as f32;
    if peak > 0.0 {
        (peak / 127.0).max(for_bias * 1.000_001)
    } else if bias != 0.0 {
        // No weights: the bias alone, with 20 bits.
        (f64::from(bias.abs()) / (input_scale * f64::from(1 << 20))) as f32
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests;
