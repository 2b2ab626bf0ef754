//! Operators: one file a family, one row in the table below.

mod batch_norm;
mod binary;
mod conv2d;
mod conversion;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod gather;
mod movement;
mod pool2d;
mod propagate;
mod reduce;
mod resize;
mod softmax;
mod sparse_dense;
mod transpose_conv2d;
mod unary;

pub use batch_norm::BatchNorm;
pub use binary::{Add, Mul, Prelu, Sub};
pub use conv2d::Conv2d;
pub use conversion::{Dequantize, Quantize};
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2d;
pub use dropout::Dropout;
pub use gather::Gather;
pub use movement::{Concat, Pad, Reshape, Slice, Transpose};
pub use pool2d::{AveragePool2d, MaxPool2d};
pub use propagate::{KeepEdges, Propagate};
pub use reduce::{ArgMax, Mean, Sum};
pub use resize::{ResizeBilinear, ResizeNearest};
pub use softmax::Softmax;
pub use sparse_dense::SparseDense;
pub use transpose_conv2d::TransposeConv2d;
pub use unary::{Clamp, HardSwish, LeakyRelu, Logistic, Tanh};

use crate::graph::Activation;
use std::any::Any;

/// What an operator is and does, asked of one struct for each; every answer is required.
pub trait Operator: Any {
    /// The name in messages, tables and JSON.
    fn name(&self) -> &'static str;

    /// The clamp fused into this operator; `None` if it can have none.
    fn activation(&self) -> Option<Activation>;

    /// The clamp fused into this operator, to change it.
    fn activation_mut(&mut self) -> Option<&mut Activation>;
}

macro_rules! ops {
    ($($name:ident),* $(,)?) => {
        /// An operator. The inputs that each one takes, in order, are in the documentation of its struct.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Op {
            $(#[doc = concat!("[`", stringify!($name), "`]")] $name($name),)*
        }

        $(impl From<$name> for Op {
            fn from(operator: $name) -> Self {
                Self::$name(operator)
            }
        })*

        impl Op {
            /// The rules of this operator.
            pub fn operator(&self) -> &dyn Operator {
                match self {
                    $(Self::$name(operator) => operator,)*
                }
            }

            /// The rules of this operator, to change its attributes.
            pub fn operator_mut(&mut self) -> &mut dyn Operator {
                match self {
                    $(Self::$name(operator) => operator,)*
                }
            }
        }
    };
}

ops! {
    Conv2d, DepthwiseConv2d, Dense, BatchNorm, Clamp, Add, Sub, Mul, TransposeConv2d, Mean, Sum, Logistic, Tanh, LeakyRelu, Prelu, HardSwish, Pad, Concat, Slice, Transpose, ResizeNearest, ResizeBilinear, Quantize, Dequantize, ArgMax, MaxPool2d, AveragePool2d, Softmax, Reshape, Propagate, KeepEdges, SparseDense, Gather, Dropout,
}

impl Op {
    /// The attributes, if this is an operator of type `T`.
    pub fn get<T: Operator>(&self) -> Option<&T> {
        let operator: &dyn Any = self.operator();
        operator.downcast_ref()
    }

    /// The attributes to change, if this is an operator of type `T`.
    pub fn get_mut<T: Operator>(&mut self) -> Option<&mut T> {
        let operator: &mut dyn Any = self.operator_mut();
        operator.downcast_mut()
    }

    /// Whether this is an operator of type `T`.
    pub fn is<T: Operator>(&self) -> bool {
        self.get::<T>().is_some()
    }

    /// The operator's name in messages, tables and JSON.
    pub fn name(&self) -> &'static str {
        self.operator().name()
    }

    /// The clamp fused into this operator, if it can have one.
    pub fn activation_mut(&mut self) -> Option<&mut Activation> {
        self.operator_mut().activation_mut()
    }
}
