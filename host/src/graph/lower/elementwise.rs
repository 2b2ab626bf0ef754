//! Elementwise operators, reductions and conversions in the terms of `niwaki_core::kernels`.

use super::{Lowered, clamp_codes, clamp_f32};
use crate::graph::{Activation, Graph, GraphError, Node, Op, Quant, TensorId};
use crate::ops;
use niwaki_core::error::ShapeError;
use niwaki_core::format::DType;
use niwaki_core::kernels::{self, AddInt, Affine, Broadcast, Clamp, LeakyReluInt, Lookup, MulInt, PreluInt};
use niwaki_core::kernels::{Reduce, ReduceInt, Rescale, Steps};
use niwaki_core::num::{Multiplier, Rounding};

/// An operator of one operand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    /// f32 clamp.
    Clamp(Clamp<f32>),
    /// f32 logistic function.
    Logistic,
    /// f32 hyperbolic tangent.
    Tanh,
    /// f32 hard swish.
    HardSwish,
    /// f32 leaky ReLU.
    LeakyRelu(kernels::LeakyReluF32),
    /// int16 clamp with rescale.
    ClampInt16(Rescale),
    /// int16 logistic function.
    LogisticInt16(Steps),
    /// int16 hyperbolic tangent.
    TanhInt16(Steps),
    /// int16 leaky ReLU.
    LeakyReluInt16(LeakyReluInt),
    /// Codes of f32 values.
    Quantize(Affine),
    /// Codes of codes.
    Requantize(Rescale),
    /// f32 values of codes.
    Dequantize(Affine),
}

/// An operator of two operands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Binary {
    /// f32 sum.
    Add(Clamp<f32>),
    /// f32 difference.
    Sub(Clamp<f32>),
    /// f32 product.
    Mul(Clamp<f32>),
    /// f32 leaky ReLU with slopes.
    Prelu,
    /// Sum of codes.
    AddInt(AddInt),
    /// Difference of codes.
    SubInt(AddInt),
    /// Product of codes.
    MulInt(MulInt),
    /// Leaky ReLU of codes with slopes.
    PreluInt(PreluInt),
}

/// What is computed over axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Over {
    /// f32 mean.
    Mean,
    /// f32 sum.
    Sum,
    /// Mean of codes.
    MeanInt(ReduceInt),
    /// Sum of codes.
    SumInt(ReduceInt),
    /// Position of the largest element.
    ArgMax,
}

/// Scale and zero point of codes, and their type.
#[derive(Clone, Copy)]
struct Codes {
    affine: Affine,
    int16: bool,
}

impl Codes {
    fn clamp(self, activation: Activation) -> Clamp<i32> {
        let quant = Quant { scales: vec![self.affine.scale], zero_point: self.affine.zero_point, axis: None };
        if self.int16 { clamp_codes::<i16>(activation, &quant) } else { clamp_codes::<i8>(activation, &quant) }
    }
}

/// Sizes of four axes, 1 in front of those of `shape`, and how many there are in front.
fn axes(shape: &[usize]) -> Result<([usize; 4], usize), ShapeError> {
    let front = 4_usize.checked_sub(shape.len()).ok_or(ShapeError::Dim { name: "rank", value: shape.len() })?;
    let mut axes = [1; 4];
    axes[front..].copy_from_slice(shape);
    Ok((axes, front))
}

impl Graph {
    fn unfit(&self, node: &Node, what: &str) -> GraphError {
        GraphError::Eval(format!("{} `{}`: {what}", node.op.name(), node.name))
    }

    /// The codes of a tensor; `None` where it is f32.
    fn codes(&self, node: &Node, id: TensorId) -> Result<Option<Codes>, GraphError> {
        let tensor = &self[id];
        let (int16, quant) = match (tensor.dtype(), &tensor.quant) {
            (DType::F32, None) => return Ok(None),
            (DType::I8, Some(quant)) => (false, quant),
            (DType::I16, Some(quant)) => (true, quant),
            (dtype, quant) => {
                let has = if quant.is_some() { "a" } else { "no" };
                let what = format!("`{}` is {} with {has} scale, which it cannot take", tensor.name, dtype.name());
                return Err(self.unfit(node, &what));
            }
        };
        match *quant.scales {
            [scale] => Ok(Some(Codes { affine: Affine { scale, zero_point: quant.zero_point }, int16 })),
            _ => Err(self.unfit(node, &format!("`{}` must have one scale", tensor.name))),
        }
    }

    /// The codes of `ids`, which are all of one type; `None` where they are f32.
    fn same_codes<const N: usize>(&self, node: &Node, ids: [TensorId; N]) -> Result<Option<[Codes; N]>, GraphError> {
        let mut codes = Vec::with_capacity(N);
        for id in ids {
            codes.extend(self.codes(node, id)?);
        }
        match <[Codes; N]>::try_from(codes) {
            Ok(codes) if codes.iter().all(|c| c.int16 == codes[0].int16) => Ok(Some(codes)),
            Err(none) if none.is_empty() => Ok(None),
            _ => Err(self.unfit(node, "all operands must be of one type: f32, int8 or int16")),
        }
    }

