//! Copies between two grids of elements: slices, transpositions, borders and concatenations are all this.

use super::product;
use crate::error::ShapeError;
use crate::shape::expect_len;

/// Axes of the largest tensor; a shape of fewer axes has sizes of 1 after them.
pub const AXES: usize = 4;

/// Where the elements of a grid lie: the one at index `i` is element `start + sum i[a] * steps[a]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// Element at index 0.
    pub start: usize,
    /// Elements between neighbours along each axis; negative where the walk goes backwards.
    pub steps: [isize; AXES],
}

/// A copy of a grid of elements of `x` to a grid of elements of `y`; neither walk leaves its tensor.
///
/// # Shapes
/// `x: [x_len]` · `y: [y_len]`, both as the bytes of elements of `element_bytes` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StridedCopy {
    sizes: [usize; AXES],
    from: Walk,
    to: Walk,
    x_len: usize,
    y_len: usize,
    element_bytes: usize,
}

/// Steps of a dense row-major tensor.
fn row_major(shape: [usize; AXES]) -> [isize; AXES] {
    let [_, b, c, d] = shape.map(|size| size as isize);
    [b.wrapping_mul(c).wrapping_mul(d), c.wrapping_mul(d), d, 1]
}

/// The walk over a part of a dense tensor that starts at index `at`.
fn part(shape: [usize; AXES], at: [usize; AXES], strides: [isize; AXES]) -> Walk {
    let dense = row_major(shape);
    let start = at.iter().zip(dense).fold(0_usize, |sum, (&i, step)| sum.wrapping_add(i.wrapping_mul(step as usize)));
    let [a, b, c, d] = dense;
    let [p, q, r, s] = strides;
    Walk { start, steps: [a.wrapping_mul(p), b.wrapping_mul(q), c.wrapping_mul(r), d.wrapping_mul(s)] }
}

/// Checks that `index` of `size` elements, `stride` apart, stays inside an axis.
fn inside(name: &'static str, axis: usize, begin: usize, stride: isize, size: usize) -> Result<(), ShapeError> {
    let last = (size as i64 - 1).checked_mul(stride as i64).and_then(|d| d.checked_add(begin as i64));
    let good = size >= 1 && begin < axis && last.is_some_and(|last| (0..axis as i64).contains(&last));
    if good { Ok(()) } else { Err(ShapeError::Dim { name, value: begin }) }
}

impl StridedCopy {
    /// `size` elements of each axis of `x: shape`, from `begin` on and `stride` apart, become the dense `y: size`.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] when a tensor is too large or the part leaves `x`.
    pub fn slice(
        shape: [usize; AXES],
        begin: [usize; AXES],
        strides: [isize; AXES],
        sizes: [usize; AXES],
        element_bytes: usize,
    ) -> Result<Self, ShapeError> {
        let (x_len, y_len) = (product("input", &shape)?, product("output", &sizes)?);
        for (((&axis, begin), stride), &size) in shape.iter().zip(begin).zip(strides).zip(&sizes) {
            inside("begin", axis, begin, stride, size)?;
        }
        let to = Walk { start: 0, steps: row_major(sizes) };
        Ok(Self { sizes, from: part(shape, begin, strides), to, x_len, y_len, element_bytes })
    }

    /// All of `x: shape` becomes the part of `y: output` that starts at index `at`.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] when a tensor is too large or empty, or the part leaves `y`.
    pub fn place(
        shape: [usize; AXES],
        at: [usize; AXES],
        output: [usize; AXES],
        element_bytes: usize,
    ) -> Result<Self, ShapeError> {
        let placed = Self::slice(output, at, [1; AXES], shape, element_bytes)?;
        Ok(Self { from: placed.to, to: placed.from, x_len: placed.y_len, y_len: placed.x_len, ..placed })
    }

    /// Axis `order[i]` of `x: shape` becomes axis `i` of the dense `y`.
    ///
    /// # Errors
    /// [`ShapeError::Dim`] when a tensor is too large or `order` is no permutation.
    pub fn transpose(shape: [usize; AXES], order: [usize; AXES], element_bytes: usize) -> Result<Self, ShapeError> {
        let len = product("input", &shape)?;
        let dense = row_major(shape);
        let (mut sizes, mut steps, mut seen) = ([0; AXES], [0; AXES], [false; AXES]);
        for ((axis, size), step) in order.into_iter().zip(&mut sizes).zip(&mut steps) {
            let bad = ShapeError::Dim { name: "order", value: axis };
            let free = seen.get_mut(axis).filter(|seen| !**seen).ok_or(bad)?;
            *free = true;
            (*size, *step) = shape.get(axis).copied().zip(dense.get(axis).copied()).ok_or(bad)?;
        }
        let to = Walk { start: 0, steps: row_major(sizes) };
        Ok(Self { sizes, from: Walk { start: 0, steps }, to, x_len: len, y_len: len, element_bytes })
    }

    /// Elements that are copied along each axis.
    pub const fn sizes(&self) -> [usize; AXES] {
        self.sizes
    }

    /// Where they lie in `x`.
    pub const fn from(&self) -> Walk {
        self.from
    }

    /// Where they go in `y`.
    pub const fn to(&self) -> Walk {
        self.to
    }

    /// Bytes of one element.
    pub const fn element_bytes(&self) -> usize {
        self.element_bytes
    }

    /// Checks both operands, in bytes.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check(&self, x_bytes: usize, y_bytes: usize) -> Result<(), ShapeError> {
        expect_len("x", self.x_len.saturating_mul(self.element_bytes), x_bytes)?;
        expect_len("y", self.y_len.saturating_mul(self.element_bytes), y_bytes)
    }
}

impl Walk {
    /// The element at `index`.
    #[inline]
    pub fn element(&self, index: [usize; AXES]) -> usize {
        let step = |at: usize, (i, step): (usize, isize)| at.wrapping_add((i as isize).wrapping_mul(step) as usize);
        index.into_iter().zip(self.steps).fold(self.start, step)
    }
}
