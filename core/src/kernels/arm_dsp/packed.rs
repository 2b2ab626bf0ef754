//! Convolutions and dense layers in every packing of weights; the products are in a file each.

use super::tiled::Dsp;
use crate::error::ShapeError;
use crate::kernels::tiles::drive::{self, Leaf as _, Products, Rows as Span};
use crate::kernels::tiles::{Activations, Conv2dTiled, Packed, Rows, TiledInt8};

/// Convolution; weights and numerics at [`Packed`].
///
/// The output may overlap the input as [`Conv2dTiled::lead`] says; the input is lost then. `scratch` has at least
/// [`Packed::conv2d_scratch_words`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
#[inline(never)] // its frame and that of finding the operands are not needed at one time
pub fn conv2d_packed<P: Packed + Products<Dsp>>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    packed: &P,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    drive::conv2d_packed(op, numerics, packed, activations, scratch)
}

/// Fully connected layer; weights and numerics at [`Packed`]. `scratch` has at least [`Packed::dense_scratch_words`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_packed<P: Packed + Products<Dsp>>(
    numerics: &TiledInt8,
    packed: &P,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    drive::dense_packed(numerics, packed, x, y, scratch)
}

impl Products<Dsp> for Rows<'_> {
    #[inline]
    fn expand(&self, x: &[i8], places: [usize; 2], rows: Span, memory: &mut [i32]) {
        Dsp::expand(x, places, rows, memory.get_mut(..self.patch_len()).unwrap_or_default());
    }

    #[inline]
    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        drive::pair_rows::<Dsp>(self, numerics, memory, y);
    }

    #[inline]
    fn single(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        drive::single_rows::<Dsp>(self, numerics, x, memory, y);
    }
}