    /// An operator of two operands that broadcast.
    pub(super) fn lower_binary(&self, node: &Node) -> Result<Lowered, GraphError> {
        let shape = |e: ShapeError| self.unfit(node, &e.to_string());
        let [a, b] = [node.inputs[0], node.inputs[1]].map(|id| axes(&self[id].shape));
        let broadcast = Broadcast::try_new(a.map_err(shape)?.0, b.map_err(shape)?.0).map_err(shape)?;
        Ok(Lowered::Binary(broadcast, self.binary(node)?))
    }

    fn binary(&self, node: &Node) -> Result<Binary, GraphError> {
        let rounding = self.rounding;
        let Some([a, b, y]) = self.same_codes(node, [node.inputs[0], node.inputs[1], node.output])? else {
            return Ok(match node.op {
                Op::Sub(ops::Sub { activation }) => Binary::Sub(clamp_f32(activation)),
                Op::Mul(ops::Mul { activation }) => Binary::Mul(clamp_f32(activation)),
                Op::Add(ops::Add { activation }) => Binary::Add(clamp_f32(activation)),
                _ => Binary::Prelu,
            });
        };
        let input_zero_points = [a.affine.zero_point, b.affine.zero_point];
        let output_zero_point = y.affine.zero_point;
        let [sa, sb, sy] = [a, b, y].map(|codes| f64::from(codes.affine.scale));
        Ok(match node.op {
            Op::Add(ops::Add { activation }) | Op::Sub(ops::Sub { activation }) => {
                let scales = [a.affine.scale, b.affine.scale];
                let (input_multipliers, output_multiplier) = if y.int16 {
                    AddInt::multipliers::<i16>(scales, y.affine.scale, rounding)
                } else {
                    AddInt::multipliers::<i8>(scales, y.affine.scale, rounding)
                };
                let clamp = y.clamp(activation);
                let op = AddInt {
                    input_zero_points,
                    input_multipliers,
                    output_zero_point,
                    output_multiplier,
                    clamp,
                    rounding,
                };
                if node.op.is::<ops::Sub>() { Binary::SubInt(op) } else { Binary::AddInt(op) }
            }
            Op::Mul(ops::Mul { activation }) => Binary::MulInt(MulInt {
                input_zero_points,
                output_zero_point,
                multiplier: Multiplier::from_real(sa * sb / sy, rounding),
                clamp: y.clamp(activation),
                rounding,
            }),
            _ => Binary::PreluInt(PreluInt {
                input_zero_points,
                output_zero_point,
                positive: Multiplier::from_real(sa / sy, rounding),
                negative: Multiplier::from_real(sa * sb / sy, rounding),
                rounding,
            }),
        })
    }

    /// A reduction over the axes `over`.
    pub(super) fn lower_over(&self, node: &Node, over: &[usize]) -> Result<Lowered, GraphError> {
        let shape = |e: ShapeError| self.unfit(node, &e.to_string());
        let x = node.inputs[0];
        let (sizes, front) = axes(&self[x].shape).map_err(shape)?;
        let mask = over.iter().fold(0, |mask, axis| mask | 1 << (axis + front));
        let op = Reduce::try_new(sizes, mask).map_err(shape)?;
        if node.op.is::<ops::ArgMax>() {
            self.codes(node, x)?;
            if self[node.output].element != DType::I32 {
                return Err(self.unfit(node, "the output must be i32"));
            }
            return Ok(Lowered::Over(op, Over::ArgMax));
        }
        let mean = node.op.is::<ops::Mean>();
        let Some([x, y]) = self.same_codes(node, [x, node.output])? else {
            return Ok(Lowered::Over(op, if mean { Over::Mean } else { Over::Sum }));
        };
        let scales = [x.affine.scale, y.affine.scale];
        let multiplier = if mean {
            ReduceInt::mean(scales, op.count(), self.rounding)
        } else {
            ReduceInt::sum(scales, self.rounding)
        };
        let constants = ReduceInt {
            offset: x.affine.zero_point.wrapping_mul(op.count() as i32),
            output_zero_point: y.affine.zero_point,
            multiplier,
            rounding: self.rounding,
        };
        Ok(Lowered::Over(op, if mean { Over::MeanInt(constants) } else { Over::SumInt(constants) }))
    }

