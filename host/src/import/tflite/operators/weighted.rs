//! Convolutions and dense layers: weights brought into the graph's layouts.

use super::super::error::Refusal;
use super::super::names;
use super::super::network::{Call, Network};
use super::super::schema::{Conv2dOptions, DepthwiseConv2dOptions, FullyConnectedOptions, TransposeConvOptions};
use super::super::tensors::FileTensor;
use super::super::tensors::element::{F16, F32, I4, I8, I16, I32, I64};
use super::{ARITHMETIC, Row, activation, count, indices, no_options, row};
use crate::graph::{Data, Op, Padding, Quant, Sliding, TensorId};
use crate::ops;

/// The operators of this family.
pub(super) const ROWS: &[Row] = &[
    row("CONV_2D", ARITHMETIC, conv2d),
    row("DEPTHWISE_CONV_2D", ARITHMETIC, depthwise_conv2d),
    row("FULLY_CONNECTED", ARITHMETIC, fully_connected),
    Row { name: "TRANSPOSE_CONV", data: 2, elements: ARITHMETIC, import: transpose_conv },
];

/// A file's padding code as the graph has it.
pub(super) fn padding(code: i8) -> Result<Padding, Refusal> {
    match code {
        0 => Ok(Padding::Same),
        1 => Ok(Padding::Valid),
        code => Err(Refusal::damaged(format!("its padding is {code}"))),
    }
}

fn conv2d(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: Conv2dOptions<'_> = call.operator.options().ok_or_else(no_options)?;
    let weights = network.source(call.input(1)?)?;
    let (&[_, _, _, read], &[.., channels]) =
        (weights.shape.as_slice(), network.file(call.input(0)?)?.shape.as_slice())
    else {
        return Err(Refusal::damaged("its weights must have 4 axes"));
    };
    if read < channels && channels.is_multiple_of(read) {
        let what = format!("it is grouped: its filters read {read} of {channels} channels");
        return Err(Refusal::new(what, "split it into one convolution a group, or use a depthwise convolution"));
    }
    let sliding = Sliding {
        stride: [count("stride", options.stride_h())?, count("stride", options.stride_w())?],
        dilation: [count("dilation", options.dilation_h())?, count("dilation", options.dilation_w())?],
        padding: padding(options.padding())?,
    };
    let op = ops::Conv2d { sliding, activation: activation(options.activation())? };
    let shape = weights.shape.clone();
    push(network, call, op, Place { x: 0, bias: 2 }, weights, shape, 0)
}

fn depthwise_conv2d(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: DepthwiseConv2dOptions<'_> = call.operator.options().ok_or_else(no_options)?;
    let weights = network.source(call.input(1)?)?;
    let &[1, h, w, channels] = weights.shape.as_slice() else {
        return Err(Refusal::damaged("its weights must be [1, H, W, C]"));
    };
    let sliding = Sliding {
        stride: [count("stride", options.stride_h())?, count("stride", options.stride_w())?],
        dilation: [count("dilation", options.dilation_h())?, count("dilation", options.dilation_w())?],
        padding: padding(options.padding())?,
    };
    let op = ops::DepthwiseConv2d { sliding, activation: activation(options.activation())? };
    push(network, call, op, Place { x: 0, bias: 2 }, weights, vec![h, w, channels], 2)
}

fn fully_connected(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: Option<FullyConnectedOptions<'_>> = call.operator.options();
    if options.is_some_and(|o| o.weights_format() != 0) {
        let what = "its weights are shuffled for another machine";
        return Err(Refusal::new(what, "convert the network with the default weights format"));
    }
    let weights = network.source(call.input(1)?)?;
    let &[_, read] = weights.shape.as_slice() else {
        return Err(Refusal::damaged("its weights must be [O, I]"));
    };
    let len: usize = network.file(call.input(0)?)?.shape.iter().product();
    if len > read && len.is_multiple_of(read) {
        let what = format!("it runs over {} rows at once", len / read);
        return Err(Refusal::new(what, "use a 1x1 convolution, which keeps rows apart"));
    }
    let op = ops::Dense { activation: activation(options.map_or(0, |o| o.activation()))? };
    let shape = weights.shape.clone();
    push(network, call, op, Place { x: 0, bias: 2 }, weights, shape, 0)
}

