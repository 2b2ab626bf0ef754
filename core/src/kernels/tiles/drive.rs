//! The way of tiled convolutions through the input, two pixels at a time, shared by every back end's inner loops.

use super::conv2d::{Conv2dTiled, DenseTiled};
use super::windows::{Gather, Pixel, Pixels};
use super::{Activations, Packed, TiledInt8, TiledWeights, Tiles};
use crate::error::ShapeError;
use crate::kernels::InnerLoops;
use crate::shape::expect_len;

/// Rows of bytes, all of one length, which is a multiple of [`GROUP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRows {
    /// How many.
    pub count: usize,
    /// Bytes of each.
    pub len: usize,
    /// Bytes from the start of one to the start of the next.
    pub pitch: usize,
}

impl ByteRows {
    /// Bytes from the start of the first to the end of the last.
    pub(crate) const fn span(self) -> usize {
        self.count.saturating_sub(1) * self.pitch + self.len
    }
}

/// A convolution in any packing; shapes and numerics at [`Packed`].
#[inline(always)]
pub(crate) fn conv2d_packed<B: InnerLoops, P: Packed>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    packed: &P,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    packed.check_dims(op.conv.out_channels().get(), op.conv.filter_len())?;
    expect_len("scratch", packed.conv2d_scratch_words(op).max(scratch.len()), scratch.len())?;
    op.check_activations(activations)?;
    windows::<B, _>(
        op,
        numerics,
        packed,
        [packed.window_words(), packed.pair_words()],
        packed.gathers(),
        activations,
        scratch,
    )
}

/// A dense layer in any packing; shapes and numerics at [`Packed`].
#[inline(always)]
pub(crate) fn dense_packed<B: InnerLoops, P: Packed>(
    numerics: &TiledInt8,
    packed: &P,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    packed.check_dims(y.len(), x.len())?;
    let lost = ShapeError::Len { operand: "scratch", expected: packed.dense_scratch_words(), got: scratch.len() };
    let (memory, padded) = scratch.split_at_mut_checked(packed.single_words()).ok_or(lost)?;
    packed.prepare::<B>(memory);
    if packed.patch_len() == x.len() {
        packed.single::<B>(numerics, x, memory, y);
        return Ok(());
    }
    // Inputs that are no whole groups are copied to where they can be read as such.
    let padded: &mut [i8] = bytemuck::try_cast_slice_mut(padded).map_err(|_| lost)?;
    let padded = padded.get_mut(..packed.patch_len()).ok_or(lost)?;
    padded.iter_mut().zip(x).for_each(|(to, &from)| *to = from);
    packed.single::<B>(numerics, padded, memory, y);
    Ok(())
}

/// A tiled convolution; shapes at [`Conv2dTiled`].
#[inline(always)]
pub(crate) fn conv2d<B: InnerLoops>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    op.check(tiles, activations, scratch)?;
    windows::<B, _>(op, numerics, tiles, [op.pair_words(); 2], false, activations, scratch)
}

/// All windows of a convolution; of the words of scratch memory so many are for windows and so many of these for two
/// pixels.
#[inline(always)]
fn windows<B: InnerLoops, P: TiledWeights>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    weights: &P,
    [window_words, pair_words]: [usize; 2],
    gathered: bool,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    let lost = ShapeError::Len { operand: "scratch", expected: window_words, got: scratch.len() };
    let (memory, patches) = scratch.split_at_mut_checked(window_words).ok_or(lost)?;
    weights.prepare::<B>(memory);
    let patches: &mut [i8] = bytemuck::try_cast_slice_mut(patches).map_err(|_| lost)?;
    let gather = Gather::new(op, numerics.input_zero_point);
    let (out_c, patch_len) = (op.conv.out_channels().get(), op.patch_len());
    let mut pixels = Pixels::new(op);
    // Where every window is one pixel and the next one the next pixel, there is nothing to find out.
    let pointwise = gather.direct.filter(|_| op.is_pointwise());
    let (mut at, mut place) = (0, 0);
    for _ in 0..op.conv.window.output_area() / 2 {
        let x = activations.x();
        let (from, places, rows): (&[i8], _, _) = if let Some(rows) = pointwise {
            let first = place;
            place += 2 * rows.len;
            (x, [first, first + rows.len], rows)
        } else {
            let (first, second) = (pixels.next(), pixels.next());
            let direct = gather.direct.filter(|_| !gathered);
            if let (Some(rows), Some(first), Some(second)) = (direct, first.whole, second.whole) {
                (x, [first, second], rows)
            } else {
                gather.patch::<B>(x, &first, patches);
                gather.patch::<B>(x, &second, patches.get_mut(patch_len..).unwrap_or_default());
                (patches, [0, patch_len], ByteRows { count: 1, len: patch_len, pitch: 0 })
            }
        };
        let pair = memory.get_mut(..pair_words).unwrap_or_default();
        weights.expand::<B>(from, places, rows, pair);
        let y = activations.y().get_mut(at..at + 2 * out_c).unwrap_or_default();
        weights.pair::<B>(numerics, pair, y);
        at += 2 * out_c;
    }
    if !op.conv.window.output_area().is_multiple_of(2) {
        let last = if pointwise.is_some() { Pixel { whole: Some(place), ..pixels.next() } } else { pixels.next() };
        // A group past the end of the patch may be overwritten; what the products work in comes after it.
        let after = (patch_len / size_of::<i32>() + 1).min(memory.len());
        gather.patch::<B>(activations.x(), &last, bytemuck::try_cast_slice_mut(memory).map_err(|_| lost)?);
        let (patch, memory) = memory.split_at_mut_checked(after).ok_or(lost)?;
        let patch: &[i8] = bytemuck::try_cast_slice(patch).map_err(|_| lost)?;
        let y = activations.y().get_mut(at..at + out_c).unwrap_or_default();
        weights.single::<B>(numerics, patch.get(..patch_len).unwrap_or_default(), memory, y);
    }
    Ok(())
}

/// A tiled dense layer; shapes at [`DenseTiled`].
#[inline(always)]
pub(crate) fn dense<B: InnerLoops>(
    op: &DenseTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    op.check(tiles, x.len(), y.len())?;
    B::tiles_single(tiles, numerics, x, y);
    Ok(())
}
