//! 3 × 3 depthwise convolution of a tile: two taps of neighbouring rows a multiply-accumulate.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::kernels::tiles::depthwise_drive::DepthwiseTile;
use crate::kernels::tiles::{Activations, BLOCK_WORDS, FILTERS};
use core::arch::global_asm;

/// What the code works on; it changes the fields as it goes.
#[repr(C)]
struct Frame {
    /// 0: bytes of the pairs under the blocks of three output columns.
    run_bytes: usize,
    /// 4: the next output of the channel in work.
    y: *mut i8,
    /// 8: end of the blocks.
    blocks_end: *const i32,
    /// 12: output columns after the last block of three.
    rest: usize,
    /// 16: the two rings; they change places after every pair of rows.
    upper: *mut i32,
    lower: *mut i32,
    /// 24: the blocks.
    blocks: *mut i32,
    /// 28: first output of the row (or two rows) in work.
    y_row: *mut i8,
    /// 32: rows of outputs that are left.
    rows: usize,
    /// 36: the next row of the image.
    x_row: *const i8,
    /// 40: the image's row to widen next; the padding above it has negative numbers.
    row: isize,
    /// 44: rows of the image.
    row_end: usize,
    /// 48: bytes from a row of the image to the next.
    x_row_bytes: usize,
    /// 52: bytes from a column to the next, in the image and in the output.
    pixel_bytes: usize,
    /// 56: what rows of the padding hold in every column.
    padding: *const [i8; FILTERS],
    /// 60: bytes of the padding before the image's columns in a plane of a ring.
    before_bytes: usize,
    /// 64: bytes of the image's columns in a plane.
    image_bytes: usize,
    /// 68: bytes of a plane.
    plane_bytes: usize,
    /// 72: bytes from a row of outputs to the next.
    y_row_bytes: usize,
    /// 76: 1 or 2.
    stride: usize,
    /// 80: bytes of the planes before that of the first channel.
    skip_bytes: usize,
    /// 84: keeps the stack aligned.
    filler: usize,
}

