//! What core runs for a node: proved geometry and, for int8, the integer constants. Evaluation and export share it.

mod elementwise;
mod movement;
pub mod nodes;
mod number_formats;

pub use elementwise::{Binary, Over, Unary};
pub use movement::Movement;
pub use nodes::Nodes;

use super::{Activation, Data, Graph, GraphError, Node, Op, Quant, Role, Tensor, TensorId};
use crate::ops;
use niwaki_core::format::DType;
use niwaki_core::kernels::{
    Broadcast, Clamp, Conv2d, Dense, DepthwiseConv2d, Float32, Int8, Pool2d, Reduce, Softmax, SoftmaxInt8,
    SoftmaxInt16, TransposeConv2d,
};
use niwaki_core::num::{Code, Multiplier, Rounding, quantize};

/// An operator in the terms of `niwaki_core::kernels`.
#[derive(Debug, Clone, PartialEq)]
pub enum Lowered {
    /// Convolution.
    Conv2d(Conv2d, Scaling),
    /// Depthwise convolution.
    DepthwiseConv2d(DepthwiseConv2d, Scaling),
    /// Fully connected layer.
    Dense(Dense, Scaling),
    /// Transposed convolution.
    TransposeConv2d(TransposeConv2d, Scaling),
    /// Elements that move.
    Movement(Movement),
    /// Maximum over windows.
    MaxPool2d(Pool2d),
    /// Mean over windows.
    AveragePool2d(Pool2d),
    /// int8 operator of one operand, as the output of every code (by the code's unsigned byte).
    Lookup(Box<[i8; 256]>),
    /// Any other operator of one operand, element by element.
    Unary(Unary),
    /// Operator of two operands, element by element.
    Binary(Broadcast, Binary),
    /// Operator over axes.
    Over(Reduce, Over),
    /// f32 softmax.
    SoftmaxF32(Softmax),
    /// int8 softmax.
    SoftmaxInt8(Softmax, SoftmaxInt8),
    /// int16 softmax.
    SoftmaxInt16(Softmax, SoftmaxInt16),
    /// The same elements in another shape.
    Reshape,
    /// int8 operator over the nodes of a graph.
    Nodes(Nodes),
}

impl Lowered {
    /// The scaling of an operator with weights; `None` for one without.
    pub fn scaling(&self) -> Option<&Scaling> {
        match self {
            Self::Conv2d(_, scaling) | Self::DepthwiseConv2d(_, scaling) | Self::Dense(_, scaling) => Some(scaling),
            Self::TransposeConv2d(_, scaling) => Some(scaling),
            _ => None,
        }
    }
}

/// How a weighted operator turns an accumulator into an output.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// f32 clamp.
    F32(Float32),
    /// int8 requantisation.
    Int8 {
        /// Code of zero in the input.
        input_zero_point: i32,
        /// Code of zero in the output.
        output_zero_point: i32,
        /// Q0.31 mantissas, one an output channel.
        multipliers_q31: Vec<i32>,
        /// Exponents.
        shifts: Vec<i8>,
        /// Fused activation in output codes.
        clamp: Clamp<i32>,
        /// How multipliers round.
        rounding: Rounding,
    },
    /// int16 requantisation.
    Int16x8 {
        /// Q0.31 mantissas, one an output channel.
        multipliers_q31: Vec<i32>,
        /// Exponents.
        shifts: Vec<i8>,
        /// Fused activation in output codes.
        clamp: Clamp<i32>,
    },
}

impl Scaling {
    /// The arithmetic of an int8 operator.
    pub fn int8(&self) -> Option<Int8<'_>> {
        match self {
            Self::F32(_) | Self::Int16x8 { .. } => None,
            Self::Int8 { input_zero_point, output_zero_point, multipliers_q31, shifts, clamp, rounding } => {
                Some(Int8 {
                    input_zero_point: *input_zero_point,
                    output_zero_point: *output_zero_point,
                    multipliers_q31,
                    shifts,
                    clamp: *clamp,
                    rounding: *rounding,
                })
            }
        }
    }
}

/// The clamp of `activation` in f32.
pub fn clamp_f32(activation: Activation) -> Clamp<f32> {
    let (min, max) = activation.range();
    Clamp { min, max }
}

