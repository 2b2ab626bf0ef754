//! Depthwise convolution with weights in tiles: one tile of four channels walks down the image at a time.
//!
//! The rows in work lie in scratch memory with their padding, so borders cost nothing and the output may take the
//! input's place. A 3 × 3 kernel works on pairs of rows in 16 bits, the form that a dual multiply-accumulate takes.

use crate::error::ShapeError;
use crate::kernels::tiles::{Activations, BLOCK_WORDS, DepthwiseConv2dTiled, FILTERS, Tile};
use crate::num::{saturate_i8, saturating_rounding_doubling_high_mul as high_mul};
use crate::shape::Axis;

/// The part of one input row that belongs to a tile: byte `column * stride + f` is channel `f` of the tile.
#[derive(Clone, Copy)]
pub(crate) struct TileRow<'a> {
    /// From the first channel of the first column on; perhaps without the last column's missing channels.
    pub(crate) bytes: &'a [i8],
    /// 0 for a row of the padding: one column stands for all.
    pub(crate) stride: usize,
}

impl TileRow<'_> {
    /// The four bytes of `column`; missing channels are 0.
    fn column(&self, column: usize) -> [i8; FILTERS] {
        let rest = self.bytes.get(column * self.stride..).unwrap_or_default();
        match rest.first_chunk() {
            Some(&four) => four,
            None => core::array::from_fn(|f| rest.get(f).copied().unwrap_or_default()),
        }
    }
}

/// Where pairs and outputs of a tile lie.
#[derive(Clone, Copy)]
pub(crate) struct Strip {
    /// Columns of pairs between neighbouring channels.
    pub(crate) plane: usize,
    /// Columns of the padding before the image.
    pub(crate) pad_before: usize,
    /// Columns of the image that are seen.
    pub(crate) columns: usize,
    /// Channels of the tile.
    pub(crate) lanes: usize,
    /// Columns of outputs.
    pub(crate) outputs: usize,
    /// Elements from an output to the one in the next column.
    pub(crate) pixel: usize,
}