// Registers of the loops over outputs: r5-r7 three pairs of weights, then mantissa, addend and exponent, then the place
// of the output; r11 r12 upper and lower pairs; lr block. The accumulators of a first tap begin with the start in r4.
// The last words of a block are: end of the upper pairs under whole blocks of columns, next output, pixel, row.
global_asm!(
    ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
    r#"
.macro niwaki_depthwise_finish acc
    add r0, r6, \acc, asr #31       @ addend, less one below zero: halves go away from zero
    smmlar \acc, \acc, r5, r0
    asr \acc, \acc, r7
    ssat \acc, #8, \acc, asr #1
.endm

.macro niwaki_depthwise_channel                     @ r3 = end of the upper pairs under whole blocks
    ldrd r1, r5, [sp]
    add r3, r11, r1
    add r8, r5, #1
    str r8, [sp, #4]
    strd r3, r5, [lr, #40]
    cmp r11, r3
.endm

.section .text.niwaki_depthwise_tile,"ax",%progbits
.global niwaki_depthwise_tile
.type niwaki_depthwise_tile, %function
.thumb_func
.balign 4
niwaki_depthwise_tile:
    push {{r4-r11, lr}}
    sub sp, sp, #92
    mov r12, sp
    ldm r0!, {{r1-r11}}
    stm r12!, {{r1-r11}}
    ldm r0, {{r1-r11}}
    stm r12, {{r1-r11}}
    ldr r0, [sp, #24]
    ldr r1, [sp, #8]
    ldr r2, [sp, #52]
    ldr r3, [sp, #72]
1:  strd r2, r3, [r0, #48]
    add r0, r0, #56
    cmp r0, r1
    blo 1b
    ldr r5, [sp, #16]
    bl 20f

1:  ldr r5, [sp, #20]               @ the next row, or two, of outputs
    bl 20f
    ldr r0, [sp, #28]
    ldr r11, [sp, #16]
    ldr r12, [sp, #20]
    ldr lr, [sp, #24]
    ldr r1, [sp, #80]
    ldr r2, [sp, #76]
    str r0, [sp, #4]
    add r11, r11, r1
    add r12, r12, r1
    cmp r2, #1
    bne 11f
    ldr r0, [sp, #32]
    cmp r0, #1
    bne 2f
    movs r0, #0                     @ no second row: it is written where the first will be
    str r0, [lr, #52]
    ldr r1, [sp, #8]
    sub r1, r1, lr
    cmp r1, #56
    itt hi
    strhi r0, [lr, #108]
    cmphi r1, #112
    itt hi
    strhi r0, [lr, #164]
    cmphi r1, #168
    it hi
    strhi r0, [lr, #220]

2:  niwaki_depthwise_channel        @ a channel at stride 1
    bhs 4f
3:  ldm lr!, {{r4, r5, r6, r7}}       @ three columns, two rows: r8 r10 r3, r9 r2 r4
    ldrd r0, r1, [r11]
    smlad r8, r0, r5, r4
    smlatb r9, r0, r5, r4
    smlad r8, r1, r6, r8
    smlatb r9, r1, r6, r9
    smlad r10, r1, r5, r4
    smlatb r2, r1, r5, r4
    ldrd r0, r1, [r11, #8]
    smlad r8, r0, r7, r8
    smlatb r9, r0, r7, r9
    smlad r10, r0, r6, r10
    smlatb r2, r0, r6, r2
    smlad r3, r0, r5, r4
    smlatb r4, r0, r5, r4
    smlad r10, r1, r7, r10
    smlatb r2, r1, r7, r2
    smlad r3, r1, r6, r3
    smlatb r4, r1, r6, r4
    ldr r0, [r11, #16]
    smlad r3, r0, r7, r3
    smlatb r4, r0, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldrd r0, r1, [r12]
    smlabt r8, r0, r5, r8
    smlad r9, r0, r5, r9
    smlabt r8, r1, r6, r8
    smlad r9, r1, r6, r9
    smlabt r10, r1, r5, r10
    smlad r2, r1, r5, r2
    ldrd r0, r1, [r12, #8]
    smlabt r8, r0, r7, r8
    smlad r9, r0, r7, r9
    smlabt r10, r0, r6, r10
    smlad r2, r0, r6, r2
    smlabt r3, r0, r5, r3
    smlad r4, r0, r5, r4
    smlabt r10, r1, r7, r10
    smlad r2, r1, r7, r2
    smlabt r3, r1, r6, r3
    smlad r4, r1, r6, r4
    ldr r0, [r12, #16]
    smlabt r3, r0, r7, r3
    smlad r4, r0, r7, r4
    ldm lr!, {{r5, r6, r7}}
    niwaki_depthwise_finish r8
    niwaki_depthwise_finish r10
    niwaki_depthwise_finish r3
    niwaki_depthwise_finish r9
    niwaki_depthwise_finish r2
    niwaki_depthwise_finish r4
    ldm lr, {{r0, r5, r6, r7}}
    add r7, r7, r5
    add r1, r5, r6
    add r1, r1, r6, lsl #1
    strb r9, [r7]
    strb r2, [r7, r6]
    strb r4, [r7, r6, lsl #1]
    strb r8, [r5]
    strb r10, [r5, r6]
    strb r3, [r5, r6, lsl #1]
    str r1, [lr, #4]
    add r11, r11, #12
    add r12, r12, #12
    sub lr, lr, #40
    cmp r11, r0
    blo 3b
4:  ldr r0, [sp, #12]
    cmp r0, #1
    blo 9f
    beq 5f
    ldm lr!, {{r4, r5, r6, r7}}       @ two columns, two rows: r8 r9, r10 r4
    ldm r11, {{r0, r1, r2, r3}}
    smlad r8, r0, r5, r4
    smlad r9, r1, r5, r4
    smlatb r10, r0, r5, r4
    smlatb r4, r1, r5, r4
    smlad r8, r1, r6, r8
    smlad r9, r2, r6, r9
    smlatb r10, r1, r6, r10
    smlatb r4, r2, r6, r4
    smlad r8, r2, r7, r8
    smlad r9, r3, r7, r9
    smlatb r10, r2, r7, r10
    smlatb r4, r3, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldm r12, {{r0, r1, r2, r3}}
    smlabt r8, r0, r5, r8
    smlabt r9, r1, r5, r9
    smlad r10, r0, r5, r10
    smlad r4, r1, r5, r4
    smlabt r8, r1, r6, r8
    smlabt r9, r2, r6, r9
    smlad r10, r1, r6, r10
    smlad r4, r2, r6, r4
    smlabt r8, r2, r7, r8
    smlabt r9, r3, r7, r9
    smlad r10, r2, r7, r10
    smlad r4, r3, r7, r4
    ldm lr!, {{r5, r6, r7}}
    niwaki_depthwise_finish r8
    niwaki_depthwise_finish r9
    niwaki_depthwise_finish r10
    niwaki_depthwise_finish r4
    ldm lr, {{r0, r5, r6, r7}}
    add r7, r7, r5
    strb r10, [r7]
    strb r4, [r7, r6]
    strb r8, [r5]
    strb r9, [r5, r6]
    add r11, r11, #8
    add r12, r12, #8
    sub lr, lr, #40
    b 9f
5:  ldm lr!, {{r4, r5, r6, r7}}       @ one column, two rows: r8, r4
    ldm r11, {{r0, r1, r2}}
    smlad r8, r0, r5, r4
    smlatb r4, r0, r5, r4
    smlad r8, r1, r6, r8
    smlatb r4, r1, r6, r4
    smlad r8, r2, r7, r8
    smlatb r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldm r12, {{r0, r1, r2}}
    smlabt r8, r0, r5, r8
    smlad r4, r0, r5, r4
    smlabt r8, r1, r6, r8
    smlad r4, r1, r6, r4
    smlabt r8, r2, r7, r8
    smlad r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    niwaki_depthwise_finish r8
    niwaki_depthwise_finish r4
    ldm lr, {{r0, r5, r6, r7}}
    strb r4, [r5, r7]
    strb r8, [r5]
    add r11, r11, #4
    add r12, r12, #4
    sub lr, lr, #40
9:  ldr r1, [sp, #8]
    add lr, lr, #56
    add r11, r11, #8
    add r12, r12, #8
    cmp lr, r1
    blo 2b
    ldr r4, [sp, #72]
    lsl r4, r4, #1
    mov r5, #2
    b 10f

11: niwaki_depthwise_channel        @ a channel at stride 2
    bhs 7f
6:  ldm lr!, {{r4, r5, r6, r7}}       @ three columns: r8 r9 r4
    ldm r11!, {{r0, r1, r2, r3}}
    smlad r8, r0, r5, r4
    smlad r9, r2, r5, r4
    smlad r8, r1, r6, r8
    smlad r9, r3, r6, r9
    smlad r8, r2, r7, r8
    ldm r11, {{r0, r1, r2}}
    smlad r9, r0, r7, r9
    smlad r4, r0, r5, r4
    smlad r4, r1, r6, r4
    smlad r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldm r12!, {{r0, r1, r2, r3}}
    smlabt r8, r0, r5, r8
    smlabt r9, r2, r5, r9
    smlabt r8, r1, r6, r8
    smlabt r9, r3, r6, r9
    smlabt r8, r2, r7, r8
    ldm r12, {{r0, r1, r2}}
    smlabt r9, r0, r7, r9
    smlabt r4, r0, r5, r4
    smlabt r4, r1, r6, r4
    smlabt r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    niwaki_depthwise_finish r8
    niwaki_depthwise_finish r9
    niwaki_depthwise_finish r4
    ldm lr, {{r0, r5, r6}}
    add r1, r5, r6
    add r1, r1, r6, lsl #1
    strb r8, [r5]
    strb r9, [r5, r6]
    strb r4, [r5, r6, lsl #1]
    str r1, [lr, #4]
    add r11, r11, #8
    add r12, r12, #8
    sub lr, lr, #40
    cmp r11, r0
    blo 6b
7:  ldr r10, [sp, #12]
    cmp r10, #0
    beq 8f
6:  ldm lr!, {{r4, r5, r6, r7}}       @ one column: r4
    ldm r11, {{r0, r1, r2}}
    smlad r4, r0, r5, r4
    smlad r4, r1, r6, r4
    smlad r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldm r12, {{r0, r1, r2}}
    smlabt r4, r0, r5, r4
    smlabt r4, r1, r6, r4
    smlabt r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    niwaki_depthwise_finish r4
    ldm lr, {{r0, r5, r6}}
    add r6, r6, r5
    strb r4, [r5]
    str r6, [lr, #4]
    add r11, r11, #8
    add r12, r12, #8
    sub lr, lr, #40
    subs r10, r10, #1
    bne 6b
8:  ldr r1, [sp, #8]
    add lr, lr, #56
    add r11, r11, #4
    add r12, r12, #4
    cmp lr, r1
    blo 11b
    ldr r4, [sp, #72]
    mov r5, #1

10: ldrd r0, r1, [sp, #16]
    strd r1, r0, [sp, #16]
    ldrd r0, r1, [sp, #28]
    add r0, r0, r4
    subs r1, r1, r5
    strd r0, r1, [sp, #28]
    bgt 1b
    add sp, sp, #92
    pop {{r4-r11, pc}}

20: ldr r12, [sp, #40]              @ widens two rows into the ring at r5
    ldr r10, [sp, #44]
    ldr r9, [sp, #36]
    ldr r8, [sp, #48]
    ldr r7, [sp, #52]
    ldr r1, [sp, #56]
    mov r2, r1
    movs r3, #0
    movs r4, #0
    cmp r12, r10                    @ rows of the padding above are large without a sign
    ittt lo
    movlo r1, r9
    movlo r3, r7
    addlo r9, r9, r8
    add r12, r12, #1
    cmp r12, r10
    ittt lo
    movlo r2, r9
    movlo r4, r7
    addlo r9, r9, r8
    add r12, r12, #1
    str r12, [sp, #40]
    str r9, [sp, #36]
    ldr r0, [sp, #60]
    ldr r7, [sp, #64]
    ldr r6, [sp, #68]
    add r5, r5, r0
    add r7, r7, r5
    add r0, r6, r6, lsl #1
21: ldr r8, [r1]
    ldr r9, [r2]
    add r1, r1, r3
    add r2, r2, r4
    sxtb16 r10, r8
    sxtb16 r8, r8, ror #8
    sxtb16 r11, r9
    sxtb16 r9, r9, ror #8
    pkhbt r12, r10, r11, lsl #16
    pkhtb r10, r11, r10, asr #16
    pkhbt r11, r8, r9, lsl #16
    pkhtb r8, r9, r8, asr #16
    str r11, [r5, r6]
    str r10, [r5, r6, lsl #1]
    str r8, [r5, r0]
    str r12, [r5], #4
    cmp r5, r7
    blo 21b
    bx lr
.text
"#
);

unsafe extern "C" {
    fn niwaki_depthwise_tile(frame: *const Frame);
}

/// Bytes of a word.
const WORD: usize = size_of::<i32>();

/// Does nothing where a slice is too short for what the code touches: with fewer than four channels in all.
pub(super) fn tile(
    work: &DepthwiseTile<'_>,
    stride: usize,
    blocks: &mut [i32],
    [upper, lower]: [&mut [i32]; 2],
    memory: &mut Activations<'_>,
) -> Option<()> {
    let op = work.op;
    let (rows, columns, channels) = (&op.window.y, &op.window.x, op.channels().get());
    let (plane, before) = (op.seen_columns(), columns.pad_before());
    // What the code reads is four channels wide: a last tile of fewer also looks at channels before its own.
    let lanes = work.lanes.clamp(1, FILTERS);
    let skip = FILTERS - lanes;
    let x_first = work.first.checked_sub(skip)?;
    let image = plane.checked_sub(before)?.min(columns.input());
    let (x_len, y_len) = (op.window.input_area() * channels, op.window.output_area() * channels);
    let (x, y) = match memory {
        Activations::Apart { x, y } => (x.get(..x_len)?.as_ptr(), y.get_mut(..y_len)?.as_mut_ptr()),
        Activations::Shared { memory, x, y } => {
            let (x, y) = (*x, *y);
            let fits = x.checked_add(x_len)?.max(y.checked_add(y_len)?) <= memory.len();
            let start = memory.as_mut_ptr();
            fits.then(|| (start.wrapping_add(x).cast_const(), start.wrapping_add(y)))?
        }
    };
    let fits = upper.len() >= FILTERS * plane && lower.len() >= FILTERS * plane && before < plane;
    let inside = x_first + FILTERS <= channels && work.first + lanes <= channels && image > 0;
    let known = plane == (columns.output() - 1) * stride + 3 && (stride == 1 || stride == 2);
    let blocks = blocks.get_mut(..lanes * BLOCK_WORDS)?.as_mut_ptr_range();
    if !(fits && inside && known) {
        return None;
    }
    let padding = [op.int8.input_zero_point; FILTERS];
    let y_row = y.wrapping_add(work.first);
    let frame = Frame {
        run_bytes: columns.output() / 3 * 3 * stride * WORD,
        y: y_row,
        blocks_end: blocks.end,
        rest: columns.output() % 3,
        upper: upper.as_mut_ptr(),
        lower: lower.as_mut_ptr(),
        blocks: blocks.start,
        y_row,
        rows: rows.output(),
        x_row: x.wrapping_add(x_first),
        row: 0_isize.wrapping_sub_unsigned(rows.pad_before()),
        row_end: rows.input(),
        x_row_bytes: columns.input() * channels,
        pixel_bytes: channels,
        padding: &padding,
        before_bytes: before * WORD,
        image_bytes: image * WORD,
        plane_bytes: plane * WORD,
        y_row_bytes: columns.output() * channels,
        stride,
        skip_bytes: skip * plane * WORD,
        filler: 0,
    };
    // SAFETY: the code reads and writes through these pointers only:
    // - x: four bytes at `x_first` of `image <= input` columns of each row of the image, once and in order; they end
    //   inside `x_len`. They may be unaligned, which LDR allows.
    // - padding: its four bytes.
    // - rings: in each of four planes `image` words from `before` on, of which `before + image <= plane`; and reads
    //   `(outputs - 1) * stride + 3 = plane` words of the `lanes` planes after `skip`: `FILTERS` planes in all.
    // - blocks: the 14 words of `lanes` blocks.
    // - y: byte `first + lane` of every output pixel; the second of two rows is the first where there is none.
    // x and y may be one memory: both pointers come from one borrow of it. It keeps r4-r11 and the stack as AAPCS
    // asks, and `frame` and `padding` live until it returns.
    unsafe { niwaki_depthwise_tile(&frame) }
    Some(())
}
