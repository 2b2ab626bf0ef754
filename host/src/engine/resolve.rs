//! From graph nodes to operators with proved geometry and located constants; everything that can be refused is, here.

mod layers;
mod nodes;
mod pairwise;

use super::batch_norm::BatchNorm;
use super::dropout::Dropout;
use super::error::{EngineError, Untrainable};
use super::kernel::{Constant, Kernel, Operator};
use super::movement::Movement;
use super::pool::Pool;
use super::real::Real;
use super::window::Grid;
use crate::graph::{Data, Graph, Node, Role, TensorId};
use crate::ops::{Misfit, SparseDense, Training};
use std::ops::Range;

/// The operators that lead to the graph's output, in order.
pub(super) struct Resolved<T> {
    pub(super) operators: Vec<Operator<T>>,
    /// None where the network has its data in it: one sample, whose rows are nodes.
    pub(super) input: Option<usize>,
    pub(super) output: usize,
    /// Number of [`Kernel::BatchNorm`] among the operators.
    pub(super) batch_norms: usize,
}

/// Ranges of all tensors of `role` in one flat vector, in graph order.
pub(super) fn flat_ranges(graph: &Graph, role: Role) -> Vec<(TensorId, Range<usize>)> {
    let mut end = 0;
    let tensors = graph.tensors.iter().enumerate().filter(|(_, t)| t.role == role);
    tensors
        .map(|(i, t)| {
            let start = end;
            end += t.element_count();
            (TensorId(i), start..end)
        })
        .collect()
}

struct Resolver<'a> {
    graph: &'a Graph,
    parameters: &'a [(TensorId, Range<usize>)],
    buffers: &'a [(TensorId, Range<usize>)],
    /// The value that each tensor names, once it is known.
    value_of: Vec<Option<usize>>,
    batch_norms: usize,
    max_pools: usize,
    attentions: usize,
    dropouts: usize,
}

/// Checks the whole graph and resolves its operators.
pub(super) fn resolve<T: Real>(
    graph: &Graph,
    parameters: &[(TensorId, Range<usize>)],
    buffers: &[(TensorId, Range<usize>)],
) -> Result<Resolved<T>, EngineError> {
    check_tensors(graph)?;
    let has_features = graph.nodes.iter().any(|node| node.op.is::<SparseDense>());
    let input = match graph.inputs.as_slice() {
        &[input] => Some(input),
        [] if has_features => None,
        inputs => return Err(EngineError::Ends { what: "input", count: inputs.len() }),
    };
    let &[output] = graph.outputs.as_slice() else {
        return Err(EngineError::Ends { what: "output", count: graph.outputs.len() });
    };
    graph.validate()?;

    let value_of = vec![None; graph.tensors.len()];
    let mut resolver =
        Resolver { graph, parameters, buffers, value_of, batch_norms: 0, max_pools: 0, attentions: 0, dropouts: 0 };
    if let Some(input) = input {
        resolver.value_of[input.0] = Some(input.0);
    }
    let live = live_nodes(graph, output);
    let mut operators = Vec::new();
    for (n, (node, live)) in graph.nodes.iter().zip(live).enumerate() {
        if graph[node.output].role != Role::Activation || resolver.value_of[node.output.0].is_some() {
            return Err(refuse(node, Untrainable::Output));
        }
        if live {
            operators.extend(resolver.node(n, node)?);
        }
    }
    let Some(value) = resolver.value_of[output.0].filter(|_| !operators.is_empty()) else {
        let (tensor, what) = (graph[output].name.clone(), "the graph's output is computed by no operator");
        return Err(EngineError::Tensor { tensor, what });
    };
    let input = input.map(|input| input.0);
    Ok(Resolved { operators, input, output: value, batch_norms: resolver.batch_norms })
}

fn check_tensors(graph: &Graph) -> Result<(), EngineError> {
    let missing = |id: &TensorId| id.0 >= graph.tensors.len();
    for node in &graph.nodes {
        if let Some(id) = node.inputs.iter().chain([&node.output]).find(|id| missing(id)) {
            return Err(refuse(node, Untrainable::Missing { index: id.0 }));
        }
    }
    for (what, ids) in [("input", &graph.inputs), ("output", &graph.outputs)] {
        if ids.iter().any(missing) {
            return Err(EngineError::Ends { what, count: 0 });
        }
    }
    for t in &graph.tensors {
        let what = match &t.data {
            Some(data) if !matches!(data, Data::F32(_)) => "it does not hold f32 values",
            _ if t.quant.is_some() => "it is quantised",
            _ if t.element_count() == 0 => "it has no elements",
            _ => continue,
        };
        return Err(EngineError::Tensor { tensor: t.name.clone(), what });
    }
    Ok(())
}

/// Which nodes the output depends on.
fn live_nodes(graph: &Graph, output: TensorId) -> Vec<bool> {
    let mut needed = vec![false; graph.tensors.len()];
    needed[output.0] = true;
    let mut live: Vec<bool> = Vec::with_capacity(graph.nodes.len());
    for node in graph.nodes.iter().rev() {
        let is_live = needed[node.output.0];
        for id in node.inputs.iter().filter(|_| is_live) {
            needed[id.0] = true;
        }
        live.push(is_live);
    }
    live.reverse();
    live
}

