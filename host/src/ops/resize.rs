//! Images resized to another grid.

use super::lowered::{Lowered, Movement};
use super::moved::{Kernel, Place};
use super::training::Training;
use super::{Grid, Misfit, Operands, Operator, Rounded, Rules, answers, arity, example, form};
use niwaki_core::error::ShapeError;
use niwaki_core::kernels::{self, Resize};
use niwaki_core::ops::{Op as CoreOp, write};

/// Input `x: [H, W, C]`; the nearest element of another grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResizeNearest {
    /// Rows and columns of the output.
    pub size: [usize; 2],
    /// How the grids lie over each other.
    pub grid: Grid,
}

/// Input `x: [H, W, C]`; interpolation between the four nearest elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResizeBilinear {
    /// Rows and columns of the output.
    pub size: [usize; 2],
    /// How the grids lie over each other.
    pub grid: Grid,
}

fn shape(inputs: &[&[usize]], size: [usize; 2]) -> Result<Vec<usize>, Misfit> {
    arity(inputs, 1..=1)?;
    let &[_, _, c] = inputs[0] else { return Err(form("x", "[H, W, C]")) };
    Ok(vec![size[0], size[1], c])
}

/// The geometry, with what the file says of it; `channel_bytes` bytes of a channel move together.
fn lower(
    on: &Operands<'_>,
    size: [usize; 2],
    grid: Grid,
    channel_bytes: Option<usize>,
) -> Result<(Place, Resize), Misfit> {
    let mut place = Place::new(on)?;
    let shape = &on.x().shape;
    let &[h, w, c] = shape.as_slice() else {
        return Err(ShapeError::Dim { name: "rank", value: shape.len() }.into());
    };
    let grid = kernels::Grid { align_corners: grid.align_corners, half_pixel_centers: grid.half_pixel_centers };
    write::grid(&mut place.params, &grid);
    let op = Resize::try_new([h, w], size, c * channel_bytes.unwrap_or(place.bytes), grid)?;
    Ok((place, op))
}

impl Operator for ResizeNearest {
    fn name(&self) -> &'static str {
        "resize_nearest"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        shape(inputs, self.size)
    }

    fn rules(&self) -> Rules {
        Rules::moved()
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        self.movement(on).map(Lowered::Movement)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::Movement { movement: self.movement(on)?, border: 0.0 })
    }

    answers!(no_macs, same_channels, no_identity, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered);
}

example!(ResizeNearest = ResizeNearest { size: [7, 3], grid: Grid::default() }, [value(&IMAGE)]);

impl ResizeNearest {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let (place, op) = lower(on, self.size, self.grid, None)?;
        Ok(place.done(CoreOp::ResizeNearest, Kernel::Nearest(op)))
    }
}

impl Operator for ResizeBilinear {
    fn name(&self) -> &'static str {
        "resize_bilinear"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        if self.grid.align_corners && self.grid.half_pixel_centers {
            return Err(Misfit::Grids);
        }
        shape(inputs, self.size)
    }

    fn rules(&self) -> Rules {
        Rules { rounded: Rounded::Inside, ..Rules::moved() }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        self.movement(on).map(Lowered::Movement)
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        Err(Misfit::TrainedInterpolation)
    }

    answers!(no_macs, same_channels, no_identity, no_factor, no_activation, no_window, no_counts, evaluated_as_lowered);
}

example!(ResizeBilinear = ResizeBilinear { size: [7, 3], grid: Grid::default() }, [value(&IMAGE)]);

impl ResizeBilinear {
    /// Where its elements go.
    fn movement(&self, on: &Operands<'_>) -> Result<Movement, Misfit> {
        let (place, op) = lower(on, self.size, self.grid, Some(1))?;
        Ok(place.done(CoreOp::ResizeBilinear, Kernel::Bilinear(op, on.rounding)))
    }
}
