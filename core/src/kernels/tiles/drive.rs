//! The way of tiled convolutions through the input, two pixels at a time, shared by every back end's inner loops.

use super::conv2d::{Conv2dTiled, DenseTiled};
use super::filters::GROUP;
use super::rows::Rows as PresentRows;
use super::{Activations, Packed, TiledInt8, Tiles};
use crate::error::ShapeError;
use crate::shape::{Axis, TapRange, expect_len};
use core::num::NonZeroUsize;

/// Rows of bytes, all of one length, which is a multiple of [`GROUP`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// How many.
    pub count: usize,
    /// Bytes of each.
    pub len: usize,
    /// Bytes from the start of one to the start of the next.
    pub pitch: usize,
}

impl Rows {
    /// Bytes from the start of the first to the end of the last.
    pub(crate) const fn span(self) -> usize {
        self.count.saturating_sub(1) * self.pitch + self.len
    }
}

/// How one back end moves inputs. With operands that do not fit together it does nothing; the drivers have none.
pub trait Leaf: Sized {
    /// Expands `rows` from two places of `x` on to 16 bits, every group into four words: elements 0, 2 of the first
    /// place, the same of the second, elements 1, 3 of the first, the same of the second.
    fn expand(x: &[i8], places: [usize; 2], rows: Rows, pairs: &mut [i32]);

    /// Copies `rows` from the start of `x`, each `distance` bytes behind the one before; where that is less than their
    /// length, the next one overwrites the end.
    fn copy(x: &[i8], rows: Rows, distance: usize, patch: &mut [i8]);
}

/// The products of one packing of weights in the spelling of one back end. With operands that do not fit together they
/// do nothing; the drivers have none.
pub trait Products<L: Leaf> {
    /// Puts what all products of a layer need into its `memory`, before the first of them.
    #[inline]
    fn prepare(&self, _memory: &mut [i32]) {}

    /// Puts two windows into `memory`: as `L` expands them, where the packing does not want something else or more
    /// memory.
    #[inline]
    fn expand(&self, x: &[i8], places: [usize; 2], rows: Rows, memory: &mut [i32]) {
        L::expand(x, places, rows, memory);
    }

    /// All filters of two pixels that lie in `memory` as [`expand`](Self::expand) left them; `y: [2, filters]`.
    fn pair(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]);

    /// All filters of one input in whole groups, with `memory` to work in; `y: [filters]`.
    fn single(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]);
}

/// A convolution in any packing; shapes and numerics at [`Packed`].
#[inline(always)]
pub(crate) fn conv2d_packed<L: Leaf, P: Packed + Products<L>>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    packed: &P,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    packed.expect(op.conv.out_channels().get(), op.conv.filter_len())?;
    expect_len("scratch", packed.conv2d_scratch_words(op).max(scratch.len()), scratch.len())?;
    op.check_activations(activations)?;
    windows(op, numerics, packed, [packed.window_words(), packed.pair_words()], packed.gathers(), activations, scratch)
}

/// A dense layer in any packing; shapes and numerics at [`Packed`].
#[inline(always)]
pub(crate) fn dense_packed<L: Leaf, P: Packed + Products<L>>(
    numerics: &TiledInt8,
    packed: &P,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    packed.expect(y.len(), x.len())?;
    let lost = ShapeError::Len { operand: "scratch", expected: packed.dense_scratch_words(), got: scratch.len() };
    let (memory, padded) = scratch.split_at_mut_checked(packed.single_words()).ok_or(lost)?;
    packed.prepare(memory);
    if packed.patch_len() == x.len() {
        packed.single(numerics, x, memory, y);
        return Ok(());
    }
    // Inputs that are no whole groups are copied to where they can be read as such.
    let padded: &mut [i8] = bytemuck::try_cast_slice_mut(padded).map_err(|_| lost)?;
    let padded = padded.get_mut(..packed.patch_len()).ok_or(lost)?;
    padded.iter_mut().zip(x).for_each(|(to, &from)| *to = from);
    packed.single(numerics, padded, memory, y);
    Ok(())
}

