//! Pooling, reductions and resizing.

use super::super::error::Refusal;
use super::super::network::{Call, Network};
use super::super::schema::{Pool2dOptions, ReducerOptions, ResizeBilinearOptions, ResizeNearestOptions};
use super::super::tensors::element::I32;
use super::weighted::padding;
use super::{ARITHMETIC, Row, activation, count, indices, no_options, row};
use crate::graph::{Grid, Op, Sliding};
use crate::ops;

/// The operators of this family.
pub(super) const ROWS: &[Row] = &[
    row("AVERAGE_POOL_2D", ARITHMETIC, average_pool),
    row("MAX_POOL_2D", ARITHMETIC, max_pool),
    row("MEAN", ARITHMETIC, mean),
    row("SUM", ARITHMETIC, sum),
    row("ARG_MAX", ARITHMETIC, arg_max),
    row("RESIZE_NEAREST_NEIGHBOR", ARITHMETIC, resize_nearest),
    row("RESIZE_BILINEAR", ARITHMETIC, resize_bilinear),
];

fn average_pool(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    pool(network, call, |kernel, sliding| ops::AveragePool2d { kernel, sliding })
}

fn max_pool(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    pool(network, call, |kernel, sliding| ops::MaxPool2d { kernel, sliding })
}

fn pool<O: Into<Op>>(
    network: &mut Network<'_>,
    call: &Call<'_>,
    op: impl Fn([usize; 2], Sliding) -> O,
) -> Result<(), Refusal> {
    let options: Pool2dOptions<'_> = call.operator.options().ok_or_else(no_options)?;
    let kernel = [count("window", options.filter_h())?, count("window", options.filter_w())?];
    let sliding = Sliding {
        stride: [count("stride", options.stride_h())?, count("stride", options.stride_w())?],
        dilation: [1, 1],
        padding: padding(options.padding())?,
    };
    let x = network.operand(call, 0)?;
    network.push_clamped(op(kernel, sliding), &[x], activation(options.activation())?, call.output()?)
}

fn mean(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    reduce(network, call, |axes, keep_axes| ops::Mean { axes, keep_axes })
}

fn sum(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    reduce(network, call, |axes, keep_axes| ops::Sum { axes, keep_axes })
}

fn reduce<O: Into<Op>>(
    network: &mut Network<'_>,
    call: &Call<'_>,
    op: impl Fn(Vec<usize>, bool) -> O,
) -> Result<(), Refusal> {
    let options: Option<ReducerOptions<'_>> = call.operator.options();
    let tensor = network.file(call.input(0)?)?;
    let mut axes = Vec::new();
    for axis in indices(network, call, 1)? {
        // A batch of one is its own mean and sum.
        axes.extend(tensor.axis(axis)?);
    }
    axes.sort_unstable();
    axes.dedup();
    let x = network.operand(call, 0)?;
    // With its axes kept, the result has an axis even where all are reduced.
    let keep = options.is_some_and(|o| o.keep_dims() != 0) || axes.len() == network.graph()[x].shape.len();
    network.push(op(axes, keep), &[x], call.output()?)
}

fn arg_max(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let &[axis] = indices(network, call, 1)?.as_slice() else {
        return Err(Refusal::damaged("it needs one axis"));
    };
    let Some(axis) = network.file(call.input(0)?)?.axis(axis)? else {
        return Err(Refusal::new("it compares samples of a batch", "let it run along another axis"));
    };
    if network.file(call.output()?)?.element != I32 {
        return Err(Refusal::new("its indices are not int32", "give it output_type int32"));
    }
    let tensor = network.file(call.input(0)?)?;
    let mut x = network.operand(call, 0)?;
    let mut axis = axis;
    if let &[len] = tensor.graph_shape().as_slice() {
        // So that the one index is a vector of one element.
        x = network.node(ops::Reshape { shape: vec![1, len] }, &[x], &tensor)?;
        axis = 1;
    }
    network.push(ops::ArgMax { axis }, &[x], call.output()?)
}

fn size(network: &Network<'_>, call: &Call<'_>) -> Result<[usize; 2], Refusal> {
    let &[h, w] = indices(network, call, 1)?.as_slice() else {
        return Err(Refusal::damaged("its size must be [H, W]"));
    };
    let side = |s: i64| count("size", i32::try_from(s).unwrap_or(i32::MAX));
    Ok([side(h)?, side(w)?])
}

fn resize_nearest(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: Option<ResizeNearestOptions<'_>> = call.operator.options();
    let grid = Grid {
        align_corners: options.is_some_and(|o| o.align_corners() != 0),
        half_pixel_centers: options.is_some_and(|o| o.half_pixel_centers() != 0),
    };
    let size = size(network, call)?;
    let x = network.operand(call, 0)?;
    network.push(ops::ResizeNearest { size, grid }, &[x], call.output()?)
}

fn resize_bilinear(network: &mut Network<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let options: Option<ResizeBilinearOptions<'_>> = call.operator.options();
    let grid = Grid {
        align_corners: options.is_some_and(|o| o.align_corners() != 0),
        half_pixel_centers: options.is_some_and(|o| o.half_pixel_centers() != 0),
    };
    let size = size(network, call)?;
    let x = network.operand(call, 0)?;
    network.push(ops::ResizeBilinear { size, grid }, &[x], call.output()?)
}
