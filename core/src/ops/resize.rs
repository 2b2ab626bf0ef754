//! Images on another grid: `x`, by the nearest element or by interpolation.

use super::memory::{Operands, input_image, operands, output_image};
use super::movement::{check_types, element_bytes};
use super::words::Word;
use super::{Cost, Outcome, Record};
use crate::error::OperatorError;
use crate::format::{Element, Params, Step};
use crate::kernels::{BackEnd as _, Best};
use crate::kernels::{Grid, Interpolate, Resize};
use crate::shape::expect_len;
use core::marker::PhantomData;

/// 1 where the corner elements lie on each other.
const ALIGN_CORNERS: Word = Word::new(0, "align_corners");
/// 1 where elements have their value in their middle.
const HALF_PIXEL_CENTERS: Word = Word::new(1, "half_pixel_centers");

fn grid(params: &Params) -> Result<Grid, OperatorError> {
    Ok(Grid { align_corners: ALIGN_CORNERS.flag(params)?, half_pixel_centers: HALF_PIXEL_CENTERS.flag(params)? })
}

/// Writes how the grids lie over each other.
pub fn write(params: &mut Params, grid: &Grid) {
    ALIGN_CORNERS.put(params, grid.align_corners.into());
    HALF_PIXEL_CENTERS.put(params, grid.half_pixel_centers.into());
}

/// The resize of images whose channels are `channel_bytes` wide, where a byte stands for a channel.
fn resize(step: &Step<'_>, channel_bytes: usize) -> Result<Resize, OperatorError> {
    let grid = grid(&step.record.params)?;
    let ((input, channels), (output, _)) = (input_image(step)?, output_image(step)?);
    Ok(Resize::try_new(input, output, channels.saturating_mul(channel_bytes), grid)?)
}

fn check(step: &Step<'_>) -> Outcome {
    check_types(step, 0)?;
    let ((_, channels), (_, got)) = (input_image(step)?, output_image(step)?);
    Ok(expect_len("output channels", channels, got)?)
}

/// The nearest element.
pub(super) struct Nearest(Resize);

impl<'m> Record<'m> for Nearest {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        resize(step, element_bytes(step)).map(Self)
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        grid(&step.record.params).iter().for_each(|grid| write(params, grid));
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        check(step)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands::<'_, u8, 1> { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(Best::resize_nearest(&self.0, x, output)?)
    }
}

/// Interpolation between the four nearest elements `T`.
pub(super) struct Bilinear<T>(Resize, PhantomData<T>);

impl<'m, T: Element + Interpolate> Record<'m> for Bilinear<T> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self(resize(step, 1)?, PhantomData))
    }

    fn write(&self, step: &Step<'m>, params: &mut Params) {
        grid(&step.record.params).iter().for_each(|grid| write(params, grid));
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        resize(step, element_bytes(step))?;
        check(step)
    }

    fn cost(&self, step: &Step<'m>) -> Cost {
        Cost::of_constants(step)
    }

    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands::<'_, T, 1> { inputs: [x], output, .. } = operands(step, arena)?;
        Ok(Best::resize_bilinear(&self.0, step.rounding(), x, output)?)
    }
}