/// [`Products::pair`] of filters of which some are missing: the others' outputs first lie behind the pixels.
#[inline]
pub(crate) fn pair_rows<'a, L: Leaf>(present: &PresentRows<'a>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8])
where
    Tiles<'a>: Products<L>,
{
    let count = present.rows().len();
    let Some((pairs, compact)) = memory.split_at_mut_checked(present.patch_len()) else { return };
    let Ok(compact) = bytemuck::try_cast_slice_mut::<i32, i8>(compact) else { return };
    let Some(compact) = compact.get_mut(..2 * count) else { return };
    present.tiles.pair(numerics, pairs, compact);
    let (first, second) = y.split_at_mut_checked(y.len() / 2).unwrap_or_default();
    present.scatter(compact, first);
    present.scatter(compact.get(count..).unwrap_or_default(), second);
}

/// [`Products::single`] of filters of which some are missing.
#[inline]
pub(crate) fn single_rows<'a, L: Leaf>(
    present: &PresentRows<'a>,
    numerics: &TiledInt8,
    x: &[i8],
    memory: &mut [i32],
    y: &mut [i8],
) where
    Tiles<'a>: Products<L>,
{
    let Ok(compact) = bytemuck::try_cast_slice_mut::<i32, i8>(memory) else { return };
    let Some(compact) = compact.get_mut(..present.rows().len()) else { return };
    present.tiles.single(numerics, x, &mut [], compact);
    present.scatter(compact, y);
}

/// A tiled convolution; shapes at [`Conv2dTiled`].
#[inline(always)]
pub(crate) fn conv2d<'a, L: Leaf>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'a>,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError>
where
    Tiles<'a>: Products<L>,
{
    op.check(tiles, activations, scratch)?;
    windows(op, numerics, tiles, [op.pair_words(); 2], false, activations, scratch)
}

/// All windows of a convolution; of the words of scratch memory so many are for windows and so many of these for two
/// pixels.
#[inline(always)]
fn windows<L: Leaf, P: Products<L>>(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    products: &P,
    [window_words, pair_words]: [usize; 2],
    gathered: bool,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    let lost = ShapeError::Len { operand: "scratch", expected: window_words, got: scratch.len() };
    let (memory, patches) = scratch.split_at_mut_checked(window_words).ok_or(lost)?;
    products.prepare(memory);
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
                gather.patch::<L>(x, &first, patches);
                gather.patch::<L>(x, &second, patches.get_mut(patch_len..).unwrap_or_default());
                (patches, [0, patch_len], Rows { count: 1, len: patch_len, pitch: 0 })
            }
        };
        let pair = memory.get_mut(..pair_words).unwrap_or_default();
        products.expand(from, places, rows, pair);
        let y = activations.y().get_mut(at..at + 2 * out_c).unwrap_or_default();
        products.pair(numerics, pair, y);
        at += 2 * out_c;
    }
    if !op.conv.window.output_area().is_multiple_of(2) {
        let last = if pointwise.is_some() { Pixel { whole: Some(place), ..pixels.next() } } else { pixels.next() };
        // A group behind the patch may be overwritten; what the products work in comes after it.
        let behind = (patch_len / size_of::<i32>() + 1).min(memory.len());
        gather.patch::<L>(activations.x(), &last, bytemuck::try_cast_slice_mut(memory).map_err(|_| lost)?);
        let (patch, memory) = memory.split_at_mut_checked(behind).ok_or(lost)?;
        let patch: &[i8] = bytemuck::try_cast_slice(patch).map_err(|_| lost)?;
        let y = activations.y().get_mut(at..at + out_c).unwrap_or_default();
        products.single(numerics, patch.get(..patch_len).unwrap_or_default(), memory, y);
    }
    Ok(())
}

/// A tiled dense layer; shapes at [`DenseTiled`].
#[inline(always)]
pub(crate) fn dense<'a, L: Leaf>(
    op: &DenseTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'a>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError>
where
    Tiles<'a>: Products<L>,
{
    op.check(tiles, x.len(), y.len())?;
    tiles.single(numerics, x, &mut [], y);
    Ok(())
}

/// One output pixel and what of the input lies under its window.
#[derive(Debug, Clone, Copy)]
struct Pixel {
    /// Its column.
    ox: usize,
    /// Taps of its row.
    rows: TapRange,
    /// The first element under the window if no tap is in the padding.
    whole: Option<usize>,
}

/// The pixels of an output in order.
struct Pixels<'a> {
    rows: &'a Axis,
    columns: &'a Axis,
    in_c: usize,
    oy: usize,
    ox: usize,
    taps: TapRange,
    /// Columns whose taps are all inside the input.
    inside: core::ops::Range<usize>,
}

