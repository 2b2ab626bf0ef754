//! A choice of scales for every tensor of a float network, and the integer network that it makes of given weights.
//!
//! Calibration makes a [`Scheme`] once. [`Scheme::apply`] is then a function of the weights alone: after training with
//! quantisation the exported network is `apply` of the last weights, and each step of that training computes with
//! `apply` of the weights it has.

mod learned;

pub use learned::with_steps;

use super::QuantizeError;
use super::calibrate::{ranges, weight_shares};
use super::codes::{activation_quant, quantize_operand, quantize_weights};
use super::options::{Granularity, Precision, Quantize};
use super::shared::Shared;
use crate::graph::{Graph, Node, Op, Quant, Role, TensorId};
use crate::ops::{Constants, Quantisation, WeightLayout};
use learned::learned;
use niwaki_core::format::DType;

/// Smallest scale of weights that have any, so that no multiplier vanishes.
const MIN_SCALE: f32 = 1e-9;

/// How a float network without batch norm becomes an integer one.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheme {
    /// By tensor; `None` for one that is no activation, or holds indices.
    activations: Vec<Option<Activation>>,
    /// By node; `None` for one without weights.
    weights: Vec<Option<Weights>>,
}

/// The codes of an activation.
#[derive(Debug, Clone, PartialEq)]
struct Activation {
    quant: Quant,
    /// `ln(scale / quant.scale)`, where it is learned.
    step: Option<TensorId>,
}

/// The codes of a node's weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    /// Their type.
    pub(crate) precision: Precision,
    /// The axis of output channels.
    pub(crate) axis: usize,
    /// Scales: one a channel, or one.
    scales: Scales,
}

#[derive(Debug, Clone, PartialEq)]
enum Scales {
    /// `scale = share * max|w| / largest code`.
    OfPeak(Vec<f32>),
    /// `scale = first * exp(step)`.
    Learned { first: Vec<f32>, step: TensorId },
}

/// The axis of output channels of the weights that `op` has.
pub(crate) fn weight_axis(op: &Op) -> Option<usize> {
    op.rules().weights.map(WeightLayout::axis)
}

/// Which channel each weight belongs to: filters are rows for axis 0 and the innermost axis otherwise.
pub(crate) fn channel_of(axis: usize, channels: usize, len: usize) -> impl Fn(usize) -> usize {
    let filter_len = (len / channels.max(1)).max(1);
    move |i| if axis == 0 { i / filter_len } else { i % channels }
}

impl Scheme {
    /// Chooses scales for `float`, whose batch norms are folded, from its weights and from `samples`.
    ///
    /// # Errors
    /// [`QuantizeError`] names the activation or the weights that have no finite range.
    pub fn calibrate(float: &Graph, samples: &[&[f32]], options: &Quantize) -> Result<Self, QuantizeError> {
        let shared = Shared::new(float);
        let fixed = shared.fixed(float)?;
        let ranges = shared.joined(float, &ranges(float, samples, options.calibration)?);
        let activation = |id: TensorId| {
            if float[id].role != Role::Activation || float[id].element != DType::F32 {
                return None;
            }
            let leader = shared.leader(id).0;
            let (low, high) = ranges[leader].unwrap_or((0.0, 0.0));
            Some(Activation { quant: fixed[leader].clone().unwrap_or_else(|| activation_quant(low, high)), step: None })
        };
        let weighted = |node: &&Node| weight_axis(&node.op).is_some();
        let ends = [float.nodes.iter().position(|n| weighted(&n)), float.nodes.iter().rposition(|n| weighted(&n))];
        let weights = float.nodes.iter().enumerate().map(|(n, node)| {
            let Some(axis) = weight_axis(&node.op) else { return Ok(None) };
            if options.four_bits.contains(&node.name) {
                return Weights::calibrate(float, node, axis, &of_four_bits(options)).map(Some);
            }
            let precision = if ends.contains(&Some(n)) { options.ends } else { options.weights };
            let precision = precision.of(&node.op);
            Weights::calibrate(float, node, axis, &Quantize { weights: precision, ..options.clone() }).map(Some)
        });
        let weights = weights.collect::<Result<_, QuantizeError>>()?;
        for name in &options.four_bits {
            if !float.nodes.iter().any(|node| node.name == *name && weight_axis(&node.op).is_some()) {
                let layers = float.nodes.iter().filter(weighted).map(|node| node.name.clone()).collect();
                return Err(QuantizeError::FourBits { name: name.clone(), layers });
            }
        }
        Ok(Self { activations: (0..float.tensors.len()).map(|t| activation(TensorId(t))).collect(), weights })
    }

    /// The same with four bits for the weights of node `n`; nothing changes where it has none.
    ///
    /// # Errors
    /// As [`Self::calibrate`].
    pub fn with_four_bits(&self, float: &Graph, n: usize, options: &Quantize) -> Result<Self, QuantizeError> {
        let mut scheme = self.clone();
        if let Some(Weights { axis, .. }) = scheme.weights[n] {
            scheme.weights[n] = Some(Weights::calibrate(float, &float.nodes[n], axis, &of_four_bits(options))?);
        }
        Ok(scheme)
    }

    /// How the weights of node `n` are quantised, if it has any.
    pub(crate) fn weights(&self, n: usize) -> Option<&Weights> {
        self.weights.get(n)?.as_ref()
    }

