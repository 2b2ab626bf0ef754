//! Tiled convolutions and dense layers: four filters by two pixels in registers, two products an instruction.
//!
//! Eight accumulators, two words of inputs, two of weights and two pointers are all fourteen registers that a program
//! may use, so the inner loops are assembly. A word of weights is multiplied as it is into the odd filter's
//! accumulators, then sign-extended in place and multiplied into the even one's
//! ([`filters`](crate::kernels::tiles::filters)): per word of weights one load, one `SXTB16`, four `SMLAD` for eight
//! products. No floating-point register is touched.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use crate::error::ShapeError;
use crate::kernels::tiles::drive::{self, Leaf, Rows};
use crate::kernels::tiles::filters::{GROUP, GROUP_WORDS};
use crate::kernels::tiles::{Activations, CONSTANT_WORDS, Conv2dTiled, DenseTiled, FILTERS, TiledInt8, Tiles};
use crate::num::saturate_i8;
use core::arch::naked_asm;

/// Convolution with tiled filters; shapes at [`Conv2dTiled`].
///
/// The output may overlap the input as [`Conv2dTiled::lead`] says; the input is lost then. `scratch` has at least
/// [`Conv2dTiled::scratch_words`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
#[inline(never)] // its frame and that of finding the operands are not needed at one time
pub fn conv2d_tiled(
    op: &Conv2dTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    drive::conv2d::<Dsp>(op, numerics, tiles, activations, scratch)
}

/// Fully connected layer with tiled rows; shapes at [`DenseTiled`].
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length.
pub fn dense_tiled(
    op: &DenseTiled,
    numerics: &TiledInt8,
    tiles: &Tiles<'_>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    drive::dense::<Dsp>(op, numerics, tiles, x, y)
}

struct Dsp;

/// [`TiledInt8`] as the assembly reads it.
#[repr(C)]
struct Finish {
    /// `2 * output_zero_point + 1`
    zero_point: i32,
    /// Whether `min` and `max` cut anything off.
    clamps: i32,
    /// The smallest output, four times.
    min: [i8; FILTERS],
    /// The largest output, four times.
    max: [i8; FILTERS],
}

impl Finish {
    #[inline]
    fn new(numerics: &TiledInt8) -> Self {
        let (min, max) = (saturate_i8(numerics.clamp.min), saturate_i8(numerics.clamp.max));
        Self {
            zero_point: 2 * numerics.output_zero_point + 1,
            clamps: i32::from(min > i8::MIN || max < i8::MAX),
            min: [min; FILTERS],
            max: [max; FILTERS],
        }
    }
}

impl Leaf for Dsp {
    #[inline]
    fn expand(x: &[i8], [a, b]: [usize; 2], rows: Rows, pairs: &mut [i32]) {
        let Some(from) = x.get(a.max(b)..).and_then(|x| x.get(..rows.span())) else { return };
        if rows.len == 0 || !rows.len.is_multiple_of(GROUP) || rows.count * rows.len != pairs.len() || rows.count == 0 {
            return;
        }
        debug_assert_eq!(from.len(), rows.span());
        let skip = rows.pitch.wrapping_sub(rows.len);
        let (a, b) = (x.as_ptr().wrapping_add(a), x.as_ptr().wrapping_add(b));
        // SAFETY: reads `rows.len` bytes in whole groups at every one of `rows.count` steps of `pitch` from `a` and
        // from `b`, both `rows.span()` bytes that lie in `x`, as the further one was seen to; words need no alignment on
        // this architecture. Writes one word for each of the `count * len` elements: the length of `pairs`.
        unsafe { expand_pair(pairs.as_mut_ptr(), a, b, rows.len / GROUP, rows.count, skip) }
    }

    #[inline(never)]
    fn copy(x: &[i8], rows: Rows, distance: usize, patch: &mut [i8]) {
        let written = Rows { pitch: distance, ..rows }.span();
        if rows.len == 0 || !rows.len.is_multiple_of(GROUP) || rows.count == 0 {
            return;
        }
        let (Some(x), Some(patch)) = (x.get(..rows.span()), patch.get_mut(..written)) else { return };
        // SAFETY: reads `rows.len` bytes in whole words at every one of `rows.count` steps of `pitch`, together the
        // span of `x`, and writes them at steps of `distance`, together the span of `patch`; words need no alignment.
        unsafe { copy_rows(patch.as_mut_ptr(), x.as_ptr(), rows.len / GROUP, rows.count, distance, rows.pitch) }
    }

