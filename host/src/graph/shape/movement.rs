//! Shape rules of operators that move elements, and of the transposed convolution.

use crate::graph::{Grid, Op, Sliding};
use crate::ops;

/// Axes of the largest tensor.
const AXES: usize = 4;

/// Operands that one concatenation in a file takes.
const CONCAT_OPERANDS: usize = 6;

/// The output shape of `op` for these input shapes.
///
/// # Errors
/// A sentence that names the operand.
pub(super) fn infer(op: &Op, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    let Some(&x) = inputs.first() else { return Err("takes an input, got none".into()) };
    let one_input = || if inputs.len() == 1 { Ok(()) } else { Err(format!("takes 1 input, got {}", inputs.len())) };
    if x.len() > AXES {
        return Err(format!("x has {} axes, at most {AXES} can move", x.len()));
    }
    let per_axis = |name: &str, len: usize| match len == x.len() {
        true => Ok(()),
        false => Err(format!("{name} has {len} entries, x has {} axes", x.len())),
    };
    match op {
        Op::Pad(ops::Pad { pads, .. }) => {
            one_input()?;
            per_axis("pads", pads.len())?;
            Ok(x.iter().zip(pads).map(|(size, [before, after])| size + before + after).collect())
        }
        Op::Concat(ops::Concat { axis }) => concat(*axis, inputs),
        Op::Slice(ops::Slice { begin, size, stride }) => {
            one_input()?;
            per_axis("begin", begin.len())?;
            per_axis("size", size.len())?;
            per_axis("stride", stride.len())?;
            for (axis, (&len, &begin)) in x.iter().zip(begin).enumerate() {
                let last = (size[axis] as i128 - 1) * stride[axis] as i128 + begin as i128;
                if size[axis] == 0 || begin >= len || !(0..len as i128).contains(&last) || stride[axis] == 0 {
                    return Err(format!("axis {axis}: {begin} … {last} lies not in 0 … {len}"));
                }
            }
            Ok(size.clone())
        }
        Op::Transpose(ops::Transpose { order }) => {
            one_input()?;
            per_axis("order", order.len())?;
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if sorted.iter().enumerate().any(|(i, &axis)| i != axis) {
                return Err(format!("order {order:?} is no permutation"));
            }
            Ok(order.iter().map(|&axis| x[axis]).collect())
        }
        Op::ResizeNearest(ops::ResizeNearest { size, .. }) | Op::ResizeBilinear(ops::ResizeBilinear { size, .. }) => {
            one_input()?;
            if let Op::ResizeBilinear(ops::ResizeBilinear {
                grid: Grid { align_corners: true, half_pixel_centers: true },
                ..
            }) = op
            {
                return Err("align_corners and half_pixel_centers exclude each other".into());
            }
            let &[_, _, c] = x else { return Err("x must be [H, W, C]".into()) };
            Ok(vec![size[0], size[1], c])
        }
        Op::TransposeConv2d(ops::TransposeConv2d { sliding, size, .. }) => transpose_conv2d(sliding, *size, inputs),
        _ => Err("moves no elements".into()),
    }
}

fn concat(axis: usize, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    if inputs.len() > CONCAT_OPERANDS {
        return Err(format!("takes at most {CONCAT_OPERANDS} inputs, got {}: chain several", inputs.len()));
    }
    let mut shape = inputs[0].to_vec();
    if axis >= shape.len() {
        return Err(format!("axis {axis} is none of {} axes", shape.len()));
    }
    shape[axis] = 0;
    for input in inputs {
        let fits = input.len() == shape.len() && (0..shape.len()).all(|a| a == axis || shape[a] == input[a]);
        if !fits {
            return Err(format!("all operands must be of one shape but for axis {axis}"));
        }
        shape[axis] += input[axis];
    }
    Ok(shape)
}

fn transpose_conv2d(sliding: &Sliding, size: [usize; 2], inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    if !(2..=3).contains(&inputs.len()) {
        return Err(format!("takes 2 or 3 inputs, got {}", inputs.len()));
    }
    let &[h, w, c] = inputs[0] else { return Err("x must be [H, W, C]".into()) };
    let &[o, kh, kw, i] = inputs[1] else { return Err("w must be [O, KH, KW, I]".into()) };
    if i != c {
        return Err(format!("w reads {i} channels, x has {c}"));
    }
    if inputs.get(2).is_some_and(|bias| *bias != [o]) {
        return Err(format!("bias must be [{o}], got {:?}", inputs[2]));
    }
    if sliding.dilation != [1, 1] {
        return Err("a transposed convolution has no dilation".into());
    }
    let window = sliding.window(size, [kh, kw]).map_err(|e| e.to_string())?;
    let back = [window.y.output(), window.x.output()];
    if back != [h, w] {
        return Err(format!("a convolution of {size:?} gives {back:?}, x is {:?}", [h, w]));
    }
    Ok(vec![size[0], size[1], o])
}
