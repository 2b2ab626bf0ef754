//! Evaluates a graph for one sample with core's reference kernels: the yardstick for engine, exporter and chip.

mod elementwise;
mod nodes;

use super::lower::{Lowered, Movement, Scaling};
use super::{Data, Graph, GraphError, Node, Op, Tensor, TensorId};
use crate::ops;
use niwaki_core::error::ShapeError;
use niwaki_core::format::DType;
use niwaki_core::kernels::{Arithmetic, Clamp, Float16, reference};
use niwaki_core::num::{dequantize, quantize};
use std::borrow::Cow;

/// The elements of an activation.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Float.
    F32(Vec<f32>),
    /// int8 codes.
    I8(Vec<i8>),
    /// int16 codes.
    I16(Vec<i16>),
    /// Indices.
    I32(Vec<i32>),
}

impl Value {
    /// Real values as the elements of `tensor`: floats, or codes where it is quantised.
    pub fn of_reals(tensor: &Tensor, x: &[f32]) -> Self {
        match (&tensor.quant, tensor.dtype()) {
            (Some(q), DType::I16) => Self::I16(x.iter().map(|&v| quantize(v, q.scales[0], q.zero_point)).collect()),
            (None, DType::I32) => Self::I32(x.iter().map(|&v| v as i32).collect()),
            (Some(q), _) => Self::I8(x.iter().map(|&v| quantize(v, q.scales[0], q.zero_point)).collect()),
            (None, _) => Self::F32(x.to_vec()),
        }
    }

    /// The values of a constant, if operators take such as activations.
    fn of_data(data: &Data) -> Option<Self> {
        match data {
            Data::F32(v) => Some(Self::F32(v.clone())),
            Data::I8(v) => Some(Self::I8(v.clone())),
            Data::I16(v) => Some(Self::I16(v.clone())),
            Data::I32(v) => Some(Self::I32(v.clone())),
            _ => None,
        }
    }

    /// Floats, if these are floats.
    pub fn f32s(&self) -> Option<&[f32]> {
        match self {
            Self::F32(v) => Some(v),
            _ => None,
        }
    }

    /// The bytes as they lie in memory.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(v) => bytemuck::cast_slice(v).to_vec(),
            Self::I8(v) => bytemuck::cast_slice(v).to_vec(),
            Self::I16(v) => bytemuck::cast_slice(v).to_vec(),
            Self::I32(v) => bytemuck::cast_slice(v).to_vec(),
        }
    }
}