fn refuse(node: &Node, why: impl Into<Untrainable>) -> EngineError {
    EngineError::Node { op: node.op.name(), node: node.name.clone(), why: Box::new(why.into()) }
}

impl Resolver<'_> {
    /// The operator of a node, or `None` if its output is only another name for its input.
    fn node<T: Real>(&mut self, n: usize, node: &Node) -> Result<Option<Operator<T>>, EngineError> {
        let training = node.op.operator().train(&self.graph.operands(node));
        let training = training.map_err(|misfit| refuse(node, misfit))?;
        let operands = match &training {
            Training::Rename => {
                self.value_of[node.output.0] = Some(self.value(node, 0)?);
                return Ok(None);
            }
            Training::Arithmetic { arithmetic, .. } => {
                let [a, b] = self.pair(node, *arithmetic)?;
                if self.is_value(node, b) { vec![a, b] } else { vec![a] }
            }
            Training::Movement { .. } => (0..node.inputs.len()).collect(),
            Training::SparseDense { .. } => Vec::new(),
            _ => vec![0],
        };
        let inputs = operands.into_iter().map(|operand| self.value(node, operand)).collect::<Result<_, _>>()?;
        let kernel = self.kernel(node, training)?;
        self.value_of[node.output.0] = Some(node.output.0);
        Ok(Some(Operator { node: n, kernel, inputs, output: node.output.0 }))
    }

    fn kernel<T: Real>(&mut self, node: &Node, training: Training) -> Result<Kernel<T>, EngineError> {
        let shape = |i: usize| self.graph[node.inputs[i]].shape.as_slice();
        let last = |i: usize| shape(i).last().copied().unwrap_or(1);
        Ok(match training {
            Training::Rename => return Err(refuse(node, Untrainable::Rename)),
            Training::Conv2d { window, activation } if self.is_over_nodes() => {
                self.pointwise(node, &window, activation)?
            }
            Training::Conv2d { window, activation } => self.conv2d(node, &window, activation)?,
            Training::DepthwiseConv2d { window, activation } => self.depthwise_conv2d(node, &window, activation)?,
            Training::Dense { activation } => self.dense(node, activation)?,
            Training::BatchNorm { epsilon, momentum, activation } => {
                let op = BatchNorm {
                    channels: last(0),
                    epsilon: f64::from(epsilon),
                    momentum: f64::from(momentum),
                    activation,
                };
                self.batch_norm(node, op)?
            }
            Training::MaxPool { window } => {
                let op = Pool { grid: Grid::new(&window), channels: last(0) };
                self.max_pools += 1;
                Kernel::MaxPool { op, index: self.max_pools - 1 }
            }
            Training::AveragePool { window } => {
                let grid = Grid::new(&window);
                let channels = self.graph[node.output].element_count() / grid.output_area();
                Kernel::AveragePool(Pool { grid, channels })
            }
            Training::Activation(activation) => Kernel::Activation(activation),
            Training::Function(function) => Kernel::Unary(function),
            Training::Arithmetic { arithmetic, activation } => self.pairwise(node, arithmetic, activation)?,
            Training::Movement { movement, border } => {
                let movement = Movement::new(self.graph, node, &movement, border);
                Kernel::Movement(movement.map_err(|why| refuse(node, why))?)
            }
            Training::Softmax => Kernel::Softmax { classes: last(0) },
            Training::SparseDense { .. } | Training::Propagate { .. } | Training::Dropout { .. }
                if !self.is_over_nodes() =>
            {
                return Err(refuse(node, Misfit::Untrained));
            }
            Training::SparseDense { features, activation } => self.sparse_dense(node, &features, activation)?,
            Training::Propagate { adjacency, rule, activation } => {
                self.propagate(node, &adjacency, rule, activation)?
            }
            Training::Dropout { rate } => {
                self.dropouts += 1;
                Kernel::Dropout(Dropout { rate, layer: self.dropouts - 1 })
            }
        })
    }

    fn is_value(&self, node: &Node, operand: usize) -> bool {
        self.value_of[node.inputs[operand].0].is_some()
    }

    fn value(&self, node: &Node, operand: usize) -> Result<usize, EngineError> {
        let tensor = node.inputs[operand];
        self.value_of[tensor.0]
            .ok_or_else(|| refuse(node, Untrainable::Constant { operand, tensor: self.graph[tensor].name.clone() }))
    }

    fn constant(&self, node: &Node, operand: usize) -> Result<Constant, EngineError> {
        let tensor = node.inputs[operand];
        let find = |ranges: &[(TensorId, Range<usize>)]| {
            ranges.iter().find(|(id, _)| *id == tensor).map(|(_, range)| range.clone())
        };
        match (find(self.parameters), find(self.buffers)) {
            (Some(range), _) => Ok(Constant::Parameter(range)),
            (None, Some(range)) => Ok(Constant::Buffer(range)),
            (None, None) => {
                Err(refuse(node, Untrainable::Computed { operand, tensor: self.graph[tensor].name.clone() }))
            }
        }
    }

    fn optional(&self, node: &Node, operand: usize) -> Result<Option<Constant>, EngineError> {
        if node.inputs.len() > operand { self.constant(node, operand).map(Some) } else { Ok(None) }
    }
}
