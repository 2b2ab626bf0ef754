//! int8 pooling: four neighbouring channels a word.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::error::ShapeError;
use crate::kernels::reference::PoolElement;
use crate::kernels::{Clamp, Pool2d};
use core::arch::global_asm;

/// Channels of a word.
const CHANNELS: usize = 4;

/// Channels whose sums are held at a time.
const BLOCK: usize = 8;

/// Taps whose sum of codes fits 16 bits.
const MAX_TAPS: usize = 256;

/// Words of four channels under a window position.
#[repr(C)]
struct Patch {
    /// First channel of the first tap.
    x: *const i8,
    /// Where the results go, and their end.
    to: *mut i32,
    to_end: *const i32,
    /// Bytes from a column to the next, and from the end of a row to the next.
    pixel_bytes: usize,
    row_gap_bytes: usize,
    rows: usize,
    columns: usize,
}

// r0-r6 the patch; r7 tap, r8 rows and r10 columns that are left, r9 (r11) result, r12 word.
global_asm!(
    ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
    r#"
.macro niwaki_pool name, start, tap, finish
.section .text.\name,"ax",%progbits
.global \name
.type \name, %function
.thumb_func
.balign 4
\name:
    push {{r4-r11, lr}}
    ldm r0, {{r0-r6}}
1:  mov r7, r0
    mov r8, r5
    \start
2:  mov r10, r6
3:  ldr r12, [r7]
    add r7, r7, r3
    \tap
    subs r10, r10, #1
    bne 3b
    add r7, r7, r4
    subs r8, r8, #1
    bne 2b
    \finish
    add r0, r0, #4
    cmp r1, r2
    blo 1b
    pop {{r4-r11, pc}}
.endm

.macro niwaki_max_start
    mov r9, #0x80808080
.endm
.macro niwaki_max_tap
    ssub8 lr, r9, r12
    sel r9, r9, r12
.endm
.macro niwaki_max_finish
    str r9, [r1], #4
.endm
    niwaki_pool niwaki_pool_max, niwaki_max_start, niwaki_max_tap, niwaki_max_finish

.macro niwaki_sum_start
    mov r9, #0
    mov r11, #0
.endm
.macro niwaki_sum_tap
    sxtab16 r9, r9, r12
    sxtab16 r11, r11, r12, ror #8
.endm
.macro niwaki_sum_finish
    strd r9, r11, [r1], #8
.endm
    niwaki_pool niwaki_pool_sum, niwaki_sum_start, niwaki_sum_tap, niwaki_sum_finish
.text
"#
);

unsafe extern "C" {
    /// Writes the largest of each channel, one word for every four channels.
    fn niwaki_pool_max(patch: *const Patch);
    /// Writes the sums of the channels 0 and 2, then of 1 and 3, in 16 bits each, two words for every four channels.
    fn niwaki_pool_sum(patch: *const Patch);
}

/// The taps inside the input under one window.
#[derive(Clone, Copy)]
struct Window {
    /// Element of the first tap's channel 0.
    start: usize,
    rows: usize,
    columns: usize,
}

impl Window {
    /// The largest of `y.len()` channels from 0 on, which are whole words.
    fn max(self, op: &Pool2d, x: &[i8], y: &mut [i8]) -> Option<()> {
        let to = y.as_mut_ptr_range();
        let patch = self.patch(op, x, y.len(), to.start.cast(), to.end.cast_const().cast())?;
        // SAFETY: `patch` proved what is read; the code writes one word for each word of `y`.
        unsafe { niwaki_pool_max(&patch) }
        Some(())
    }

    /// Writes the sums of the channels from `first` on, those of 0 and 2 and of 1 and 3 in 16 bits each, for every four.
    fn sum(self, op: &Pool2d, x: &[i8], first: usize, sums: &mut [[i32; 2]]) -> Option<()> {
        let channels = sums.len() * CHANNELS;
        let to = sums.as_mut_ptr_range();
        let window = Self { start: self.start + first, ..self };
        let patch = window.patch(op, x, channels, to.start.cast(), to.end.cast_const().cast())?;
        // SAFETY: `patch` proved what is read; the code writes two words for every four channels, all of `sums`.
        unsafe { niwaki_pool_sum(&patch) }
        Some(())
    }

