//! From real values to codes: weights with their bias, constant operands, and the range of an activation.

use super::QuantizeError;
use super::codebook;
use super::options::Precision;
use super::scheme::{Weights, channel_of, finite};
use crate::graph::{Data, Graph, Node, Quant, Role, TensorId};
use niwaki_core::format::DType;
use niwaki_core::num::{quantize_i8, round_away};

/// Largest magnitude of a quantised bias, so that accumulators stay inside i32.
const BIAS_MAX: f64 = (1 << 30) as f64;

/// Symmetric weights with `scales`, and the bias in units of `input_scale * scale`.
pub(super) fn quantize_weights(
    rule: &Weights,
    graph: &mut Graph,
    node: &Node,
    scales: &[f32],
) -> Result<(), QuantizeError> {
    let inputs = &node.inputs;
    let input_scale = graph[inputs[0]].quant.as_ref().map_or(1.0, |q| f64::from(q.scales[0]));
    let weights = finite(graph, inputs[1])?.to_vec();
    let channels = graph[inputs[1]].shape[rule.axis];
    let channel = channel_of(rule.axis, channels, weights.len());
    let bias = match inputs.get(2) {
        Some(&b) => {
            let wrong = || QuantizeError::NotFloat { what: "bias", tensor: graph[b].name.clone() };
            graph[b].f32s().ok_or_else(wrong)?.to_vec()
        }
        None => vec![0.0; channels],
    };
    let mut scales = scales.to_vec();
    for (c, &b) in bias.iter().enumerate() {
        if !b.is_finite() {
            return Err(QuantizeError::NotFinite { what: "the bias of", tensor: node.name.clone(), value: b });
        }
        let scale = &mut scales[rule.scale_of(c)];
        *scale = weight_scale(*scale, b, input_scale);
    }
    for scale in scales.iter_mut().filter(|s| **s == 0.0) {
        *scale = 1.0;
    }
    let scale = |c: usize| scales[rule.scale_of(c)];
    let largest = f64::from(rule.precision.largest());
    // f32 division, as the reference converter's.
    let code = |(i, &w): (usize, &f32)| round_away(f64::from(w / scale(channel(i)))).clamp(-largest, largest) as i8;
    let mut codes: Vec<i8> = weights.iter().enumerate().map(code).collect();
    if rule.precision == Precision::Codebook {
        codebook::cluster(&mut codes);
    }
    if let Some(&b) = inputs.get(2) {
        let unit = |s: f32| (input_scale * f64::from(s)) as f32;
        let units = bias
            .iter()
            .enumerate()
            .map(|(c, &b)| round_away(f64::from(b) / f64::from(unit(scale(c)))).clamp(-BIAS_MAX, BIAS_MAX) as i32);
        graph[b].data = Some(Data::I32(units.collect()));
        let axis = (scales.len() > 1).then_some(0);
        graph[b].quant = Some(Quant { scales: scales.iter().map(|&s| unit(s)).collect(), zero_point: 0, axis });
    }
    let axis = (scales.len() > 1 || channels == 1).then_some(rule.axis);
    let w = &mut graph[inputs[1]];
    w.data = Some(Data::I8(codes));
    w.code_bits = rule.precision.bits();
    w.quant = Some(Quant { scales, zero_point: 0, axis });
    Ok(())
}

/// A constant operand of a sum or product: int8 codes of its own range.
pub(super) fn quantize_operand(graph: &mut Graph, id: TensorId) -> Result<(), QuantizeError> {
    if graph[id].role == Role::Activation || graph[id].quant.is_some() {
        return Ok(());
    }
    let name = graph[id].name.clone();
    let values = graph[id].f32s().ok_or_else(|| QuantizeError::NotFloat { what: "operand", tensor: name.clone() })?;
    if let Some(v) = values.iter().find(|v| !v.is_finite()) {
        return Err(QuantizeError::NotFinite { what: "operand", tensor: name, value: *v });
    }
    let low = values.iter().copied().fold(0.0, f32::min);
    let high = values.iter().copied().fold(0.0, f32::max);
    let quant = activation_quant(low, high);
    let codes = values.iter().map(|&v| quantize_i8(v, quant.scales[0], quant.zero_point)).collect();
    graph[id].data = Some(Data::I8(codes));
    graph[id].element = DType::I8;
    graph[id].quant = Some(quant);
    Ok(())
}

/// Asymmetric int8 parameters for values in `[low, high]`, widened to hold zero exactly
/// (specs/integer_arithmetic.md §8).
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

/// The scale of one filter: fine enough for its weights, coarse enough for its bias to fit. 0 where it has neither.
fn weight_scale(scale: f32, bias: f32, input_scale: f64) -> f32 {
    let for_bias = (f64::from(bias.abs()) / (input_scale * BIAS_MAX)) as f32;
    if scale > 0.0 {
        scale.max(for_bias * 1.000_001)
    } else if bias != 0.0 {
        // No weights: the bias alone, with 20 bits.
        (f64::from(bias.abs()) / (input_scale * f64::from(1 << 20))) as f32
    } else {
        0.0
    }
}
