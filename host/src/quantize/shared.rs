//! Which activations have one quantisation because an operator only moves codes between them, and which a fixed one.

use super::Quant;
use crate::graph::{Activation, Graph, GraphError, Node, Op, Role, TensorId};
use crate::ops;
use niwaki_core::format::DType;

/// For every tensor the one that stands for all that share its quantisation: itself where it is alone.
pub(super) struct Shared {
    leader: Vec<usize>,
}

impl Shared {
    pub(super) fn new(graph: &Graph) -> Self {
        let mut shared = Self { leader: (0..graph.tensors.len()).collect() };
        for node in &graph.nodes {
            let moved = if moves_codes(&node.op) { &node.inputs[..1] } else { &[] };
            let joined = if node.op.is::<ops::Concat>() { &node.inputs[..] } else { moved };
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
    /// [`GraphError`] names the operator that wants to give a code two meanings.
    pub(super) fn fixed(&self, graph: &Graph) -> Result<Vec<Option<Quant>>, GraphError> {
        let mut fixed: Vec<Option<Quant>> = vec![None; graph.tensors.len()];
        for node in &graph.nodes {
            if let Some(quant) = fixed_quant(node) {
                fixed[self.leader(node.output).0] = Some(quant);
            }
        }
        let what = "is concatenated with the output of a softmax, logistic function or tanh, whose codes have a fixed \
                    meaning; use a clamp in their place, or concatenate after a layer with weights";
        if let Some(&x) = graph.inputs.iter().find(|&&x| fixed[self.leader(x).0].is_some()) {
            return Err(GraphError::Eval(format!("input `{}` {what}", graph[x].name)));
        }
        for node in &graph.nodes {
            let leader = self.leader(node.output);
            let computed = !moves_codes(&node.op) && !node.op.is::<ops::Concat>();
            if computed && fixed[leader.0].is_some() && fixed[leader.0] != fixed_quant(node) {
                let (op, name) = (node.op.name(), &node.name);
                return Err(GraphError::Eval(format!("{op} `{name}`: its output {what}")));
            }
        }
        Ok(fixed)
    }
}

/// Whether the output holds codes of the first input, unchanged or averaged.
pub(super) fn moves_codes(op: &Op) -> bool {
    matches!(
        op,
        Op::MaxPool2d(_)
            | Op::AveragePool2d(_)
            | Op::Reshape(_)
            | Op::Pad(_)
            | Op::Slice(_)
            | Op::Transpose(_)
            | Op::ResizeNearest(_)
            | Op::ResizeBilinear(_)
            | Op::Clamp(ops::Clamp(Activation::None))
    )
}

/// Whether an operator that moves codes writes this activation.
fn is_moved(graph: &Graph, id: TensorId) -> bool {
    let by = |n: usize| moves_codes(&graph.nodes[n].op) || graph.nodes[n].op.is::<ops::Concat>();
    graph[id].role == Role::Activation && graph.producer(id).is_some_and(by)
}

/// What the codes of an operator's output always mean (specs/integer_arithmetic.md §1).
fn fixed_quant(node: &Node) -> Option<Quant> {
    let quant = |scale, zero_point| Some(Quant { scales: vec![scale], zero_point, axis: None });
    match node.op {
        Op::Softmax(_) | Op::Logistic(_) => quant(1.0 / 256.0, -128),
        Op::Tanh(_) => quant(1.0 / 128.0, 0),
        _ => None,
    }
}
