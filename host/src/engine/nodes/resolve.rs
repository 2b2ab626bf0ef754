//! From a network over a graph to the steps that are run: operands found, shapes and kinds checked.

use super::super::EngineError;
use super::super::real::Real;
use super::super::resolve::flat_ranges;
use super::attention::Attention;
use super::gather::Gather;
use super::linear::Linear;
use super::sparse_dense::SparseDense;
use crate::graph::{Activation, Graph, Node, Op, Padding, Propagation, Role, Sliding, TensorId};
use crate::ops;
use std::ops::Range;

/// What a step computes.
pub(super) enum Kernel<T> {
    SparseDense {
        op: SparseDense<T>,
        w: Range<usize>,
        bias: Option<Range<usize>>,
    },
    Linear {
        op: Linear,
        w: Range<usize>,
        bias: Option<Range<usize>>,
    },
    /// `eps`, where it is a parameter: the node itself counts `1 + eps`.
    Gather {
        op: Box<Gather<T>>,
        eps: Option<Range<usize>>,
        activation: Activation,
    },
    Attention {
        op: Attention<T>,
        source: Range<usize>,
        target: Range<usize>,
        activation: Activation,
    },
    Activation(Activation),
    Add(Activation),
    /// `clamp(x + bias)`, the same for every node.
    Bias {
        bias: Range<usize>,
        activation: Activation,
    },
    Scale(T),
    Dropout {
        rate: f32,
        layer: usize,
    },
}

/// A kernel between values, which are named by the tensor that first held them.
pub(super) struct Step<T> {
    pub(super) kernel: Kernel<T>,
    pub(super) inputs: Vec<usize>,
    pub(super) output: usize,
    /// Whether no dropout comes before it: training and inference agree here.
    pub(super) shared: bool,
}

pub(super) struct Resolved<T> {
    pub(super) steps: Vec<Step<T>>,
    pub(super) output: usize,
    pub(super) parameters: Vec<(TensorId, Range<usize>)>,
}

/// Checks the whole graph and resolves its steps.
pub(super) fn resolve<T: Real>(graph: &Graph) -> Result<Resolved<T>, EngineError> {
    graph.validate()?;
    let &[output] = graph.outputs.as_slice() else {
        return Err(EngineError::Ends { what: "output", count: graph.outputs.len() });
    };
    if let Some(input) = graph.inputs.first() {
        let what = "a network over a graph has its features in it and takes no input".into();
        return Err(EngineError::Tensor { tensor: graph[*input].name.clone(), what });
    }
    let parameters = flat_ranges(graph, Role::Parameter);
    let mut resolver =
        Resolver { graph, parameters: &parameters, value_of: vec![None; graph.tensors.len()], layers: 0 };
    let mut steps: Vec<Step<T>> = Vec::new();
    let mut dropped = vec![false; graph.tensors.len()];
    for node in &graph.nodes {
        let x = node.inputs.first().and_then(|id| resolver.value_of[id.0]);
        if matches!(node.op, Op::Reshape(_) | Op::Clamp(ops::Clamp(Activation::None))) {
            resolver.value_of[node.output.0] = x;
            continue;
        }
        let (kernel, inputs) = resolver.kernel(node)?;
        dropped[node.output.0] = matches!(kernel, Kernel::Dropout { .. }) || inputs.iter().any(|input| dropped[*input]);
        resolver.value_of[node.output.0] = Some(node.output.0);
        steps.push(Step { kernel, inputs, output: node.output.0, shared: !dropped[node.output.0] });
    }
    let output = resolver.value_of[output.0].ok_or_else(|| EngineError::Tensor {
        tensor: graph[output].name.clone(),
        what: "the graph's output is computed by no operator".into(),
    })?;
    Ok(Resolved { steps, output, parameters })
}

struct Resolver<'a> {
    graph: &'a Graph,
    parameters: &'a [(TensorId, Range<usize>)],
    value_of: Vec<Option<usize>>,
    layers: usize,
}

