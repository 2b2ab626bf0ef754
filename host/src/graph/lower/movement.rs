//! Operators that move elements: one description for the evaluator and for the file.

use crate::graph::{Graph, GraphError, Grid, Node, Op, Tensor};
use crate::ops;
use niwaki_core::error::ShapeError;
use niwaki_core::format::{DType, OpCode, PARAM_COUNT, param};
use niwaki_core::kernels::{AXES, Grid as CoreGrid, Resize, StridedCopy, reference};
use niwaki_core::num::Rounding;

/// An operator that moves elements, or interpolates between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Movement {
    /// What it is in a file.
    pub code: OpCode,
    /// Its parameters in a file.
    pub params: [i32; PARAM_COUNT],
    kernel: Kernel,
}

#[derive(Debug, Clone, PartialEq)]
enum Kernel {
    /// One copy an operand.
    Copies(Vec<StridedCopy>),
    /// A copy into a border of one element.
    Pad(StridedCopy, Vec<u8>),
    /// Bytes stand for channels.
    Nearest(Resize),
    Bilinear(Resize, Rounding),
}

/// `sizes` with 1 for the axes that are not there.
fn shape(sizes: &[usize]) -> [usize; AXES] {
    padded(sizes, [1; AXES])
}

/// `values` with those of `beyond` for the axes that are not there; the shape rule refuses more axes.
fn padded<T: Copy>(values: &[T], beyond: [T; AXES]) -> [T; AXES] {
    let mut padded = beyond;
    padded.iter_mut().zip(values).for_each(|(slot, &value)| *slot = value);
    padded
}

/// The bytes of `value` as an element of `tensor`: its nearest code where it is quantised.
fn element(tensor: &Tensor, value: f32) -> Result<(i32, Vec<u8>), String> {
    let code = |low: f32, high: f32| {
        let quant = tensor.quant.as_ref().ok_or_else(|| format!("`{}` is not quantised", tensor.name))?;
        Ok::<_, String>(((value / quant.scales[0]).round() + quant.zero_point as f32).clamp(low, high))
    };
    Ok(match tensor.element {
        DType::F32 => (value.to_bits() as i32, value.to_le_bytes().to_vec()),
        DType::I8 => {
            let code = code(-128.0, 127.0)? as i8;
            (code.into(), code.to_le_bytes().to_vec())
        }
        DType::I16 => {
            let code = code(-32768.0, 32767.0)? as i16;
            (code.into(), code.to_le_bytes().to_vec())
        }
        other => return Err(format!("elements of `{}` are {}", tensor.name, other.name())),
    })
}

impl Graph {
    /// What core runs for an operator that moves elements.
    pub(super) fn movement(&self, node: &Node) -> Result<Movement, GraphError> {
        let fail = |what: String| GraphError::Eval(format!("{} `{}`: {what}", node.op.name(), node.name));
        let y = &self[node.output];
        for &id in &node.inputs {
            let x = &self[id];
            if x.dtype() != y.element || x.quant != y.quant {
                return Err(fail(format!("`{}` and the output must have one type and one quantisation", x.name)));
            }
        }
        if ![DType::I8, DType::I16, DType::F32].contains(&y.element) {
            return Err(fail(format!("{} elements cannot be moved; convert them to f32 or i8", y.element.name())));
        }
        self.moved(node).map_err(fail)
    }

