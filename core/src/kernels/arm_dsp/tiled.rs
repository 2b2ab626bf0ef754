//! Tiled convolutions and dense layers: four filters by two pixels in registers, two products an instruction.
//!
//! Eight accumulators, two words of inputs, two of weights and two pointers are all fourteen registers that a program
//! may use, so the inner loops are assembly. A word of weights is multiplied as it is into the odd filter's
//! accumulators, then sign-extended in place and multiplied into the even one's
//! ([`filters`](crate::kernels::tiles::filters)): per word of weights one load, one `SXTB16`, four `SMLAD` for eight
//! products. No floating-point register is touched.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use super::record::Pass;
use crate::error::ShapeError;
use crate::kernels::tiles::drive::{self, Leaf, Products, Rows};
use crate::kernels::tiles::filters::{GROUP, GROUP_WORDS};
use crate::kernels::tiles::{Activations, CONSTANT_WORDS, Conv2dTiled, DenseTiled, FILTERS, TiledInt8, Tiles};
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

/// Armv7E-M's DSP instructions.
#[derive(Debug)]
pub struct Dsp;

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
}

impl Products<Dsp> for Tiles<'_> {
    #[inline]
    fn pair(&self, numerics: &TiledInt8, pairs: &mut [i32], y: &mut [i8]) {
        let filters = y.len() / 2;
        if !fits(self, pairs.len(), filters) || y.len() != 2 * filters {
            return;
        }
        let pass = Pass::new(numerics, pairs, self.words(), y.as_mut_ptr(), filters);
        // SAFETY: reads all of `pairs`, a positive number of whole groups, and one record for every four of `filters`
        // from `tiles` on, whose weights are as many words as `pairs` has (`fits`). Writes `filters` bytes at `y` and as
        // many behind them: all of `y`.
        unsafe { pair(pass) }
    }

    #[inline(never)]
    fn single(&self, numerics: &TiledInt8, x: &[i8], _: &mut [i32], y: &mut [i8]) {
        if !fits(self, x.len(), y.len()) {
            return;
        }
        let pass = Pass::new(numerics, x, self.words(), y.as_mut_ptr(), y.len());
        // SAFETY: reads all of `x`, a positive number of whole groups, and one record for every four of the outputs from
        // `tiles` on, whose weights are as many words as `x` has bytes (`fits`). Writes all of `y`.
        unsafe { single(pass) }
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
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r0-r11, lr}}",
        "mov lr, r2",
        "sub r4, r1, r0",
        "lsr r4, r4, #2",
        "rsb r4, r4, #0",
        "and r4, r4, #3",
        "lsl r4, r4, #6",
        "adr r5, 3f",
        "add r4, r4, r5",
        "orr r4, r4, #1",
        "str r4, [sp, #8]",
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
