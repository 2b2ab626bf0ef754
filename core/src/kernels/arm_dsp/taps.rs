//! Products of filters whose records keep single weights: the inputs of two pixels for a weight are one word, and two such
//! words are turned into the factors of `SMLAD`.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use super::record::Pass;
use super::windows;
use crate::kernels::tiles::drive::ByteRows;
use crate::kernels::tiles::filters::GROUP;
use crate::kernels::tiles::{Packed, Taps, TiledInt8};
use core::arch::naked_asm;

#[inline]
pub(super) fn expand(x: &[i8], places: [usize; 2], rows: ByteRows, memory: &mut [i32]) {
    let groups = memory.len() / GROUP;
    windows::expand(x, places, rows, memory);
    if groups > 0 {
        // SAFETY: reads and writes the words of `groups` groups, at least one: at most as many as `memory` has.
        unsafe { interleave(memory.as_mut_ptr(), groups) }
    }
}

#[inline]
pub(super) fn pair_of_pixels(w: &Taps<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
    let filters = w.filters();
    if filters == 0 || y.len() != 2 * filters || memory.len() != w.patch_len() {
        return;
    }
    let pass = Pass::new(numerics, memory, w.words(), y.as_mut_ptr(), filters);
    // SAFETY: reads one record for every four of `filters` from `tiles` on, all of which are there, each with one quad
    // at least, and the words of `memory` that their distances lead to, all below `filter_len`: `Taps` was made of
    // words of which this was checked. Writes `filters` bytes at `y` and as many after them: all of `y`.
    unsafe { pair(pass) }
}

#[inline(never)]
pub(super) fn single_input(w: &Taps<'_>, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
    let Some(words) = memory.get_mut(..w.patch_len()) else { return };
    if y.is_empty() || y.len() != w.filters() || x.len() != words.len() {
        return;
    }
    words.iter_mut().zip(x).for_each(|(to, &from)| *to = from.into());
    let pass = Pass::new(numerics, words, w.words(), y.as_mut_ptr(), y.len());
    // SAFETY: as for two pixels. Writes all of `y`.
    unsafe { single(pass) }
}

/// Turns `groups` expanded groups, at least one, into a word for each of their inputs: that of the first pixel in the low
/// half, that of the second in the high half.
#[unsafe(naked)]
unsafe extern "C" fn interleave(pairs: *mut i32, groups: usize) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r4-r8, lr}}",
        "2: ldm r0, {{r2, r3, r4, r5}}",
        "pkhbt r6, r2, r3, lsl #16",
        "pkhtb r8, r3, r2, asr #16",
        "pkhbt r7, r4, r5, lsl #16",
        "pkhtb r12, r5, r4, asr #16",
        "stm r0!, {{r6, r7, r8, r12}}",
        "subs r1, r1, #1",
        "bne 2b",
        "pop {{r4-r8, pc}}",
    )
}

/// Two weights (r2: filters 0 and 1, then 2 and 3) with two pixels (r0, r3).
macro_rules! two_taps {
    () => {
        "pkhtb r3, r1, r0, asr #16
         pkhbt r0, r0, r1, lsl #16
         smlad r5, r2, r0, r5
         smlad r9, r2, r3, r9
         sxtb16 r2, r2
         smlad r4, r2, r0, r4
         smlad r8, r2, r3, r8
         ldr r2, [lr], #4
         smlad r7, r2, r0, r7
         smlad r11, r2, r3, r11
         sxtb16 r2, r2
         smlad r6, r2, r0, r6
         smlad r10, r2, r3, r10
         "
    };
}

/// All filters of two pixels; the [`Pass`] lies as at [`super::record`], with the end of the record's quads at 8.
#[unsafe(naked)]
unsafe extern "C" fn pair(pass: Pass) {
    naked_asm!(
        begin!(),
        pair_starts!(),
        "ldr r0, [lr], #4",
        "ldr r12, [sp]",
        "add r0, r0, lr",
        "str r0, [sp, #8]",
        "3: ldm lr!, {{r1, r2}}",
        "uxtab r12, r12, r1",
        "ldr r0, [r12]",
        "uxtab r12, r12, r1, ror #8",
        "ldr r1, [r12]",
        two_taps!(),
        "ldr r1, [lr, #-12]",
        "ldr r2, [lr], #4",
        "uxtab r12, r12, r1, ror #16",
        "ldr r0, [r12]",
        "uxtab r12, r12, r1, ror #24",
        "ldr r1, [r12]",
        two_taps!(),
        "ldr r0, [sp, #8]",
        "cmp lr, r0",
        "bne 3b",
        pair_odd!(),
        pair_end!(),
    )
}

/// All filters of one input; as [`pair`].
#[unsafe(naked)]
unsafe extern "C" fn single(pass: Pass) {
    naked_asm!(
        begin!(),
        "2: ldm lr!, {{r4-r7}}",
        "ldr r3, [lr], #4",
        "ldr r12, [sp]",
        "add r3, r3, lr",
        "3: ldm lr!, {{r2, r8-r11}}",
        "uxtab r12, r12, r2",
        "ldr r0, [r12]",
        "uxtab r12, r12, r2, ror #8",
        "ldr r1, [r12]",
        "pkhbt r0, r0, r1, lsl #16",
        "smlad r5, r8, r0, r5",
        "sxtb16 r8, r8",
        "smlad r4, r8, r0, r4",
        "smlad r7, r9, r0, r7",
        "sxtb16 r9, r9",
        "smlad r6, r9, r0, r6",
        "uxtab r12, r12, r2, ror #16",
        "ldr r0, [r12]",
        "uxtab r12, r12, r2, ror #24",
        "ldr r1, [r12]",
        "pkhbt r0, r0, r1, lsl #16",
        "smlad r5, r10, r0, r5",
        "sxtb16 r10, r10",
        "smlad r4, r10, r0, r4",
        "smlad r7, r11, r0, r7",
        "sxtb16 r11, r11",
        "smlad r6, r11, r0, r6",
        "cmp lr, r3",
        "bne 3b",
        single_odd!(),
        single_end!(),
    )
}
