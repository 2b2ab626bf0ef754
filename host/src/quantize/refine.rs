//! Layer by layer, in the order of the network: weights and biases that suit what the rounded layers before deliver.
//!
//! Two passes over one walk. Reconstruction chooses a layer's codes anew ([`super::reconstruct`]). Bias correction then
//! takes the mean error back that is left: with `x` and `w` of the float network and `x̂`, `ŵ` as rounded,
//! `b' = b + E[w x] - E[ŵ x̂]` for every output channel, over all samples and positions (Nagel et al. 2019, section 4.2,
//! with data in place of batch-norm statistics). The layer sees `x̂` of the layers before it as they are by then.

use super::QuantizeError;
use super::options::Quantize;
use super::patches::Patches;
use super::reconstruct::{Problem, reconstruct};
use super::scheme::{Scheme, channel_of, weight_axis};
use crate::graph::{Data, Graph, GraphError, Quant, TensorId, eval::Value};
use niwaki_core::num::dequantize;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Output positions that a layer is reconstructed from, of all samples together.
const POSITIONS: usize = 4096;

/// The values of one sample in both networks, as long as something will read them.
struct Sample {
    float: Vec<Option<Value>>,
    rounded: Vec<Option<Value>>,
}

/// Changes weights, biases and scales of `float` as `options` say.
pub(super) fn refine(
    float: &mut Graph,
    scheme: &mut Scheme,
    samples: &[&[f32]],
    options: &Quantize,
) -> Result<(), QuantizeError> {
    let reference = float.clone();
    let mut integer = scheme.apply(float)?;
    let &[input] = reference.inputs.as_slice() else {
        return Err(GraphError::Inputs { what: "refining", count: reference.inputs.len() }.into());
    };
    let start = |x: &&[f32]| {
        let mut sample = Sample { float: vec![None; float.tensors.len()], rounded: vec![None; float.tensors.len()] };
        sample.float[input.0] = Some(Value::F32(x.to_vec()));
        sample.rounded[input.0] = Some(Value::of_reals(&integer[input], x));
        sample
    };
    let mut walk: Vec<Sample> = samples.iter().map(start).collect();
    for n in 0..reference.nodes.len() {
        let node = &reference.nodes[n];
        for sample in &mut walk {
            sample.float[node.output.0] = Some(reference.evaluate_node(node, &sample.float)?);
        }
        if let Some(patches) = Patches::new(&reference, node)? {
            let layer = Layer { reference: &reference, n, patches, walk: &walk };
            if options.reconstruct > 0 {
                layer.reconstruct(float, scheme, &integer, options.reconstruct)?;
                integer = scheme.apply(float)?;
            }
            if options.bias_correction {
                layer.correct_bias(float, &integer);
                integer = scheme.apply(float)?;
            }
        }
        let lowered = integer.lower(node)?;
        for sample in &mut walk {
            sample.rounded[node.output.0] = Some(integer.evaluate_lowered(node, &lowered, &sample.rounded)?);
        }
        for &id in &node.inputs {
            if reference.nodes[n + 1..].iter().all(|later| !later.inputs.contains(&id)) {
                walk.iter_mut().for_each(|s| (s.float[id.0], s.rounded[id.0]) = (None, None));
            }
        }
    }
    Ok(())
}

/// Gives every layer with weights a bias, so that there is something to correct.
pub(super) fn add_biases(graph: &mut Graph) {
    for n in 0..graph.nodes.len() {
        if weight_axis(&graph.nodes[n].op).is_some() && graph.nodes[n].inputs.len() == 2 {
            let channels = graph[graph.nodes[n].output].shape.last().copied().unwrap_or(0);
            let bias = graph.parameter(&format!("{}.bias", graph.nodes[n].name), &[channels], vec![0.0; channels]);
            graph.nodes[n].inputs.push(bias);
        }
    }
}

/// One layer of the walk.
struct Layer<'a> {
    reference: &'a Graph,
    n: usize,
    patches: Patches,
    walk: &'a [Sample],
}

/// The real values of an activation.
fn reals(value: Option<&Value>, quant: Option<&Quant>) -> Vec<f32> {
    match (value, quant) {
        (Some(Value::F32(x)), _) => x.clone(),
        (Some(Value::I8(codes)), Some(q)) => codes.iter().map(|&c| dequantize(c, q.scales[0], q.zero_point)).collect(),
        _ => Vec::new(),
    }
}

/// The real values of quantised weights.
fn weight_reals(integer: &Graph, id: TensorId, axis: usize) -> Vec<f32> {
    let (Some(Data::I8(codes)), Some(quant)) = (&integer[id].data, &integer[id].quant) else { return Vec::new() };
    let channel = channel_of(axis, integer[id].shape[axis], codes.len());
    let scale = |i: usize| quant.scales[if quant.scales.len() == 1 { 0 } else { channel(i) }];
    codes.iter().enumerate().map(|(i, &c)| dequantize(c, scale(i), 0)).collect()
}