/// The floats that `bytes` hold, little-endian; a part of one at the end is left out.
pub fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The int16 codes that `bytes` hold, little-endian; a part of one at the end is left out.
pub fn i16s(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

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
                    let (got, shape) = (x.len(), &tensor.shape);
                    let what = format!("input `{}` has shape {shape:?}, got {got} values", tensor.name);
                    return Err(GraphError::Eval(what));
                }
                values[input.0] = Some(Value::of_reals(tensor, x));
            }
            // A network over a graph that has its features in it.
            [] if x.is_empty() => {}
            inputs => {
                let what = format!("evaluation takes networks of one input, not {}", inputs.len());
                return Err(GraphError::Eval(what));
            }
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
        let output = *self.outputs.first().ok_or_else(|| GraphError::Eval("the network has no output".into()))?;
        match (self.evaluate(x)?.swap_remove(output.0), &self[output].quant) {
            (Some(Value::F32(y)), _) => Ok(y),
            (Some(Value::I8(y)), Some(q)) => {
                Ok(y.into_iter().map(|v| dequantize(v, q.scales[0], q.zero_point)).collect())
            }
            (Some(Value::I16(y)), Some(q)) => {
                Ok(y.into_iter().map(|v| dequantize(v, q.scales[0], q.zero_point)).collect())
            }
            (Some(Value::I32(y)), _) => Ok(y.into_iter().map(|v| v as f32).collect()),
            _ => Err(GraphError::Eval("the network's output is never written".into())),
        }
    }

    /// What `node` makes of `values`, which hold its operands that are not weights.
    pub(crate) fn evaluate_node(&self, node: &Node, values: &[Option<Value>]) -> Result<Value, GraphError> {
        let fail = |what: &str| GraphError::Eval(format!("{} `{}`: {what}", node.op.name(), node.name));
        let operand = |i: usize| self.operand(node, i, values);
        if let Op::BatchNorm(ops::BatchNorm { epsilon, activation, .. }) = node.op {
            let (scale, shift) = self.batch_norm_affine(node, epsilon).ok_or_else(|| fail("needs f32 statistics"))?;
            let clamp = super::lower::clamp_f32(activation);
            let x = operand(0)?;
            let x = x.f32s().ok_or_else(|| fail("runs in f32 only"))?;
            let channels = scale.len().max(1);
            let y = x.iter().enumerate().map(|(i, &x)| clamp.apply(x * scale[i % channels] + shift[i % channels]));
            return Ok(Value::F32(y.collect()));
        }
        if let Some(y) = self.evaluate_nodes(node, values) {
            return y.map_err(|what| fail(&what));
        }
        self.evaluate_lowered(node, &self.lower(node)?, values)
    }

    /// As [`evaluate_node`](Self::evaluate_node), for a node of which it is known what core runs.
    pub(crate) fn evaluate_lowered(
        &self,
        node: &Node,
        lowered: &Lowered,
        values: &[Option<Value>],
    ) -> Result<Value, GraphError> {
        let fail = |what: &str| GraphError::Eval(format!("{} `{}`: {what}", node.op.name(), node.name));
        let operand = |i: usize| self.operand(node, i, values);
        let len = self[node.output].element_count();
        let x = operand(0)?;
        let x = x.as_ref();
        let done = match lowered {
            Lowered::Movement(movement) => Some(self.move_elements(node, movement, values)),
            Lowered::Lookup(table) => Some(elementwise::lookup(table, x)),
            Lowered::Unary(op) => Some(elementwise::unary(op, x, self[node.output].element)),
            Lowered::Binary(shape, op) => Some(elementwise::binary(shape, op, x, operand(1)?.as_ref())),
            Lowered::Over(op, over) => Some(elementwise::over(op, over, x)),
            Lowered::Reshape => Some(Ok(x.clone())),
            Lowered::Nodes(op) => Some(nodes::codes(op, x, operand, len)),
            _ => None,
        };
        if let Some(done) = done {
            return done.map_err(|what| fail(&what));
        }
        match x {
            Value::F32(x) => {
                let mut y = vec![0.0; len];
                let all = Clamp { min: f32::NEG_INFINITY, max: f32::INFINITY };
                match lowered {
                    weighted if weighted.scaling().is_some() => {
                        match (weighted.scaling(), &self[node.inputs[1]].data, self.bias_data(node)) {
                            (Some(Scaling::F32(a)), Some(Data::F32(w)), Data::F32(bias)) => {
                                run_weighted(weighted, a, x, w, &bias, &mut y)
                            }
                            (Some(Scaling::F32(a)), Some(Data::F16(w)), Data::F32(bias)) => {
                                run_weighted(weighted, &Float16 { clamp: a.clamp }, x, w, &bias, &mut y)
                            }
                            _ => return Err(fail("weights and bias must be f32 or f16")),
                        }
                    }
                    Lowered::MaxPool2d(op) => reference::max_pool2d(op, all, x, &mut y),
                    Lowered::AveragePool2d(op) => reference::average_pool2d(op, all, x, &mut y),
                    Lowered::SoftmaxF32(op) => reference::softmax_f32(op, x, &mut y),
                    _ => return Err(fail("operands are f32 but the operator is quantised")),
                }
                .map_err(|e| fail(&e.to_string()))?;
                Ok(Value::F32(y))
            }
            Value::I8(x) => {
                let mut y = vec![0; len];
                let all = Clamp { min: i8::MIN, max: i8::MAX };
                match lowered {
                    weighted if weighted.scaling().is_some() => {
                        let int8 = weighted.scaling().and_then(Scaling::int8);
                        let (Some(a), Some(Data::I8(w)), Data::I32(bias)) =
                            (int8, &self[node.inputs[1]].data, self.bias_data(node))
                        else {
                            return Err(fail("weights must be int8 and the bias int32"));
                        };
                        run_weighted(weighted, &a, x, w, &bias, &mut y)
                    }
                    Lowered::MaxPool2d(op) => reference::max_pool2d(op, all, x, &mut y),
                    Lowered::AveragePool2d(op) => reference::average_pool2d(op, all, x, &mut y),
                    Lowered::SoftmaxInt8(op, constants) => reference::softmax_int8(op, constants, x, &mut y),
                    _ => return Err(fail("operands are int8 but the operator is f32")),
                }
                .map_err(|e| fail(&e.to_string()))?;
                Ok(Value::I8(y))
            }
            Value::I16(x) => {
                let mut y = vec![0; len];
                let all = Clamp { min: i16::MIN, max: i16::MAX };
                let done = match lowered {
                    weighted if weighted.scaling().is_some() => self.run_int16x8(node, weighted, x, &mut y),
                    Lowered::MaxPool2d(op) => reference::max_pool2d(op, all, x, &mut y).map_err(|e| e.to_string()),
                    Lowered::AveragePool2d(op) => {
                        reference::average_pool2d(op, all, x, &mut y).map_err(|e| e.to_string())
                    }
                    Lowered::SoftmaxInt16(op, constants) => {
                        reference::softmax_int16(op, constants, x, &mut y).map_err(|e| e.to_string())
                    }
                    _ => return Err(fail("operands are int16 but the operator is not")),
                };
                done.map_err(|e| fail(&e))?;
                Ok(Value::I16(y))
            }
            Value::I32(_) => Err(fail("cannot compute with indices")),
        }
    }

    /// The value of operand `i` of `node`: computed, or constant.
    fn operand<'a>(&self, node: &Node, i: usize, values: &'a [Option<Value>]) -> Result<Cow<'a, Value>, GraphError> {
        let id: TensorId = node.inputs[i];
        let constant = || self[id].data.as_ref().and_then(Value::of_data).map(Cow::Owned);
        values[id.0].as_ref().map(Cow::Borrowed).or_else(constant).ok_or_else(|| {
            let what = format!("operand `{}` has no value", self[id].name);
            GraphError::Eval(format!("{} `{}`: {what}", node.op.name(), node.name))
        })
    }

    /// An operator that moves elements, on the bytes of its operands.
    fn move_elements(&self, node: &Node, movement: &Movement, values: &[Option<Value>]) -> Result<Value, String> {
        let bytes = |id: &TensorId| match (&self[*id].data, &values[id.0]) {
            (Some(constant), _) => Ok(constant.bytes().to_vec()),
            (None, Some(value)) => Ok(value.to_bytes()),
            (None, None) => Err(format!("operand `{}` has no value", self[*id].name)),
        };
        let operands = node.inputs.iter().map(bytes).collect::<Result<Vec<_>, _>>()?;
        let (dtype, len) = (self[node.output].element, self[node.output].element_count());
        let bytes = movement.evaluate(&operands, dtype, len).map_err(|e| e.to_string())?;
        Ok(match dtype {
            DType::I8 => Value::I8(bytemuck::cast_slice(&bytes).to_vec()),
            DType::I16 => Value::I16(i16s(&bytes)),
            _ => Value::F32(f32s(&bytes)),
        })
    }

    /// An int16 operator with weights; the type of its bias is that of its sums.
    fn run_int16x8(&self, node: &Node, lowered: &Lowered, x: &[i16], y: &mut [i16]) -> Result<(), String> {
        let scaling = lowered.scaling().ok_or("has no weights")?;
        let Some(Data::I8(w)) = &self[node.inputs[1]].data else { return Err("weights must be int8".into()) };
        let ran = match self.bias_data(node) {
            Data::I64(bias) => scaling.int16x8(self.rounding).map(|a| run_weighted(lowered, &a, x, w, &bias, y)),
            Data::I32(bias) => scaling.int16x8(self.rounding).map(|a| run_weighted(lowered, &a, x, w, &bias, y)),
            _ => return Err("the bias must be int64 or int32".into()),
        };
        ran.ok_or("input, weights and output must be of int16, int8 and int16")?.map_err(|e| e.to_string())
    }

    /// Batch norm at inference as `x * scale + shift`, one pair a channel; `None` where a statistic is not f32.
    pub fn batch_norm_affine(&self, node: &Node, epsilon: f32) -> Option<(Vec<f32>, Vec<f32>)> {
        let [gamma, beta, mean, var] = [1, 2, 3, 4].map(|i| self[*node.inputs.get(i)?].f32s());
        let (gamma, beta, mean, var) = (gamma?, beta?, mean?, var?);
        let scale: Vec<f32> = gamma.iter().zip(var).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        let shift = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Some((scale, shift))
    }
}

/// The reference kernel of an operator with weights.
fn run_weighted<A: Arithmetic>(
    lowered: &Lowered,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    match lowered {
        Lowered::Conv2d(op, _) => reference::conv2d(op, arithmetic, x, w, bias, y),
        Lowered::TransposeConv2d(op, _) => reference::transpose_conv2d(op, arithmetic, x, w, bias, y),
        Lowered::DepthwiseConv2d(op, _) => reference::depthwise_conv2d(op, arithmetic, x, w, bias, y),
        Lowered::Dense(op, _) => reference::dense(op, arithmetic, x, w, bias, y),
        _ => Ok(()),
    }
}