impl Resolver<'_> {
    fn kernel<T: Real>(&mut self, node: &Node) -> Result<(Kernel<T>, Vec<usize>), EngineError> {
        let shape = |i: usize| self.graph[node.inputs[i]].shape.as_slice();
        let kernel = match &node.op {
            Op::SparseDense(ops::SparseDense { features, activation }) => {
                let w = self.constant(node, 0)?;
                if self.graph.consumers(node.inputs[0]).len() > 1 {
                    return Err(refuse(node, "its weights may not be shared with another operator"));
                }
                let bias = if node.inputs.len() > 1 { Some(self.constant(node, 1)?) } else { None };
                return Ok((Kernel::SparseDense { op: SparseDense::new(features, *activation), w, bias }, Vec::new()));
            }
            Op::Conv2d(ops::Conv2d { sliding, activation }) => {
                let (x, w) = (shape(0), shape(1));
                let plain = [Padding::Valid, Padding::Same].map(Sliding::unit).contains(sliding);
                if !plain || w[1..3] != [1, 1] || x[1] != 1 {
                    return Err(refuse(
                        node,
                        "over nodes a convolution must be of 1x1 taps with stride 1 on [N, 1, C]",
                    ));
                }
                let op = Linear { inputs: w[3], outputs: w[0], activation: *activation };
                let bias = if node.inputs.len() > 2 { Some(self.constant(node, 2)?) } else { None };
                Kernel::Linear { op, w: self.constant(node, 1)?, bias }
            }
            Op::Propagate(ops::Propagate { rule, .. }) if node.inputs.len() > rule.operands() => {
                return Err(refuse(node, "the edges that count are chosen after training"));
            }
            Op::Propagate(ops::Propagate { adjacency, rule: Propagation::Attention { heads, slope }, activation }) => {
                let op = Attention::new(adjacency, *heads, *slope);
                let (source, target) = (self.constant(node, 1)?, self.constant(node, 2)?);
                Kernel::Attention { op, source, target, activation: *activation }
            }
            Op::Propagate(ops::Propagate { adjacency, rule, activation }) => {
                let eps = if *rule == Propagation::Sum { Some(self.constant(node, 1)?) } else { None };
                Kernel::Gather { op: Box::new(Gather::new(adjacency, *rule)), eps, activation: *activation }
            }
            Op::Clamp(ops::Clamp(activation)) => Kernel::Activation(*activation),
            Op::Add(ops::Add { activation }) if self.value_of[node.inputs[1].0].is_none() => {
                let bias = self.constant(node, 1)?;
                if shape(1) != &shape(0)[2..] {
                    return Err(refuse(node, "over nodes a constant operand must be [C], one for each channel"));
                }
                Kernel::Bias { bias, activation: *activation }
            }
            Op::Add(ops::Add { activation }) => {
                if shape(0) != shape(1) {
                    return Err(refuse(node, "over nodes its operands must have one shape"));
                }
                return Ok((Kernel::Add(*activation), vec![self.value(node, 0)?, self.value(node, 1)?]));
            }
            Op::Mul(ops::Mul { activation: Activation::None }) => {
                let factor = &self.graph[node.inputs[1]];
                match (factor.role, factor.f32s()) {
                    (Role::Buffer, Some(&[factor])) => Kernel::Scale(T::from_f32(factor)),
                    _ => return Err(refuse(node, "over nodes its second operand must be a buffer of one element")),
                }
            }
            Op::Dropout(ops::Dropout { rate }) => {
                self.layers += 1;
                Kernel::Dropout { rate: *rate, layer: self.layers - 1 }
            }
            _ => return Err(refuse(node, "it cannot be trained over nodes")),
        };
        Ok((kernel, vec![self.value(node, 0)?]))
    }

    fn value(&self, node: &Node, operand: usize) -> Result<usize, EngineError> {
        let tensor = node.inputs[operand];
        let name = &self.graph[tensor].name;
        self.value_of[tensor.0].ok_or_else(|| refuse(node, &format!("`{name}` must be computed, not constant")))
    }

    fn constant(&self, node: &Node, operand: usize) -> Result<Range<usize>, EngineError> {
        let tensor = node.inputs[operand];
        let found = self.parameters.iter().find(|(id, _)| *id == tensor && self.graph[tensor].f32s().is_some());
        let name = &self.graph[tensor].name;
        found
            .map(|(_, range)| range.clone())
            .ok_or_else(|| refuse(node, &format!("operand {operand}, `{name}`, must be an f32 parameter")))
    }
}

fn refuse(node: &Node, what: &str) -> EngineError {
    EngineError::Node { op: node.op.name(), node: node.name.clone(), what: what.into() }
}
