//! Which activations have one quantisation because an operator only moves codes between them, and which a fixed one.

use super::Quant;
use super::QuantizeError;
use crate::graph::{Graph, Node, Role, TensorId};
use crate::ops::Quantisation;
use niwaki_core::format::DType;

/// For every tensor the one that stands for all that share its quantisation: itself where it is alone.
pub(super) struct Shared {
    leader: Vec<usize>,
}

impl Shared {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut shared = Self { leader: (0..graph.tensors.len()).collect() };
        for node in &graph.nodes {
            let joined = match node.op.rules().quantisation {
                Quantisation::OfOperand => &node.inputs[..1],
                Quantisation::OfAll => &node.inputs[..],
                Quantisation::Own | Quantisation::Fixed { .. } | Quantisation::Given => &[],
            };
            for &x in joined {
                shared.join(x, node.output);
            }
        }
        shared
    }

    fn join(&mut self, a: TensorId, b: TensorId) {
        let (a, b) = (self.leader[a.0], self.leader[b.0]);
        let (low, high) = (a.min(b), a.max(b));
        self.leader.iter_mut().filter(|leader| **leader == high).for_each(|leader| *leader = low);
    }

    /// The one that stands for all that share the quantisation of `id`.
    pub(super) fn leader(&self, id: TensorId) -> TensorId {
        TensorId(self.leader[id.0])
    }

    /// The range of every leader: what holds the ranges of all its activations that are computed, not moved.
    pub(super) fn joined(&self, graph: &Graph, ranges: &[Option<(f32, f32)>]) -> Vec<Option<(f32, f32)>> {
        let mut joined: Vec<Option<(f32, f32)>> = vec![None; ranges.len()];
        for id in graph.activations().filter(|&id| graph[id].element == DType::F32 && !is_moved(graph, id)) {
            let Some((low, high)) = ranges[id.0] else { continue };
            let of = &mut joined[self.leader(id).0];
            *of = Some(of.map_or((low, high), |(l, h)| (l.min(low), h.max(high))));
        }
        joined
    }

    /// The fixed quantisation of every leader that has one.
    ///
    /// # Errors
    /// [`QuantizeError`] names the operator that wants to give a code two meanings.
    pub(super) fn fixed(&self, graph: &Graph) -> Result<Vec<Option<Quant>>, QuantizeError> {
        let mut fixed: Vec<Option<Quant>> = vec![None; graph.tensors.len()];
        for node in &graph.nodes {
            if let Some(quant) = fixed_quant(node) {
                fixed[self.leader(node.output).0] = Some(quant);
            }
        }
        if let Some(&x) = graph.inputs.iter().find(|&&x| fixed[self.leader(x).0].is_some()) {
            return Err(QuantizeError::TwoMeanings { place: format!("input `{}`", graph[x].name) });
        }
        for node in &graph.nodes {
            let leader = self.leader(node.output);
            if !moves(node) && fixed[leader.0].is_some() && fixed[leader.0] != fixed_quant(node) {
                let place = format!("{} `{}`: its output", node.op.name(), node.name);
                return Err(QuantizeError::TwoMeanings { place });
            }
        }
        Ok(fixed)
    }
}

/// Whether the output holds quantised values of operands, unchanged or averaged.
pub(super) fn moves(node: &Node) -> bool {
    matches!(node.op.rules().quantisation, Quantisation::OfOperand | Quantisation::OfAll)
}

/// Whether an operator that moves quantised values writes this activation.
fn is_moved(graph: &Graph, id: TensorId) -> bool {
    graph[id].role == Role::Activation && graph.producer(id).is_some_and(|n| moves(&graph.nodes[n]))
}

/// What the quantised values of an operator's output always mean (specs/integer_arithmetic.md §1).
fn fixed_quant(node: &Node) -> Option<Quant> {
    match node.op.rules().quantisation {
        Quantisation::Fixed { scale, zero_point } => Some(Quant { scales: vec![scale], zero_point, axis: None }),
        Quantisation::Own | Quantisation::OfOperand | Quantisation::OfAll | Quantisation::Given => None,
    }
}
