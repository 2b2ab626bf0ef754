//! Operators over node sets by core's definitions, in f32 and in int8.

use super::Value;
use crate::graph::lower::Nodes;
use crate::graph::{Graph, GraphError, Node, Op, Propagation, TensorId, lower};
use crate::ops;
use niwaki_core::graph::propagate::{self, AttentionVectors};
use niwaki_core::kernels::nodes::{RowOperator, keep_edges};
use niwaki_core::kernels::{Kept, Propagate, Weighted, reference};
use std::borrow::Cow;

/// What an int8 operator makes of `x` and, for some, of other operands; `len` codes.
pub(super) fn codes<'a>(
    op: &Nodes,
    x: &Value,
    operand: impl Fn(usize) -> Result<Cow<'a, Value>, GraphError>,
    len: usize,
) -> Result<Value, String> {
    let mut y = vec![0; len];
    if let (Nodes::KeepEdges { ranks }, Value::I32(drop)) = (op, x) {
        keep_edges(ranks.ranks(), drop.first().copied().unwrap_or(0), &mut y).map_err(|error| error.to_string())?;
        return Ok(Value::I8(y));
    }
    let Value::I8(x) = x else { return Err("operand 0 is not int8".into()) };
    let bits = op.kept().map(|at| operand(at).map_err(|error| error.to_string())).transpose()?;
    let kept = match bits.as_deref() {
        None => Kept::ALL,
        Some(Value::I8(bits)) => Kept::of(bits),
        Some(_) => return Err("the edges that count are not bits".into()),
    };
    match op.view() {
        Some(RowOperator::Propagate(op)) => reference::propagate_int8(&Propagate { kept, ..op }, x, &mut y),
        Some(RowOperator::Weighted(op)) => reference::weighted_int8(&Weighted { kept, ..op }, x, &mut y),
        Some(RowOperator::SparseDense(op, w)) => reference::sparse_dense_int8(&op, &w, &mut y),
        Some(RowOperator::NodeDense(op, w)) => reference::node_dense_int8(&op, x, &w, &mut y),
        Some(RowOperator::Stored { .. }) | None => {
            let numbers = operand(1).map_err(|error| error.to_string())?;
            let Value::I32(numbers) = numbers.as_ref() else { return Err("operand 1 is not int32".into()) };
            let channels = len / numbers.len().max(1);
            let last = x.len() / channels.max(1) - 1;
            let row = |&number: &i32| usize::try_from(number).unwrap_or(0).min(last) * channels;
            y = numbers.iter().map(row).flat_map(|at| x[at..at + channels].to_vec()).collect();
            Ok(())
        }
    }
    .map_err(|error| error.to_string())?;
    Ok(Value::I8(y))
}

impl Graph {
    /// What a node over node sets makes of `values`; `None` for every other operator, and for codes.
    pub(super) fn evaluate_nodes(&self, node: &Node, values: &[Option<Value>]) -> Option<Result<Value, String>> {
        if !matches!(node.op, Op::Propagate(_) | Op::SparseDense(_)) || self[node.output].quant.is_some() {
            return None;
        }
        Some(self.gathered(node, values))
    }

    fn gathered(&self, node: &Node, values: &[Option<Value>]) -> Result<Value, String> {
        let operand = |i: usize| {
            let id: TensorId = node.inputs[i];
            let computed = values[id.0].as_ref().and_then(Value::f32s);
            computed.or_else(|| self[id].f32s()).ok_or_else(|| format!("operand `{}` has no f32 values", self[id].name))
        };
        let mut y = vec![0.0; self[node.output].element_count()];
        let activation = match &node.op {
            Op::SparseDense(ops::SparseDense { features, activation }) => {
                propagate::sparse_dense(&features.csr(), Some(&features.values()), operand(0)?, &mut y)
                    .map_err(|e| e.to_string())?;
                if node.inputs.len() > 1 {
                    let bias = operand(1)?;
                    y.iter_mut().zip(bias.iter().cycle()).for_each(|(y, bias)| *y += bias);
                }
                *activation
            }
            Op::Propagate(ops::Propagate { adjacency, rule, activation }) => {
                let left = match node.inputs.get(rule.operands()).map(|id| &values[id.0]) {
                    None => Cow::Borrowed(&**adjacency),
                    Some(Some(Value::I8(bits))) => {
                        let kept = Kept::of(bits);
                        Cow::Owned(adjacency.filtered(&(0..adjacency.edges()).map(|e| kept.has(e)).collect::<Vec<_>>()))
                    }
                    Some(_) => return Err("the edges that count are not bits".into()),
                };
                let (graph, x) = (left.csr(), operand(0)?);
                let done = match *rule {
                    Propagation::Gcn => {
                        let mut factors = vec![0.0; adjacency.nodes()];
                        let computed = propagate::gcn_factors(&graph, &mut factors);
                        computed.and_then(|()| propagate::gcn(&graph, &factors, x, &mut y))
                    }
                    Propagation::Sum => propagate::sum(&graph, operand(1)?[0], x, &mut y),
                    Propagation::Mean => propagate::mean(&graph, x, &mut y),
                    Propagation::Attention { heads, slope } => {
                        let by = AttentionVectors { heads, slope, source: operand(1)?, target: operand(2)? };
                        propagate::attention(&graph, &by, x, &mut y)
                    }
                };
                done.map_err(|e| e.to_string())?;
                *activation
            }
            _ => return Err("is no operator over nodes".into()),
        };
        let clamp = lower::clamp_f32(activation);
        y.iter_mut().for_each(|y| *y = clamp.apply(*y));
        Ok(Value::F32(y))
    }
}