    #[inline]
    fn pair(numerics: &TiledInt8, tiles: &Tiles<'_>, pairs: &[i32], y: &mut [i8]) {
        let filters = y.len() / 2;
        if !fits(tiles, pairs.len(), filters) || y.len() != 2 * filters {
            return;
        }
        let finish = Finish::new(numerics);
        let x = pairs.as_ptr_range();
        let y = y.as_mut_ptr();
        // SAFETY: reads the words between `x.start` and `x.end`, a positive number of whole groups; one record for every
        // four of `filters` from `tiles` on, whose weights are as many words as `x` has (`fits`); and `finish`. Writes
        // `filters` bytes at `y` and as many behind them: all of `y`.
        unsafe { pair(x.start, x.end, tiles.words().as_ptr(), y, y.wrapping_add(filters), filters, &raw const finish) }
    }

    #[inline(never)]
    fn single(numerics: &TiledInt8, tiles: &Tiles<'_>, x: &[i8], y: &mut [i8]) {
        if !fits(tiles, x.len(), y.len()) {
            return;
        }
        let finish = Finish::new(numerics);
        let x = x.as_ptr_range();
        // SAFETY: reads the bytes between `x.start` and `x.end`, a positive number of whole groups; one record for every
        // four of the outputs from `tiles` on, whose weights are as many words as `x` has bytes (`fits`); and `finish`.
        // Writes all of `y`.
        unsafe { single(x.start, x.end, tiles.words().as_ptr(), y.as_mut_ptr(), y.len(), &raw const finish) }
    }
}

/// Whether records for `filters` filters of `len` weights, at least one group, are what there is.
#[inline]
fn fits(tiles: &Tiles<'_>, len: usize, filters: usize) -> bool {
    len > 0
        && len.is_multiple_of(GROUP_WORDS)
        && filters > 0
        && tiles.record_words() == len + CONSTANT_WORDS
        && filters.div_ceil(FILTERS) * tiles.record_words() == tiles.words().len()
}

/// One group of both places: two words to four.
macro_rules! expand_group {
    () => {
        "ldr r4, [r1], #4
         ldr r5, [r2], #4
         sxtb16 r6, r4
         sxtb16 r7, r5
         sxtb16 r8, r4, ror #8
         sxtb16 r12, r5, ror #8
         stm r0!, {{r6, r7, r8, r12}}
         "
    };
}

/// Expands rows of `groups` groups, at least one, at `a` and at `b`, each `skip` bytes behind the end of the one before.
#[unsafe(naked)]
unsafe extern "C" fn expand_pair(
    pairs: *mut i32,
    a: *const i8,
    b: *const i8,
    groups: usize,
    count: usize,
    skip: usize,
) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r4-r10, lr}}",
        "ldrd r9, r10, [sp, #32]",
        // Two groups a round; an odd number starts in the middle.
        "2: adds lr, r3, #1",
        "lsrs lr, lr, #1",
        "lsls r4, r3, #31",
        "bmi 4f",
        "3:",
        expand_group!(),
        "4:",
        expand_group!(),
        "subs lr, lr, #1",
        "bne 3b",
        "add r1, r1, r10",
        "add r2, r2, r10",
        "subs r9, r9, #1",
        "bne 2b",
        "pop {{r4-r10, pc}}",
    )
}

/// Copies rows of `words` words, at least one.
#[unsafe(naked)]
unsafe extern "C" fn copy_rows(
    to: *mut i8,
    from: *const i8,
    words: usize,
    count: usize,
    distance: usize,
    pitch: usize,
) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r4-r8, lr}}",
        "ldrd r4, r5, [sp, #24]",
        "sub r4, r4, r2, lsl #2",
        "sub r5, r5, r2, lsl #2",
        "2: mov r6, r2",
        "3: ldr r7, [r1], #4",
        "subs r6, r6, #1",
        "str r7, [r0], #4",
        "bne 3b",
        "add r0, r0, r4",
        "add r1, r1, r5",
        "subs r3, r3, #1",
        "bne 2b",
        "pop {{r4-r8, pc}}",
    )
}