impl<'a> Pixels<'a> {
    fn new(op: &'a Conv2dTiled) -> Self {
        let (rows, columns) = (&op.conv.window.y, &op.conv.window.x);
        let stride = NonZeroUsize::MIN.saturating_add(columns.stride() - 1);
        let extent = (columns.kernel() - 1) * columns.dilation() + 1;
        let last = (columns.input() + columns.pad_before()).checked_sub(extent);
        let inside = columns.pad_before().div_ceil(stride.get())..last.map_or(0, |last| last / stride + 1);
        Self { rows, columns, in_c: op.conv.in_channels().get(), oy: 0, ox: 0, taps: rows.taps(0), inside }
    }

    /// The next pixel; behind the last one it means nothing.
    #[cfg_attr(arm_dsp, inline(never))]
    #[cfg_attr(not(arm_dsp), inline(always))]
    fn next(&mut self) -> Pixel {
        let whole = (self.inside.contains(&self.ox) && self.taps.len == self.rows.kernel()).then(|| {
            let column = (self.ox * self.columns.stride()).wrapping_sub(self.columns.pad_before());
            (self.taps.input_start * self.columns.input()).wrapping_add(column).wrapping_mul(self.in_c)
        });
        let pixel = Pixel { ox: self.ox, rows: self.taps, whole };
        self.ox += 1;
        if self.ox == self.columns.output() {
            self.ox = 0;
            self.oy += 1;
            self.taps = self.rows.taps(self.oy);
        }
        pixel
    }
}

/// How the input under a window is collected; the same for every pixel.
struct Gather<'a> {
    rows: &'a Axis,
    columns: &'a Axis,
    in_c: usize,
    zero_point: i8,
    patch_len: usize,
    /// Rows of a whole window where they need not be copied together.
    direct: Option<Rows>,
    /// Rows of a whole window in whole groups, and elements from one to the next in a patch.
    copied: Option<(Rows, usize)>,
}

impl<'a> Gather<'a> {
    fn new(op: &'a Conv2dTiled, zero_point: i8) -> Self {
        let (rows, columns) = (&op.conv.window.y, &op.conv.window.x);
        let in_c = op.conv.in_channels().get();
        let len = columns.kernel() * in_c;
        let whole = Rows { count: rows.kernel(), len, pitch: rows.dilation() * columns.input() * in_c };
        let copied = Rows { len: len.next_multiple_of(GROUP), ..whole };
        Self {
            rows,
            columns,
            in_c,
            zero_point,
            patch_len: op.patch_len(),
            direct: op.is_direct().then_some(whole),
            copied: op.has_whole_rows().then_some((copied, len)),
        }
    }

    /// Copies the input under a window together, the zero point where a tap is in the padding. Behind the patch a group
    /// may be overwritten.
    fn patch<L: Leaf>(&self, x: &[i8], pixel: &Pixel, patch: &mut [i8]) {
        if let (Some(start), Some((rows, distance))) = (pixel.whole, self.copied) {
            // Close to the end of the memory there may be nothing to read too much.
            let x = x.get(start..).unwrap_or_default();
            if rows.span() <= x.len() {
                return L::copy(x, rows, distance, patch);
            }
        }
        let patch = patch.get_mut(..self.patch_len).unwrap_or_default();
        patch.fill(self.zero_point);
        let columns = self.columns.taps(pixel.ox);
        let (rows, x_pitch) = (pixel.rows.len, self.rows.dilation() * self.columns.input() * self.in_c);
        let patch_pitch = self.columns.kernel() * self.in_c;
        let (runs, len) = match self.copied {
            Some(_) => (1, columns.len * self.in_c),
            None => (columns.len, self.in_c),
        };
        for run in 0..runs {
            let ix = columns.input_start + run * self.columns.dilation();
            let x_at = (pixel.rows.input_start * self.columns.input() + ix) * self.in_c;
            let patch_at = pixel.rows.kernel_start * patch_pitch + (columns.kernel_start + run) * self.in_c;
            let (Some(x), Some(patch)) = (x.get(x_at..), patch.get_mut(patch_at..)) else { return };
            // Whole groups, then the rest of each row.
            let groups = len - len % GROUP;
            L::copy(x, Rows { count: rows, len: groups, pitch: x_pitch }, patch_pitch, patch);
            if groups < len {
                for row in 0..rows {
                    for at in groups..len {
                        if let (Some(to), Some(&from)) =
                            (patch.get_mut(row * patch_pitch + at), x.get(row * x_pitch + at))
                        {
                            *to = from;
                        }
                    }
                }
            }
        }
    }
}
