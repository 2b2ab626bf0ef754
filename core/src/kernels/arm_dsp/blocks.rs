//! Products of filters in blocks: the loops of dense tiles with a jump before every group.
//!
//! An index is shifted right by one: what is left is the distance in expanded inputs in bytes, and the carry says whether
//! the group is the record's last. Nothing in the loop changes the carry after that.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use super::record::Pass;
use crate::kernels::tiles::{Blocks, Packed, TiledInt8};
use core::arch::naked_asm;

#[inline]
pub(super) fn pair_of_pixels(w: &Blocks<'_>, numerics: &TiledInt8, memory: &mut [i32], y: &mut [i8]) {
    let filters = w.filters();
    if filters == 0 || y.len() != 2 * filters || memory.len() != w.patch_len() {
        return;
    }
    let pass = Pass::new(numerics, memory, w.words(), y.as_mut_ptr(), filters);
    // SAFETY: reads one record for every four of `filters` from `tiles` on, all of which are there, each to its last
    // group, and the groups of `memory` that their indices lead to, all below `patch_len`: `Blocks` was made of words
    // of which this was checked. Writes `filters` bytes at `y` and as many after them: all of `y`.
    unsafe { pair(pass) }
}

#[inline(never)]
pub(super) fn single_input(w: &Blocks<'_>, numerics: &TiledInt8, x: &[i8], y: &mut [i8]) {
    if y.is_empty() || y.len() != w.filters() || x.len() != w.patch_len() {
        return;
    }
    let pass = Pass::new(numerics, x, w.words(), y.as_mut_ptr(), y.len());
    // SAFETY: as for two pixels; a group of `x` is four bytes, words need no alignment. Writes all of `y`.
    unsafe { single(pass) }
}

/// All filters of two pixels; the [`Pass`] lies as at [`super::record`].
#[unsafe(naked)]
unsafe extern "C" fn pair(pass: Pass) {
    naked_asm!(
        begin!(),
        pair_starts!(),
        "ldr r12, [sp]",
        "3: ldm lr!, {{r1, r2, r3}}",
        "lsrs r1, r1, #1",
        "add r12, r12, r1",
        "ldm r12!, {{r0, r1}}",
        pair_products!(),
        "ldm lr!, {{r2, r3}}",
        "ldm r12!, {{r0, r1}}",
        pair_products!(),
        "bcc 3b",
        pair_odd!(),
        pair_end!(),
    )
}

/// All filters of one input; the [`Pass`] lies as at [`super::record`].
#[unsafe(naked)]
unsafe extern "C" fn single(pass: Pass) {
    naked_asm!(
        begin!(),
        "2: ldm lr!, {{r4-r7}}",
        "ldr r12, [sp]",
        "3: ldm lr!, {{r1, r8-r11}}",
        "lsrs r1, r1, #1",
        "add r12, r12, r1, lsr #2",
        "ldr r0, [r12], #4",
        single_products!(),
        "bcc 3b",
        single_odd!(),
        single_end!(),
    )
}
