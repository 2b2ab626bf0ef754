//! Sums of rows: two channels an instruction, as halves of a word, for sixteen channels at once; products with the
//! codes of a row two instructions a pair.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::graph::Index;
use crate::kernels::nodes::{BLOCK, Block, Columns, RowConstants, RowScale, RowScaling, Sums};
use crate::kernels::portable;
use crate::kernels::portable::nodes::add_row;
use core::{arch::global_asm, ptr::null};

// Sums of rows: r0 columns, r1 their end, r2 first element, r3 width; r4-r11 sums; on the stack the first column that may
// not be read, where the sums go, and a row to begin with, or none.
// Products: r0 codes, r2 first element, r3 width; r4-r11 sums; on the stack the end of the codes, the zero point, and
// where the sums go.
global_asm!(
    ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
    r#"
.macro niwaki_add_four even, odd
    ldr r12, [lr], #4
    sxtab16 \even, \even, r12
    sxtab16 \odd, \odd, r12, ror #8
.endm

.macro niwaki_take_four even, odd
    ldr r12, [lr], #4
    sxtb16 \even, r12
    sxtb16 \odd, r12, ror #8
.endm

.macro niwaki_store_four even, odd
    sxth r0, \even
    sxth r1, \odd
    asr r2, \even, #16
    asr r3, \odd, #16
    stmia r12!, {{r0-r3}}
.endm

.macro niwaki_clear_sums
    mov r4, #0
    mov r5, #0
    mov r6, #0
    mov r7, #0
    mov r8, #0
    mov r9, #0
    mov r10, #0
    mov r11, #0
.endm

.section .text.niwaki_sum_rows_i8,"ax",%progbits
.global niwaki_sum_rows_i8
.type niwaki_sum_rows_i8, %function
.thumb_func
.balign 4
niwaki_sum_rows_i8:
    push {{r4-r11, lr}}
    ldr lr, [sp, #44]
    cmp lr, #0
    beq 3f
    niwaki_take_four r4, r5
    niwaki_take_four r6, r7
    niwaki_take_four r8, r9
    niwaki_take_four r10, r11
    b 2f
3:  niwaki_clear_sums
    b 2f
1:  ldrh r12, [r0], #2
    ldr lr, [sp, #36]
    cmp r12, lr
    bhs 2f
    mla lr, r12, r3, r2
    niwaki_add_four r4, r5
    niwaki_add_four r6, r7
    niwaki_add_four r8, r9
    niwaki_add_four r10, r11
2:  cmp r0, r1
    blo 1b
    ldr r12, [sp, #40]
    niwaki_store_four r4, r5
    niwaki_store_four r6, r7
    niwaki_store_four r8, r9
    niwaki_store_four r10, r11
    pop {{r4-r11, pc}}

.macro niwaki_multiply_four offset, a, b, c, d
    ldr lr, [r2, #\offset]
    sxtb16 r1, lr
    smlabb \a, r1, r12, \a
    smlatb \c, r1, r12, \c
    sxtb16 r1, lr, ror #8
    smlabb \b, r1, r12, \b
    smlatb \d, r1, r12, \d
.endm

.section .text.niwaki_sum_all_rows_i8,"ax",%progbits
.global niwaki_sum_all_rows_i8
.type niwaki_sum_all_rows_i8, %function
.thumb_func
.balign 4
niwaki_sum_all_rows_i8:
    push {{r4-r11, lr}}
    niwaki_clear_sums
    b 3f
1:  ldrsb r12, [r0], #1
    ldr lr, [sp, #36]
    subs r12, r12, lr
    beq 2f                          @ after a ReLU most codes are the zero point
    niwaki_multiply_four 0, r4, r5, r6, r7
    niwaki_multiply_four 4, r8, r9, r10, r11
2:  add r2, r2, r3
    ldr r1, [sp, #40]
3:  cmp r0, r1
    blo 1b
    ldr r12, [sp, #44]
    stmia r12, {{r4-r11}}
    pop {{r4-r11, pc}}

.section .text.niwaki_row_codes_i8,"ax",%progbits
.global niwaki_row_codes_i8
.type niwaki_row_codes_i8, %function
.thumb_func
.balign 4
niwaki_row_codes_i8:
    push {{r4-r11, lr}}
    ldm r3, {{r7-r12, lr}}
    b 2f
1:  ldr r4, [r0], #4
    ldr r5, [r7], #4
    add r4, r4, lr
    mla r4, r4, r10, r5
    ldr r5, [r8], #4
    lsl r5, r5, #1                  @ the mantissa has 32 bits: as a signed number it is 2^32 too small
    ldr r6, [r9], #4
    smmlar r5, r4, r5, r4
    mvn r6, r6
    add r5, r5, r5, asr #31         @ less one below zero: halves go away from zero
    lsl r4, r11, r6
    add r5, r5, r4
    asr r5, r5, r6
    asr r5, r5, #1
    ssat r5, #8, r5
    cmp r5, r12
    it lt
    movlt r5, r12
    strb r5, [r2], #1
2:  cmp r0, r1
    blo 1b
    pop {{r4-r11, pc}}
.text
"#
);

/// What [`niwaki_row_codes_i8`] reads besides the sums.
#[repr(C)]
struct Constants {
    bias: *const i32,
    multipliers_q31: *const i32,
    shifts: *const i32,
    factor: i32,
    /// `2 * z + 1`: the zero point and a half, at one fraction bit.
    zero_point_and_half: i32,
    min: i32,
    offset: i32,
}

unsafe extern "C" {
    fn niwaki_row_codes_i8(sums: *const i32, sums_end: *const i32, y: *mut i8, constants: *const Constants);
    fn niwaki_sum_rows_i8(
        columns: *const u16,
        columns_end: *const u16,
        x: *const i8,
        width: usize,
        rows: usize,
        sums: *mut i32,
        own: *const i8,
    );
    fn niwaki_sum_all_rows_i8(
        values: *const i8,
        values_end: *const i8,
        x: *const i8,
        width: usize,
        zero_point: i32,
        values_end_again: *const i8,
        sums: *mut i32,
    );
}

/// Rows that can be added before a half of a word may overflow: `256 * -128 = -2^15`, one of them a node's own.
const ROWS_MAX: usize = 255;

/// Channels of one pass of products.
const LANES: usize = 8;

/// How many rows have `len` elements from channel `first` on inside `x`, those that belong to the next row included.
#[inline(always)]
fn whole_rows(x: &[i8], at: Block, len: usize) -> usize {
    let room = x.len().checked_sub(at.first.saturating_add(len));
    room.and_then(|room| room.checked_div(at.width)).map_or(0, |rows| rows + 1)
}

/// Sums of at most [`ROWS_MAX`] rows and an own one, those below `rows`, which `whole_rows` counted.
#[inline(always)]
fn sum_part(columns: &[u16], own: Option<usize>, x: &[i8], at: Block, rows: usize, sums: &mut Sums) {
    let (range, x) = (columns.as_ptr_range(), x.as_ptr().wrapping_add(at.first));
    let own = own.filter(|&own| own < rows).map_or(null(), |own| x.wrapping_add(own * at.width));
    // SAFETY: reads the columns in `range`, and of `own` and each column below `rows` the sixteen elements of `x` that
    // `whole_rows` counted; writes sixteen words. Without rows the pointer into `x` is not used.
    unsafe { niwaki_sum_rows_i8(range.start, range.end, x, at.width, rows, sums.as_mut_ptr(), own) };
}

/// Adds the sums of columns beyond the first [`ROWS_MAX`].
#[inline(never)]
fn add_parts(columns: &[u16], x: &[i8], at: Block, rows: usize, sums: &mut Sums) {
    let mut of_part = [0; BLOCK];
    for columns in columns.chunks(ROWS_MAX) {
        sum_part(columns, None, x, at, rows, &mut of_part);
        sums.iter_mut().zip(of_part).for_each(|(sum, of_part)| *sum = sum.wrapping_add(of_part));
    }
}

pub(super) fn sum_rows(columns: Columns<'_>, own: Option<usize>, x: &[i8], at: Block, sums: &mut Sums) {
    let Columns::Narrow(columns) = columns else { return portable::nodes::sum_rows(columns, own, x, at, sums) };
    let rows = whole_rows(x, at, BLOCK);
    match columns.split_at_checked(ROWS_MAX) {
        None => sum_part(columns, own, x, at, rows, sums),
        Some((columns, more)) => {
            sum_part(columns, own, x, at, rows, sums);
            add_parts(more, x, at, rows, sums);
        }
    }
    // Columns rise: those whose rows end too early for a whole block are the last ones.
    let too_short = columns.iter().rev().map(|column| column.to_usize()).take_while(|&column| column >= rows);
    for row in too_short.chain(own.filter(|&own| own >= rows)) {
        add_row(sums, 1, x, row, at);
    }
}

pub(super) fn sum_all_rows(values: &[i8], zero_point: i32, x: &[i8], at: Block, sums: &mut Sums) {
    let (width, mut at) = (at.width, at);
    for sums in sums.as_chunks_mut::<LANES>().0 {
        if at.first >= width {
            break;
        }
        let rows = whole_rows(x, at, LANES);
        let (whole, rest) = values.split_at_checked(rows).unwrap_or((values, &[]));
        let range = whole.as_ptr_range();
        // SAFETY: reads the codes in `range`, and for each of them, at most `rows`, the eight elements of `x` that
        // `whole_rows` counted; writes eight words. Without rows the pointer into `x` is not used.
        unsafe {
            let x = x.as_ptr().wrapping_add(at.first);
            niwaki_sum_all_rows_i8(range.start, range.end, x, width, zero_point, range.end, sums.as_mut_ptr());
        }
        for (row, &value) in (whole.len()..).zip(rest) {
            add_row(sums, i32::from(value) - zero_point, x, row, at);
        }
        at.first += LANES;
    }
}

pub(super) fn codes(scaling: &RowScaling<'_>, row: RowScale, first: usize, sums: &[i32], y: &mut [i8]) {
    let &RowConstants { bias, multipliers_q31, shifts, output_zero_point, clamp, .. } = scaling.constants();
    let len = sums.len().min(y.len());
    let end = first.saturating_add(len);
    let has_all = bias.len() >= end && multipliers_q31.len() >= end && shifts.len() >= end;
    if !(scaling.is_small() && clamp.max == 127 && has_all) {
        return portable_codes(scaling, row, first, sums, y);
    }
    let from = |values: &[i32]| values.as_ptr().wrapping_add(first);
    let (bias, multipliers_q31, shifts) = (from(bias), from(multipliers_q31), from(shifts));
    let (zero_point_and_half, RowScale { factor, offset }) = (2 * output_zero_point + 1, row);
    let min = clamp.min;
    let constants = Constants { bias, multipliers_q31, shifts, factor, zero_point_and_half, min, offset };
    let sums_end = sums.as_ptr().wrapping_add(len);
    // SAFETY: reads the first `len` sums, as many biases, multipliers and shifts from `first` on, which are there as was
    // just looked at, and the constants; writes as many codes, which `y` has.
    unsafe { niwaki_row_codes_i8(sums.as_ptr(), sums_end, y.as_mut_ptr(), &raw const constants) };
}

/// Never inlined, so that its registers are not saved where it is not needed.
#[inline(never)]
fn portable_codes(scaling: &RowScaling<'_>, row: RowScale, first: usize, sums: &[i32], y: &mut [i8]) {
    scaling.codes(row, first, sums, y);
}