/// Half a group: two elements of both pixels with all four filters. r12 inputs, lr weights; 56 bytes of code.
macro_rules! pair_step {
    () => {
        "ldr r0, [r12], #4
         ldr r1, [r12], #4
         ldr r2, [lr], #4
         ldr r3, [lr], #4
         smlad r5, r2, r0, r5
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

/// The output of one filter, as at `SmallMultiplier::code`, saturated. r12: zero point and half; r3: the exponent.
macro_rules! finish {
    ($acc:literal, $mantissa:literal) => {
        concat!(
            "smmlar ",
            $acc,
            ", ",
            $acc,
            ", ",
            $mantissa,
            ", ",
            $acc,
            "\n",
            "add ",
            $acc,
            ", ",
            $acc,
            ", ",
            $acc,
            ", asr #31\n",
            "add ",
            $acc,
            ", ",
            $acc,
            ", r12\n",
            "asr ",
            $acc,
            ", ",
            $acc,
            ", r3\n",
            "ssat ",
            $acc,
            ", #8, ",
            $acc,
            ", asr #1\n",
        )
    };
}

/// Four outputs in one word moved into the clamp. r0: the smallest; r1: the largest.
macro_rules! clamp {
    ($y:literal) => {
        concat!(
            "ssub8 r2, ",
            $y,
            ", r0\n",
            "sel ",
            $y,
            ", ",
            $y,
            ", r0\n",
            "ssub8 r2, r1, ",
            $y,
            "\n",
            "sel ",
            $y,
            ", ",
            $y,
            ", r1\n",
        )
    };
}

/// All filters of two pixels.
#[unsafe(naked)]
unsafe extern "C" fn pair(
    x: *const i32,
    x_end: *const i32,
    tiles: *const i32,
    y0: *mut i8,
    y1: *mut i8,
    filters: usize,
    finish: *const Finish,
) {
    // On the stack, from sp on: x, x_end, where to enter the loop, finish | r4-r11, lr, and one more for the alignment |
    // y1 (40 + 16), filters, finish as they were passed. y0 is kept beside: see the offsets.
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r3-r11, lr}}",
        // The loop takes four groups a round; it is entered so far behind its start that the last round is whole.
        "sub r4, r1, r0",
        "lsr r4, r4, #4",
        "rsb r4, r4, #0",
        "and r4, r4, #3",
        "mov r5, #112",
        "mul r4, r4, r5",
        "adr r5, 3f",
        "add r4, r4, r5",
        "orr r4, r4, #1",
        "sub sp, sp, #16",
        "ldr r5, [sp, #64]",
        "strd r0, r4, [sp]",
        "strd r1, r5, [sp, #8]",
        "mov lr, r2",
        "2: ldm lr!, {{r4-r7}}",
        "ldrd r12, r0, [sp]",
        "mov r8, r4",
        "mov r9, r5",
        "mov r10, r6",
        "mov r11, r7",
        "bx r0",
        ".balign 4",
        "3:",
        pair_step!(),
        pair_step!(),
        pair_step!(),
        pair_step!(),
        pair_step!(),
        pair_step!(),
        pair_step!(),
        pair_step!(),
        "ldr r0, [sp, #8]",
        "cmp r12, r0",
        "bne 3b",
        // Odd filters: the difference is 256 times the accumulator.
        "sub r5, r5, r4",
        "sub r9, r9, r8",
        "sub r7, r7, r6",
        "sub r11, r11, r10",
        "asr r5, r5, #8",
        "asr r9, r9, #8",
        "asr r7, r7, #8",
        "asr r11, r11, #8",
        "ldr r2, [sp, #12]",
        "ldr r3, [lr, #16]",
        "ldr r2, [r2]",
        "ldrd r0, r1, [lr], #8",
        "lsl r12, r2, r3",
        finish!("r4", "r0"),
        finish!("r8", "r0"),
        "lsr r3, r3, #8",
        "lsl r12, r2, r3",
        finish!("r5", "r1"),
        finish!("r9", "r1"),
        "bfi r4, r5, #8, #8",
        "bfi r8, r9, #8, #8",
        "lsr r3, r3, #8",
        "ldrd r0, r1, [lr], #12",
        "lsl r12, r2, r3",
        finish!("r6", "r0"),
        finish!("r10", "r0"),
        "bfi r4, r6, #16, #8",
        "bfi r8, r10, #16, #8",
        "lsr r3, r3, #8",
        "lsl r12, r2, r3",
        finish!("r7", "r1"),
        finish!("r11", "r1"),
        "ldr r12, [sp, #12]",
        "ldr r0, [r12, #4]",
        "bfi r4, r7, #24, #8",
        "bfi r8, r11, #24, #8",
        "cbz r0, 4f",
        "ldrd r0, r1, [r12, #8]",
        clamp!("r4"),
        clamp!("r8"),
        "4:",
        "ldr r0, [sp, #16]",
        "ldrd r1, r2, [sp, #56]",
        "subs r2, r2, #4",
        "blo 5f",
        "str r4, [r0], #4",
        "str r8, [r1], #4",
        "str r0, [sp, #16]",
        "strd r1, r2, [sp, #56]",
        "bne 2b",
        "b 7f",
        // One to three filters.
        "5: adds r2, r2, #4",
        "6: strb r4, [r0], #1",
        "strb r8, [r1], #1",
        "lsr r4, r4, #8",
        "lsr r8, r8, #8",
        "subs r2, r2, #1",
        "bne 6b",
        "7: add sp, sp, #16",
        "pop {{r3-r11, pc}}",
    )
}