    fn moved(&self, node: &Node) -> Result<Movement, String> {
        let (x, y) = (&self[node.inputs[0]], &self[node.output]);
        let (from, to, bytes) = (shape(&x.shape), shape(&y.shape), y.element.element_bytes());
        let mut params = [0; PARAM_COUNT];
        let mut set = |first: usize, values: &[usize]| {
            params[first..].iter_mut().zip(values).for_each(|(slot, &value)| *slot = value as i32);
        };
        let say = |error: ShapeError| error.to_string();
        let (code, kernel) = match &node.op {
            Op::Pad(ops::Pad { pads, value }) => {
                let before: Vec<usize> = pads.iter().map(|pad| pad[0]).collect();
                set(param::PAD_BEFORE, &before);
                let (code, border) = element(x, *value)?;
                params[param::PAD_VALUE] = code;
                let op = StridedCopy::place(from, padded(&before, [0; AXES]), to, bytes).map_err(say)?;
                (OpCode::Pad, Kernel::Pad(op, border))
            }
            Op::Concat(ops::Concat { axis }) => {
                set(param::CONCAT_AXIS, &[*axis]);
                let mut at = [0; AXES];
                let copies = node.inputs.iter().map(|&id| {
                    let op = StridedCopy::place(shape(&self[id].shape), at, to, bytes).map_err(say);
                    at[*axis] += self[id].shape[*axis];
                    op
                });
                (OpCode::Concat, Kernel::Copies(copies.collect::<Result<_, _>>()?))
            }
            Op::Slice(ops::Slice { begin, stride, .. }) => {
                set(param::SLICE_BEGIN, begin);
                for (slot, &stride) in params[param::SLICE_STRIDE..].iter_mut().zip(stride) {
                    *slot = i32::try_from(stride).map_err(|_| format!("stride {stride} is too large"))?;
                }
                let (begin, stride) = (padded(begin, [0; AXES]), padded(stride, [1; AXES]));
                let op = StridedCopy::slice(from, begin, stride, to, bytes).map_err(say)?;
                (OpCode::Slice, Kernel::Copies(vec![op]))
            }
            Op::Transpose(ops::Transpose { order }) => {
                set(param::ORDER, order);
                let op = StridedCopy::transpose(from, padded(order, [0, 1, 2, 3]), bytes).map_err(say)?;
                (OpCode::Transpose, Kernel::Copies(vec![op]))
            }
            Op::ResizeNearest(ops::ResizeNearest { size, grid }) => {
                set_grid(&mut params, grid);
                let op = resize(x, *size, grid, bytes).map_err(say)?;
                (OpCode::ResizeNearest, Kernel::Nearest(op))
            }
            Op::ResizeBilinear(ops::ResizeBilinear { size, grid }) => {
                set_grid(&mut params, grid);
                let op = resize(x, *size, grid, 1).map_err(say)?;
                (OpCode::ResizeBilinear, Kernel::Bilinear(op, self.rounding))
            }
            _ => return Err("moves nothing".into()),
        };
        Ok(Movement { code, params, kernel })
    }
}

fn set_grid(params: &mut [i32; PARAM_COUNT], grid: &Grid) {
    params[param::ALIGN_CORNERS] = grid.align_corners.into();
    params[param::HALF_PIXEL_CENTERS] = grid.half_pixel_centers.into();
}

fn resize(x: &Tensor, size: [usize; 2], grid: &Grid, channel_bytes: usize) -> Result<Resize, ShapeError> {
    let &[h, w, c] = x.shape.as_slice() else { return Err(ShapeError::Dim { name: "rank", value: x.shape.len() }) };
    let grid = CoreGrid { align_corners: grid.align_corners, half_pixel_centers: grid.half_pixel_centers };
    Resize::try_new([h, w], size, c * channel_bytes, grid)
}

impl Movement {
    /// The bytes of the output, `len` elements of type `dtype`, from those of the operands.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names an operand with the wrong length.
    pub fn evaluate(&self, operands: &[Vec<u8>], dtype: DType, len: usize) -> Result<Vec<u8>, ShapeError> {
        let mut y = vec![0; len * dtype.element_bytes()];
        match &self.kernel {
            Kernel::Copies(copies) => {
                for (op, x) in copies.iter().zip(operands) {
                    reference::strided_copy(op, x, &mut y)?;
                }
            }
            Kernel::Pad(op, border) => reference::pad(op, border, &operands[0], &mut y)?,
            Kernel::Nearest(op) => reference::resize_nearest(op, &operands[0], &mut y)?,
            Kernel::Bilinear(op, rounding) => match dtype {
                DType::I8 => {
                    let x: &[i8] = bytemuck::cast_slice(&operands[0]);
                    reference::resize_bilinear(op, *rounding, x, bytemuck::cast_slice_mut(&mut y))?;
                }
                DType::I16 => {
                    let mut codes = vec![0; len];
                    reference::resize_bilinear(op, *rounding, &crate::graph::eval::i16s(&operands[0]), &mut codes)?;
                    y.copy_from_slice(bytemuck::cast_slice(&codes));
                }
                _ => {
                    let mut values = vec![0.0; len];
                    reference::resize_bilinear(op, *rounding, &crate::graph::eval::f32s(&operands[0]), &mut values)?;
                    y.copy_from_slice(bytemuck::cast_slice(&values));
                }
            },
        }
        Ok(y)
    }
}
