//! What core runs for an operator: proved geometry and, for quantised values, the integer constants. Evaluation and export
//! share it.

use super::{Activation, Computed, Misfit, Operands, Quant, Value};
use super::{elementwise, moved, pool2d, reduce, rows, softmax, weighted};
use niwaki_core::format::{DType, Params};
use niwaki_core::kernels::{
    Broadcast, Clamp, Conv2d, Dense, DepthwiseConv2d, Pool2d, Reduce, Softmax, SoftmaxInt8, SoftmaxInt16,
    TransposeConv2d,
};
use niwaki_core::num::{Code, quantize};
use niwaki_core::ops::{Constants, Op as CoreOp, write};

pub use super::elementwise::{Binary, Unary};
pub use super::moved::Movement;
pub use super::reduce::Over;
pub use super::rows::Nodes;
pub use super::weighted::Scaling;

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
    /// int8 operator of one operand, as the output of every quantised value (by its unsigned byte).
    Lookup(Box<[i8; 256]>),
    /// Any other operator of one operand, element by element.
    Unary(Unary),
    /// Operator of two operands, element by element.
    Binary(Broadcast, Binary),
    /// Operator over axes, which a file names.
    Over(Reduce, Over, Vec<usize>),
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

    /// What runs over nodes, if this does.
    pub fn nodes(&self) -> Option<&Nodes> {
        if let Self::Nodes(nodes) = self { Some(nodes) } else { None }
    }

    /// The output of every quantised value, of an operator that a file holds as that table.
    pub fn table(&self) -> Option<&[i8; 256]> {
        if let Self::Lookup(table) = self { Some(table) } else { None }
    }

    /// Whether all its operands are tensors that a file names, not the first alone.
    pub fn names_operands(&self) -> bool {
        matches!(self, Self::Movement(_) | Self::Binary(..))
    }

    /// The operator of a layer whose weights can be packed.
    pub fn packable(&self) -> Option<CoreOp> {
        match self {
            Self::Conv2d(..) => Some(CoreOp::Conv2d),
            Self::DepthwiseConv2d(..) => Some(CoreOp::DepthwiseConv2d),
            Self::Dense(..) => Some(CoreOp::Dense),
            _ => None,
        }
    }

    /// Writes its parameter words, for operands of type `element` in the plain layout; what it is in a file.
    pub fn write(&self, element: DType, params: &mut Params) -> CoreOp {
        match self {
            Self::Conv2d(op, _) => {
                write::convolution(params, &op.window);
                CoreOp::Conv2d
            }
            Self::DepthwiseConv2d(op, _) => {
                write::convolution(params, &op.window);
                CoreOp::DepthwiseConv2d
            }
            Self::TransposeConv2d(op, _) => {
                write::convolution(params, &op.window);
                CoreOp::TransposeConv2d
            }
            Self::Dense(..) => CoreOp::Dense,
            Self::Movement(movement) => {
                *params = movement.params;
                movement.op
            }
            Self::MaxPool2d(op) => {
                pool2d::write(op, element, params);
                CoreOp::MaxPool2d
            }
            Self::AveragePool2d(op) => {
                pool2d::write(op, element, params);
                CoreOp::AveragePool2d
            }
            Self::Lookup(_) => CoreOp::Lookup,
            Self::Unary(op) => op.write(params),
            Self::Binary(_, op) => op.write(params),
            Self::Over(_, over, axes) => over.write(axes, params),
            Self::SoftmaxF32(_) => CoreOp::Softmax,
            Self::SoftmaxInt8(_, constants) => {
                Constants::<i8>::write(constants, params);
                CoreOp::Softmax
            }
            Self::SoftmaxInt16(_, constants) => {
                Constants::<i16>::write(constants, params);
                CoreOp::Softmax
            }
            Self::Reshape => CoreOp::Reshape,
            Self::Nodes(op) => op.write(params),
        }
    }

    /// What core's reference kernel makes of these operands.
    ///
    /// # Errors
    /// [`Misfit`] for an operand without a value or of another type.
    pub fn evaluate(&self, on: &Operands<'_>, computed: &Computed<'_>) -> Result<Value, Misfit> {
        let x = on.value(0, computed)?;
        let x = x.as_ref();
        match self {
            Self::Conv2d(..) | Self::DepthwiseConv2d(..) | Self::Dense(..) | Self::TransposeConv2d(..) => {
                weighted::evaluate(self, on, x)
            }
            Self::Movement(movement) => moved::evaluate(movement, on, computed),
            Self::MaxPool2d(op) => pool2d::max(op, on, x),
            Self::AveragePool2d(op) => pool2d::average(op, on, x),
            Self::Lookup(table) => elementwise::lookup(table, x),
            Self::Unary(op) => op.evaluate(x, on.output.element),
            Self::Binary(shape, op) => op.evaluate(shape, x, on.value(1, computed)?.as_ref()),
            Self::Over(op, over, _) => reduce::evaluate(op, over, x),
            Self::SoftmaxF32(_) | Self::SoftmaxInt8(..) | Self::SoftmaxInt16(..) => softmax::evaluate(self, on, x),
            Self::Reshape => Ok(x.clone()),
            Self::Nodes(op) => rows::evaluate(op, on, computed, x),
        }
    }
}

/// The clamp of `activation` in f32.
pub fn clamp_f32(activation: Activation) -> Clamp<f32> {
    let (min, max) = activation.range();
    Clamp { min, max }
}

/// The clamp of `activation` in the quantised values `T` of a tensor (specs/integer_arithmetic.md §2, fused activation).
pub fn clamp_codes<T: Code>(activation: Activation, quant: &Quant) -> Clamp<i32> {
    let (min, max) = activation.range();
    let code = |v: f32| quantize::<T>(v, quant.scales[0], quant.zero_point).to_i32();
    Clamp {
        min: if min.is_finite() { code(min) } else { T::MIN },
        max: if max.is_finite() { code(max) } else { T::MAX },
    }
}
