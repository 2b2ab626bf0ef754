//! 3 × 3 depthwise convolution of a tile over pairs of rows.

use crate::kernels::tiles::depthwise_drive::{DepthwiseTile, halves, seen_input};
use crate::kernels::tiles::{Activations, BLOCK_WORDS};
use crate::num::{saturate_i8, saturating_rounding_doubling_high_mul as high_mul};

fn low(pair: i32) -> i32 {
    pair << 16 >> 16
}

fn high(pair: i32) -> i32 {
    pair >> 16
}

/// Widens two rows of the padded input into the image's columns of a ring.
fn widen(work: &DepthwiseTile<'_>, row: usize, ring: &mut [i32], memory: &Activations<'_>) {
    let (columns, plane) = (&work.op.window.x, work.op.seen_columns());
    for x in 0..seen_input(columns, plane) {
        let [upper, lower] = [row, row + 1].map(|row| work.column(memory.x(), row, x));
        for ((low, high), plane) in upper.into_iter().zip(lower).zip(ring.chunks_exact_mut(plane.max(1))) {
            if let Some(slot) = plane.get_mut(columns.pad_before() + x) {
                *slot = halves(low.into(), high.into());
            }
        }
    }
}

/// One output of the upper or the second row.
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

/// [`InnerLoops::depthwise_tile`](crate::kernels::InnerLoops::depthwise_tile)
pub(crate) fn tile(
    work: &DepthwiseTile<'_>,
    stride: usize,
    blocks: &mut [i32],
    [mut upper, mut lower]: [&mut [i32]; 2],
    memory: &mut Activations<'_>,
) -> Option<()> {
    let (op, plane) = (work.op, work.op.seen_columns().max(1));
    let (output_rows, outputs, channels) = (op.window.y.output(), op.window.x.output(), op.channels().get());
    let rows_at_once = if stride == 1 { 2 } else { 1 };
    widen(work, 0, upper, memory);
    for (oy, row) in (0..output_rows).step_by(rows_at_once).zip((2..).step_by(2)) {
        widen(work, row, lower, memory);
        for oy in oy..output_rows.min(oy + rows_at_once) {
            let planes = blocks.chunks_exact(BLOCK_WORDS).zip(upper.chunks_exact(plane)).zip(lower.chunks_exact(plane));
            for (f, ((block, upper), lower)) in planes.take(work.lanes).enumerate() {
                for ox in 0..outputs {
                    let seen = ox * stride..ox * stride + 3;
                    let (Some(upper), Some(lower)) = (upper.get(seen.clone()), lower.get(seen)) else { continue };
                    let second = stride == 1 && row != oy + 2;
                    if let Some(y) = memory.y().get_mut((oy * outputs + ox) * channels + work.first + f) {
                        *y = output(block, upper, lower, second);
                    }
                }
            }
        }
        core::mem::swap(&mut upper, &mut lower);
    }
    Some(())
}
