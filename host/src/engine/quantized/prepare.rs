//! From an integer network to what the engine computes it with; everything that can be refused is, here.

use super::super::conv2d::Conv2d;
use super::super::dense::Dense;
use super::super::depthwise::Depthwise;
use super::super::error::{EngineError, Untrainable};
use super::super::kernel::{Kernel, Operator};
use super::super::plan::Plan;
use super::super::real::Real;
use super::super::{Aligned, Parameter};
use super::{Codes, Forward, LearnedScale, Quantized, QuantizedOperator, QuantizedWeights};
use crate::graph::lower::{Lowered, Scaling, clamp_codes};
use crate::graph::{Activation, Data, Graph, Node, Quant, Role, TensorId};
use crate::ops::{Clamp, Rounded, WeightLayout};
use niwaki_core::num::dequantize;
use std::ops::Range;

/// Core caps the exponent of a multiplier here: one that reaches it is no longer the quotient of the scales.
const LARGEST_SHIFT: i8 = 30;

impl<T: Real> Quantized<T> {
    pub(super) fn new(
        plan: &Plan<T>,
        parameters: &[Parameter],
        values: &[T],
        integer: &Graph,
        steps: &[(TensorId, TensorId)],
    ) -> Result<Self, EngineError> {
        let range = |id: TensorId| parameters.iter().find(|p| p.tensor == id).map(|p| p.range.clone());
        let step_of = |id: TensorId| steps.iter().find(|(of, _)| *of == id).and_then(|(_, step)| range(*step));
        let mut root: Vec<usize> = (0..integer.tensors.len()).collect();
        for node in &integer.nodes {
            if node.op.rules().renames {
                root[node.output.0] = root[node.inputs[0].0];
            }
        }
        let layers = integer.nodes.iter().filter(|n| n.op.rules().weights.is_some_and(WeightLayout::gather));
        let layer_weights: Vec<TensorId> = layers.filter_map(|n| n.inputs.get(1).copied()).collect();
        let is_weight = |id: TensorId| layer_weights.contains(&id);
        let mut real = Aligned::zeros(values.len(), 2);
        real.copy_from_slice(values);
        let mut weights = Vec::new();
        for p in parameters {
            let Some(quant) = &integer[p.tensor].quant else { continue };
            fill_reals(integer, p.tensor, quant, &mut real[p.range.clone()]);
            if is_weight(p.tensor) {
                let axis = quant.axis.unwrap_or(0);
                weights.push(QuantizedWeights {
                    range: p.range.clone(),
                    scales: quant.scales.clone(),
                    axis,
                    channels: if quant.axis.is_some() { integer[p.tensor].shape[axis] } else { 1 },
                    largest: if integer[p.tensor].code_bits == 4 { 7.0 } else { 127.0 },
                    steps: step_of(p.tensor),
                });
            }
        }
        let operators = plan.operators.iter().map(|operator| operator_of(plan, operator, integer, &root, &step_of));
        let operators = operators.collect::<Result<Vec<_>, _>>()?;
        let not_quantised = || EngineError::Ends { what: "quantised input", count: 0 };
        let input = integer.inputs.first().and_then(|&x| Codes::of(integer, x)).ok_or_else(not_quantised)?;
        let is_learned = operators.iter().any(|op| op.learned.is_some());
        Ok(Self { graph: integer.clone(), values: real, operators, weights, input, is_learned })
    }
}

/// The real values of a quantised constant.
fn fill_reals<T: Real>(integer: &Graph, id: TensorId, quant: &Quant, to: &mut [T]) {
    let tensor = &integer[id];
    let channels = quant.axis.map_or(1, |axis| tensor.shape[axis]);
    let filter_len = (tensor.element_count() / channels).max(1);
    let scale = |i: usize| match quant.axis {
        None => quant.scales[0],
        Some(0) => quant.scales[i / filter_len],
        Some(_) => quant.scales[i % channels],
    };
    match &tensor.data {
        Some(Data::I8(codes)) => {
            for (i, (to, &code)) in to.iter_mut().zip(codes).enumerate() {
                *to = T::from_f32(dequantize(code, scale(i), quant.zero_point));
            }
        }
        Some(Data::I32(codes)) => {
            for (i, (to, &code)) in to.iter_mut().zip(codes).enumerate() {
                *to = T::from_f64(f64::from(code) * f64::from(scale(i)));
            }
        }
        _ => {}
    }
}

