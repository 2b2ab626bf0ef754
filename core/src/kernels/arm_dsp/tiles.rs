//! Products of dense tiles: four filters by two pixels in registers, two products an instruction.
//!
//! Eight accumulators, two words of inputs, two of weights and two pointers are all fourteen registers that a program
//! may use, so the inner loops are assembly. A word of weights is multiplied as it is into the odd filter's
//! accumulators, then sign-extended in place and multiplied into the even one's
//! ([`filters`](crate::kernels::tiles::filters)): per word of weights one load, one `SXTB16`, four `SMLAD` for eight
//! products. No floating-point register is touched.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use super::record::Pass;
use crate::kernels::tiles::filters::GROUP_WORDS;
use crate::kernels::tiles::{CONSTANT_WORDS, FILTERS, TiledInt8, Tiles};
use core::arch::naked_asm;

#[inline]
pub(super) fn pair_of_pixels(w: &Tiles<'_>, numerics: &TiledInt8, pairs: &mut [i32], y: &mut [i8]) {
    let filters = y.len() / 2;
    if !fits(w, pairs.len(), filters) || y.len() != 2 * filters {
        return;
    }
    let pass = Pass::new(numerics, pairs, w.words(), y.as_mut_ptr(), filters);
    // SAFETY: reads all of `pairs`, a positive number of whole groups, and one record for every four of `filters`
    // from `tiles` on, whose weights are as many words as `pairs` has (`fits`). Writes `filters` bytes at `y` and as
    // many after them: all of `y`.
    unsafe { pair(pass) }
}

#[inline(never)]
pub(super) fn single_input(w: &Tiles<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    if !fits(w, x.len(), y.len()) {
        return;
    }
    let pass = Pass::new(numerics, x, w.words(), y.as_mut_ptr(), y.len());
    // SAFETY: reads all of `x`, a positive number of whole groups, and one record for every four of the outputs from
    // `tiles` on, whose weights are as many words as `x` has bytes (`fits`). Writes all of `y`.
    unsafe { single(pass) }
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

/// Half a group: two elements of both pixels with all four filters. r12 inputs, lr weights; 56 bytes of code.
macro_rules! pair_step {
    () => {
        concat!(
            "ldr r0, [r12], #4
             ldr r1, [r12], #4
             ldr r2, [lr], #4
             ldr r3, [lr], #4\n",
            pair_products!()
        )
    };
}

/// All filters of two pixels; the [`Pass`] lies as at [`super::record`], with the entry of the loop at 8.
#[unsafe(naked)]
unsafe extern "C" fn pair(pass: Pass) {
    naked_asm!(
        pair_begin!(112),
        "ldr r12, [sp]",
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
        pair_odd!(),
        pair_end!(),
    )
}

/// One group of one input with all four filters. r12 inputs, lr weights; 64 bytes of code.
macro_rules! single_step {
    () => {
        concat!(
            "ldr r0, [r12], #4
             ldm lr!, {{r8-r11}}\n",
            single_products!()
        )
    };
}

/// All filters of one input; as [`pair`].
#[unsafe(naked)]
unsafe extern "C" fn single(pass: Pass) {
    naked_asm!(
        begin!(),
        enter_loop!(2, "lsl r4, r4, #6", 8),
        "2: ldrd r2, r3, [sp, #4]",
        "ldr r12, [sp]",
        "ldm lr!, {{r4-r7}}",
        "bx r3",
        ".balign 4",
        "3:",
        single_step!(),
        single_step!(),
        single_step!(),
        single_step!(),
        "cmp r12, r2",
        "bne 3b",
        single_odd!(),
        single_end!(),
    )
}
