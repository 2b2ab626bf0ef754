//! The integer network inside the engine: forward as core computes it, backward as if rounding were not there.
//!
//! A value that a float network holds as `v`, the integer network holds as a code; the engine keeps
//! `scale * (code - zero point)`, from which the code comes back exactly. Every operator computes its output's codes from
//! its inputs' codes by core's integers, so what the engine delivers is what the exported file delivers:
//!
//! - Convolutions and dense layers multiply the codes as floats. All their sums stay whole numbers below 2^24 (2^53 in
//!   f64), which is checked against the weights, so the order of additions does not matter; then bias and
//!   requantisation are core's. A layer with larger sums runs on core's reference kernel.
//! - Maxima and movements only select, so the float operator is exact.
//! - Everything else runs on core's reference kernel.
//!
//! Backward is that of the float operators at the rounded values. Rounding passes gradients through unchanged where a
//! value is inside the range of its codes and stops them outside (straight-through estimator, Bengio et al. 2013). A
//! learned scale (LSQ, Esser et al. 2020; specs/integer_arithmetic.md §8) has the gradient of
//! `s (clamp(round(v / s) + z) - z)`: `round(v / s) - v / s` inside, the last code outside, times
//! `1 / sqrt(elements * largest code)`. Its parameter is the logarithm of the scale, so that it stays positive and an
//! optimizer's step means the same for every size of scale.

mod gradients;
mod prepare;
mod requantize;

use super::EngineOf;
use super::aligned::Aligned;
use super::error::EngineError;
use super::kernel::{Kernel, Operator};
use super::plan::Plan;
use super::real::Real;
use super::simd::vectorize;
use crate::graph::eval::Value;
use crate::graph::lower::Lowered;
use crate::graph::{Graph, Node, TensorId};
use niwaki_core::num::dequantize;
use pulp::Arch;
use std::ops::Range;

/// Scale and zero point of an activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Codes {
    scale: f32,
    zero_point: i32,
}

impl Codes {
    fn of(graph: &Graph, id: TensorId) -> Option<Self> {
        let quant = graph[id].quant.as_ref()?;
        Some(Self { scale: *quant.scales.first()?, zero_point: quant.zero_point })
    }

    /// `code - zero point` of every value, as core's `quantize` chooses the code; a value that is a code's own gives it
    /// back.
    fn centred<T: Real>(self, arch: Arch, x: &[T], to: &mut [T]) {
        let (low, high) = ((-128 - self.zero_point) as f32, (127 - self.zero_point) as f32);
        vectorize!(arch, {
            for (to, x) in to.iter_mut().zip(x) {
                *to = T::from_f32((x.to_f32() / self.scale).round().clamp(low, high));
            }
        });
    }

    /// The real value of a code.
    fn real(self, code: i8) -> f32 {
        dequantize(code, self.scale, self.zero_point)
    }

    /// Real values of core's codes.
    fn reals<T: Real>(self, codes: &[i8], to: &mut [T]) {
        for (to, &code) in to.iter_mut().zip(codes) {
            *to = T::from_f32(self.real(code));
        }
    }
}

/// How an operator computes its output.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a network has few of them")]
enum Forward<T> {
    /// As a float operator: it selects among the values of its input.
    Select,
    /// By a float product of codes.
    Product { kernel: Kernel<T>, w: Vec<T>, bias: Vec<i32>, lowered: Lowered },
    /// By core, from the values that stand for these operands of the node.
    Core { node: usize, lowered: Lowered, operands: Vec<(TensorId, usize)> },
}

/// What a learned scale needs to know.
#[derive(Debug, Clone)]
struct LearnedScale {
    /// Its place among the parameters.
    step: usize,
    /// `scale / sqrt(elements * largest code)`
    factor: f64,
}

/// An operator of the integer network.
#[derive(Debug)]
pub(super) struct QuantizedOperator<T> {
    forward: Forward<T>,
    input: Codes,
    output: Codes,
    /// The real values of the first and last code that the output can have; none where it only passes codes on.
    ends: Option<(T, T)>,
    learned: Option<LearnedScale>,
}

/// Weights and their scales.
#[derive(Debug)]
struct QuantizedWeights {
    range: Range<usize>,
    scales: Vec<f32>,
    /// Weights are `[channels, rest]` for axis 0 and `[rest, channels]` otherwise.
    axis: usize,
    channels: usize,
    largest: f32,
    /// Where the logarithms of the scales lie among the parameters, if they are learned.
    steps: Option<Range<usize>>,
}

/// The integer network of a float one, for the same operators.
#[derive(Debug)]
pub(super) struct Quantized<T> {
    graph: Graph,
    /// Every parameter as the integer network has it.
    pub(super) values: Aligned<T>,
    operators: Vec<QuantizedOperator<T>>,
    weights: Vec<QuantizedWeights>,
    input: Codes,
    /// Whether any scale of an activation is learned.
    pub(super) is_learned: bool,
}

/// What a tile of one operator is computed with.
pub(super) struct Buffers<'a, T> {
    pub(super) codes: &'a mut [T],
    pub(super) scratch: &'a mut [T],
    /// For a learned scale: by what each output moves when the scale does, in scales.
    pub(super) factors: Option<&'a mut [T]>,
}