fn operator_of<T: Real>(
    plan: &Plan<T>,
    operator: &Operator<T>,
    integer: &Graph,
    root: &[usize],
    step_of: &impl Fn(TensorId) -> Option<Range<usize>>,
) -> Result<QuantizedOperator<T>, EngineError> {
    let node = &integer.nodes[operator.node];
    let refuse = |why| EngineError::Node { op: node.op.name(), node: node.name.clone(), why: Box::new(why) };
    let lowered = integer.lower(node)?;
    if let Some(Scaling::Int8 { shifts, .. }) = lowered.scaling()
        && shifts.iter().any(|&shift| shift >= LARGEST_SHIFT)
    {
        return Err(refuse(Untrainable::LargeWeights));
    }
    let codes = |id: TensorId| {
        Codes::of(integer, id).ok_or_else(|| refuse(Untrainable::NotQuantised { tensor: integer[id].name.clone() }))
    };
    let (input, output) = (codes(node.inputs[0])?, codes(node.output)?);
    let clamp = node.op.get::<Clamp>().map(|clamp| clamp.0);
    let activation = clamp.or(node.op.activation()).unwrap_or(Activation::None);
    let quant = Quant { scales: vec![output.scale], zero_point: output.zero_point, axis: None };
    let clamp = clamp_codes::<i8>(activation, &quant);
    let rounded = node.op.rules().rounded;
    let forward = if rounded == Rounded::Selected {
        Forward::Select
    } else if let Some((w, bias)) = product(integer, node, &lowered, input) {
        Forward::Product { kernel: without_clamp(&operator.kernel), w, bias, lowered }
    } else {
        let operands = node.inputs.iter().filter(|&&id| integer[id].role == Role::Activation);
        let operands = operands.map(|&id| (id, root[id.0])).collect();
        Forward::Core { node: operator.node, lowered, operands }
    };
    let clipped = rounded == Rounded::Clipped;
    let real = |code: i32| T::from_f32(output.scale * (code - output.zero_point) as f32);
    let learned = step_of(node.output).filter(|_| clipped).map(|step| {
        let size = plan.value_lens[operator.output] as f64 * f64::from((127 - output.zero_point).max(1));
        LearnedScale { step: step.start, factor: f64::from(output.scale) / size.sqrt() }
    });
    let ends = clipped.then(|| (real(clamp.min), real(clamp.max)));
    Ok(QuantizedOperator { forward, input, output, ends, learned })
}

/// The float product alone: core adds the bias and clamps.
fn without_clamp<T: Real>(kernel: &Kernel<T>) -> Kernel<T> {
    let mut kernel = kernel.clone();
    match &mut kernel {
        Kernel::Conv2d { op: Conv2d { activation, .. }, .. }
        | Kernel::Depthwise { op: Depthwise { activation, .. }, .. }
        | Kernel::Dense { op: Dense { activation, .. }, .. } => *activation = Activation::None,
        _ => {}
    }
    kernel
}

/// Weights as floats and bias of a layer whose sums a float holds exactly.
fn product<T: Real>(integer: &Graph, node: &Node, lowered: &Lowered, input: Codes) -> Option<(Vec<T>, Vec<i32>)> {
    lowered.scaling()?.int8()?;
    let w = *node.inputs.get(1)?;
    let (Some(Data::I8(codes)), Data::I32(bias)) = (&integer[w].data, integer.bias_data(node)) else { return None };
    let largest = f64::from((127 - input.zero_point).max(128 + input.zero_point));
    let mut sums = vec![0.0_f64; bias.len()];
    let filter_len = (codes.len() / bias.len().max(1)).max(1);
    let channelwise = node.op.rules().weights == Some(WeightLayout::Channelwise);
    for (i, &code) in codes.iter().enumerate() {
        let channel = if channelwise { i % bias.len() } else { i / filter_len };
        sums[channel] += f64::from(code).abs() * largest;
    }
    let fits = sums.iter().all(|&sum| sum < T::WHOLE);
    fits.then(|| (codes.iter().map(|&c| T::from_f32(c.into())).collect(), bias))
}
