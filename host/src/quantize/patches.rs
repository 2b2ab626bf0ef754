//! What a filter sees: the rows of inputs that its weights are multiplied with, one an output position.

use super::QuantizeError;
use crate::graph::{Graph, Node};
use crate::ops::WeightLayout;
use niwaki_core::shape::Window;

/// Where a node's filters look.
pub(super) struct Patches {
    window: Option<Window>,
    channels: usize,
    /// Output channels, and how many of them read one input channel where each reads one alone.
    pub(super) outputs: usize,
    multiplier: Option<usize>,
    /// Output positions of a sample.
    pub(super) positions: usize,
    /// Inputs of one filter.
    pub(super) len: usize,
}

impl Patches {
    /// The patches of a node with weights; `None` for one whose filters do not gather, as those of a transposed
    /// convolution.
    ///
    /// # Errors
    /// [`QuantizeError`] when the operands do not fit.
    pub(super) fn new(graph: &Graph, node: &Node) -> Result<Option<Self>, QuantizeError> {
        let Some(weights) = node.op.rules().weights.filter(|weights| weights.gather()) else { return Ok(None) };
        let (x, w) = (&graph[node.inputs[0]].shape, &graph[node.inputs[1]].shape);
        let window = match (node.op.sliding(), weights.window(w)) {
            (Some(sliding), Some(kernel)) => {
                let window = sliding.window([x[0], x[1]], kernel);
                Some(window.map_err(|error| node.refuses(error.into()))?)
            }
            _ => None,
        };
        let positions = window.as_ref().map_or(1, |window| window.y.output() * window.x.output());
        Ok(Some(match weights {
            WeightLayout::Channelwise => {
                let (channels, outputs) = (x[2], w[2]);
                let multiplier = Some(outputs / channels);
                Self { window, channels, outputs, multiplier, positions, len: w[0] * w[1] }
            }
            WeightLayout::Filters | WeightLayout::Scattered => {
                let channels = w.last().copied().unwrap_or(1);
                Self { window, channels, outputs: w[0], multiplier: None, positions, len: w[1..].iter().product() }
            }
        }))
    }

    /// Whether every output channel reads one input channel alone.
    pub(super) fn is_depthwise(&self) -> bool {
        self.multiplier.is_some()
    }

    /// The input channel that output channel `o` of a depthwise node reads.
    pub(super) fn channel_read(&self, o: usize) -> usize {
        o / self.multiplier.unwrap_or(1)
    }

    /// Where weight `k` of output channel `o` lies in the node's weights.
    pub(super) fn weight(&self, o: usize, k: usize) -> usize {
        if self.is_depthwise() { k * self.outputs + o } else { o * self.len + k }
    }

    /// Appends the patch of one output position to `row`: all channels, or `channel` alone.
    pub(super) fn gather(&self, x: &[f32], position: usize, channel: Option<usize>, row: &mut Vec<f32>) {
        let Some(window) = &self.window else { return row.extend_from_slice(x) };
        let (rows, columns) =
            (window.y.taps(position / window.x.output()), window.x.taps(position % window.x.output()));
        let inside = |taps: &niwaki_core::shape::TapRange, tap: usize, dilation: usize| {
            let step = tap.checked_sub(taps.kernel_start).filter(|&step| step < taps.len)?;
            Some(taps.input_start + step * dilation)
        };
        for ky in 0..window.y.kernel() {
            for kx in 0..window.x.kernel() {
                let y = inside(&rows, ky, window.y.dilation());
                let at = y.zip(inside(&columns, kx, window.x.dilation()));
                let pixel = at.map(|(y, x)| (y * window.x.input() + x) * self.channels);
                match (pixel, channel) {
                    (Some(pixel), None) => row.extend_from_slice(&x[pixel..][..self.channels]),
                    (Some(pixel), Some(c)) => row.push(x[pixel + c]),
                    (None, None) => row.resize(row.len() + self.channels, 0.0),
                    (None, Some(_)) => row.push(0.0),
                }
            }
        }
    }
}