    /// The operands of the code, if all that it reads for `channels` channels lies in `x` and there are taps.
    fn patch(self, op: &Pool2d, x: &[i8], channels: usize, to: *mut i32, to_end: *const i32) -> Option<Patch> {
        let pixel = op.channels().get();
        let row = op.window.x.input() * pixel;
        let last = self.start + self.rows.checked_sub(1)? * row + self.columns.checked_sub(1)? * pixel;
        let inside = channels >= CHANNELS && last + channels <= x.len();
        inside.then(|| Patch {
            x: x.as_ptr().wrapping_add(self.start),
            to,
            to_end,
            pixel_bytes: pixel,
            row_gap_bytes: row.wrapping_sub(self.columns * pixel),
            rows: self.rows,
            columns: self.columns,
        })
    }

    /// Folds channel `channel`.
    fn fold(self, op: &Pool2d, x: &[i8], channel: usize, start: i32, fold: impl Fn(i32, i32) -> i32) -> i32 {
        let pixel = op.channels().get();
        let mut folded = start;
        for row in 0..self.rows {
            let from = self.start + row * op.window.x.input() * pixel + channel;
            let taps = x.get(from..).unwrap_or_default().iter().step_by(pixel).take(self.columns);
            folded = taps.fold(folded, |folded, &x| fold(folded, x.into()));
        }
        folded
    }
}

/// Calls `write(window, outputs of its channels)` for every window.
fn for_each(op: &Pool2d, y: &mut [i8], mut write: impl FnMut(Window, &mut [i8])) {
    let channels = op.channels().get();
    let mut pixels = y.chunks_exact_mut(channels);
    for oy in 0..op.window.y.output() {
        let rows = op.window.y.taps(oy);
        for ox in 0..op.window.x.output() {
            let columns = op.window.x.taps(ox);
            let Some(y) = pixels.next() else { return };
            let start = (rows.input_start * op.window.x.input() + columns.input_start) * channels;
            write(Window { start, rows: rows.len, columns: columns.len }, y);
        }
    }
}

/// [`BackEnd::max_pool2d_int8`](crate::kernels::BackEnd::max_pool2d_int8)
#[inline(always)]
pub(super) fn max_pool2d(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    for_each(op, y, |window, y| {
        let whole = y.len() / CHANNELS * CHANNELS;
        let done = y.get_mut(..whole).and_then(|y| window.max(op, x, y)).map_or(0, |()| whole);
        for (channel, y) in y.iter_mut().enumerate().skip(done) {
            *y = crate::num::saturate_i8(window.fold(op, x, channel, i8::LOWEST.into(), i32::max));
        }
    });
    if clamp.min > i8::MIN || clamp.max < i8::MAX {
        y.iter_mut().for_each(|y| *y = clamp.apply(*y));
    }
    Ok(())
}

/// [`BackEnd::average_pool2d_int8`](crate::kernels::BackEnd::average_pool2d_int8)
#[inline(always)]
pub(super) fn average_pool2d(op: &Pool2d, clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    // The sums of more taps do not fit the halves of a word.
    let in_halves = op.window.kernel_area() <= MAX_TAPS;
    op.check(x.len(), y.len())?;
    for_each(op, y, |window, y| {
        let taps = window.rows * window.columns;
        let mut first = 0;
        for y in y.chunks_mut(BLOCK) {
            let mut sums = [[0; 2]; BLOCK / CHANNELS];
            let words = sums.get_mut(..y.len() / CHANNELS).filter(|_| in_halves).unwrap_or_default();
            let whole = window.sum(op, x, first, words).map_or(0, |()| words.len() * CHANNELS);
            for (f, y) in y.iter_mut().enumerate() {
                let sum = if f < whole {
                    let [even, odd] = sums.get(f / CHANNELS).copied().unwrap_or_default();
                    let pair = if f.is_multiple_of(2) { even } else { odd };
                    if f % CHANNELS < 2 { pair << 16 >> 16 } else { pair >> 16 }
                } else {
                    window.fold(op, x, first + f, 0, i32::wrapping_add)
                };
                *y = clamp.apply(i8::mean(sum, taps));
            }
            first += BLOCK;
        }
    });
    Ok(())
}