/// The clamp of `activation` in the codes `T` of a tensor (specs/integer_arithmetic.md §2, fused activation).
pub fn clamp_codes<T: Code>(activation: Activation, quant: &Quant) -> Clamp<i32> {
    let (min, max) = activation.range();
    let code = |v: f32| quantize::<T>(v, quant.scales[0], quant.zero_point).to_i32();
    Clamp {
        min: if min.is_finite() { code(min) } else { T::MIN },
        max: if max.is_finite() { code(max) } else { T::MAX },
    }
}

impl Graph {
    /// What core runs for `node`.
    ///
    /// # Errors
    /// [`GraphError::Eval`] for batch norm (fold it first) and for operands of which some are quantised and some not;
    /// [`GraphError::Shape`] when the operands do not fit.
    pub fn lower(&self, node: &Node) -> Result<Lowered, GraphError> {
        let fail = |what: String| GraphError::Eval(format!("{} `{}`: {what}", node.op.name(), node.name));
        let shape = |e: niwaki_core::error::ShapeError| fail(e.to_string());
        self.infer_node(node)?;
        let x = &self[node.inputs[0]];
        let y = &self[node.output];
        let same_quant = || match x.quant == y.quant {
            true => Ok(()),
            false => Err(fail("input and output must have the same quantisation".into())),
        };
        let image = |t: &Tensor| ([t.shape[0], t.shape[1]], *t.shape.last().unwrap_or(&0));
        if let Some(nodes) = self.lower_nodes(node).map_err(fail)? {
            return Ok(Lowered::Nodes(nodes));
        }
        Ok(match &node.op {
            Op::Conv2d(ops::Conv2d { sliding, activation }) => {
                let w = &self[node.inputs[1]].shape;
                let window = sliding.window(image(x).0, [w[1], w[2]]).map_err(shape)?;
                Lowered::Conv2d(Conv2d::try_new(window, w[3], w[0]).map_err(shape)?, self.scaling(node, *activation)?)
            }
            Op::DepthwiseConv2d(ops::DepthwiseConv2d { sliding, activation }) => {
                let w = &self[node.inputs[1]].shape;
                let (input, channels) = image(x);
                let window = sliding.window(input, [w[0], w[1]]).map_err(shape)?;
                let op = DepthwiseConv2d::try_new(window, channels, w[2]).map_err(shape)?;
                Lowered::DepthwiseConv2d(op, self.scaling(node, *activation)?)
            }
            Op::TransposeConv2d(ops::TransposeConv2d { sliding, size, activation }) => {
                let w = &self[node.inputs[1]].shape;
                let window = sliding.window(*size, [w[1], w[2]]).map_err(shape)?;
                let op = TransposeConv2d::try_new(window, w[3], w[0]).map_err(shape)?;
                Lowered::TransposeConv2d(op, self.scaling(node, *activation)?)
            }
            Op::Dense(ops::Dense { activation }) => {
                let w = &self[node.inputs[1]].shape;
                Lowered::Dense(Dense::try_new(w[1], w[0]).map_err(shape)?, self.scaling(node, *activation)?)
            }
            Op::MaxPool2d(ops::MaxPool2d { kernel, sliding })
            | Op::AveragePool2d(ops::AveragePool2d { kernel, sliding }) => {
                let (input, channels) = image(x);
                let window = sliding.window(input, *kernel).map_err(shape)?;
                let op = Pool2d::try_new(window, channels).map_err(shape)?;
                same_quant()?;
                match node.op {
                    Op::MaxPool2d(_) => Lowered::MaxPool2d(op),
                    _ => Lowered::AveragePool2d(op),
                }
            }
            Op::Dropout(_) => Lowered::Reshape,
            Op::Propagate(_) | Op::KeepEdges(_) | Op::SparseDense(_) | Op::Gather(_) => {
                return Err(fail("has no kernel that a file can name".into()));
            }
            Op::Softmax(_) => self.lower_softmax(node)?,
            Op::Reshape(_) => {
                same_quant()?;
                Lowered::Reshape
            }
            Op::BatchNorm(_) => return Err(fail("fold batch norm into the operator before it first".into())),
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Prelu(_) => self.lower_binary(node)?,
            Op::Mean(ops::Mean { axes, .. }) | Op::Sum(ops::Sum { axes, .. }) => self.lower_over(node, axes)?,
            Op::ArgMax(ops::ArgMax { axis }) => self.lower_over(node, &[*axis])?,
            Op::Clamp(_) | Op::Logistic(_) | Op::Tanh(_) | Op::LeakyRelu(_) | Op::HardSwish(_) => {
                self.lower_activation(node)?
            }
            Op::Quantize(_) | Op::Dequantize(_) => self.lower_conversion(node)?,
            Op::Pad(_)
            | Op::Concat(_)
            | Op::Slice(_)
            | Op::Transpose(_)
            | Op::ResizeNearest(_)
            | Op::ResizeBilinear(_) => Lowered::Movement(self.movement(node)?),
        })
    }

