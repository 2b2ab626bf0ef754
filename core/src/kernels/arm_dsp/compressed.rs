//! Dense layers in compressed rows: a unit of two weights is three instructions.
//!
//! The columns are expanded to 16 bits once. A row is one pass through a chain of 32 units, entered so far after its
//! start that the units of the head are left; the quad that it is entered in was loaded with the head. Nothing
//! between the two changes the carry, which says whether the row goes on.
#![expect(unsafe_code, reason = "inner loops in assembly; each block has its proof")]

use crate::error::ShapeError;
use crate::kernels::tiles::{CompressedRows, TiledInt8};
use crate::num::saturate_i8;
use core::arch::naked_asm;

/// [`BackEnd::dense_compressed`](crate::kernels::BackEnd::dense_compressed)
pub(super) fn dense_compressed(
    numerics: &TiledInt8,
    compressed: &CompressedRows<'_>,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    compressed.check_lens(x.len(), y.len(), scratch.len())?;
    let columns = compressed.columns();
    if columns.is_empty() {
        return Ok(());
    }
    // SAFETY: reads `columns`, one at least, and the inputs that they name, all of which are there (`CompressedRows` was
    // made of columns of which this was checked). Writes an i16 for each, then one or two zeros: `scratch_words`.
    unsafe { expand(scratch.as_mut_ptr(), x.as_ptr(), columns.as_ptr(), columns.len()) }
    let y_range = y.as_mut_ptr_range();
    let zero_point = 2 * numerics.output_zero_point + 1;
    // SAFETY: reads a row for each of the outputs, of which there is one at least, all of which are there, and the words
    // of `scratch` that their distances lead to, which end past its columns by one element at most: so `CompressedRows`
    // was made. Writes all of `y`.
    unsafe { rows(compressed.words().as_ptr(), scratch.as_ptr(), y_range.start, y_range.end, zero_point) }
    let (min, max) = (saturate_i8(numerics.clamp.min), saturate_i8(numerics.clamp.max));
    if min > i8::MIN || max < i8::MAX {
        y.iter_mut().for_each(|y| *y = (*y).max(min).min(max));
    }
    Ok(())
}

/// Writes input `columns[i]` as 16 bits for each of `count` columns, at least one, followed by one or two
/// zeros up to the end of a word.
#[unsafe(naked)]
unsafe extern "C" fn expand(to: *mut i32, x: *const i8, columns: *const i16, count: usize) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r4-r7, lr}}",
        // Four columns a round; then what is left.
        "subs r3, r3, #4",
        "blo 3f",
        "2: ldrh r4, [r2], #2",
        "ldrh r5, [r2], #2",
        "ldrh r6, [r2], #2",
        "ldrh r7, [r2], #2",
        "ldrsb r4, [r1, r4]",
        "ldrsb r5, [r1, r5]",
        "ldrsb r6, [r1, r6]",
        "ldrsb r7, [r1, r7]",
        "pkhbt r4, r4, r5, lsl #16",
        "pkhbt r6, r6, r7, lsl #16",
        "subs r3, r3, #4",
        "stm r0!, {{r4, r6}}",
        "bhs 2b",
        "3: adds r3, r3, #4",
        "mov r6, #0",
        "beq 5f",
        "lsl r7, r3, #31",
        "4: ldrh r4, [r2], #2",
        "ldrsb r5, [r1, r4]",
        "strh r5, [r0], #2",
        "subs r3, r3, #1",
        "bne 4b",
        "cbz r7, 5f",
        "strh r6, [r0]",
        "pop {{r4-r7, pc}}",
        "5: str r6, [r0]",
        "pop {{r4-r7, pc}}",
    )
}

/// A unit of a quad that was loaded (distances r4, weights r5-r8): the turn that brings its distance down, its weights.
/// r10 the column, r11 the columns, r1 the accumulator.
macro_rules! unit {
    ($label:literal, $turn:literal, $w:literal) => {
        concat!(
            $label,
            ": uxtab r10, r10, r4",
            $turn,
            "\n",
            "ldr r9, [r11, r10, lsl #1]\n",
            "smlad r1, ",
            $w,
            ", r9, r1\n",
        )
    };
}

/// The units of a quad, each with the label where it is entered.
macro_rules! quad {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            unit!($a, "", "r5"),
            unit!($b, ", ror #8", "r6"),
            unit!($c, ", ror #16", "r7"),
            unit!($d, ", ror #24", "r8"),
        )
    };
}

/// All rows of a layer.
#[unsafe(naked)]
unsafe extern "C" fn rows(words: *const i32, columns: *const i32, y: *mut i8, y_end: *mut i8, zero_point: i32) {
    naked_asm!(
        ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
        "push {{r3-r11, lr}}",
        "ldr lr, [sp, #40]",
        "mov r11, r1",
        "mov r12, r2",
        // A row: start r1, mantissa r2, head r3 and the first quad.
        "2: ldm r0!, {{r1-r8}}",
        "mov r10, #0",
        "3: lsrs r9, r3, #9",
        "tbh [pc, r9, lsl #1]",
        "4:",
        ".short (231f - 4b) / 2, (230f - 4b) / 2, (229f - 4b) / 2, (228f - 4b) / 2",
        ".short (227f - 4b) / 2, (226f - 4b) / 2, (225f - 4b) / 2, (224f - 4b) / 2",
        ".short (223f - 4b) / 2, (222f - 4b) / 2, (221f - 4b) / 2, (220f - 4b) / 2",
        ".short (219f - 4b) / 2, (218f - 4b) / 2, (217f - 4b) / 2, (216f - 4b) / 2",
        ".short (215f - 4b) / 2, (214f - 4b) / 2, (213f - 4b) / 2, (212f - 4b) / 2",
        ".short (211f - 4b) / 2, (210f - 4b) / 2, (209f - 4b) / 2, (208f - 4b) / 2",
        ".short (207f - 4b) / 2, (206f - 4b) / 2, (205f - 4b) / 2, (204f - 4b) / 2",
        ".short (203f - 4b) / 2, (202f - 4b) / 2, (201f - 4b) / 2, (200f - 4b) / 2",
        quad!("200", "201", "202", "203"),
        "ldm r0!, {{r4-r8}}",
        quad!("204", "205", "206", "207"),
        "ldm r0!, {{r4-r8}}",
        quad!("208", "209", "210", "211"),
        "ldm r0!, {{r4-r8}}",
        quad!("212", "213", "214", "215"),
        "ldm r0!, {{r4-r8}}",
        quad!("216", "217", "218", "219"),
        "ldm r0!, {{r4-r8}}",
        quad!("220", "221", "222", "223"),
        "ldm r0!, {{r4-r8}}",
        quad!("224", "225", "226", "227"),
        "ldm r0!, {{r4-r8}}",
        quad!("228", "229", "230", "231"),
        "bcs 5f",
        // As `SmallMultiplier::code`, saturated; a shift takes the low byte of the head, the exponent.
        "smmlar r1, r1, r2, r1",
        "add r1, r1, r1, asr #31",
        "lsl r9, lr, r3",
        "add r1, r1, r9",
        "asr r1, r1, r3",
        "ssat r1, #8, r1, asr #1",
        "ldr r9, [sp]",
        "strb r1, [r12], #1",
        "cmp r12, r9",
        "bne 2b",
        "pop {{r3-r11, pc}}",
        // The row goes on.
        "5: ldm r0!, {{r3-r8}}",
        "b 3b",
    )
}
