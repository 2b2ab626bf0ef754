//! Products of weights from a codebook: a byte of two indices is looked up in a table of pairs of weights
//! ([`codebook`](crate::kernels::tiles::codebook)), which lies where the expanded inputs end.
//!
//! A pair of weights takes two loads, of the byte and of the pair, where dense tiles take half a load and half a
//! `SXTB16`; so half the bytes cost 17 instructions for what costs 14 there in a convolution, and 25 for 16 in a dense
//! layer. Loading the byte as such leaves no word of indices to keep: the eight accumulators of two pixels, two inputs, two
//! pointers, the table and one pair of weights are all fourteen registers. The second load waits for the first: a core
//! that stalls on that loses more than these counts say.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use super::record::Pass;
use crate::kernels::tiles::codebook::{TABLE_WORDS, VALUES};
use crate::kernels::tiles::filters::GROUP;
use crate::kernels::tiles::{Codebook, Packed, TiledInt8};
use core::arch::naked_asm;

/// Bytes of the table.
const TABLE_BYTES: usize = TABLE_WORDS * size_of::<i32>();

/// The table, at the end.
#[inline]
pub(super) fn prepare(w: &Codebook<'_>, memory: &mut [i32]) {
    let Some(table) = memory.last_chunk_mut::<TABLE_WORDS>() else { return };
    // SAFETY: reads the `VALUES` bytes of the codebook and writes a word for each two of them: all of `table`.
    unsafe { fill_table(table, w.values) }
}

#[inline]
pub(super) fn pair_of_pixels(w: &Codebook<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
    let filters = w.filters();
    if memory.len() != w.pair_words() || w.patch_len() == 0 || filters == 0 || y.len() != 2 * filters {
        return;
    }
    let mut pass = Pass::new(numerics, memory, w.tiles.words(), y.as_mut_ptr(), filters);
    // The table is not inputs.
    pass.x_end = pass.x_end.wrapping_sub(TABLE_BYTES);
    // SAFETY: reads `memory` up to `x_end`, which is `patch_len` words, a positive number of whole groups, and of the
    // `TABLE_WORDS` words from there on, the rest of `memory`, those that bytes are the numbers of; and one record for
    // every four of `filters` from `tiles` on, whose weights are half as many words as the inputs: so `Codebook` was
    // made. Writes `filters` bytes at `y` and as many after them: all of `y`.
    unsafe { pair(pass) }
}

#[inline(never)]
pub(super) fn single_input(w: &Codebook<'_>, numerics: &TiledInt8, x: &[i8], memory: &mut [i32], y: &mut [i8]) {
    if y.is_empty() || y.len() != w.filters() || x.len() != w.patch_len() || x.is_empty() {
        return;
    }
    let Some(memory) = memory.len().checked_sub(w.single_words()).and_then(|at| memory.get_mut(at..)) else {
        return;
    };
    // SAFETY: reads all of `x`, a positive number of whole groups, words without alignment, and writes two words for
    // each group, which is `single_words` without the table: less than all of `memory`.
    unsafe { expand_single(memory.as_mut_ptr(), x.as_ptr(), x.len() / GROUP) }
    let mut pass = Pass::new(numerics, memory, w.tiles.words(), y.as_mut_ptr(), y.len());
    pass.x_end = pass.x_end.wrapping_sub(TABLE_BYTES);
    // SAFETY: as for two pixels, with two words of inputs for each group up to `x_end`: as many as a record has of
    // weights. Writes all of `y`.
    unsafe { single(pass) }
}

/// Fills the table: word `16 * high + low` has value `high` in its high and value `low` in its low half.
#[unsafe(naked)]
unsafe extern "C" fn fill_table(table: *mut [i32; TABLE_WORDS], values: *const [i8; VALUES]) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r4-r11, lr}}",
        "add lr, r1, #16",
        "mov r2, r1",
        // Four low halves with every high one.
        "2: ldrsb r4, [r2], #1",
        "ldrsb r5, [r2], #1",
        "ldrsb r6, [r2], #1",
        "ldrsb r7, [r2], #1",
        "mov r3, r1",
        "3: ldrsb r8, [r3], #1",
        "pkhbt r9, r4, r8, lsl #16",
        "pkhbt r10, r5, r8, lsl #16",
        "pkhbt r11, r6, r8, lsl #16",
        "pkhbt r12, r7, r8, lsl #16",
        "stm r0, {{r9-r12}}",
        "add r0, r0, #64",
        "cmp r3, lr",
        "bne 3b",
        "sub r0, r0, #1008",
        "cmp r2, lr",
        "bne 2b",
        "pop {{r4-r11, pc}}",
    )
}