fn transpose_conv(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: TransposeConvOptions<'_> = call.operator.options().ok_or_else(no_options)?;
    let weights = network.source(call.input(1)?)?;
    let shape = weights.shape.clone();
    let size = match indices(network, call, 0)?.as_slice() {
        &[1, h, w, _] => [h, w],
        other => return Err(Refusal::damaged(format!("its output shape is {other:?}, not [1, H, W, C]"))),
    };
    let size = size.map(|s| i32::try_from(s).map_err(|_| Refusal::damaged("its output is too large")));
    let [h, w] = size;
    let sliding = Sliding {
        stride: [count("stride", options.stride_h())?, count("stride", options.stride_w())?],
        dilation: [1, 1],
        padding: padding(options.padding())?,
    };
    let size = [count("output height", h?)?, count("output width", w?)?];
    let op = ops::TransposeConv2d { sliding, size, activation: activation(options.activation())? };
    push(network, call, op, Place { x: 2, bias: 3 }, weights, shape, 0)
}

/// Which operands are which.
struct Place {
    x: usize,
    bias: usize,
}

/// Adds the node and its constants: weights in `shape`, which have a scale for each index of `axis`.
fn push(
    network: &mut Network<'_>,
    call: &Call<'_>,
    op: impl Into<Op>,
    place: Place,
    weights: FileTensor<'_>,
    shape: Vec<usize>,
    axis: usize,
) -> Result<(), Refusal> {
    let output = network.file(call.output()?)?;
    let element = network.file(call.input(place.x)?)?.element;
    let bias = if call.has(place.bias) { Some(network.source(call.input(place.bias)?)?) } else { None };
    let fits = match element {
        F32 => [F32, F16].contains(&weights.element),
        _ => [I8, I4].contains(&weights.element),
    };
    if !fits || output.element != element {
        let of = |code| names::element(code);
        let what = format!("{} weights between {} and {}", of(weights.element), of(element), of(output.element));
        let remedy = "convert the network with full quantisation (int8 weights, int8 or int16 activations) or as float";
        return Err(Refusal::new(what, remedy));
    }
    let data = weights.data()?;
    let quant = weights_quant(&weights, &shape, axis, element)?;
    let x = network.operand(call, place.x)?;
    let w = network.constant(&weights.name, &shape, data, quant)?;
    let mut inputs: Vec<TensorId> = vec![x, w];
    if let Some(bias) = bias {
        let fits = match element {
            F32 => [F32, F16].contains(&bias.element),
            I8 => bias.element == I32,
            I16 => [I32, I64].contains(&bias.element),
            _ => false,
        };
        if !fits {
            let what = format!("its bias is {}", names::element(bias.element));
            return Err(Refusal::new(what, "convert the network again with a current converter"));
        }
        let data = match (bias.data()?, network.graph()[w].data.as_ref()) {
            // A half-precision bias beside full-precision weights saves nothing.
            (Data::F16(v), Some(Data::F32(_))) => Data::F32(v.into_iter().map(f32::from).collect()),
            (data, _) => data,
        };
        let len = data.len();
        inputs.push(network.constant(&bias.name, &[len], data, None)?);
    }
    network.push(op, &inputs, call.output()?)
}

/// The quantisation of weights whose channels run along `axis` of `shape`.
fn weights_quant(
    weights: &FileTensor<'_>,
    shape: &[usize],
    axis: usize,
    element: i8,
) -> Result<Option<Quant>, Refusal> {
    if element == F32 {
        return Ok(None);
    }
    let Some(quant) = &weights.quant else {
        return Err(Refusal::new("its weights have no scale", "convert the network with full quantisation"));
    };
    if quant.zero_point != 0 {
        let what = format!("its weights have zero point {}", quant.zero_point);
        return Err(Refusal::new(what, "convert the network with symmetric weights"));
    }
    // The file counts the leading 1 of depthwise weights.
    let file_axis = axis + weights.shape.len() - shape.len();
    match quant.axis {
        None => Ok(Some(quant.clone())),
        Some(a) if a == file_axis => Ok(Some(Quant { axis: Some(axis), ..quant.clone() })),
        Some(a) => {
            let what = format!("its weights have scales along axis {a}, not one an output channel");
            Err(Refusal::new(what, "convert the network with per-channel weights"))
        }
    }
}
