//! Elements that move, in the terms of core: where to, what a file says of it, and its reference kernels.

use super::{Computed, Misfit, Operands, Tensor, Value, f32s, i16s};
use niwaki_core::error::ShapeError;
use niwaki_core::format::{DType, Params};
use niwaki_core::kernels::{AXES, Resize, StridedCopy, reference};
use niwaki_core::num::Rounding;
use niwaki_core::ops::Op as CoreOp;

/// An operator that moves elements, or interpolates between them, in the terms of core.
#[derive(Debug, Clone, PartialEq)]
pub struct Movement {
    /// What it is in a file.
    pub op: CoreOp,
    /// Its parameters in a file.
    pub params: Params,
    kernel: Kernel,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kernel {
    /// One copy an operand.
    Copies(Vec<StridedCopy>),
    /// A copy into a border of one element.
    Pad(StridedCopy, Vec<u8>),
    /// Bytes stand for channels.
    Nearest(Resize),
    /// Between the nearest elements.
    Bilinear(Resize, Rounding),
}

/// A movement whose kernel is yet to be chosen.
pub(super) struct Place {
    pub(super) from: [usize; AXES],
    pub(super) to: [usize; AXES],
    pub(super) bytes: usize,
    pub(super) params: Params,
}

impl Place {
    /// Checks that all tensors are of one type and quantisation, which can be moved.
    pub(super) fn new(on: &Operands<'_>) -> Result<Self, Misfit> {
        let y = on.output;
        if let Some(x) = on.inputs.iter().find(|x| x.dtype() != y.element || x.quant != y.quant) {
            return Err(Misfit::Moved { tensor: x.name.clone() });
        }
        if ![DType::I8, DType::I16, DType::F32].contains(&y.element) {
            return Err(Misfit::Unmoved { dtype: y.element.name() });
        }
        let bytes = y.element.element_bytes();
        Ok(Self { from: shape(&on.x().shape), to: shape(&y.shape), bytes, params: Params::default() })
    }

    pub(super) fn done(self, op: CoreOp, kernel: Kernel) -> Movement {
        Movement { op, params: self.params, kernel }
    }
}

/// `sizes` with 1 for the axes that are not there.
pub(super) fn shape(sizes: &[usize]) -> [usize; AXES] {
    padded(sizes, [1; AXES])
}

/// `values` with those of `beyond` for the axes that are not there; the shape rule refuses more axes.
pub(super) fn padded<T: Copy>(values: &[T], beyond: [T; AXES]) -> [T; AXES] {
    let mut padded = beyond;
    padded.iter_mut().zip(values).for_each(|(slot, &value)| *slot = value);
    padded
}

/// `value` as an element of `tensor`, its nearest quantised value where it is quantised: as a parameter and as bytes.
pub(super) fn element(tensor: &Tensor, value: f32) -> Result<(i32, Vec<u8>), Misfit> {
    let quantised = |low: f32, high: f32| {
        let quant = tensor.quant.as_ref().ok_or_else(|| Misfit::NotQuantised { tensor: tensor.name.clone() })?;
        Ok::<_, Misfit>(((value / quant.scales[0]).round() + quant.zero_point as f32).clamp(low, high))
    };
    Ok(match tensor.element {
        DType::F32 => (value.to_bits() as i32, value.to_le_bytes().to_vec()),
        DType::I8 => {
            let value = quantised(-128.0, 127.0)? as i8;
            (value.into(), value.to_le_bytes().to_vec())
        }
        DType::I16 => {
            let value = quantised(-32768.0, 32767.0)? as i16;
            (value.into(), value.to_le_bytes().to_vec())
        }
        other => return Err(Misfit::Border { tensor: tensor.name.clone(), dtype: other.name() }),
    })
}

/// What a movement makes of its operands, constant or computed.
pub(super) fn evaluate(op: &Movement, on: &Operands<'_>, computed: &Computed<'_>) -> Result<Value, Misfit> {
    let bytes = |(tensor, value): (&&Tensor, &Option<&Value>)| match (&tensor.data, value) {
        (Some(constant), _) => Ok(constant.bytes().to_vec()),
        (None, Some(value)) => Ok(value.to_bytes()),
        (None, None) => Err(Misfit::NoValue { tensor: tensor.name.clone() }),
    };
    let operands = on.inputs.iter().zip(computed).map(bytes).collect::<Result<Vec<_>, _>>()?;
    let (dtype, len) = (on.output.element, on.output.element_count());
    let bytes = op.evaluate(&operands, dtype, len)?;
    Ok(match dtype {
        DType::I8 => Value::I8(bytemuck::cast_slice(&bytes).to_vec()),
        DType::I16 => Value::I16(i16s(&bytes)),
        _ => Value::F32(f32s(&bytes)),
    })
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
                    let mut values = vec![0; len];
                    reference::resize_bilinear(op, *rounding, &i16s(&operands[0]), &mut values)?;
                    y.copy_from_slice(bytemuck::cast_slice(&values));
                }
                _ => {
                    let mut values = vec![0.0; len];
                    reference::resize_bilinear(op, *rounding, &f32s(&operands[0]), &mut values)?;
                    y.copy_from_slice(bytemuck::cast_slice(&values));
                }
            },
        }
        Ok(y)
    }
}