    fn lower_softmax(&self, node: &Node) -> Result<Lowered, GraphError> {
        let fail = |what: &str| GraphError::Eval(format!("softmax `{}`: {what}", node.name));
        let (x, y) = (&self[node.inputs[0]], &self[node.output]);
        let op = Softmax::try_new(x.shape.last().copied().unwrap_or(0)).map_err(|e| fail(&e.to_string()))?;
        let (quant, to) = match (&x.quant, &y.quant) {
            (None, None) => return Ok(Lowered::SoftmaxF32(op)),
            (Some(quant), Some(to)) => (quant, to),
            _ => return Err(fail("input and output must both be quantised or both be f32")),
        };
        match (x.element, y.element, to.scales[0], to.zero_point) {
            (DType::I8, DType::I8, scale, -128) if scale == 1.0 / 256.0 => {
                Ok(Lowered::SoftmaxInt8(op, SoftmaxInt8::from_scale(quant.scales[0], self.rounding)))
            }
            (DType::I16, DType::I16, scale, 0) if scale == 1.0 / 32768.0 => {
                Ok(Lowered::SoftmaxInt16(op, SoftmaxInt16::from_scale(quant.scales[0], self.rounding)))
            }
            (_, DType::I16, ..) => Err(fail("an int16 softmax has output scale 1/32768 and zero point 0")),
            _ => Err(fail("an int8 softmax has output scale 1/256 and zero point -128")),
        }
    }

    /// Requantisation of a weighted node: one multiplier an output channel, `in * w_c / out` in f64
    /// (specs/integer_arithmetic.md §4). A dense layer with one weight scale has the product in f32, as TensorFlow Lite
    /// Micro computes it.
    fn scaling(&self, node: &Node, activation: Activation) -> Result<Scaling, GraphError> {
        let [x, w, y] = [node.inputs[0], node.inputs[1], node.output].map(|id| self[id].quant.as_ref());
        let (x, w, y) = match (x, w, y) {
            (None, None, None) => return Ok(Scaling::F32(Float32 { clamp: clamp_f32(activation) })),
            (Some(x), Some(w), Some(y)) => (x, w, y),
            _ => {
                let what = "input, weights and output must all be quantised or all be f32";
                return Err(GraphError::Eval(format!("{} `{}`: {what}", node.op.name(), node.name)));
            }
        };
        let one_scale_dense = node.op.is::<ops::Dense>() && w.scales.len() == 1;
        let multiplier = |&scale: &f32| {
            let product = if one_scale_dense {
                f64::from(x.scales[0] * scale)
            } else {
                f64::from(x.scales[0]) * f64::from(scale)
            };
            Multiplier::from_real(product / f64::from(y.scales[0]), self.rounding)
        };
        let (multipliers_q31, shifts) =
            w.scales.iter().map(multiplier).map(|m| (m.mantissa_q31, m.shift as i8)).unzip();
        if self[node.inputs[0]].element == DType::I16 {
            return Ok(Scaling::Int16x8 { multipliers_q31, shifts, clamp: clamp_codes::<i16>(activation, y) });
        }
        Ok(Scaling::Int8 {
            input_zero_point: x.zero_point,
            output_zero_point: y.zero_point,
            multipliers_q31,
            shifts,
            clamp: clamp_codes::<i8>(activation, y),
            rounding: self.rounding,
        })
    }

    /// The bias of a weighted node, zeros where it has none; a binary16 one as f32.
    pub fn bias_data(&self, node: &Node) -> Data {
        let channels = self[node.output].shape.last().copied().unwrap_or(0);
        match node.inputs.get(2).and_then(|&b| self[b].data.clone()) {
            Some(Data::F16(bias)) => Data::F32(bias.into_iter().map(f32::from).collect()),
            Some(bias) => bias,
            None => self.no_bias(node, channels),
        }
    }

    /// Ids of the activations, graph inputs included.
    pub fn activations(&self) -> impl Iterator<Item = TensorId> + '_ {
        (0..self.tensors.len()).map(TensorId).filter(|&id| self[id].role == Role::Activation)
    }
}
