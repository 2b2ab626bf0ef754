//! The way of a tiled depthwise convolution through the image: one tile of four channels walks down it at a time.
//!
//! The rows in work lie in scratch memory with their padding, so borders cost nothing and the output may take the
//! input's place. A 3 × 3 kernel works on pairs of rows in 16 bits, the form that a dual multiply-accumulate takes.

use super::{Activations, BLOCK_WORDS, DepthwiseConv2dTiled, FILTERS, Tile};
use crate::error::ShapeError;
use crate::kernels::InnerLoops;
use crate::num::saturate_i8;
use crate::shape::Axis;

/// One tile of an operator.
#[derive(Debug)]
pub struct DepthwiseTile<'a> {
    pub(crate) op: &'a DepthwiseConv2dTiled,
    tile: Tile<'a>,
    /// First channel.
    pub(crate) first: usize,
    /// Channels, at most [`FILTERS`].
    pub(crate) lanes: usize,
}

/// [`DepthwiseConv2dTiled`] with the inner loops of a back end.
#[inline(always)]
pub(crate) fn depthwise_conv2d<B: InnerLoops>(
    op: &DepthwiseConv2dTiled,
    tiles: &[i32],
    memory: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    op.check(tiles.len(), scratch.len(), memory)?;
    let channels = op.channels().get();
    let mut first = 0;
    for tile in op.tiles(tiles)?.iter() {
        let work = DepthwiseTile { op, tile, first, lanes: channels.saturating_sub(first).min(FILTERS) };
        let done = op.pair_stride().and_then(|stride| work.pairs::<B>(stride, memory, scratch));
        if done.is_none() {
            work.taps(memory, scratch);
        }
        first += FILTERS;
    }
    let clamp = op.int8.clamp;
    if clamp.min > -128 || clamp.max < 127 {
        let y = memory.y().get_mut(..op.window.output_area() * channels).unwrap_or_default();
        y.iter_mut().for_each(|y| *y = saturate_i8(clamp.apply((*y).into())));
    }
    Ok(())
}

