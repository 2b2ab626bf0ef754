//! What the operators with weights share: how sums become outputs, and their evaluation.

use super::lowered::{Lowered, clamp_codes, clamp_f32};
use super::{Activation, Data, Misfit, Operands, Value};
use niwaki_core::error::ShapeError;
use niwaki_core::format::DType;
use niwaki_core::kernels::{Arithmetic, Clamp, Float16, Float32, Int8, Int16x8, reference};
use niwaki_core::num::{Multiplier, Rounding};
use std::marker::PhantomData;

/// How a weighted operator turns an accumulator into an output.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// f32 clamp.
    F32(Float32),
    /// int8 requantisation.
    Int8 {
        /// Quantised value of zero in the input.
        input_zero_point: i32,
        /// Quantised value of zero in the output.
        output_zero_point: i32,
        /// Q0.31 mantissas, one an output channel.
        multipliers_q31: Vec<i32>,
        /// Exponents.
        shifts: Vec<i8>,
        /// Fused activation in quantised values of the output.
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
        /// Fused activation in quantised values of the output.
        clamp: Clamp<i32>,
    },
}

impl Scaling {
    /// Requantisation of a weighted operator: one multiplier an output channel, `in * w_c / out` in f64
    /// (specs/integer_arithmetic.md §4). `f32_product`: with one weight scale, `in * w` is an f32 product, as TensorFlow
    /// Lite Micro computes it for dense layers.
    pub(super) fn new(on: &Operands<'_>, activation: Activation, f32_product: bool) -> Result<Self, Misfit> {
        let [x, w, y] = [on.x(), on.inputs[1], on.output].map(|tensor| tensor.quant.as_ref());
        let (x, w, y) = match (x, w, y) {
            (None, None, None) => return Ok(Self::F32(Float32 { clamp: clamp_f32(activation) })),
            (Some(x), Some(w), Some(y)) => (x, w, y),
            _ => return Err(Misfit::PartlyQuantised { what: "input, weights and output" }),
        };
        let f32_product = f32_product && w.scales.len() == 1;
        let multiplier = |&scale: &f32| {
            let product =
                if f32_product { f64::from(x.scales[0] * scale) } else { f64::from(x.scales[0]) * f64::from(scale) };
            Multiplier::from_real(product / f64::from(y.scales[0]), on.rounding)
        };
        let (multipliers_q31, shifts) =
            w.scales.iter().map(multiplier).map(|m| (m.mantissa_q31, m.shift as i8)).unzip();
        if on.x().element == DType::I16 {
            return Ok(Self::Int16x8 { multipliers_q31, shifts, clamp: clamp_codes::<i16>(activation, y) });
        }
        Ok(Self::Int8 {
            input_zero_point: x.zero_point,
            output_zero_point: y.zero_point,
            multipliers_q31,
            shifts,
            clamp: clamp_codes::<i8>(activation, y),
            rounding: on.rounding,
        })
    }

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

    /// The arithmetic of an int16 operator whose bias is of type `B`.
    pub fn int16x8<B>(&self, rounding: Rounding) -> Option<Int16x8<'_, B>> {
        match self {
            Self::Int16x8 { multipliers_q31, shifts, clamp } => {
                Some(Int16x8 { multipliers_q31, shifts, clamp: *clamp, rounding, bias: PhantomData })
            }
            Self::F32(_) | Self::Int8 { .. } => None,
        }
    }
}

/// What a weighted operator makes of `x`; the types of weights and bias choose the arithmetic.
pub(super) fn evaluate(lowered: &Lowered, on: &Operands<'_>, x: &Value) -> Result<Value, Misfit> {
    let len = on.output.element_count();
    let scaling = lowered.scaling().ok_or(Misfit::ValueTypes)?;
    let (weights, bias) = (&on.inputs[1].data, on.bias());
    match x {
        Value::F32(x) => {
            let mut y = vec![0.0; len];
            match (scaling, weights, bias) {
                (Scaling::F32(a), Some(Data::F32(w)), Data::F32(bias)) => run(lowered, a, x, w, &bias, &mut y),
                (Scaling::F32(a), Some(Data::F16(w)), Data::F32(bias)) => {
                    run(lowered, &Float16 { clamp: a.clamp }, x, w, &bias, &mut y)
                }
                _ => return Err(Misfit::Constants { need: "f32 or f16" }),
            }?;
            Ok(Value::F32(y))
        }
        Value::I8(x) => {
            let mut y = vec![0; len];
            let (Some(a), Some(Data::I8(w)), Data::I32(bias)) = (scaling.int8(), weights, bias) else {
                return Err(Misfit::Constants { need: "int8 and int32" });
            };
            run(lowered, &a, x, w, &bias, &mut y)?;
            Ok(Value::I8(y))
        }
        Value::I16(x) => {
            let mut y = vec![0; len];
            let need = Misfit::Constants { need: "int8, and int64 or int32, between int16 tensors" };
            let Some(Data::I8(w)) = weights else { return Err(need) };
            let ran = match bias {
                Data::I64(bias) => scaling.int16x8(on.rounding).map(|a| run(lowered, &a, x, w, &bias, &mut y)),
                Data::I32(bias) => scaling.int16x8(on.rounding).map(|a| run(lowered, &a, x, w, &bias, &mut y)),
                _ => None,
            };
            ran.ok_or(need)??;
            Ok(Value::I16(y))
        }
        Value::I32(_) => Err(Misfit::ValueTypes),
    }
}

/// The reference kernel of an operator with weights.
fn run<A: Arithmetic>(
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
