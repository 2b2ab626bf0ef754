//! Products of four-bit weights: a word of two inputs of all four filters is multiplied in four forms
//! ([`int4`](crate::kernels::tiles::int4)), as many instructions as two words of int8 take.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use super::record::Pass;
use super::windows;
use crate::kernels::tiles::drive::ByteRows;
use crate::kernels::tiles::filters::GROUP;
use crate::kernels::tiles::{Int4, Packed, TiledInt8};
use core::arch::naked_asm;

#[inline]
pub(super) fn expand(w: &Int4<'_>, x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
    let len = w.patch_len();
    if memory.len() != w.pair_words() || len == 0 {
        return;
    }
    windows::expand(x, places, rows, memory.get_mut(..len).unwrap_or_default());
    // SAFETY: reads `len` words in whole groups, at least one, and writes two after them: `pair_words` in all.
    unsafe { sum_pair(memory.as_mut_ptr(), len / GROUP) }
}

#[inline]
pub(super) fn pair_of_pixels(w: &Int4<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
    let filters = w.filters();
    if memory.len() != w.pair_words() || filters == 0 || y.len() != 2 * filters {
        return;
    }
    let mut pass = Pass::new(numerics, memory, w.tiles.words(), y.as_mut_ptr(), filters);
    // The two sums are not inputs.
    pass.x_end = pass.x_end.wrapping_sub(2 * size_of::<i32>());
    // SAFETY: reads all of `memory`, up to `x_end` a positive number of whole groups (a filter has a weight), and one
    // record for every four of `filters` from `tiles` on, whose weights are half as many words as these: so `Int4` was
    // made. Writes `filters` bytes at `y` and as many after them: all of `y`.
    unsafe { pair(pass) }
}

#[inline(never)]
pub(super) fn single_input(w: &Int4<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    if y.is_empty() || y.len() != w.filters() || x.len() != w.patch_len() || x.is_empty() {
        return;
    }
    let pass = Pass::new(numerics, x, w.tiles.words(), y.as_mut_ptr(), y.len());
    // SAFETY: as for two pixels, with half as many words of weights as `x` has bytes; words need no alignment. Writes
    // all of `y`.
    unsafe { single(pass) }
}

/// Writes 8 times the sum of each of the two pixels in `groups` groups, at least one, after them.
#[unsafe(naked)]
unsafe extern "C" fn sum_pair(pairs: *mut i32, groups: usize) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r4-r8, lr}}",
        "mov r8, #0x00080008",
        "mov r2, #0",
        "mov r3, #0",
        "2: ldm r0!, {{r4-r7}}",
        "smlad r2, r4, r8, r2",
        "smlad r3, r5, r8, r3",
        "smlad r2, r6, r8, r2",
        "smlad r3, r7, r8, r3",
        "subs r1, r1, #1",
        "bne 2b",
        "stm r0!, {{r2, r3}}",
        "pop {{r4-r8, pc}}",
    )
}

/// Half a group: two elements of both pixels with all four filters. r12 inputs, lr weights; 52 bytes of code.
macro_rules! pair_step {
    () => {
        "ldm r12!, {{r0, r1}}
         ldr r2, [lr], #4
         smlad r6, r2, r0, r6
         smlad r10, r2, r1, r10
         and r3, r2, #0xF000F000
         smlad r7, r3, r0, r7
         smlad r11, r3, r1, r11
         sxtb16 r2, r2
         smlad r4, r2, r0, r4
         smlad r8, r2, r1, r8
         bic r2, r2, #0x000F000F
         smlad r5, r2, r0, r5
         smlad r9, r2, r1, r9
         "
    };
}

/// Takes the accumulators of four filters apart.
macro_rules! separate {
    ($f0:literal, $f1:literal, $f2:literal, $f3:literal) => {
        concat!(
            "sub ", $f2, ", ", $f2, ", ", $f3, "\n", "sub ", $f2, ", ", $f2, ", ", $f0, "\n", "sub ", $f0, ", ", $f0,
            ", ", $f1, "\n", "asr ", $f1, ", ", $f1, ", #4\n", "asr ", $f2, ", ", $f2, ", #8\n", "asr ", $f3, ", ",
            $f3, ", #12\n",
        )
    };
}

/// All filters of two pixels; the [`Pass`] lies as at [`super::record`], with the entry of the loop at 8.
#[unsafe(naked)]
unsafe extern "C" fn pair(pass: Pass) {
    naked_asm!(
        pair_begin!(104),
        "ldrd r12, r0, [sp]",
        "ldrd r0, r1, [r0]",
        "sub r4, r4, r0",
        "sub r8, r8, r1",
        "sub r6, r6, r0",
        "sub r10, r10, r1",
        "sub r6, r6, r0, lsl #8",
        "sub r10, r10, r1, lsl #8",
        "ldr r0, [sp, #8]",
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
        "ldr r0, [sp, #4]",
        "cmp r12, r0",
        "bne 3b",
        separate!("r4", "r5", "r6", "r7"),
        separate!("r8", "r9", "r10", "r11"),
        pair_end!(),
    )
}

/// Two elements of one input with all four filters.
macro_rules! single_half {
    ($w:literal, $x:literal) => {
        concat!(
            "smlad r6, ",
            $w,
            ", ",
            $x,
            ", r6\n",
            "and r8, ",
            $w,
            ", #0xF000F000\n",
            "smlad r7, r8, ",
            $x,
            ", r7\n",
            "sxtb16 r8, ",
            $w,
            "\n",
            "smlad r4, r8, ",
            $x,
            ", r4\n",
            "bic r8, r8, #0x000F000F\n",
            "smlad r5, r8, ",
            $x,
            ", r5\n",
        )
    };
}

/// One group of one input with all four filters. r12 inputs, lr weights; 72 bytes of code.
macro_rules! single_step {
    () => {
        concat!(
            "ldr r0, [r12], #4
             ldm lr!, {{r2, r3}}
             sxtb16 r1, r0
             sxtb16 r0, r0, ror #8\n",
            single_half!("r2", "r1"),
            single_half!("r3", "r0"),
        )
    };
}

/// All filters of one input; as [`pair`], with the sum at 8 and the entry of the loop at 56.
#[unsafe(naked)]
unsafe extern "C" fn single(pass: Pass) {
    naked_asm!(
        begin!(),
        enter_loop!(2, "mov r5, #72\nmul r4, r4, r5", 56),
        // 8 times the sum of the inputs.
        "mov r9, #0",
        "mov r8, #0x00080008",
        "8: ldr r2, [r0], #4",
        "sxtb16 r3, r2",
        "sxtb16 r2, r2, ror #8",
        "smlad r9, r3, r8, r9",
        "smlad r9, r2, r8, r9",
        "cmp r0, r1",
        "bne 8b",
        "str r9, [sp, #8]",
        "2: ldrd r10, r9, [sp, #4]",
        "ldr r12, [sp]",
        "ldr r0, [sp, #56]",
        "ldm lr!, {{r4-r7}}",
        "sub r4, r4, r9",
        "sub r6, r6, r9",
        "sub r6, r6, r9, lsl #8",
        "bx r0",
        ".balign 4",
        "3:",
        single_step!(),
        single_step!(),
        single_step!(),
        single_step!(),
        "cmp r12, r10",
        "bne 3b",
        separate!("r4", "r5", "r6", "r7"),
        single_end!(),
    )
}