    /// An operator of one operand, of one type with its output.
    pub(super) fn lower_activation(&self, node: &Node) -> Result<Lowered, GraphError> {
        let rounding = self.rounding;
        let Some([x, y]) = self.same_codes(node, [node.inputs[0], node.output])? else {
            return Ok(Lowered::Unary(match node.op {
                Op::Clamp(ops::Clamp(activation)) => Unary::Clamp(clamp_f32(activation)),
                Op::Logistic(_) => Unary::Logistic,
                Op::Tanh(_) => Unary::Tanh,
                Op::LeakyRelu(ops::LeakyRelu { alpha }) => Unary::LeakyRelu(kernels::LeakyReluF32 { alpha }),
                _ => Unary::HardSwish,
            }));
        };
        let (scale, zero_point) = (x.affine.scale, x.affine.zero_point);
        let expect = |what: &str, int8: Affine| {
            let want = if y.int16 { Affine { scale: 1.0 / 32768.0, zero_point: 0 } } else { int8 };
            if y.affine == want {
                return Ok(());
            }
            let Affine { scale, zero_point } = want;
            Err(self.unfit(node, &format!("{what} has output scale {scale} and zero point {zero_point}")))
        };
        let steps = || {
            let fine = Steps::from_scale(scale).filter(|_| zero_point == 0);
            fine.ok_or_else(|| self.unfit(node, "an int16 input has zero point 0 and a scale of at most 5.33"))
        };
        Ok(match node.op {
            Op::Clamp(ops::Clamp(activation)) => {
                // TensorFlow Lite Micro's RELU6 takes both quantisations for one, which converters make them.
                let op = rescale([x, y], activation, rounding);
                if y.int16 { Lowered::Unary(Unary::ClampInt16(op)) } else { table(&op) }
            }
            Op::Logistic(_) => {
                expect("a quantised logistic function", Affine { scale: 1.0 / 256.0, zero_point: -128 })?;
                match y.int16 {
                    true => Lowered::Unary(Unary::LogisticInt16(steps()?)),
                    false => table(&kernels::LogisticInt8::from_scale(scale, zero_point, rounding)),
                }
            }
            Op::Tanh(_) => {
                expect("a quantised tanh", Affine { scale: 1.0 / 128.0, zero_point: 0 })?;
                match y.int16 {
                    true => Lowered::Unary(Unary::TanhInt16(steps()?)),
                    false => table(&kernels::TanhInt8::from_scale(scale, zero_point, rounding)),
                }
            }
            Op::LeakyRelu(ops::LeakyRelu { alpha }) => {
                if !(alpha >= 0.0 && alpha.is_finite()) {
                    return Err(self.unfit(node, "a quantised leaky ReLU has a slope of 0 or more; use PRELU"));
                }
                let op = LeakyReluInt {
                    input_zero_point: zero_point,
                    output_zero_point: y.affine.zero_point,
                    positive: Multiplier::from_real(quotient(x, y), rounding),
                    negative: Multiplier::from_real(
                        f64::from(scale) * f64::from(alpha) / f64::from(y.affine.scale),
                        rounding,
                    ),
                    rounding,
                };
                if y.int16 { Lowered::Unary(Unary::LeakyReluInt16(op)) } else { table(&op) }
            }
            _ if y.int16 => return Err(self.unfit(node, "has no int16 form; use int8 or f32")),
            _ => {
                let zero_points = [zero_point, y.affine.zero_point];
                let op = kernels::HardSwishInt8::try_new([scale, y.affine.scale], zero_points, rounding);
                table(&op.ok_or_else(|| self.unfit(node, "the output scale is below a 128th of the input scale"))?)
            }
        })
    }

    /// From real values to codes, back, or from codes to codes.
    pub(super) fn lower_conversion(&self, node: &Node) -> Result<Lowered, GraphError> {
        let (x, y) = (self.codes(node, node.inputs[0])?, self.codes(node, node.output)?);
        Ok(match (x, y) {
            (None, Some(y)) => Lowered::Unary(Unary::Quantize(y.affine)),
            (Some(x), None) => Lowered::Unary(Unary::Dequantize(x.affine)),
            (Some(x), Some(y)) => {
                let op = rescale([x, y], Activation::None, self.rounding);
                if x.int16 || y.int16 { Lowered::Unary(Unary::Requantize(op)) } else { table(&op) }
            }
            (None, None) => return Err(self.unfit(node, "one of input and output must be quantised")),
        })
    }
}

/// The input's scale in units of the output's, in f64.
fn quotient(x: Codes, y: Codes) -> f64 {
    f64::from(x.affine.scale) / f64::from(y.affine.scale)
}

/// A rescale of codes `x` to codes `y`.
fn rescale([x, y]: [Codes; 2], activation: Activation, rounding: Rounding) -> Rescale {
    Rescale {
        input_zero_point: x.affine.zero_point,
        output_zero_point: y.affine.zero_point,
        multiplier: Multiplier::from_real(quotient(x, y), rounding),
        clamp: y.clamp(activation),
        rounding,
    }
}

/// An int8 operator as its table.
fn table(op: &impl kernels::Unary<i8>) -> Lowered {
    Lowered::Lookup(Box::new(Lookup::table(op)))
}