    /// Sets the shares of the weights of node `n` so that their scales are `scales` for the weights of `float`.
    pub(super) fn set_scales(&mut self, float: &Graph, n: usize, wanted: &[f32]) {
        let peaks = self.peaks(float, n);
        if let Some(Weights { scales: Scales::OfPeak(shares), precision, .. }) = &mut self.weights[n] {
            let largest = precision.largest() as f32;
            for ((share, scale), peak) in shares.iter_mut().zip(wanted).zip(peaks) {
                *share = if peak > 0.0 { scale * largest / peak } else { 1.0 };
            }
        }
    }

    /// The largest weight of each scale of node `n`.
    fn peaks(&self, float: &Graph, n: usize) -> Vec<f32> {
        let Some(weights) = &self.weights[n] else { return Vec::new() };
        let node = &float.nodes[n];
        let (w, channels) = (float[node.inputs[1]].f32s().unwrap_or(&[]), float[node.inputs[1]].shape[weights.axis]);
        let mut peaks = vec![0.0_f32; weights.count()];
        let channel = channel_of(weights.axis, channels, w.len());
        for (i, w) in w.iter().enumerate() {
            let peak = &mut peaks[weights.scale_of(channel(i))];
            *peak = peak.max(w.abs());
        }
        peaks
    }

    /// The scales of the weights of node `n`, before their bias asks for larger ones.
    pub(super) fn scales(&self, float: &Graph, n: usize) -> Vec<f32> {
        let Some(weights) = &self.weights[n] else { return Vec::new() };
        match &weights.scales {
            Scales::OfPeak(shares) => {
                let largest = weights.precision.largest() as f32;
                let scale =
                    |(peak, share): (f32, &f32)| if peak > 0.0 { (peak * share / largest).max(MIN_SCALE) } else { 0.0 };
                self.peaks(float, n).into_iter().zip(shares).map(scale).collect()
            }
            Scales::Learned { first, step } => learned(float, *step, first),
        }
    }

    /// The integer network of `float`, which has the tensors and nodes that the scheme was made for.
    ///
    /// # Errors
    /// [`QuantizeError`] names the weights that are used twice, not f32 or not finite.
    pub fn apply(&self, float: &Graph) -> Result<Graph, QuantizeError> {
        let mut graph = float.clone();
        for (t, rule) in self.activations.iter().enumerate() {
            let Some(Activation { quant, step }) = rule else { continue };
            let mut quant = quant.clone();
            if let Some(step) = step {
                quant.scales = learned(float, *step, &quant.scales);
            }
            graph.quantise(TensorId(t), quant);
        }
        for (n, node) in float.nodes.iter().enumerate() {
            let rules = node.op.rules();
            match rules.constants {
                Constants::Stay => {}
                Constants::Quantised => {
                    for &id in &node.inputs {
                        quantize_operand(&mut graph, id)?;
                    }
                }
                Constants::Refused => {
                    for &id in &node.inputs {
                        if graph[id].role != Role::Activation {
                            return Err(QuantizeError::Constant { op: node.op.name(), node: node.name.clone() });
                        }
                    }
                }
            }
            if rules.quantisation == Quantisation::Given {
                return Err(QuantizeError::PartlyQuantised { op: node.op.name(), node: node.name.clone() });
            }
            if let Some(weights) = &self.weights[n] {
                quantize_weights(weights, &mut graph, node, &self.scales(float, n))?;
            }
        }
        Ok(graph)
    }
}

/// The f32 values of weights, all of them numbers.
pub(super) fn finite(graph: &Graph, weights: TensorId) -> Result<&[f32], QuantizeError> {
    let (what, name) = ("weights", &graph[weights].name);
    let values = graph[weights].f32s().ok_or_else(|| QuantizeError::NotFloat { what, tensor: name.clone() })?;
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => Err(QuantizeError::NotFinite { what, tensor: name.clone(), value }),
        None => Ok(values),
    }
}

fn by_channel(weights: &[f32], axis: usize, channels: usize) -> Vec<Vec<f32>> {
    let channel = channel_of(axis, channels, weights.len());
    let mut filters = vec![Vec::new(); channels];
    for (i, &w) in weights.iter().enumerate() {
        filters[channel(i)].push(w);
    }
    filters
}

/// `options` for a layer of four bits that is one by its name.
fn of_four_bits(options: &Quantize) -> Quantize {
    let weights = Precision::Int4;
    Quantize { weights, weight_calibration: weights.weight_calibration(), ..options.clone() }
}

impl Weights {
    /// Scales for the weights of `node`, of the type `options.weights`.
    fn calibrate(float: &Graph, node: &Node, axis: usize, options: &Quantize) -> Result<Self, QuantizeError> {
        let (w, precision) = (finite(float, node.inputs[1])?, options.weights);
        let groups = match options.granularity {
            Granularity::Channel => by_channel(w, axis, float[node.inputs[1]].shape[axis]),
            Granularity::Tensor => vec![w.to_vec()],
        };
        let scales = Scales::OfPeak(weight_shares(&groups, options.weight_calibration, precision.largest()));
        Ok(Self { precision, axis, scales })
    }

    /// Number of scales.
    fn count(&self) -> usize {
        match &self.scales {
            Scales::OfPeak(shares) => shares.len(),
            Scales::Learned { first, .. } => first.len(),
        }
    }

    /// The scale of a channel.
    pub(crate) fn scale_of(&self, channel: usize) -> usize {
        if self.count() == 1 { 0 } else { channel }
    }
}