/// One lookup for two pixels (r0, r1): the pair of weights at the next byte. r3 table, lr weights; 16 bytes of code.
macro_rules! pair_filter {
    ($first:literal, $second:literal) => {
        concat!(
            "ldrb r2, [lr], #1\n",
            "ldr r2, [r3, r2, lsl #2]\n",
            "smlad ",
            $first,
            ", r2, r0, ",
            $first,
            "\n",
            "smlad ",
            $second,
            ", r2, r1, ",
            $second,
            "\n",
        )
    };
}

/// Half a group: two elements of both pixels with all four filters. r12 inputs; 68 bytes of code.
macro_rules! pair_step {
    () => {
        concat!(
            "ldm r12!, {{r0, r1}}\n",
            pair_filter!("r4", "r8"),
            pair_filter!("r5", "r9"),
            pair_filter!("r6", "r10"),
            pair_filter!("r7", "r11"),
        )
    };
}

/// All filters of two pixels with the table at `x_end`; the [`Pass`] lies as at [`super::record`], with the entry of the
/// loop at 8.
#[unsafe(naked)]
unsafe extern "C" fn pair(pass: Pass) {
    naked_asm!(
        pair_begin!(136),
        "ldrd r12, r3, [sp]",
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
        "cmp r12, r3",
        "bne 3b",
        pair_end!(),
    )
}

/// Expands `groups` groups, at least one, into two words each: elements 0 and 2, elements 1 and 3.
#[unsafe(naked)]
unsafe extern "C" fn expand_single(expanded: *mut i32, x: *const i8, groups: usize) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "2: ldr r3, [r1], #4",
        "sxtb16 r12, r3",
        "sxtb16 r3, r3, ror #8",
        "str r12, [r0], #4",
        "str r3, [r0], #4",
        "subs r2, r2, #1",
        "bne 2b",
        "bx lr",
    )
}

/// Two elements of one input with all four filters: the next four bytes. r3 table, lr weights; 48 bytes of code.
macro_rules! single_half {
    ($x:literal) => {
        concat!(
            "ldrb r8, [lr], #4
             ldrb r9, [lr, #-3]
             ldrb r10, [lr, #-2]
             ldrb r11, [lr, #-1]
             ldr r8, [r3, r8, lsl #2]
             ldr r9, [r3, r9, lsl #2]
             ldr r10, [r3, r10, lsl #2]
             ldr r11, [r3, r11, lsl #2]\n",
            "smlad r4, r8, ",
            $x,
            ", r4\n",
            "smlad r5, r9, ",
            $x,
            ", r5\n",
            "smlad r6, r10, ",
            $x,
            ", r6\n",
            "smlad r7, r11, ",
            $x,
            ", r7\n",
        )
    };
}

/// One group of one input with all four filters. r12 inputs; 100 bytes of code.
macro_rules! single_step {
    () => {
        concat!("ldm r12!, {{r0, r1}}\n", single_half!("r0"), single_half!("r1"))
    };
}

/// All filters of one input, expanded, with the table at `x_end`; as [`pair`].
#[unsafe(naked)]
unsafe extern "C" fn single(pass: Pass) {
    naked_asm!(
        begin!(),
        enter_loop!(3, "mov r5, #100\nmul r4, r4, r5", 8),
        "2: ldrd r12, r3, [sp]",
        "ldr r0, [sp, #8]",
        "ldm lr!, {{r4-r7}}",
        "bx r0",
        ".balign 4",
        "3:",
        single_step!(),
        single_step!(),
        single_step!(),
        single_step!(),
        "cmp r12, r3",
        "bne 3b",
        single_end!(),
    )
}
