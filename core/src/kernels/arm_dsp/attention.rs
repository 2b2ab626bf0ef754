//! Attention over neighbours: products and sums of all heads of a row, and what each neighbour counts in passes that have
//! no branch on what they compute.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::kernels::nodes::{Normalizer, Scoring, heads};
use crate::num::tables::EXP;
use core::{arch::global_asm, ffi::c_void};

// Products and sums of rows: r0 columns, r1 their end, r2 what `Rows` has; they stop at a column that is not in `x`.
// What neighbours count: r0 the numbers of a head, r1 their end, r2 bytes from one to the next;
//   scores: r3 offset and slopes; gives the largest one.
//   exponentials: r3 the largest score; on the stack the table; gives their sum.
//   weights: r3 reciprocal; on the stack half and shift; gives their sum.
global_asm!(
    ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
    r#"
.macro niwaki_begin_rows
    push {{r1, r4-r11, lr}}
    mov r11, r0
    mov r3, r2
.endm

.macro niwaki_next_row x
    ldrh r4, [r11], #2
    ldm r3, {{\x, r5, r6, r10}}     @ x, its rows, their width, heads
    cmp r4, r5
    bhs 8f
    mla \x, r4, r6, \x
.endm

.macro niwaki_end_rows
    ldr r4, [sp]
    cmp r11, r4
    blo 1b
8:  pop {{r1, r4-r11, pc}}
.endm

.section .text.niwaki_dot_rows_i8,"ax",%progbits
.global niwaki_dot_rows_i8
.type niwaki_dot_rows_i8, %function
.thumb_func
.balign 4
niwaki_dot_rows_i8:
    niwaki_begin_rows
    ldr r2, [r3, #24]
    ldr r8, [r3, #16]
    ldr r9, [r3, #28]
    b 7f
1:  niwaki_next_row r0
    ldr r1, [r3, #20]
2:  mov r12, #0
    subs lr, r8, #4
    blt 4f
3:  ldr r4, [r0], #4
    ldr r5, [r1], #4
    sxtb16 r6, r4
    ssub16 r6, r6, r9
    sxtb16 r7, r5
    smlad r12, r6, r7, r12
    sxtb16 r4, r4, ror #8
    ssub16 r4, r4, r9
    sxtb16 r5, r5, ror #8
    smlad r12, r4, r5, r12
    subs lr, lr, #4
    bge 3b
4:  adds lr, lr, #4
    beq 6f
5:  ldrsb r4, [r0], #1
    ldrsb r5, [r1], #1
    ssub16 r4, r4, r9
    smlabb r12, r4, r5, r12
    subs lr, lr, #1
    bne 5b
6:  str r12, [r2], #4
    subs r10, r10, #1
    bne 2b
7:  niwaki_end_rows

.section .text.niwaki_add_rows_i8,"ax",%progbits
.global niwaki_add_rows_i8
.type niwaki_add_rows_i8, %function
.thumb_func
.balign 4
niwaki_add_rows_i8:
    niwaki_begin_rows
    ldr r2, [r3, #20]
    b 7f
1:  niwaki_next_row r1
    ldr r0, [r3, #24]
2:  ldr r12, [r2], #4
    ldr lr, [r3, #16]
    subs lr, lr, #4
    blt 4f
3:  ldr r4, [r1], #4
    ldm r0, {{r6-r9}}
    sxtb r5, r4
    mla r6, r5, r12, r6
    sxtb r5, r4, ror #8
    mla r7, r5, r12, r7
    sxtb r5, r4, ror #16
    mla r8, r5, r12, r8
    asr r5, r4, #24
    mla r9, r5, r12, r9
    stmia r0!, {{r6-r9}}
    subs lr, lr, #4
    bge 3b
4:  adds lr, lr, #4
    beq 6f
5:  ldrsb r4, [r1], #1
    ldr r6, [r0]
    mla r6, r4, r12, r6
    str r6, [r0], #4
    subs lr, lr, #1
    bne 5b
6:  subs r10, r10, #1
    bne 2b
7:  niwaki_end_rows

.section .text.niwaki_scores,"ax",%progbits
.global niwaki_scores
.type niwaki_scores, %function
.thumb_func
.balign 4
niwaki_scores:
    push {{r4-r10, lr}}
    ldr r12, [r3], #4
    mov lr, #0x80000000
    b 2f
1:  ldr r4, [r0]
    add r4, r4, r12
    mov r5, r3
    cmp r4, #0
    it le
    addle r5, r5, #20               @ the slope for what falls
    ldm r5, {{r6-r10}}
    lsl r4, r4, r7
    smmlar r4, r4, r6, r4           @ the mantissa has 32 bits: as a signed number it is 2^32 too small
    and r5, r8, r4, asr #31
    add r4, r4, r5
    add r4, r4, r9
    asr r4, r4, r10
    cmp r4, lr
    it gt
    movgt lr, r4
    str r4, [r0]
    add r0, r0, r2
2:  cmp r0, r1
    blo 1b
    mov r0, lr
    pop {{r4-r10, pc}}

.section .text.niwaki_exponentials,"ax",%progbits
.global niwaki_exponentials
.type niwaki_exponentials, %function
.thumb_func
.balign 4
niwaki_exponentials:
    push {{r4-r8, lr}}
    ldr r12, [sp, #24]
    mov lr, #0
    movw r7, #65535                 @ the distance of the first entry from the last one
    mov r8, #64
    b 3f
1:  ldr r4, [r0]
    mov r5, #0
    qsub r4, r4, r3
    adds r4, r4, r7
    bmi 2f
    lsr r5, r4, #7
    add r6, r12, r5, lsl #1
    ldrsh r5, [r6]
    ldrsh r6, [r6, #2]
    and r4, r4, #127
    sub r6, r6, r5
    mla r6, r6, r4, r8
    add r5, r5, r6, asr #7
2:  str r5, [r0]
    add lr, lr, r5
    add r0, r0, r2
3:  cmp r0, r1
    blo 1b
    mov r0, lr
    pop {{r4-r8, pc}}

.section .text.niwaki_weights,"ax",%progbits
.global niwaki_weights
.type niwaki_weights, %function
.thumb_func
.balign 4
niwaki_weights:
    push {{r4-r6, lr}}
    ldrd r5, r6, [sp, #16]
    mov lr, #0
    b 2f
1:  ldr r4, [r0]
    mla r4, r4, r3, r5
    lsr r4, r4, r6
    str r4, [r0]
    add lr, lr, r4
    add r0, r0, r2
2:  cmp r0, r1
    blo 1b
    mov r0, lr
    pop {{r4-r6, pc}}
.text
"#
);

/// What [`niwaki_dot_rows_i8`] and [`niwaki_add_rows_i8`] read besides the columns.
#[repr(C)]
struct Rows {
    x: *const i8,
    count: usize,
    width: usize,
    heads: usize,
    /// Channels of a head, at least 1.
    part: usize,
    /// The vector, or the weights.
    read: *const c_void,
    /// The products, or the sums.
    written: *mut i32,
    /// In both halves.
    zero_points: u32,
}

impl Rows {
    /// Rows of `width` elements, no zero point.
    fn new(x: &[i8], width: usize, [heads, part]: [usize; 2], read: *const c_void, written: *mut i32) -> Self {
        let count = x.len().checked_div(width).unwrap_or(0);
        Self { x: x.as_ptr(), count, width, heads, part, read, written, zero_points: 0 }
    }
}

unsafe extern "C" {
    fn niwaki_dot_rows_i8(columns: *const u16, columns_end: *const u16, rows: *const Rows);
    fn niwaki_add_rows_i8(columns: *const u16, columns_end: *const u16, rows: *const Rows);
    fn niwaki_scores(products: *mut i32, end: *mut i32, step: usize, scoring: *const Scoring) -> i32;
    fn niwaki_exponentials(scores: *mut i32, end: *mut i32, step: usize, largest: i32, table: *const [i16; 513])
    -> u32;
    fn niwaki_weights(values: *mut i32, end: *mut i32, step: usize, reciprocal: u32, half: u32, shift: u32) -> i32;
}

/// [`InnerLoops::dot_rows`](crate::kernels::InnerLoops::dot_rows)
pub(super) fn dot_rows(columns: &[u16], x: &[i8], zero_point: i32, v: &[i8], products: &mut [i32]) {
    let Some(parts) = heads(columns.len(), v.len(), products.len()) else { return };
    let halves = zero_point as u32 & 0xFFFF;
    let rows = Rows {
        zero_points: halves << 16 | halves,
        ..Rows::new(x, v.len(), parts, v.as_ptr().cast(), products.as_mut_ptr())
    };
    let range = columns.as_ptr_range();
    // SAFETY: reads the columns and, for each that `x` has, `heads * part <= width` codes of its row and of `v`; writes at
    // most `heads` products a column, which is what there are.
    unsafe { niwaki_dot_rows_i8(range.start, range.end, &raw const rows) };
}

/// [`InnerLoops::add_rows`](crate::kernels::InnerLoops::add_rows)
pub(super) fn add_rows(columns: &[u16], x: &[i8], weights: &[i32], sums: &mut [i32]) {
    let Some(parts) = heads(columns.len(), sums.len(), weights.len()) else { return };
    let rows = Rows::new(x, sums.len(), parts, weights.as_ptr().cast(), sums.as_mut_ptr());
    let range = columns.as_ptr_range();
    // SAFETY: reads the columns and, for each that `x` has, `heads` weights, which is what there are, and
    // `heads * part <= width` codes of its row; reads and writes as many sums, of which there are `width`.
    unsafe { niwaki_add_rows_i8(range.start, range.end, &raw const rows) };
}

/// [`InnerLoops::weigh`](crate::kernels::InnerLoops::weigh)
pub(super) fn weigh(products: &mut [i32], heads: usize, scoring: &Scoring) -> i32 {
    let (step, range) = (heads.max(1).saturating_mul(size_of::<i32>()), products.as_mut_ptr_range());
    // SAFETY: reads and writes every `heads`-th of `products`, from the first one to the last one before its end; reads
    // `scoring`.
    let largest = unsafe { niwaki_scores(range.start, range.end, step, scoring) };
    // SAFETY: as above; reads pairs of the table at 0 to 511, as no score is larger than `largest`.
    let sum = unsafe { niwaki_exponentials(range.start, range.end, step, largest, &raw const EXP) };
    let Normalizer { reciprocal, half, shift } = Normalizer::new(sum);
    // SAFETY: as above.
    unsafe { niwaki_weights(range.start, range.end, step, reciprocal, half, shift) }
}
