//! From graph nodes to operators with proved geometry and located constants; everything that can be refused is, here.

mod layers;
mod nodes;
mod pairwise;

use super::error::EngineError;
use super::kernel::{Constant, Kernel, Operator};
use super::movement::Movement;
use super::pairwise::Arithmetic;
use super::pool::Pool;
use super::real::Real;
use super::unary::Unary;
use super::window::Grid;
use crate::graph::{Activation, Data, Graph, Node, Op, Padding, Role, Sliding, TensorId};
use crate::ops;
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
    let has_features = graph.nodes.iter().any(|node| node.op.is::<ops::SparseDense>());
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
            return Err(refuse(node, "its output is a constant or written by another node".into()));
        }
        if live {
            operators.extend(resolver.node(n, node)?);
        }
    }
    let Some(value) = resolver.value_of[output.0].filter(|_| !operators.is_empty()) else {
        let (tensor, what) = (graph[output].name.clone(), "the graph's output is computed by no operator".into());
        return Err(EngineError::Tensor { tensor, what });
    };
    let input = input.map(|input| input.0);
    Ok(Resolved { operators, input, output: value, batch_norms: resolver.batch_norms })
}

fn check_tensors(graph: &Graph) -> Result<(), EngineError> {
    let missing = |id: &TensorId| id.0 >= graph.tensors.len();
    for node in &graph.nodes {
        if let Some(id) = node.inputs.iter().chain([&node.output]).find(|id| missing(id)) {
            return Err(refuse(node, format!("tensor {} does not exist", id.0)));
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
        return Err(EngineError::Tensor { tensor: t.name.clone(), what: what.into() });
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

fn refuse(node: &Node, what: String) -> EngineError {
    EngineError::Node { op: node.op.name(), node: node.name.clone(), what }
}

impl Resolver<'_> {
    /// The operator of a node, or `None` if its output is only another name for its input.
    fn node<T: Real>(&mut self, n: usize, node: &Node) -> Result<Option<Operator<T>>, EngineError> {
        if matches!(node.op, Op::Reshape(_) | Op::Clamp(ops::Clamp(Activation::None))) {
            self.value_of[node.output.0] = Some(self.value(node, 0)?);
            return Ok(None);
        }
        let operands = match node.op {
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) => {
                let [a, b] = self.pair(node)?;
                if self.is_value(node, b) { vec![a, b] } else { vec![a] }
            }
            Op::Concat(_) => (0..node.inputs.len()).collect(),
            Op::SparseDense(_) => Vec::new(),
            _ => vec![0],
        };
        let inputs = operands.into_iter().map(|operand| self.value(node, operand)).collect::<Result<_, _>>()?;
        let kernel = self.kernel(node)?;
        self.value_of[node.output.0] = Some(node.output.0);
        Ok(Some(Operator { node: n, kernel, inputs, output: node.output.0 }))
    }

    fn kernel<T: Real>(&mut self, node: &Node) -> Result<Kernel<T>, EngineError> {
        let shape = |i: usize| self.graph[node.inputs[i]].shape.as_slice();
        let last = |i: usize| shape(i).last().copied().unwrap_or(1);
        Ok(match node.op {
            Op::Conv2d(_) | Op::SparseDense(_) | Op::Propagate(_) | Op::Dropout(_) if self.is_over_nodes() => {
                self.kernel_over_nodes(node)?
            }
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) | Op::BatchNorm(_) => self.layer(node)?,
            Op::MaxPool2d(ops::MaxPool2d { kernel, ref sliding }) => {
                let op = Pool { grid: grid(node, sliding, shape(0), &kernel)?, channels: last(0) };
                self.max_pools += 1;
                Kernel::MaxPool { op, index: self.max_pools - 1 }
            }
            Op::AveragePool2d(ops::AveragePool2d { kernel, ref sliding }) => {
                Kernel::AveragePool(Pool { grid: grid(node, sliding, shape(0), &kernel)?, channels: last(0) })
            }
            Op::Mean(ops::Mean { ref axes, .. }) => {
                let area = leading_area(shape(0), axes).ok_or_else(|| {
                    refuse(node, format!("its axes {axes:?} of {:?} are not all before those that stay", shape(0)))
                })?;
                let grid = grid(node, &Sliding::unit(Padding::Valid), &[area, 1], &[area, 1])?;
                Kernel::AveragePool(Pool { grid, channels: self.graph[node.output].element_count() })
            }
            Op::Clamp(ops::Clamp(activation)) => Kernel::Activation(activation),
            Op::Logistic(_) => Kernel::Unary(Unary::Logistic),
            Op::Tanh(_) => Kernel::Unary(Unary::Tanh),
            Op::LeakyRelu(ops::LeakyRelu { alpha }) => Kernel::Unary(Unary::LeakyRelu { alpha }),
            Op::HardSwish(_) => Kernel::Unary(Unary::HardSwish),
            Op::Add(ops::Add { activation }) => self.pairwise(node, Arithmetic::Add, activation)?,
            Op::Sub(ops::Sub { activation }) => self.pairwise(node, Arithmetic::Sub, activation)?,
            Op::Mul(ops::Mul { activation }) => self.pairwise(node, Arithmetic::Mul, activation)?,
            Op::Pad(_)
            | Op::Concat(_)
            | Op::Slice(_)
            | Op::Transpose(_)
            | Op::ResizeNearest(_)
            | Op::ResizeBilinear(_) => {
                Kernel::Movement(Movement::new(self.graph, node).map_err(|what| refuse(node, what))?)
            }
            Op::Softmax(_) => Kernel::Softmax { classes: last(0) },
            Op::Reshape(_) => return Err(refuse(node, "a reshape computes nothing".into())),
            _ => return Err(refuse(node, "it cannot be trained".into())),
        })
    }

    fn is_value(&self, node: &Node, operand: usize) -> bool {
        self.value_of[node.inputs[operand].0].is_some()
    }

    fn value(&self, node: &Node, operand: usize) -> Result<usize, EngineError> {
        let tensor = node.inputs[operand];
        self.value_of[tensor.0].ok_or_else(|| {
            refuse(node, format!("operand {operand}, `{}`, must be computed, not constant", self.graph[tensor].name))
        })
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
                let name = &self.graph[tensor].name;
                Err(refuse(node, format!("operand {operand}, `{name}`, must be a parameter or a buffer")))
            }
        }
    }

    fn optional(&self, node: &Node, operand: usize) -> Result<Option<Constant>, EngineError> {
        if node.inputs.len() > operand { self.constant(node, operand).map(Some) } else { Ok(None) }
    }
}

/// Elements along `axes`, if no axis of more than one element that stays comes before one of them.
fn leading_area(shape: &[usize], axes: &[usize]) -> Option<usize> {
    let reduced = axes.last().map_or(0, |&last| last + 1);
    let leading = (0..reduced).all(|axis| shape[axis] == 1 || axes.contains(&axis));
    leading.then(|| shape[..reduced].iter().product())
}

fn grid(node: &Node, sliding: &Sliding, input: &[usize], kernel: &[usize]) -> Result<Grid, EngineError> {
    let window = sliding.window([input[0], input[1]], [kernel[0], kernel[1]]);
    window.map(|w| Grid::new(&w)).map_err(|e| refuse(node, e.to_string()))
}
