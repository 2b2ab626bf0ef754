//! Scales that are learned: a trained tensor for each, which holds its logarithm.

use super::{MIN_SCALE, Scales, Scheme, weight_axis};
use crate::graph::{Data, Graph, TensorId};
use crate::ops::Quantisation;
use crate::quantize::shared::Shared;
use niwaki_core::format::DType;

impl Scheme {
    /// Every quantised tensor of `float` whose scales are learned, with the parameter that holds their logarithms.
    pub fn steps(&self, float: &Graph) -> Vec<(TensorId, TensorId)> {
        let activations = self.activations.iter().enumerate();
        let activations = activations.filter_map(|(t, rule)| Some((TensorId(t), rule.as_ref()?.step?)));
        let weights = self.weights.iter().zip(&float.nodes);
        let weights = weights.filter_map(|(rule, node)| match &rule.as_ref()?.scales {
            Scales::OfPeak(_) => None,
            Scales::Learned { step, .. } => Some((node.inputs[1], *step)),
        });
        activations.chain(weights).collect()
    }

    /// Makes every scale one that is learned: `float` is given a trained tensor for each, which [`Scheme::apply`] then
    /// reads. Scales of fixed meaning, and that of the input, stay.
    pub fn learn_steps(&mut self, float: &mut Graph) {
        let shared = Shared::new(float);
        let first: Vec<Vec<f32>> = (0..float.nodes.len()).map(|n| self.scales(float, n)).collect();
        let steps = add_steps(float);
        for (t, rule) in self.activations.iter_mut().enumerate() {
            if let Some(rule) = rule {
                rule.step = steps.activations[shared.leader(TensorId(t)).0];
            }
        }
        for (n, rule) in self.weights.iter_mut().enumerate() {
            if let (Some(weights), Some(step)) = (rule, steps.weights[n]) {
                let first: Vec<f32> = first[n].iter().map(|&s| if s > 0.0 { s } else { 1.0 }).collect();
                let len = first.len();
                float[step].shape = vec![len];
                float[step].data = Some(Data::F32(vec![0.0; len]));
                weights.scales = Scales::Learned { first, step };
            }
        }
    }
}

/// Where the learned scales of a network lie.
struct Steps {
    activations: Vec<Option<TensorId>>,
    weights: Vec<Option<TensorId>>,
}

/// Gives `float` a trained tensor for every scale that can be learned; the names and places depend on its nodes alone.
fn add_steps(float: &mut Graph) -> Steps {
    let shared = Shared::new(float);
    let fixed = shared.fixed(float).unwrap_or_else(|_| vec![None; float.tensors.len()]);
    let mut activations = vec![None; float.tensors.len()];
    let leaders: Vec<TensorId> = float.nodes.iter().map(|n| shared.leader(n.output)).collect();
    for (n, leader) in leaders.into_iter().enumerate() {
        let (node, free) = (&float.nodes[n], fixed[leader.0].is_none());
        let of_input = float.inputs.iter().any(|&x| shared.leader(x) == leader);
        let moved = node.op.rules().quantisation == Quantisation::OfOperand;
        let computed = !moved && float[node.output].element == DType::F32;
        if free && computed && !of_input && activations[leader.0].is_none() {
            let name = format!("{}.step", float[leader].name);
            activations[leader.0] = Some(float.parameter(&name, &[1], vec![0.0]));
        }
    }
    let mut weights = vec![None; float.nodes.len()];
    for n in 0..float.nodes.len() {
        if weight_axis(&float.nodes[n].op).is_some() {
            let name = format!("{}.step", float[float.nodes[n].inputs[1]].name);
            weights[n] = Some(float.parameter(&name, &[1], vec![0.0]));
        }
    }
    Steps { activations, weights }
}

/// `float` with a tensor for every scale that can be learned, as [`Scheme::learn_steps`] makes them.
pub fn with_steps(float: &Graph) -> Graph {
    let mut float = float.clone();
    add_steps(&mut float);
    float
}

/// `first * exp(step)`
pub(super) fn learned(float: &Graph, step: TensorId, first: &[f32]) -> Vec<f32> {
    let steps = float[step].f32s().unwrap_or(&[]);
    first.iter().zip(steps).map(|(first, step)| (first * step.exp()).clamp(MIN_SCALE, 1.0 / MIN_SCALE)).collect()
}