/// The inner loops of a 3 × 3 kernel over pairs of rows.
///
/// Pairs are `[channel: 4][column: plane]` words; the low half is the upper row. `blocks` are [`BLOCK_WORDS`] words a
/// channel: the start, three pairs of weights of the rows 0 and 1, three of the rows 1 and 2, mantissa, addend,
/// exponent, and four words that are the loop's own. Starts and weights are doubled.
pub(crate) trait PairRows {
    /// Widens two rows of a tile into the image's columns of `pairs`.
    fn widen(&self, strip: &Strip, rows: [TileRow<'_>; 2], pairs: &mut [i32]);

    /// Writes two rows of outputs at stride 1; the second starts `row` elements behind the first, and with `row` 0 it
    /// is overwritten by the first.
    fn two_rows(&self, strip: &Strip, blocks: &mut [i32], pairs: [&[i32]; 2], row: usize, y: &mut [i8]);

    /// Writes one row of outputs at stride 2.
    fn one_row(&self, strip: &Strip, blocks: &mut [i32], pairs: [&[i32]; 2], y: &mut [i8]);
}

/// [`DepthwiseConv2dTiled`] with these inner loops.
pub(crate) fn run(
    op: &DepthwiseConv2dTiled,
    inner: &impl PairRows,
    tiles: &[i32],
    memory: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    op.check(tiles.len(), scratch.len(), memory)?;
    let channels = op.channels().get();
    for (tile, first) in op.tiles(tiles)?.iter().zip((0..).step_by(FILTERS)) {
        let work = Work { op, tile, first, lanes: channels.saturating_sub(first).min(FILTERS) };
        match op.pair_stride() {
            Some(stride) => work.pairs(inner, stride, memory, scratch),
            None => work.taps(memory, scratch),
        }
    }
    let clamp = op.int8.clamp;
    if clamp.min > -128 || clamp.max < 127 {
        let y = memory.y().get_mut(..op.window.output_area() * channels).unwrap_or_default();
        y.iter_mut().for_each(|y| *y = saturate_i8(clamp.apply((*y).into())));
    }
    Ok(())
}

/// One tile of an operator.
struct Work<'a> {
    op: &'a DepthwiseConv2dTiled,
    tile: Tile<'a>,
    /// First channel.
    first: usize,
    lanes: usize,
}

impl Work<'_> {
    /// Row `row` of the padded input.
    fn row<'a>(&self, memory: &'a Activations<'_>, padding: &'a [i8; FILTERS], row: usize) -> TileRow<'a> {
        let (rows, columns) = (&self.op.window.y, &self.op.window.x);
        match row.checked_sub(rows.pad_before()).filter(|&row| row < rows.input()) {
            Some(row) => {
                let stride = self.op.channels().get();
                let bytes = memory.x().get(row * columns.input() * stride + self.first..).unwrap_or_default();
                TileRow { bytes, stride }
            }
            None => TileRow { bytes: padding, stride: 0 },
        }
    }

    fn pairs(&self, inner: &impl PairRows, stride: usize, memory: &mut Activations<'_>, scratch: &mut [i32]) {
        let Some((blocks, ring)) = scratch.split_at_mut_checked(FILTERS * BLOCK_WORDS) else { return };
        let (columns, plane) = (&self.op.window.x, self.op.seen_columns());
        let Some((mut upper, lower)) = ring.split_at_mut_checked(FILTERS * plane) else { return };
        let Some(mut lower) = lower.get_mut(..FILTERS * plane) else { return };
        let strip = Strip {
            plane,
            pad_before: columns.pad_before(),
            columns: seen_input(columns, plane),
            lanes: self.lanes,
            outputs: columns.output(),
            pixel: self.op.channels().get(),
        };
        let padding = [self.op.int8.input_zero_point; FILTERS];
        if self.first == 0 {
            let zero = pair(padding[0], padding[1]);
            upper.fill(zero);
            lower.fill(zero);
        }
        self.blocks(blocks);
        let output_rows = self.op.window.y.output();
        let row_len = columns.output() * strip.pixel;
        let two = |memory: &Activations<'_>, pairs: &mut [i32], row| {
            inner.widen(&strip, [self.row(memory, &padding, row), self.row(memory, &padding, row + 1)], pairs);
        };
        two(memory, upper, 0);
        let rows_at_once = if stride == 1 { 2 } else { 1 };
        for (oy, row) in (0..output_rows).step_by(rows_at_once).zip((2..).step_by(2)) {
            two(memory, lower, row);
            let Some(y) = memory.y().get_mut(oy * row_len + self.first..) else { return };
            if stride == 1 {
                let second = if oy + 1 < output_rows { row_len } else { 0 };
                inner.two_rows(&strip, blocks, [upper, lower], second, y);
            } else {
                inner.one_row(&strip, blocks, [upper, lower], y);
            }
            core::mem::swap(&mut upper, &mut lower);
        }
    }

    /// The constants of the tile in the form that [`PairRows`] takes.
    fn blocks(&self, blocks: &mut [i32]) {
        let &[w0, w1, w2, w3, w4, w5, w6, w7, w8] = self.tile.weights else { return };
        let rows = [[w0, w1, w2], [w3, w4, w5], [w6, w7, w8]].map(|row| row.map(i32::to_le_bytes));
        let twice = 2 * self.op.int8.output_zero_point + 1;
        let constants = self.tile.start.iter().zip(&self.tile.multipliers).enumerate();
        for (block, (f, (start, multiplier))) in blocks.chunks_exact_mut(BLOCK_WORDS).zip(constants) {
            let of = |word: [u8; 4]| 2 * i16::from(word.get(f).copied().unwrap_or_default() as i8);
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

    /// Any kernel: the rows that one output row sees lie in scratch memory, a word a column.
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
                let source = self.row(memory, &padding, row);
                let Some(line) = ring_row_mut(scratch, row, at_once, plane) else { return };
                line.fill(word(padding));
                let image = line.get_mut(image.clone()).unwrap_or_default();
                image.iter_mut().enumerate().for_each(|(x, slot)| *slot = word(source.column(x)));
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
fn seen_input(columns: &Axis, plane: usize) -> usize {
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

fn halves(low: i16, high: i16) -> i32 {
    low as u16 as i32 | (high as i32) << 16
}

fn pair(low: i8, high: i8) -> i32 {
    halves(low.into(), high.into())
}

fn low(pair: i32) -> i32 {
    pair << 16 >> 16
}

fn high(pair: i32) -> i32 {
    pair >> 16
}

/// [`PairRows`] in plain Rust.
pub(crate) struct Plain;

impl Plain {
    /// One output; `second` says which row.
    fn output(block: &[i32], upper: &[i32], lower: &[i32], second: bool) -> i8 {
        let &[start, u0, u1, u2, l0, l1, l2, mantissa, addend, exponent, ..] = block else { return 0 };
        let mut acc = start;
        for ((&upper, &lower), (u, l)) in upper.iter().zip(lower).zip([(u0, l0), (u1, l1), (u2, l2)]) {
            acc += if second {
                high(upper) * low(u) + low(lower) * low(l) + high(lower) * high(l)
            } else {
                low(upper) * low(u) + high(upper) * high(u) + low(lower) * high(l)
            };
        }
        let scaled = high_mul(acc >> 1, mantissa);
        saturate_i8(scaled.wrapping_add(scaled >> 31).wrapping_add(addend) >> (exponent & 31) >> 1)
    }

    fn outputs(strip: &Strip, blocks: &[i32], [upper, lower]: [&[i32]; 2], stride: usize, second: bool, y: &mut [i8]) {
        let plane = strip.plane.max(1);
        let channels = blocks.chunks_exact(BLOCK_WORDS).zip(upper.chunks_exact(plane)).zip(lower.chunks_exact(plane));
        for (f, ((block, upper), lower)) in channels.take(strip.lanes).enumerate() {
            for ox in 0..strip.outputs {
                let seen = ox * stride..ox * stride + 3;
                let (Some(upper), Some(lower)) = (upper.get(seen.clone()), lower.get(seen)) else { continue };
                if let Some(y) = y.get_mut(ox * strip.pixel + f) {
                    *y = Self::output(block, upper, lower, second);
                }
            }
        }
    }
}

impl PairRows for Plain {
    fn widen(&self, strip: &Strip, [upper, lower]: [TileRow<'_>; 2], pairs: &mut [i32]) {
        for x in 0..strip.columns {
            let both = upper.column(x).into_iter().zip(lower.column(x));
            for ((low, high), plane) in both.zip(pairs.chunks_exact_mut(strip.plane.max(1))) {
                if let Some(slot) = plane.get_mut(strip.pad_before + x) {
                    *slot = pair(low, high);
                }
            }
        }
    }

    fn two_rows(&self, strip: &Strip, blocks: &mut [i32], pairs: [&[i32]; 2], row: usize, y: &mut [i8]) {
        Self::outputs(strip, blocks, pairs, 1, true, y.get_mut(row..).unwrap_or_default());
        Self::outputs(strip, blocks, pairs, 1, false, y);
    }

    fn one_row(&self, strip: &Strip, blocks: &mut [i32], pairs: [&[i32]; 2], y: &mut [i8]) {
        Self::outputs(strip, blocks, pairs, 2, false, y);
    }
}

/// Depthwise convolution with weights in tiles; shapes and numerics at [`DepthwiseConv2dTiled`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length; the output is untouched.
pub fn depthwise_conv2d_tiled(
    op: &DepthwiseConv2dTiled,
    tiles: &[i32],
    memory: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    run(op, &Plain, tiles, memory, scratch)
}
