//! Operators that compute element by element, and softmax.

use super::super::error::Refusal;
use super::super::network::{Call, Network};
use super::super::schema::{AddOptions, LeakyReluOptions, MulOptions, SoftmaxOptions, SubOptions};
use super::super::tensors::element::{F16, I8, I16};
use super::{ARITHMETIC, FLOAT_INT8, Row, activation, no_options, row};
use crate::graph::{Activation, Op};
use crate::ops;

/// The operators of this family.
pub(super) const ROWS: &[Row] = &[
    row("ADD", ARITHMETIC, add),
    row("SUB", ARITHMETIC, sub),
    row("MUL", ARITHMETIC, mul),
    row("SOFTMAX", ARITHMETIC, softmax),
    row("LOGISTIC", ARITHMETIC, logistic),
    row("TANH", ARITHMETIC, tanh),
    row("RELU", ARITHMETIC, relu),
    row("RELU6", ARITHMETIC, relu6),
    row("RELU_N1_TO_1", ARITHMETIC, relu_n1_to_1),
    row("LEAKY_RELU", ARITHMETIC, leaky_relu),
    row("PRELU", FLOAT_INT8, prelu),
    row("HARD_SWISH", FLOAT_INT8, hard_swish),
    row("QUANTIZE", ARITHMETIC, quantize),
    row("DEQUANTIZE", &[I8, I16, F16], dequantize),
];

fn add(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: Option<AddOptions<'_>> = call.operator.options();
    binary(network, call, ops::Add { activation: activation(options.map_or(0, |o| o.activation()))? })
}

fn sub(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: Option<SubOptions<'_>> = call.operator.options();
    binary(network, call, ops::Sub { activation: activation(options.map_or(0, |o| o.activation()))? })
}

fn mul(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: Option<MulOptions<'_>> = call.operator.options();
    binary(network, call, ops::Mul { activation: activation(options.map_or(0, |o| o.activation()))? })
}

fn binary(network: &mut Network<'_>, call: &Call<'_>, op: impl Into<Op>) -> Result<(), Refusal> {
    let (a, b) = (network.operand(call, 0)?, network.operand(call, 1)?);
    let graph = network.graph();
    if graph[a].dtype() != graph[b].dtype() || graph[a].quant.is_some() != graph[b].quant.is_some() {
        return Err(Refusal::new("its operands have two element types", "convert the network to one of them"));
    }
    network.push(op, &[a, b], call.output()?)
}

fn unary(network: &mut Network<'_>, call: &Call<'_>, op: impl Into<Op>) -> Result<(), Refusal> {
    let x = network.operand(call, 0)?;
    network.push(op, &[x], call.output()?)
}

fn relu(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    unary(network, call, ops::Clamp(Activation::Relu))
}

fn relu6(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    unary(network, call, ops::Clamp(Activation::Relu6))
}

fn relu_n1_to_1(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    unary(network, call, ops::Clamp(Activation::ReluN1To1))
}

fn logistic(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    unary(network, call, ops::Logistic)
}

fn tanh(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    unary(network, call, ops::Tanh)
}

fn hard_swish(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    unary(network, call, ops::HardSwish)
}

fn leaky_relu(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: LeakyReluOptions<'_> = call.operator.options().ok_or_else(no_options)?;
    let alpha = options.alpha();
    if !alpha.is_finite() {
        return Err(Refusal::damaged(format!("its alpha is {alpha}")));
    }
    unary(network, call, ops::LeakyRelu { alpha })
}

fn prelu(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let (x, alpha) = (network.operand(call, 0)?, network.operand(call, 1)?);
    if network.graph()[alpha].data.is_none() || network.graph()[alpha].dtype() != network.graph()[x].dtype() {
        return Err(Refusal::new("its slopes must be constants of its type", "convert the network again"));
    }
    network.push(ops::Prelu, &[x, alpha], call.output()?)
}

fn softmax(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    // Writers that leave the options out mean 1, as the operator's definition without the factor.
    let options: Option<SoftmaxOptions<'_>> = call.operator.options();
    let beta = options.map_or(1.0, |o| o.beta());
    if beta != 1.0 {
        return Err(Refusal::new(format!("its beta is {beta}"), "scale its input in the layer before it instead"));
    }
    unary(network, call, ops::Softmax)
}

fn quantize(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    if network.file(call.output()?)?.quant.is_none() {
        return Err(Refusal::damaged("its output has no scale"));
    }
    unary(network, call, ops::Quantize)
}

fn dequantize(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let (input, output) = (call.input(0)?, call.output()?);
    let tensor = network.file(input)?;
    if tensor.element != F16 {
        return unary(network, call, ops::Dequantize);
    }
    if tensor.bytes.is_none() || network.file(output)?.bytes.is_some() {
        let remedy = "convert the network with float16 weights and float32 activations";
        return Err(Refusal::new("float16 activations are not supported", remedy));
    }
    // Weights stay in 16 bits: whoever reads them as float32 widens them.
    network.alias(input, output);
    Ok(())
}