/// One group of one input with all four filters. r12 inputs, lr weights; 64 bytes of code.
macro_rules! single_step {
    () => {
        "ldr r0, [r12], #4
         ldm lr!, {{r8-r11}}
         sxtb16 r1, r0
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

/// All filters of one input.
#[unsafe(naked)]
unsafe extern "C" fn single(
    x: *const i8,
    x_end: *const i8,
    tiles: *const i32,
    y: *mut i8,
    filters: usize,
    finish: *const Finish,
) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r3-r11, lr}}",
        // As in `pair`.
        "sub r4, r1, r0",
        "lsr r4, r4, #2",
        "rsb r4, r4, #0",
        "and r4, r4, #3",
        "lsl r4, r4, #6",
        "adr r5, 3f",
        "add r4, r4, r5",
        "orr r4, r4, #1",
        "sub sp, sp, #16",
        "ldr r5, [sp, #60]",
        "strd r0, r4, [sp]",
        "strd r1, r5, [sp, #8]",
        "mov lr, r2",
        "2: ldrd r2, r3, [sp, #4]",
        "ldr r12, [sp]",
        "ldm lr!, {{r4-r7}}",
        "bx r2",
        ".balign 4",
        "3:",
        single_step!(),
        single_step!(),
        single_step!(),
        single_step!(),
        "cmp r12, r3",
        "bne 3b",
        "sub r5, r5, r4",
        "sub r7, r7, r6",
        "asr r5, r5, #8",
        "asr r7, r7, #8",
        "ldr r2, [sp, #12]",
        "ldm lr!, {{r8-r11}}",
        "ldr r3, [lr], #4",
        "ldrd r0, r1, [r2]",
        "lsl r12, r0, r3",
        finish!("r4", "r8"),
        "lsr r3, r3, #8",
        "lsl r12, r0, r3",
        finish!("r5", "r9"),
        "lsr r3, r3, #8",
        "lsl r12, r0, r3",
        finish!("r6", "r10"),
        "lsr r3, r3, #8",
        "lsl r12, r0, r3",
        finish!("r7", "r11"),
        "bfi r4, r5, #8, #8",
        "bfi r4, r6, #16, #8",
        "bfi r4, r7, #24, #8",
        "cbz r1, 4f",
        "ldrd r0, r1, [r2, #8]",
        clamp!("r4"),
        "4:",
        "ldr r0, [sp, #16]",
        "ldr r1, [sp, #56]",
        "subs r1, r1, #4",
        "blo 5f",
        "str r4, [r0], #4",
        "str r0, [sp, #16]",
        "str r1, [sp, #56]",
        "bne 2b",
        "b 7f",
        "5: adds r1, r1, #4",
        "6: strb r4, [r0], #1",
        "lsr r4, r4, #8",
        "subs r1, r1, #1",
        "bne 6b",
        "7: add sp, sp, #16",
        "pop {{r3-r11, pc}}",
    )
}
