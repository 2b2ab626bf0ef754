//! Which inner loops of a back end each form of weights takes.

use super::drive::ByteRows;
use super::{Blocks, Codebook, Int4, Kept, Packed, Rows, Taps, TiledInt8, Tiles};
use crate::kernels::InnerLoops;

/// Weights in tiles or in a packing of them, as the operators walk over them: [`expand`](Self::expand) and
/// [`pair`](Self::pair) for two pixels at a time, [`single`](Self::single) for one input.
pub trait TiledWeights {
    /// Puts what all products of a layer need into its `memory`, before the first of them.
    #[inline]
    fn prepare<B: InnerLoops>(&self, _memory: &mut [i32]) {}

    /// Puts two windows into `memory`.
    #[inline]
    fn expand<B: InnerLoops>(&self, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        B::expand(x, places, rows, memory);
    }

    /// All filters of two pixels that lie in `memory` as [`expand`](Self::expand) left them; `y: [2, filters]`.
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]);

    /// All filters of one input in whole groups, with `memory` to work in; `y: [filters]`.
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]);
}

impl TiledWeights for Tiles<'_> {
    #[inline]
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        B::tiles_pair(self, numerics, memory, y);
    }

    #[inline]
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        B::tiles_single(self, numerics, x, y);
    }
}

impl TiledWeights for Blocks<'_> {
    #[inline]
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        B::blocks_pair(self, numerics, memory, y);
    }

    #[inline]
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        B::blocks_single(self, numerics, x, y);
    }
}

impl TiledWeights for Taps<'_> {
    #[inline]
    fn expand<B: InnerLoops>(&self, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        B::taps_expand(self, x, places, rows, memory);
    }

    #[inline]
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        B::taps_pair(self, numerics, memory, y);
    }

    #[inline]
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        B::taps_single(self, numerics, x, memory, y);
    }
}

impl TiledWeights for Int4<'_> {
    #[inline]
    fn expand<B: InnerLoops>(&self, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        B::int4_expand(self, x, places, rows, memory);
    }

    #[inline]
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        B::int4_pair(self, numerics, memory, y);
    }

    #[inline]
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        B::int4_single(self, numerics, x, y);
    }
}

impl TiledWeights for Codebook<'_> {
    #[inline]
    fn prepare<B: InnerLoops>(&self, memory: &mut [i32]) {
        B::codebook_prepare(self, memory);
    }

    #[inline]
    fn expand<B: InnerLoops>(&self, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        B::expand(x, places, rows, memory.get_mut(..self.patch_len()).unwrap_or_default());
    }

    #[inline]
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        B::codebook_pair(self, numerics, memory, y);
    }

    #[inline]
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        B::codebook_single(self, numerics, x, memory, y);
    }
}

/// The inputs at the positions that are kept; the products are those of dense tiles.
impl TiledWeights for Kept<'_> {
    #[inline]
    fn expand<B: InnerLoops>(&self, x: &[i8], places: [usize; 2], _: ByteRows, memory: &mut [i32]) {
        B::kept_expand(self, x, places, memory);
    }

    #[inline]
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        B::tiles_pair(&self.tiles, numerics, memory, y);
    }

    #[inline(never)]
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        let Ok(kept) = bytemuck::try_cast_slice_mut::<i32, i8>(memory) else { return };
        let Some(kept) = kept.get_mut(..self.positions().len()) else { return };
        for (to, &position) in kept.iter_mut().zip(self.positions()) {
            *to = x.get(position as usize).copied().unwrap_or_default();
        }
        B::tiles_single(&self.tiles, numerics, kept, y);
    }
}

/// Dense tiles of the filters that are there; their outputs first lie in `memory`, after the pixels.
impl TiledWeights for Rows<'_> {
    #[inline]
    fn expand<B: InnerLoops>(&self, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
        B::expand(x, places, rows, memory.get_mut(..self.patch_len()).unwrap_or_default());
    }

    #[inline]
    fn pair<B: InnerLoops>(&self, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
        let count = self.rows().len();
        let Some((pairs, compact)) = memory.split_at_mut_checked(self.patch_len()) else { return };
        let Ok(compact) = bytemuck::try_cast_slice_mut::<i32, i8>(compact) else { return };
        let Some(compact) = compact.get_mut(..2 * count) else { return };
        B::tiles_pair(&self.tiles, numerics, pairs, compact);
        let (first, second) = y.split_at_mut_checked(y.len() / 2).unwrap_or_default();
        self.scatter(compact, first);
        self.scatter(compact.get(count..).unwrap_or_default(), second);
    }

    #[inline]
    fn single<B: InnerLoops>(&self, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
        let Ok(compact) = bytemuck::try_cast_slice_mut::<i32, i8>(memory) else { return };
        let Some(compact) = compact.get_mut(..self.rows().len()) else { return };
        B::tiles_single(&self.tiles, numerics, x, compact);
        self.scatter(compact, y);
    }
}
