//! Evaluates a graph for one sample with core's reference kernels: the yardstick for engine, exporter and chip.

use super::lower::Lowered;
use super::{Graph, GraphError, Node};
use niwaki_core::num::dequantize;

pub use crate::ops::{Value, f32s, i16s};

impl Graph {
    /// Evaluates one sample and returns every activation, indexed by tensor.
    ///
    /// A float input to a quantised graph is quantised first. Batch norm uses its running statistics.
    ///
    /// # Errors
    /// [`GraphError`] when the input does not fit or an operator cannot be evaluated.
    pub fn evaluate(&self, x: &[f32]) -> Result<Vec<Option<Value>>, GraphError> {
        let mut values: Vec<Option<Value>> = vec![None; self.tensors.len()];
        match self.inputs.as_slice() {
            &[input] => {
                let tensor = &self[input];
                if x.len() != tensor.element_count() {
                    let (tensor, shape) = (tensor.name.clone(), tensor.shape.clone());
                    return Err(GraphError::Sample { tensor, shape, got: x.len() });
                }
                values[input.0] = Some(Value::of_reals(tensor, x));
            }
            // A network over a graph that has its features in it.
            [] if x.is_empty() => {}
            inputs => return Err(GraphError::Inputs { what: "evaluation", count: inputs.len() }),
        }
        for node in &self.nodes {
            let y = self.evaluate_node(node, &values)?;
            values[node.output.0] = Some(y);
        }
        Ok(values)
    }

    /// The first output for one sample in real numbers.
    ///
    /// # Errors
    /// As [`Graph::evaluate`].
    pub fn predict(&self, x: &[f32]) -> Result<Vec<f32>, GraphError> {
        let output = *self.outputs.first().ok_or(GraphError::NoOutput)?;
        match (self.evaluate(x)?.swap_remove(output.0), &self[output].quant) {
            (Some(Value::F32(y)), _) => Ok(y),
            (Some(Value::I8(y)), Some(q)) => {
                Ok(y.into_iter().map(|v| dequantize(v, q.scales[0], q.zero_point)).collect())
            }
            (Some(Value::I16(y)), Some(q)) => {
                Ok(y.into_iter().map(|v| dequantize(v, q.scales[0], q.zero_point)).collect())
            }
            (Some(Value::I32(y)), _) => Ok(y.into_iter().map(|v| v as f32).collect()),
            _ => Err(GraphError::Unwritten),
        }
    }

    /// What `node` makes of `values`, which hold its operands that are not weights.
    pub(crate) fn evaluate_node(&self, node: &Node, values: &[Option<Value>]) -> Result<Value, GraphError> {
        self.infer_node(node)?;
        let computed: Vec<Option<&Value>> = node.inputs.iter().map(|id| values[id.0].as_ref()).collect();
        node.op.operator().evaluate(&self.operands(node), &computed).map_err(|what| node.refuses(what))
    }

    /// As [`evaluate_node`](Self::evaluate_node), for a node of which it is known what core runs.
    pub(crate) fn evaluate_lowered(
        &self,
        node: &Node,
        lowered: &Lowered,
        values: &[Option<Value>],
    ) -> Result<Value, GraphError> {
        let computed: Vec<Option<&Value>> = node.inputs.iter().map(|id| values[id.0].as_ref()).collect();
        lowered.evaluate(&self.operands(node), &computed).map_err(|what| node.refuses(what))
    }
}
