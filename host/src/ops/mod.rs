//! Operators: one file a family, one row in the table below. Attributes, tensors, and all that is decided operator by
//! operator: names, shapes, channels, zeros, quantisation, what core runs for it, and how it is trained.
//!
//! # Adding an operator
//! Core's side comes first, if a file is to name the operator: the recipe is in `core/src/ops/mod.rs`. Then:
//! 1. Its family's file here, or a new one: a struct that holds its attributes, its operands in the doc comment, and
//!    `impl Operator`. Every method is required; the `answers` macro states, by name, what it does not have. [`Rules`] has no
//!    default either: one of its three starting points is named, and what differs from it. The compiler asks for an `example`
//!    there: every test of the folder `tests`, and every answer that can be held against what the operator computes, then
//!    knows it.
//! 2. Here: the `mod` line, the `pub use` line and its name in the `operators` table.
//! 3. Only if it is of a new kind: a variant of [`Lowered`] where core has a kernel that no other operator uses, one of
//!    [`Training`] and a kernel of the engine where it is trained by one of its own, and a front end's row where files name it
//!    (`import/tflite/operators`).
//!
//! Shapes, plan, simplification, pruning, quantisation, export, costs and the engine ask [`Operator`]; none of them matches
//! [`Op`] (gate `host-operators`).

mod answers;
mod attributes;
mod misfit;
mod operands;
mod rules;
mod sparse;
mod tensor;
pub mod training;
mod value;

mod batch_norm;
mod binary;
mod concat;
mod conv2d;
mod conversion;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod elementwise;
mod gather;
pub mod lowered;
mod moved;
mod movement;
mod pool2d;
mod propagate;
mod reduce;
mod reshape;
mod resize;
pub mod rows;
mod softmax;
mod sparse_dense;
mod transpose_conv2d;
mod unary;
mod weighted;

pub use attributes::{Activation, Grid, Padding, Propagation, Sliding};
pub use lowered::Lowered;
pub use misfit::Misfit;
pub use operands::{Computed, Operands};
pub use rules::{
    Axis, Border, ChannelRun, Channels, Constants, InPlace, OneValue, Quantisation, Rounded, Rules, WeightLayout, Zero,
};
pub use sparse::{Adjacency, Features, Worth};
pub use tensor::{Data, Quant, Role, Tensor};
pub use training::Training;
pub use value::{Value, f32s, i16s};

pub use batch_norm::BatchNorm;
pub use binary::{Add, Mul, Prelu, Sub};
pub use concat::Concat;
pub use conv2d::Conv2d;
pub use conversion::{Dequantize, Quantize};
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2d;
pub use dropout::Dropout;
pub use gather::Gather;
pub use movement::{Pad, Slice, Transpose};
pub use pool2d::{AveragePool2d, MaxPool2d};
pub use propagate::{KeepEdges, Propagate};
pub use reduce::{ArgMax, Mean, Sum};
pub use reshape::Reshape;
pub use resize::{ResizeBilinear, ResizeNearest};
pub use softmax::Softmax;
pub use sparse_dense::SparseDense;
pub use transpose_conv2d::TransposeConv2d;
pub use unary::{Clamp, HardSwish, LeakyRelu, Logistic, Tanh};

use answers::{answers, example};
use std::any::Any;

/// What an operator is and does, asked of one struct for each; every answer is required.
pub trait Operator: Any {
    /// The name in messages, tables and JSON.
    fn name(&self) -> &'static str;

    /// The shape of the result for operands of these shapes.
    ///
    /// # Errors
    /// [`Misfit`] names the operand that does not fit.
    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit>;

