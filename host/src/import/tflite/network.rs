//! One subgraph as a graph: which tensor is which, and the tensors of the operators that are made of it.

use super::error::{Fault, Refusal};
use super::schema::{Model, Operator, SubGraph};
use super::tensors::FileTensor;
use crate::graph::{Activation, Data, Graph, Op, Quant, TensorId};
use crate::ops;
use niwaki_core::format::DType;
use std::collections::{HashMap, HashSet};

/// A network on its way from file to graph.
pub(super) struct Network<'a> {
    model: Model<'a>,
    subgraph: SubGraph<'a>,
    graph: Graph,
    /// The graph's tensor of each activation of the file that has been written.
    written: HashMap<usize, TensorId>,
    /// float16 constants by the output of the DEQUANTIZE that makes an activation of them.
    dequantized: HashMap<usize, usize>,
    /// Names that are taken.
    names: HashSet<String>,
}

/// One operator of the file.
pub(super) struct Call<'a> {
    /// Tensors of the file; -1 for an operand that is left out.
    pub(super) inputs: Vec<i32>,
    pub(super) outputs: Vec<i32>,
    pub(super) operator: Operator<'a>,
}

impl Call<'_> {
    /// Whether operand `i` is there.
    pub(super) fn has(&self, i: usize) -> bool {
        self.inputs.get(i).is_some_and(|&t| t >= 0)
    }

    /// The tensor that is operand `i`.
    pub(super) fn input(&self, i: usize) -> Result<usize, Refusal> {
        let index = self.inputs.get(i).and_then(|&t| usize::try_from(t).ok());
        index.ok_or_else(|| Refusal::damaged(format!("operand {i} is missing")))
    }

    /// The tensor that is written, of an operator that writes one.
    pub(super) fn output(&self) -> Result<usize, Refusal> {
        match self.outputs.as_slice() {
            &[output] => usize::try_from(output).map_err(|_| Refusal::damaged("it has no output")),
            outputs => Err(Refusal::damaged(format!("it has {} outputs, not 1", outputs.len()))),
        }
    }
}

impl<'a> Network<'a> {
    /// Only the inputs of `subgraph`.
    pub(super) fn with_inputs(model: &Model<'a>, subgraph: &SubGraph<'a>) -> Result<Self, Fault> {
        let mut network = Self {
            model: *model,
            subgraph: *subgraph,
            graph: Graph::default(),
            written: HashMap::new(),
            dequantized: HashMap::new(),
            names: HashSet::new(),
        };
        for index in subgraph.inputs().iter().flatten() {
            network.input(index).map_err(|refusal| network.tensor_fault(index, refusal))?;
        }
        if network.graph.inputs.is_empty() {
            return Err(Fault::Format { what: "the network has no input".into() });
        }
        Ok(network)
    }

    /// The graph, with the outputs of the subgraph.
    pub(super) fn finish(mut self) -> Result<Graph, Fault> {
        for index in self.subgraph.outputs().iter().flatten() {
            let output = self.output(index).map_err(|refusal| self.tensor_fault(index, refusal))?;
            self.graph.outputs.push(output);
        }
        if self.graph.outputs.is_empty() || self.graph.nodes.is_empty() {
            return Err(Fault::Format { what: "the network computes nothing".into() });
        }
        self.graph.validate()?;
        Ok(self.graph)
    }

