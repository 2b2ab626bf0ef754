//! int8 pooling: four neighbouring channels a word.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::error::ShapeError;
use crate::kernels::portable;
use crate::kernels::reference::PoolElement;
use crate::kernels::{Clamp, Pool2d};
use crate::shape::Taps;
use core::arch::asm;
use core::num::NonZeroUsize;

/// Channels of a word.
const CHANNELS: usize = 4;

/// Taps whose sum of codes fits 16 bits.
const MAX_TAPS: usize = 256;

/// The two sums of 16 bits in `sums` plus bytes 0 and 2 of `x`.
#[inline(always)]
fn add_even(mut sums: i32, x: i32) -> i32 {
    // SAFETY: works on two registers.
    unsafe { asm!("sxtab16 {0}, {0}, {1}", inout(reg) sums, in(reg) x, options(pure, nomem, nostack)) }
    sums
}

/// The two sums of 16 bits in `sums` plus bytes 1 and 3 of `x`.
#[inline(always)]
fn add_odd(mut sums: i32, x: i32) -> i32 {
    // SAFETY: works on two registers.
    unsafe { asm!("sxtab16 {0}, {0}, {1}, ror #8", inout(reg) sums, in(reg) x, options(pure, nomem, nostack)) }
    sums
}

/// The larger of each pair of bytes.
#[inline(always)]
fn largest(mut a: i32, b: i32) -> i32 {
    // SAFETY: works on three registers and the flags, which `asm!` takes as overwritten.
    unsafe {
        asm!("ssub8 {1}, {0}, {2}", "sel {0}, {0}, {2}", inout(reg) a, out(reg) _, in(reg) b, options(pure, nomem, nostack))
    }
    a
}

/// The words of four channels under a window position.
struct Patch<'a> {
    x: &'a [i8],
    /// Elements from a column to the next.
    pixel: NonZeroUsize,
    /// Elements from a row to the next.
    row: usize,
    rows: usize,
    columns: usize,
}

impl Patch<'_> {
    /// Calls `visit` for every word, row by row.
    #[inline(always)]
    fn for_each(&self, mut visit: impl FnMut(i32)) {
        let row_len = self.columns.saturating_sub(1) * self.pixel.get() + CHANNELS;
        for row in 0..self.rows {
            let from = row * self.row;
            let words = self.x.get(from..from + row_len).unwrap_or_default().chunks(self.pixel.get());
            words.filter_map(|pixel| pixel.first_chunk()).for_each(|&four| visit(word(four)));
        }
    }
}

fn word(bytes: [i8; CHANNELS]) -> i32 {
    i32::from_le_bytes(bytes.map(|byte| byte as u8))
}

/// Writes `fold(words under the window, taps)` for every window; what is left of the channels behind the last word is
/// computed by `rest(window's rows, window's columns, channel)`.
#[inline(always)]
fn pool(
    op: &Pool2d,
    clamp: Clamp<i8>,
    x: &[i8],
    y: &mut [i8],
    fold: impl Fn(&Patch<'_>) -> [i8; CHANNELS],
    rest: impl Fn(&mut dyn Iterator<Item = i8>, usize) -> i8,
) {
    let (pixel, row) = (op.channels(), op.window.x.input() * op.channels().get());
    let start = |rows: Taps, columns: Taps| rows.input_start * row + columns.input_start * pixel.get();
    let mut pixels = y.chunks_exact_mut(pixel.get());
    for oy in 0..op.window.y.output() {
        let rows = op.window.y.taps(oy);
        for ox in 0..op.window.x.output() {
            let columns = op.window.x.taps(ox);
            let Some(y) = pixels.next() else { return };
            let mut first = start(rows, columns);
            let mut outputs = y.chunks_exact_mut(CHANNELS);
            for y in outputs.by_ref() {
                let x = x.get(first..).unwrap_or_default();
                let patch = Patch { x, pixel, row, rows: rows.len, columns: columns.len };
                y.iter_mut().zip(fold(&patch)).for_each(|(y, value)| *y = clamp.apply(value));
                first += CHANNELS;
            }
            for y in outputs.into_remainder() {
                let taps = (0..rows.len).flat_map(|ky| (0..columns.len).map(move |kx| ky * row + kx * pixel.get()));
                let mut values = taps.filter_map(|tap| x.get(first + tap)).copied();
                *y = clamp.apply(rest(&mut values, rows.len * columns.len));
                first += 1;
            }
        }
    }
}

/// [`portable::max_pool2d_int8`]'s twin.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn max_pool2d_int8(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let fold = |patch: &Patch<'_>| {
        let mut word = word([i8::LOWEST; CHANNELS]);
        patch.for_each(|x| word = largest(word, x));
        word.to_le_bytes().map(|byte| byte as i8)
    };
    pool(op, clamp, x, y, fold, |values, _| values.max().unwrap_or(i8::LOWEST));
    Ok(())
}

/// [`portable::average_pool2d_int8`]'s twin.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn average_pool2d_int8(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    if op.window.kernel_area() > MAX_TAPS {
        return portable::average_pool2d_int8(op, clamp, x, y);
    }
    op.check(x.len(), y.len())?;
    let fold = |patch: &Patch<'_>| {
        let (mut even, mut odd) = (0, 0);
        patch.for_each(|x| {
            even = add_even(even, x);
            odd = add_odd(odd, x);
        });
        let taps = patch.rows * patch.columns;
        [even << 16 >> 16, odd << 16 >> 16, even >> 16, odd >> 16].map(|sum| i8::mean(sum, taps))
    };
    pool(op, clamp, x, y, fold, |values, taps| i8::mean(values.fold(0, |sum, x| x.add_to(sum)), taps));
    Ok(())
}
