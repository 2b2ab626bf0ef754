//! Gathering of the inputs that filters keep; the products are those of dense tiles.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use crate::kernels::tiles::filters::GROUP;
use crate::kernels::tiles::{Kept, Packed};
use core::arch::naked_asm;

#[inline]
pub(super) fn expand(w: &Kept<'_>, x: &[i8], [a, b]: [usize; 2], memory: &mut [i32]) {
    let positions = w.positions();
    let inside = x.get(a.max(b)..).is_some_and(|x| x.len() >= w.filter_len());
    if !inside || positions.is_empty() || memory.len() != positions.len() {
        return;
    }
    let (a, b) = (x.as_ptr().wrapping_add(a), x.as_ptr().wrapping_add(b));
    // SAFETY: reads `positions`, a positive number of whole groups, and the bytes at these positions from `a` and
    // from `b` on, all below `filter_len` (`Kept` was made of positions of which this was checked), of which there are
    // so many in `x`. Writes a word for each position: the length of `memory`.
    unsafe { gather_pair(memory.as_mut_ptr(), a, b, positions.as_ptr(), positions.len() / GROUP) }
}

/// Expands the bytes at `groups` groups of positions, at least one, from `a` and `b` on.
#[unsafe(naked)]
unsafe extern "C" fn gather_pair(pairs: *mut i32, a: *const i8, b: *const i8, positions: *const i16, groups: usize) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r4-r11, lr}}",
        "ldr lr, [sp, #36]",
        "2: ldrh r4, [r3], #2",
        "ldrh r5, [r3], #2",
        "ldrh r6, [r3], #2",
        "ldrh r7, [r3], #2",
        "ldrsb r8, [r1, r4]",
        "ldrsb r9, [r1, r6]",
        "ldrsb r10, [r2, r6]",
        "ldrsb r11, [r1, r7]",
        "ldrsb r12, [r2, r7]",
        "pkhbt r8, r8, r9, lsl #16",
        "ldrsb r9, [r2, r4]",
        "pkhbt r9, r9, r10, lsl #16",
        "ldrsb r10, [r1, r5]",
        "pkhbt r10, r10, r11, lsl #16",
        "ldrsb r11, [r2, r5]",
        "pkhbt r11, r11, r12, lsl #16",
        "stm r0!, {{r8-r11}}",
        "subs lr, lr, #1",
        "bne 2b",
        "pop {{r4-r11, pc}}",
    )
}