    /// Tensor `index` of the file.
    pub(super) fn file(&self, index: usize) -> Result<FileTensor<'a>, Refusal> {
        FileTensor::read(&self.model, &self.subgraph, index)
    }

    /// The constant that a tensor is, or of which a DEQUANTIZE made it.
    pub(super) fn source(&self, index: usize) -> Result<FileTensor<'a>, Refusal> {
        self.file(self.dequantized.get(&index).copied().unwrap_or(index))
    }

    /// Lets `output` stand for the float16 constant `input`.
    pub(super) fn alias(&mut self, input: usize, output: usize) {
        self.dequantized.insert(output, input);
    }

    /// What the graph holds so far.
    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    fn input(&mut self, index: i32) -> Result<(), Refusal> {
        let index = usize::try_from(index).map_err(|_| Refusal::damaged("there is no such tensor"))?;
        let tensor = self.file(index)?;
        if self.written.contains_key(&index) || tensor.bytes.is_some() {
            return Err(Refusal::damaged("an input of the network is a constant or stands there twice"));
        }
        if tensor.shape.len() > 1 && !tensor.batched() {
            let what = format!("an input of shape {:?} is a batch of {}", tensor.shape, tensor.shape[0]);
            return Err(Refusal::new(what, "niwaki runs one sample at a time: convert the network with batch size 1"));
        }
        let name = self.unique(&tensor.name);
        let id = self.graph.input(&name, &tensor.graph_shape());
        self.describe_activation(id, &tensor)?;
        self.written.insert(index, id);
        Ok(())
    }

    fn output(&mut self, index: i32) -> Result<TensorId, Refusal> {
        let id = usize::try_from(index).ok().and_then(|i| self.written.get(&i));
        id.copied().ok_or_else(|| Refusal::damaged("an output of the network is written by no operator"))
    }

    fn describe_activation(&mut self, id: TensorId, tensor: &FileTensor<'_>) -> Result<DType, Refusal> {
        let dtype = tensor.activation_type()?;
        if self.graph[id].shape.len() > 4 {
            let what = format!("`{}` has more than 4 axes besides the batch", tensor.name);
            return Err(Refusal::new(what, "reshape it to fewer axes in the network"));
        }
        self.graph[id].element = dtype;
        self.graph[id].quant = tensor.quant.clone().filter(|_| matches!(dtype, DType::I8 | DType::I16));
        Ok(dtype)
    }

    /// The graph's tensor for operand `i` of `call`: an activation, or a constant in the activation's place.
    pub(super) fn operand(&mut self, call: &Call<'_>, i: usize) -> Result<TensorId, Refusal> {
        let index = call.input(i)?;
        if let Some(&id) = self.written.get(&index) {
            return Ok(id);
        }
        let tensor = self.source(index)?;
        if tensor.bytes.is_none() {
            return Err(Refusal::damaged(format!("`{}` is read before it is written", tensor.name)));
        }
        let data = match tensor.data()? {
            Data::F16(v) => Data::F32(v.into_iter().map(f32::from).collect()),
            data => data,
        };
        let shape = tensor.graph_shape();
        self.constant(&tensor.name, &shape, data, tensor.quant.filter(|q| q.axis.is_none()))
    }

    /// Adds a constant.
    pub(super) fn constant(
        &mut self,
        name: &str,
        shape: &[usize],
        data: Data,
        quant: Option<Quant>,
    ) -> Result<TensorId, Refusal> {
        if shape.len() > 4 {
            return Err(Refusal::new(format!("constant `{name}` has {} axes", shape.len()), "use at most 4"));
        }
        let name = self.unique(name);
        let id = self.graph.constant(&name, shape, data);
        self.graph[id].quant = quant;
        Ok(id)
    }

    /// Adds a node that writes tensor `output` of the file, reshaped where the file counts its axes otherwise.
    pub(super) fn push(&mut self, op: impl Into<Op>, inputs: &[TensorId], output: usize) -> Result<(), Refusal> {
        let tensor = self.file(output)?;
        let taken = self.written.contains_key(&output) || self.dequantized.contains_key(&output);
        if taken || tensor.bytes.is_some() {
            return Err(Refusal::damaged(format!("`{}` is written twice or is constant", tensor.name)));
        }
        let mut id = self.node(op, inputs, &tensor)?;
        let shape = tensor.graph_shape();
        if self.graph[id].shape != shape {
            if self.graph[id].element_count() != shape.iter().product::<usize>() {
                let what = format!("it makes {:?} of these operands, not {:?}", self.graph[id].shape, tensor.shape);
                return Err(Refusal::damaged(what));
            }
            id = self.node(ops::Reshape { shape }, &[id], &tensor)?;
        }
        self.written.insert(output, id);
        Ok(())
    }

    /// As [`Network::push`] for an operator that has no fused clamp in the graph but one in the file.
    pub(super) fn push_clamped(
        &mut self,
        op: impl Into<Op>,
        inputs: &[TensorId],
        activation: Activation,
        output: usize,
    ) -> Result<(), Refusal> {
        if activation == Activation::None {
            return self.push(op, inputs, output);
        }
        let tensor = self.file(output)?;
        let id = self.node(op, inputs, &tensor)?;
        self.push(ops::Clamp(activation), &[id], output)
    }

    /// Adds a node whose output has the type and quantisation of `like`.
    pub(super) fn node(
        &mut self,
        op: impl Into<Op>,
        inputs: &[TensorId],
        like: &FileTensor<'_>,
    ) -> Result<TensorId, Refusal> {
        let name = self.unique(&like.name);
        let bounded = |size: usize| size <= niwaki_core::shape::MAX_LEN;
        let id = self.graph.push(&name, op, inputs).map_err(|e| match e {
            crate::graph::GraphError::Shape { what, .. } => Refusal::damaged(what.to_string()),
            other => Refusal::damaged(other.to_string()),
        })?;
        if !self.graph[id].shape.iter().try_fold(1, |n: usize, &d| n.checked_mul(d)).is_some_and(bounded) {
            return Err(Refusal::damaged("its output is too large"));
        }
        self.describe_activation(id, like)?;
        Ok(id)
    }

    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        // Started at a number that is rarely taken, so that a thousand equal names are not a million comparisons.
        let mut count = self.names.len();
        while !self.names.insert(unique.clone()) {
            count += 1;
            unique = format!("{name}#{count}");
        }
        unique
    }

    fn tensor_fault(&self, index: i32, Refusal { what, remedy }: Refusal) -> Fault {
        let tensor = usize::try_from(index).ok().and_then(|i| self.file(i).ok());
        Fault::Tensor { index: index.into(), name: tensor.map_or_else(|| "?".into(), |t| t.name), what, remedy }
    }

    /// The tensors of an operator for a message.
    pub(super) fn describe(&self, call: &Call<'_>) -> String {
        let list = |tensors: &[i32]| {
            let one = |&t: &i32| match usize::try_from(t).map(|t| self.file(t)) {
                Err(_) => "none".to_owned(),
                Ok(Err(_)) => "?".to_owned(),
                Ok(Ok(tensor)) => tensor.describe(),
            };
            tensors.iter().take(16).map(one).collect::<Vec<_>>().join(", ")
        };
        format!("inputs {}; outputs {}", list(&call.inputs), list(&call.outputs))
    }
}
