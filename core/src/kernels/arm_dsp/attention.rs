//! Attention over neighbours: products and sums of all heads of a row, and what each neighbour counts in passes that have
//! no branch on what they compute.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::kernels::nodes::{Normalizer, Scoring, Slope};
use crate::num::EXP;
use core::arch::global_asm;

// Products of heads: r0 codes, r1 vector, r2 products, r3 their end; on the stack the channels of a head.
// Sums of heads: r0 sums, r1 codes, r2 weights, r3 their end; on the stack the channels of a head.
// What neighbours count: r0 the numbers of a head, r1 their end, r2 bytes from one to the next;
//   scores: r3 offset and slopes; gives the largest one.
//   exponentials: r3 the largest score; on the stack the table; gives their sum.
//   weights: r3 reciprocal; on the stack half and shift; gives their sum.
global_asm!(
    ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
    r#"
.section .text.niwaki_dot_heads_i8,"ax",%progbits
.global niwaki_dot_heads_i8
.type niwaki_dot_heads_i8, %function
.thumb_func
.balign 4
niwaki_dot_heads_i8:
    push {{r4-r8, lr}}
    ldr r8, [sp, #24]
    b 6f
1:  mov r12, #0
    subs lr, r8, #4
    blt 3f
2:  ldr r4, [r0], #4
    ldr r5, [r1], #4
    sxtb16 r6, r4
    sxtb16 r7, r5
    smlad r12, r6, r7, r12
    sxtb16 r4, r4, ror #8
    sxtb16 r5, r5, ror #8
    smlad r12, r4, r5, r12
    subs lr, lr, #4
    bge 2b
3:  adds lr, lr, #4
    beq 5f
4:  ldrsb r4, [r0], #1
    ldrsb r5, [r1], #1
    smlabb r12, r4, r5, r12
    subs lr, lr, #1
    bne 4b
5:  str r12, [r2], #4
6:  cmp r2, r3
    blo 1b
    pop {{r4-r8, pc}}

.section .text.niwaki_add_heads_i8,"ax",%progbits
.global niwaki_add_heads_i8
.type niwaki_add_heads_i8, %function
.thumb_func
.balign 4
niwaki_add_heads_i8:
    push {{r4-r10, lr}}
    ldr r10, [sp, #32]
    b 6f
1:  ldr r12, [r2], #4
    subs lr, r10, #4
    blt 3f
2:  ldr r4, [r1], #4
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
    bge 2b
3:  adds lr, lr, #4
    beq 6f
4:  ldrsb r4, [r1], #1
    ldr r6, [r0]
    mla r6, r4, r12, r6
    str r6, [r0], #4
    subs lr, lr, #1
    bne 4b
6:  cmp r2, r3
    blo 1b
    pop {{r4-r10, pc}}

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

/// What [`niwaki_scores`] reads besides the products.
#[repr(C)]
struct Scores {
    offset: i32,
    slopes: [Slope; 2],
}

unsafe extern "C" {
    fn niwaki_dot_heads_i8(x: *const i8, v: *const i8, products: *mut i32, products_end: *mut i32, part: usize);
    fn niwaki_add_heads_i8(sums: *mut i32, x: *const i8, weights: *const i32, weights_end: *const i32, part: usize);
    fn niwaki_scores(products: *mut i32, end: *mut i32, step: usize, scores: *const Scores) -> i32;
    fn niwaki_exponentials(scores: *mut i32, end: *mut i32, step: usize, largest: i32, table: *const [i16; 513])
    -> u32;
    fn niwaki_weights(values: *mut i32, end: *mut i32, step: usize, reciprocal: u32, half: u32, shift: u32) -> i32;
}

/// Channels of each of `heads` heads, if `x` and `other` have them.
fn head_channels(x: &[i8], other: usize, heads: usize) -> Option<usize> {
    x.len().checked_div(heads).filter(|&part| part > 0 && other >= part * heads)
}

/// [`RowSums::dot_heads`](crate::kernels::nodes::RowSums::dot_heads)
pub(super) fn dot_heads(x: &[i8], v: &[i8], products: &mut [i32]) {
    let Some(part) = head_channels(x, v.len(), products.len()) else { return };
    let range = products.as_mut_ptr_range();
    // SAFETY: reads `part` codes for each product of `x` and of `v`, which have them; writes the products.
    unsafe { niwaki_dot_heads_i8(x.as_ptr(), v.as_ptr(), range.start, range.end, part) };
}

/// [`RowSums::add_heads`](crate::kernels::nodes::RowSums::add_heads)
pub(super) fn add_heads(sums: &mut [i32], weights: &[i32], x: &[i8]) {
    let Some(part) = head_channels(x, sums.len(), weights.len()) else { return };
    let range = weights.as_ptr_range();
    // SAFETY: reads the weights and for each of them `part` codes of `x`, which has them; reads and writes as many sums.
    unsafe { niwaki_add_heads_i8(sums.as_mut_ptr(), x.as_ptr(), range.start, range.end, part) };
}

/// [`RowSums::weigh`](crate::kernels::nodes::RowSums::weigh), if the multipliers are slopes.
pub(super) fn weigh(products: &mut [i32], heads: usize, scoring: &Scoring) -> Option<i32> {
    let (slopes, step) = (scoring.slopes()?, heads.checked_mul(size_of::<i32>()).filter(|&step| step > 0)?);
    let (scores, range) = (Scores { offset: scoring.offset, slopes }, products.as_mut_ptr_range());
    // SAFETY: reads and writes every `heads`-th of `products`, from the first one to the last one before its end; reads `scores`.
    let largest = unsafe { niwaki_scores(range.start, range.end, step, &raw const scores) };
    // SAFETY: as above; reads pairs of the table at 0 to 511, as no score is larger than `largest`.
    let sum = unsafe { niwaki_exponentials(range.start, range.end, step, largest, &raw const EXP) };
    let Normalizer { reciprocal, half, shift } = Normalizer::new(sum);
    // SAFETY: as above.
    Some(unsafe { niwaki_weights(range.start, range.end, step, reciprocal, half, shift) })
}
