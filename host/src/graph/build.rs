//! Building graphs node by node: the output tensor and its shape come by themselves.

use super::{Data, Graph, GraphError, Node, Op, Quant, Role, Tensor, TensorId};
use niwaki_core::format::DType;

impl Graph {
    /// Adds a graph input.
    pub fn input(&mut self, name: &str, shape: &[usize]) -> TensorId {
        let id = self.tensor(name, shape, Role::Activation, None);
        self.inputs.push(id);
        id
    }

    /// Adds a trained tensor.
    pub fn parameter(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> TensorId {
        self.tensor(name, shape, Role::Parameter, Some(Data::F32(values)))
    }

    /// Adds a tensor that is kept with the weights but not trained by gradient.
    pub fn buffer(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> TensorId {
        self.tensor(name, shape, Role::Buffer, Some(Data::F32(values)))
    }

    /// Adds a node and the activation that it writes, and returns the latter. Its tensor is named after the node.
    ///
    /// # Errors
    /// [`GraphError::Shape`] when the inputs do not fit.
    pub fn push(&mut self, name: &str, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId, GraphError> {
        let output = TensorId(self.tensors.len());
        let node = Node { name: name.to_owned(), op: op.into(), inputs: inputs.to_vec(), output };
        let shape = self.infer_node(&node)?;
        self.tensor(name, &shape, Role::Activation, None);
        self.nodes.push(node);
        Ok(output)
    }

    /// Adds a constant; [`TensorId`]s of constants may stand wherever an operator takes one.
    pub fn constant(&mut self, name: &str, shape: &[usize], data: Data) -> TensorId {
        self.tensor(name, shape, Role::Parameter, Some(data))
    }

    /// Makes an activation one of int8 codes.
    pub fn quantise(&mut self, id: TensorId, quant: Quant) {
        self[id].element = DType::I8;
        self[id].quant = Some(quant);
    }

    fn tensor(&mut self, name: &str, shape: &[usize], role: Role, data: Option<Data>) -> TensorId {
        let element = data.as_ref().map_or(DType::F32, Data::element);
        let (name, shape) = (name.to_owned(), shape.to_vec());
        self.tensors.push(Tensor { name, shape, role, data, element, quant: None, code_bits: 8 });
        TensorId(self.tensors.len() - 1)
    }
}