// Where code is scarce each is one function: joined, what they have in common is kept on the stack at length.
impl DepthwiseTile<'_> {
    #[inline(never)]
    fn pairs<B: InnerLoops>(&self, stride: usize, memory: &mut Activations<'_>, scratch: &mut [i32]) -> Option<()> {
        let (blocks, rings) = scratch.split_at_mut_checked(FILTERS * BLOCK_WORDS)?;
        let ring_len = FILTERS * self.op.seen_columns();
        let (upper, lower) = rings.split_at_mut_checked(ring_len)?;
        let lower = lower.get_mut(..ring_len)?;
        if self.first == 0 {
            // No tile writes the columns of the padding.
            let padding = self.op.int8.input_zero_point.into();
            upper.fill(halves(padding, padding));
            lower.fill(halves(padding, padding));
        }
        self.blocks(blocks);
        B::depthwise_tile(self, stride, blocks, [upper, lower], memory)
    }

    /// The constants of the tile in the form that [`InnerLoops::depthwise_tile`] takes.
    #[inline(never)]
    fn blocks(&self, blocks: &mut [i32]) {
        let &[w0, w1, w2, w3, w4, w5, w6, w7, w8] = self.tile.weights else { return };
        let rows = [[w0, w1, w2], [w3, w4, w5], [w6, w7, w8]];
        let twice = 2 * self.op.int8.output_zero_point + 1;
        let constants = self.tile.start.iter().zip(&self.tile.multipliers).enumerate();
        for (block, (f, (start, multiplier))) in blocks.chunks_exact_mut(BLOCK_WORDS).zip(constants) {
            let before = 24_u32.saturating_sub(8 * f as u32) & 31;
            let of = |word: i32| (word << before >> 24) * 2;
            let [upper, middle, lower] = rows.map(|row| row.map(of));
            let [u0, u1, u2] = upper;
            let [m0, m1, m2] = middle;
            let [l0, l1, l2] = lower;
            let exponent = u32::from(multiplier.exponent) & 31;
            let words = [
                start.wrapping_mul(2),
                halves(u0, m0),
                halves(u1, m1),
                halves(u2, m2),
                halves(m0, l0),
                halves(m1, l1),
                halves(m2, l2),
                (multiplier.mantissa_q32 >> 1) as i32,
                twice << exponent,
                exponent as i32,
            ];
            block.iter_mut().zip(words).for_each(|(slot, word)| *slot = word);
        }
    }

    /// The four bytes of a column of a row of the padded input; missing channels are 0.
    pub(crate) fn column(&self, x: &[i8], row: usize, column: usize) -> [i8; FILTERS] {
        let (rows, columns) = (&self.op.window.y, &self.op.window.x);
        let Some(row) = row.checked_sub(rows.pad_before()).filter(|&row| row < rows.input()) else {
            return [self.op.int8.input_zero_point; FILTERS];
        };
        let at = (row * columns.input() + column) * self.op.channels().get() + self.first;
        let rest = x.get(at..).unwrap_or_default();
        match rest.first_chunk() {
            Some(&four) => four,
            None => core::array::from_fn(|f| rest.get(f).copied().unwrap_or_default()),
        }
    }

    /// Any kernel: the rows that one output row sees lie in scratch memory, a word a column.
    #[inline(never)]
    fn taps(&self, memory: &mut Activations<'_>, scratch: &mut [i32]) {
        let (rows, columns, channels) = (&self.op.window.y, &self.op.window.x, self.op.channels().get());
        let plane = self.op.seen_columns();
        let at_once = self.op.rows_at_once();
        let padding = [self.op.int8.input_zero_point; FILTERS];
        let image = columns.pad_before()..columns.pad_before() + seen_input(columns, plane);
        let mut loaded = 0;
        for oy in 0..rows.output() {
            let top = oy * rows.stride();
            for row in loaded.max(top)..top + at_once {
                let Some(line) = ring_row_mut(scratch, row, at_once, plane) else { return };
                line.fill(word(padding));
                let image = line.get_mut(image.clone()).unwrap_or_default();
                image.iter_mut().enumerate().for_each(|(x, slot)| *slot = word(self.column(memory.x(), row, x)));
            }
            loaded = top + at_once;
            let Some(y) = memory.y().get_mut(oy * columns.output() * channels + self.first..) else { return };
            let mut x = 0;
            for y in y.chunks_mut(channels).take(columns.output()) {
                let mut acc = self.tile.start;
                for (ky, w) in self.tile.weights.chunks(columns.kernel().max(1)).enumerate() {
                    let line = ring_row(scratch, top + ky * rows.dilation(), at_once, plane);
                    let seen = line.get(x..).unwrap_or_default().iter().step_by(columns.dilation().max(1));
                    for (&x, &w) in seen.zip(w) {
                        let products = x.to_le_bytes().into_iter().zip(w.to_le_bytes());
                        for (acc, (x, w)) in acc.iter_mut().zip(products) {
                            *acc += (x as i8) as i32 * (w as i8) as i32;
                        }
                    }
                }
                let finished = acc.into_iter().zip(self.tile.multipliers).take(self.lanes);
                for (y, (acc, multiplier)) in y.iter_mut().zip(finished) {
                    *y = saturate_i8(multiplier.code(acc, self.op.int8.output_zero_point));
                }
                x += columns.stride();
            }
        }
    }
}

/// Columns of the image among the first `plane` columns of the padded input.
pub(crate) fn seen_input(columns: &Axis, plane: usize) -> usize {
    plane.saturating_sub(columns.pad_before()).min(columns.input())
}

/// The line of `row` in a ring of `rows` lines.
fn ring_row(ring: &[i32], row: usize, rows: usize, plane: usize) -> &[i32] {
    let start = row.checked_rem(rows).unwrap_or(0) * plane;
    ring.get(start..start + plane).unwrap_or_default()
}

fn ring_row_mut(ring: &mut [i32], row: usize, rows: usize, plane: usize) -> Option<&mut [i32]> {
    let start = row.checked_rem(rows)? * plane;
    ring.get_mut(start..start + plane)
}

fn word(bytes: [i8; FILTERS]) -> i32 {
    i32::from_le_bytes(bytes.map(|byte| byte as u8))
}

/// Two numbers of 16 bits as the halves of a word.
pub(crate) fn halves(low: i32, high: i32) -> i32 {
    (low & 0xFFFF) | high << 16
}