impl Layer<'_> {
    fn operands(&self) -> &[TensorId] {
        &self.reference.nodes[self.n].inputs
    }

    fn correct_bias(&self, float: &mut Graph, integer: &Graph) {
        let &[x, w, bias] = self.operands() else { return };
        let axis = weight_axis(&self.reference.nodes[self.n].op).unwrap_or(0);
        let exact = self.means(|s| reals(s.float[x.0].as_ref(), None));
        let rounded = self.means(|s| reals(s.rounded[x.0].as_ref(), integer[x].quant.as_ref()));
        let of = |id: TensorId| self.reference[id].f32s().unwrap_or(&[]);
        let (w, b, rounded_w) = (of(w), of(bias), weight_reals(integer, w, axis));
        let p = &self.patches;
        let corrected = (0..p.outputs).map(|o| {
            let row = if p.is_depthwise() { p.channel_read(o) * p.len } else { 0 };
            let error: f64 = (0..p.len)
                .map(|k| {
                    let at = p.weight(o, k);
                    f64::from(w[at]) * exact[row + k] - f64::from(rounded_w[at]) * rounded[row + k]
                })
                .sum();
            (f64::from(b[o]) + error) as f32
        });
        let corrected = corrected.collect();
        float[bias].data = Some(Data::F32(corrected));
    }

    /// The mean patch over samples and positions: of all channels, or of one after the other.
    fn means(&self, x: impl Fn(&Sample) -> Vec<f32>) -> Vec<f64> {
        let p = &self.patches;
        let inputs = if p.is_depthwise() { p.channel_read(p.outputs - 1) + 1 } else { 1 };
        let mut sums = vec![0.0_f64; inputs * p.len];
        let mut row = Vec::new();
        for sample in self.walk {
            let x = x(sample);
            for position in 0..p.positions {
                row.clear();
                for c in 0..inputs {
                    p.gather(&x, position, p.is_depthwise().then_some(c), &mut row);
                }
                sums.iter_mut().zip(&row).for_each(|(sum, &v)| *sum += f64::from(v));
            }
        }
        let count = (self.walk.len() * p.positions).max(1) as f64;
        sums.into_iter().map(|sum| sum / count).collect()
    }

    /// For each sample the positions that are looked at: all, or [`POSITIONS`] drawn from them all.
    fn picked_positions(&self) -> Vec<Vec<usize>> {
        let positions = self.patches.positions;
        let mut rng = ChaCha8Rng::seed_from_u64(self.n as u64);
        let picked: Vec<usize> = match self.walk.len() * positions {
            n if n <= POSITIONS => (0..n).collect(),
            n => (0..POSITIONS).map(|_| (rng.next_u64() % n as u64) as usize).collect(),
        };
        let mut by_sample = vec![Vec::new(); self.walk.len()];
        picked.iter().for_each(|&at| by_sample[at / positions].push(at % positions));
        by_sample
    }

    /// Chooses the layer's weights, bias and scales by what the float network delivers.
    fn reconstruct(
        &self,
        float: &mut Graph,
        scheme: &mut Scheme,
        integer: &Graph,
        steps: usize,
    ) -> Result<(), QuantizeError> {
        let &[x, w, bias] = self.operands() else { return Ok(()) };
        let node = &self.reference.nodes[self.n];
        let (Some(rule), p) = (scheme.weights(self.n), &self.patches) else { return Ok(()) };
        let largest = rule.precision.largest();
        let by_sample = self.picked_positions();
        let clamp = node.op.activation().map_or((f32::NEG_INFINITY, f32::INFINITY), |a| a.range());
        // A scale that all channels share is theirs, not a channel's to change.
        let shared = scheme.scales(float, self.n).len() == 1;
        let problem = |outputs: std::ops::Range<usize>, channel: Option<usize>| {
            let (mut rows, mut wanted) = (Vec::new(), Vec::new());
            for (sample, positions) in self.walk.iter().zip(&by_sample).filter(|(_, positions)| !positions.is_empty()) {
                let inputs = reals(sample.rounded[x.0].as_ref(), integer[x].quant.as_ref());
                let delivered = sample.float[node.output.0].as_ref().and_then(Value::f32s).unwrap_or(&[]);
                for &position in positions {
                    p.gather(&inputs, position, channel, &mut rows);
                    wanted.extend_from_slice(&delivered[position * p.outputs..][outputs.clone()]);
                }
            }
            Problem { rows, wanted, len: p.len, outputs: outputs.len(), clamp, largest, fixed_scales: shared }
        };
        let mut scales = scheme.scales(float, self.n);
        let groups: Vec<(std::ops::Range<usize>, Option<usize>)> = if p.is_depthwise() {
            (0..p.outputs).map(|o| (o..o + 1, Some(p.channel_read(o)))).collect()
        } else {
            vec![(0..p.outputs, None)]
        };
        for (outputs, channel) in groups {
            let problem = problem(outputs.clone(), channel);
            let of = |id: TensorId| float[id].f32s().unwrap_or(&[]);
            let mut weights = Vec::new();
            for o in outputs.clone() {
                weights.extend((0..p.len).map(|k| of(w)[p.weight(o, k)]));
            }
            let scale: Vec<f32> = outputs.clone().map(|o| scales[if shared { 0 } else { o }]).collect();
            let solved = reconstruct(&problem, weights, of(bias)[outputs.clone()].to_vec(), scale, steps)
                .map_err(|error| QuantizeError::Reconstruct { op: node.op.name(), node: node.name.clone(), error })?;
            let Some(solved) = solved else { continue };
            for (i, o) in outputs.enumerate() {
                for k in 0..p.len {
                    if let Some(values) = float[w].f32s_mut() {
                        values[p.weight(o, k)] = solved.weights[i * p.len + k];
                    }
                }
                if let Some(values) = float[bias].f32s_mut() {
                    values[o] = solved.bias[i];
                }
                if !shared {
                    scales[o] = solved.scales[i];
                }
            }
        }
        scheme.set_scales(float, self.n, &scales);
        Ok(())
    }
}