    /// Multiply-accumulates of one inference: those of weights, padding taps included, of sparse features, and one an edge
    /// and channel that is propagated. Others are not counted.
    fn macs(&self, on: &Operands<'_>) -> usize;

    /// Answers that do not depend on operands.
    fn rules(&self) -> Rules;

    /// Which channels are handed on, and which axes of constants run over them.
    fn channels(&self, on: &Operands<'_>) -> Channels;

    /// Whether the result is operand 0, element by element, given that both have one shape, type and quantisation.
    fn is_identity(&self, on: &Operands<'_>) -> bool;

    /// Whether a positive factor of each channel of an operand of `rank` axes passes through, and channels stay innermost.
    fn passes_factor(&self, rank: usize) -> bool;

    /// The clamp fused into it, if it can have one.
    fn activation_mut(&mut self) -> Option<&mut Activation>;

    /// The window that slides over its operand, if it has one that padding can be given to.
    fn sliding_mut(&mut self) -> Option<&mut Sliding>;

    /// Rows and columns of that window.
    fn kernel(&self, on: &Operands<'_>) -> Option<[usize; 2]>;

    /// Changes attributes that count elements: those of the operand's last axis for which `kept` is false leave.
    fn keep_channels(&mut self, kept: &[bool]);

    /// Changes attributes that count elements: the operand has `elements` of them now.
    fn refit(&mut self, elements: usize);

    /// What core runs for it, of operands whose shapes fit.
    ///
    /// # Errors
    /// [`Misfit`] for an operator that is only trained, and for operands of types that do not belong together.
    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit>;

    /// Which kernel of the engine trains it on operands whose shapes fit.
    ///
    /// # Errors
    /// [`Misfit`] says why it cannot be trained.
    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit>;

    /// What it makes of these operands by core's reference kernels, of shapes that fit.
    ///
    /// # Errors
    /// [`Misfit`] as [`Operator::lower`], and where an operand has no value.
    fn evaluate(&self, on: &Operands<'_>, computed: &Computed<'_>) -> Result<Value, Misfit>;
}

/// Checks the number of operands.
fn arity(inputs: &[&[usize]], allowed: std::ops::RangeInclusive<usize>) -> Result<(), Misfit> {
    if allowed.contains(&inputs.len()) { Ok(()) } else { Err(Misfit::Count { allowed, got: inputs.len() }) }
}

/// Checks that operand `i`, if there is one, is `[len]`.
fn vector(inputs: &[&[usize]], operand: &'static str, i: usize, len: usize) -> Result<(), Misfit> {
    match inputs.get(i) {
        Some(&got) if got != [len] => Err(Misfit::Size { operand, want: vec![len], got: got.to_vec() }),
        _ => Ok(()),
    }
}

/// The refusal of an operand that does not have these axes.
fn form(operand: &'static str, form: &'static str) -> Misfit {
    Misfit::Form { operand, form }
}

/// The table: every operator by its struct, given to the macro `then`.
macro_rules! operators {
    ($then:ident) => {
        $then! {
            Conv2d,
            DepthwiseConv2d,
            TransposeConv2d,
            Dense,
            BatchNorm,
            Clamp,
            Logistic,
            Tanh,
            LeakyRelu,
            HardSwish,
            Add,
            Sub,
            Mul,
            Prelu,
            MaxPool2d,
            AveragePool2d,
            Mean,
            Sum,
            ArgMax,
            Softmax,
            Reshape,
            Pad,
            Concat,
            Slice,
            Transpose,
            ResizeNearest,
            ResizeBilinear,
            Quantize,
            Dequantize,
            Propagate,
            KeepEdges,
            SparseDense,
            Gather,
            Dropout,
        }
    };
}

macro_rules! op {
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

operators!(op);

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

    /// Answers that do not depend on operands.
    pub fn rules(&self) -> Rules {
        self.operator().rules()
    }

    /// The clamp fused into this operator, if it can have one.
    pub fn activation(&self) -> Option<Activation> {
        self.clone().activation_mut().copied()
    }

    /// The window that slides over its operand, if it has one that padding can be given to.
    pub fn sliding(&self) -> Option<Sliding> {
        self.clone().operator_mut().sliding_mut().copied()
    }

    /// The clamp fused into this operator, to change it.
    pub fn activation_mut(&mut self) -> Option<&mut Activation> {
        self.operator_mut().activation_mut()
    }
}

#[cfg(test)]
pub(crate) mod tests;
