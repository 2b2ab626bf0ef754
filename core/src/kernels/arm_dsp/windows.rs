//! Windows of a tiled convolution: words copied together, and groups expanded to 16 bits two words at a time.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use crate::kernels::tiles::drive::ByteRows;
use crate::kernels::tiles::filters::GROUP;
use core::arch::naked_asm;

#[inline]
pub(super) fn expand(x: &[i8], [a, b]: [usize; 2], rows: ByteRows, pairs: &mut [i32]) {
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
pub(super) fn copy(x: &[i8], rows: ByteRows, distance: usize, patch: &mut [i8]) {
    let written = ByteRows { pitch: distance, ..rows }.span();
    if rows.len == 0 || !rows.len.is_multiple_of(GROUP) || rows.count == 0 {
        return;
    }
    let (Some(x), Some(patch)) = (x.get(..rows.span()), patch.get_mut(..written)) else { return };
    // SAFETY: reads `rows.len` bytes in whole words at every one of `rows.count` steps of `pitch`, together the
    // span of `x`, and writes them at steps of `distance`, together the span of `patch`; words need no alignment.
    unsafe { copy_rows(patch.as_mut_ptr(), x.as_ptr(), rows.len / GROUP, rows.count, distance, rows.pitch) }
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

/// Expands rows of `groups` groups, at least one, at `a` and at `b`, each `skip` bytes after the end of the one before.
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
