//! What the inner loops over records of four filters share: how they are called, and products with a record.
//!
//! The functions take a [`Pass`]. They begin with `push {r0-r11, lr}`, so that it lies on the stack from `sp` on, its
//! second part after the saved registers: x 0, x_end 4, tiles 8, zero_point 12, r4-r11 and lr, y 52, pitch 56,
//! y_last 60, clamps 64, min 68, max 72, last 76. A record starts at label 2.

use crate::kernels::tiles::{FILTERS, TiledInt8};
use crate::num::saturate_i8;

/// Everything that a loop over the records of one or two inputs needs.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Pass {
    /// The input.
    pub(super) x: *const i8,
    /// Its end.
    pub(super) x_end: *const i8,
    /// The first record.
    pub(super) tiles: *const i32,
    /// `2 * output_zero_point + 1`
    zero_point: i32,
    /// Outputs of the first input.
    y: *mut i8,
    /// From there to the outputs of the second.
    pitch: usize,
    /// Outputs of the last record.
    y_last: *mut i8,
    /// Whether `min` and `max` cut anything off.
    clamps: i32,
    /// The smallest output, four times.
    min: [i8; FILTERS],
    /// The largest output, four times.
    max: [i8; FILTERS],
    /// Filters of the last record.
    last: usize,
}

impl Pass {
    /// With outputs `[inputs, filters]` at `y`, where `filters` is not zero.
    #[inline]
    pub(super) fn new<T>(numerics: &TiledInt8, x: &[T], tiles: &[i32], y: *mut i8, filters: usize) -> Self {
        let (min, max) = (saturate_i8(numerics.clamp.min), saturate_i8(numerics.clamp.max));
        let before = filters.saturating_sub(1) / FILTERS * FILTERS;
        let x = x.as_ptr_range();
        Self {
            x: x.start.cast(),
            x_end: x.end.cast(),
            tiles: tiles.as_ptr(),
            zero_point: 2 * numerics.output_zero_point + 1,
            y,
            pitch: filters,
            y_last: y.wrapping_add(before),
            clamps: i32::from(min > i8::MIN || max < i8::MAX),
            min: [min; FILTERS],
            max: [max; FILTERS],
            last: filters - before,
        }
    }
}

/// Two inputs of two pixels (r0, r1) with all four filters (r2, r3).
macro_rules! pair_products {
    () => {
        "smlad r5, r2, r0, r5
         smlad r9, r2, r1, r9
         sxtb16 r2, r2
         smlad r4, r2, r0, r4
         smlad r8, r2, r1, r8
         smlad r7, r3, r0, r7
         smlad r11, r3, r1, r11
         sxtb16 r3, r3
         smlad r6, r3, r0, r6
         smlad r10, r3, r1, r10
         "
    };
}

/// Odd filters of two pixels: the difference is 256 times the accumulator.
macro_rules! pair_odd {
    () => {
        "sub r5, r5, r4
         sub r9, r9, r8
         sub r7, r7, r6
         sub r11, r11, r10
         asr r5, r5, #8
         asr r9, r9, #8
         asr r7, r7, #8
         asr r11, r11, #8
         "
    };
}

/// The four inputs in r0 with all four filters, whose words are in r8-r11.
macro_rules! single_products {
    () => {
        "sxtb16 r1, r0
         sxtb16 r0, r0, ror #8
         smlad r5, r8, r1, r5
         sxtb16 r8, r8
         smlad r4, r8, r1, r4
         smlad r7, r9, r1, r7
         sxtb16 r9, r9
         smlad r6, r9, r1, r6
         smlad r5, r10, r0, r5
         sxtb16 r10, r10
         smlad r4, r10, r0, r4
         smlad r7, r11, r0, r7
         sxtb16 r11, r11
         smlad r6, r11, r0, r6
         "
    };
}

/// Odd filters of one input.
macro_rules! single_odd {
    () => {
        "sub r5, r5, r4
         sub r7, r7, r6
         asr r5, r5, #8
         asr r7, r7, #8
         "
    };
}

/// The begin of a function: the [`Pass`] on the stack, the place of the first record in lr.
macro_rules! begin {
    () => {
        ".cpu cortex-m4 @ an Armv8-M target does not tell the assembler that there is DSP
         push {{r0-r11, lr}}
         mov lr, r2
         "
    };
}

/// Keeps at `[sp, #$entry]` where the loop at 3, which takes four groups a round, is entered: so far after its start that
/// the last round is whole. A group is `1 << $shift` bytes of inputs; `$scale` turns groups in r4 into bytes of code.
macro_rules! enter_loop {
    ($shift:literal, $scale:expr, $entry:literal) => {
        concat!(
            "sub r4, r1, r0
             lsr r4, r4, #",
            $shift,
            "\nrsb r4, r4, #0
             and r4, r4, #3\n",
            $scale,
            "\nadr r5, 3f
             add r4, r4, r5
             orr r4, r4, #1
             str r4, [sp, #",
            $entry,
            "]\n"
        )
    };
}

/// At 2, where [`pair_end`] leads for the next record: the starts of two pixels in r4-r7 and r8-r11.
macro_rules! pair_starts {
    () => {
        "2: ldm lr, {{r4-r7}}
         ldm lr!, {{r8-r11}}
         "
    };
}

/// The begin of a function for two pixels whose loop takes four groups of `$bytes` bytes of code a round.
macro_rules! pair_begin {
    ($bytes:literal) => {
        concat!(begin!(), enter_loop!(4, concat!("mov r5, #", $bytes, "\nmul r4, r4, r5"), 8), pair_starts!())
    };
}
