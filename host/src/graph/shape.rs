//! The check of a whole graph: order, shapes and data.

use super::{Graph, GraphError, Node, Role};
use crate::ops::Misfit;

impl Graph {
    /// Checks order, shapes and data of the whole graph.
    ///
    /// # Errors
    /// The first thing that does not fit, by node and tensor name.
    pub fn validate(&self) -> Result<(), GraphError> {
        for t in &self.tensors {
            let len = match &t.data {
                None if t.role == Role::Activation => continue,
                None => 0,
                Some(data) => data.len(),
            };
            if len != t.element_count() {
                return Err(GraphError::Data { tensor: t.name.clone(), shape: t.shape.clone(), len });
            }
        }
        let mut written: Vec<bool> = self.tensors.iter().map(|t| t.data.is_some()).collect();
        for id in &self.inputs {
            written[id.0] = true;
        }
        for node in &self.nodes {
            for id in &node.inputs {
                if !written[id.0] {
                    return Err(GraphError::Order {
                        op: node.op.name(),
                        node: node.name.clone(),
                        tensor: self[*id].name.clone(),
                    });
                }
            }
            let shape = self.infer_node(node)?;
            if shape != self[node.output].shape {
                let declared = self[node.output].shape.clone();
                return Err(self.shape_error(node, Misfit::Output { declared, comes: shape }));
            }
            written[node.output.0] = true;
        }
        Ok(())
    }

    /// The output shape of `node` from the shapes of its inputs.
    ///
    /// # Errors
    /// [`GraphError::Shape`].
    pub fn infer_node(&self, node: &Node) -> Result<Vec<usize>, GraphError> {
        let shapes: Vec<&[usize]> = node.inputs.iter().map(|&i| self[i].shape.as_slice()).collect();
        node.op.operator().shape(&shapes).map_err(|what| self.shape_error(node, what))
    }

    /// Recomputes every activation's shape, after a pass that changed constants. Operators that count
    /// elements follow ([`Operator::refit`](crate::ops::Operator::refit)).
    ///
    /// # Errors
    /// [`GraphError::Shape`].
    pub fn propagate_shapes(&mut self) -> Result<(), GraphError> {
        for n in 0..self.nodes.len() {
            let elements = self[self.nodes[n].inputs[0]].element_count();
            self.nodes[n].op.operator_mut().refit(elements);
            let shape = self.infer_node(&self.nodes[n])?;
            let output = self.nodes[n].output;
            self[output].shape = shape;
        }
        Ok(())
    }

    fn shape_error(&self, node: &Node, what: Misfit) -> GraphError {
        GraphError::Shape {
            op: node.op.name(),
            node: node.name.clone(),
            what: Box::new(what),
            shapes: node.inputs.iter().map(|&i| self[i].shape.clone()).collect(),
        }
    }
}