impl<T: Real> EngineOf<T> {
    /// From now on this engine computes what `integer` does, forward to the last bit and backward with straight-through
    /// gradients; its own values are what training moves. To be called again whenever they have moved, with the integer
    /// network that they make.
    ///
    /// `integer` has the tensors and nodes of the graph that this engine was made of. `steps` are pairs of a quantised
    /// tensor and the parameter that holds the logarithm of its scales, up to a constant: those are learned.
    ///
    /// This allocates, and so does every step that follows.
    ///
    /// # Errors
    /// [`EngineError`] names the operator that cannot be computed in integers.
    pub fn quantize(&mut self, integer: &Graph, steps: &[(TensorId, TensorId)]) -> Result<(), EngineError> {
        let quantized = Quantized::new(&self.plan, &self.parameters, &self.values, integer, steps)?;
        let (codes, tile) = (quantized.codes_len(&self.plan), self.plan.tile_samples());
        let samples = self.plan.lane_samples(self.options.batch);
        for workspace in &mut self.workspaces {
            let workspace = workspace.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
            workspace.codes_for(codes * tile.min(samples));
        }
        if quantized.is_learned {
            self.lanes.iter_mut().for_each(|lane| lane.factors_for(&self.plan, samples));
        }
        self.quantized = Some(quantized);
        self.fresh = false;
        Ok(())
    }
}

impl<T: Real> Quantized<T> {
    /// Elements a sample of the largest input whose codes are multiplied.
    fn codes_len(&self, plan: &Plan<T>) -> usize {
        let products = plan.operators.iter().zip(&self.operators);
        let products = products.filter(|(_, q)| matches!(q.forward, Forward::Product { .. }));
        products.map(|(op, _)| plan.value_lens[op.inputs[0]]).max().unwrap_or(0)
    }

    /// The input's values as its codes have them.
    pub(super) fn rounded_input(&self, arch: Arch, x: &[T]) -> Vec<T> {
        let mut rounded = vec![T::ZERO; x.len()];
        self.input.centred(arch, x, &mut rounded);
        for n in &mut rounded {
            *n = T::from_f32(self.input.scale * n.to_f32());
        }
        rounded
    }

    /// Whether operator `i` is computed as in a float network.
    pub(super) fn selects(&self, i: usize) -> bool {
        matches!(self.operators[i].forward, Forward::Select)
    }

    /// Whether the float operator must have filled `y` before [`forward`](Self::forward), for the sake of a learned
    /// scale.
    pub(super) fn wants_float(&self, i: usize) -> bool {
        matches!(self.operators[i].forward, Forward::Core { .. }) && self.operators[i].learned.is_some()
    }

    /// The outputs of operator `i` for `samples` samples; `read` gives the values of a tensor.
    #[allow(clippy::too_many_arguments, reason = "an operator's operands and its result")]
    pub(super) fn forward<'a>(
        &self,
        arch: Arch,
        operator: &Operator<T>,
        i: usize,
        samples: usize,
        read: impl Fn(usize) -> &'a [T],
        buffers: Buffers<'_, T>,
        y: &mut [T],
    ) {
        let q = &self.operators[i];
        let Buffers { codes, scratch, factors } = buffers;
        match &q.forward {
            Forward::Select => {}
            Forward::Product { kernel, w, bias, lowered } => {
                let x = read(operator.inputs[0]);
                let codes = &mut codes[..x.len()];
                q.input.centred(arch, x, codes);
                match kernel {
                    Kernel::Conv2d { op, .. } => op.forward(arch, codes, w, None, scratch, y),
                    Kernel::Depthwise { op, .. } => op.forward(arch, codes, w, None, y),
                    Kernel::Dense { op, .. } => op.forward(arch, codes, w, None, y),
                    _ => {}
                }
                let quant = self.weight_scales(&self.graph.nodes[operator.node]);
                q.requantize(bias, lowered, quant, y, factors);
            }
            Forward::Core { node, lowered, operands } => {
                if let Some(factors) = factors {
                    factors.iter_mut().zip(&*y).for_each(|(f, y)| *f = *y);
                    self.core(*node, lowered, operands, samples, &read, y, q.output);
                    q.factors_of_reals(y, factors);
                } else {
                    self.core(*node, lowered, operands, samples, &read, y, q.output);
                }
            }
        }
    }

    fn weight_scales(&self, node: &Node) -> &[f32] {
        node.inputs.get(1).and_then(|&w| self.graph[w].quant.as_ref()).map_or(&[], |q| &q.scales)
    }

    /// One sample after the other on core's reference kernel.
    #[allow(clippy::too_many_arguments, reason = "an operator's operands and its result")]
    fn core<'a>(
        &self,
        node: usize,
        lowered: &Lowered,
        operands: &[(TensorId, usize)],
        samples: usize,
        read: &impl Fn(usize) -> &'a [T],
        y: &mut [T],
        output: Codes,
    ) {
        let mut values: Vec<Option<Value>> = vec![None; self.graph.tensors.len()];
        let len = y.len() / samples.max(1);
        for (sample, y) in y.chunks_exact_mut(len).enumerate() {
            for &(id, value) in operands {
                let Some(codes) = Codes::of(&self.graph, id) else { continue };
                let x = read(value);
                let len = x.len() / samples;
                let code = |x: &T| niwaki_core::num::quantize_i8(x.to_f32(), codes.scale, codes.zero_point);
                values[id.0] = Some(Value::I8(x[sample * len..][..len].iter().map(code).collect()));
            }
            // `new` has computed this operator once, so nothing is left that could fail.
            match self.graph.evaluate_lowered(&self.graph.nodes[node], lowered, &values) {
                Ok(Value::I8(codes)) => output.reals(&codes, y),
                _ => y.fill(T::from_f32(f32::NAN)),
            }
        }
    }
}
