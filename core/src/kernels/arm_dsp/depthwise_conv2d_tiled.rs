//! 3 × 3 depthwise convolution of a tile: two taps of neighbouring rows a multiply-accumulate.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::error::ShapeError;
use crate::kernels::portable::depthwise_conv2d_tiled::{PairRows, Plain, Strip, TileRow, run};
use crate::kernels::tiles::{Activations, BLOCK_WORDS, DepthwiseConv2dTiled, FILTERS};
use core::arch::global_asm;

/// What `niwaki_depthwise_widen` works on.
#[repr(C)]
struct Widen {
    /// First word of either row.
    upper: *const i8,
    lower: *const i8,
    /// Bytes between columns of either row.
    upper_stride: usize,
    lower_stride: usize,
    /// First pair of channel 0 of the tile.
    pairs: *mut i32,
    /// Bytes from a channel's pairs to the next channel's.
    plane_bytes: usize,
    /// First pair of channel 0 past the last column.
    end: *const i32,
}

/// What the loops over outputs work on.
#[repr(C)]
struct Outputs {
    /// Bytes of the pairs under the blocks of two output columns.
    run_bytes: usize,
    /// First output of channel 0; the loop advances it.
    y: *mut i8,
    /// Bytes from an output to the one in the next column, and to the one below.
    pixel_bytes: usize,
    row_bytes: usize,
    /// First pair of channel 0 in the upper and the lower pair of rows.
    upper: *const i32,
    lower: *const i32,
    /// First and end of the blocks.
    blocks: *mut i32,
    blocks_end: *const i32,
    /// Whether one more output column follows the last block.
    odd: usize,
}

// Registers of the loops over outputs: r0-r3 pairs of four columns, r4 r8 r9 r10 accumulators, r5-r7 pairs of weights,
// r11 r12 upper and lower pairs, lr block. An accumulator of the first tap starts from the start in r4.
global_asm!(
    r#"
.macro niwaki_depthwise_finish acc
    add r3, r1, \acc, asr #31       @ addend, less one below zero: halves go away from zero
    smmlar \acc, \acc, r0, r3
    asr \acc, \acc, r2
    ssat \acc, #8, \acc, asr #1
.endm

.macro niwaki_depthwise_channel                     @ r3 = end of the upper pairs, block words 10.. = r3, y, pixel, row
    ldr r0, [sp]
    ldm r0, {{r1, r5, r6, r7}}
    add r3, r11, r1
    add r8, r5, #1
    str r8, [r0, #4]
    add r9, lr, #40
    stm r9, {{r3, r5, r6, r7}}
    cmp r11, r3
.endm

.section .text.niwaki_depthwise_two_rows,"ax",%progbits
.global niwaki_depthwise_two_rows
.type niwaki_depthwise_two_rows, %function
.thumb_func
.balign 4
niwaki_depthwise_two_rows:
    push {{r0, r4-r11, lr}}
    add r1, r0, #16
    ldm r1, {{r11, r12, lr}}
1:  niwaki_depthwise_channel
    bhs 3f
2:  ldm lr!, {{r4, r5, r6, r7}}
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
    ldm lr!, {{r0, r1, r2}}
    niwaki_depthwise_finish r8
    niwaki_depthwise_finish r9
    niwaki_depthwise_finish r10
    niwaki_depthwise_finish r4
    ldm lr, {{r3, r5, r6, r7}}
    add r7, r7, r5
    add r11, r11, #8
    strb r10, [r7]
    strb r4, [r7, r6]
    strb r8, [r5]
    strb r9, [r5, r6]
    add r5, r5, r6, lsl #1
    str r5, [lr, #4]
    add r12, r12, #8
    sub lr, lr, #40
    cmp r11, r3
    blo 2b
3:  ldr r0, [sp]
    ldr r0, [r0, #32]
    cbz r0, 4f
    ldm lr!, {{r4, r5, r6, r7}}
    ldm r11!, {{r0, r1, r2}}
    smlad r8, r0, r5, r4
    smlatb r4, r0, r5, r4
    smlad r8, r1, r6, r8
    smlatb r4, r1, r6, r4
    smlad r8, r2, r7, r8
    smlatb r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldm r12!, {{r0, r1, r2}}
    smlabt r8, r0, r5, r8
    smlad r4, r0, r5, r4
    smlabt r8, r1, r6, r8
    smlad r4, r1, r6, r4
    smlabt r8, r2, r7, r8
    smlad r4, r2, r7, r4
    ldm lr!, {{r0, r1, r2}}
    niwaki_depthwise_finish r8
    niwaki_depthwise_finish r4
    ldrd r5, r6, [lr, #4]
    ldr r7, [lr, #12]
    strb r4, [r5, r7]
    strb r8, [r5]
    sub lr, lr, #40
    sub r11, r11, #8
    sub r12, r12, #8
4:  ldr r0, [sp]
    add lr, lr, #56
    ldr r1, [r0, #28]
    add r11, r11, #8
    add r12, r12, #8
    cmp lr, r1
    blo 1b
    pop {{r0, r4-r11, pc}}

.section .text.niwaki_depthwise_one_row,"ax",%progbits
.global niwaki_depthwise_one_row
.type niwaki_depthwise_one_row, %function
.thumb_func
.balign 4
niwaki_depthwise_one_row:
    push {{r0, r4-r11, lr}}
    add r1, r0, #16
    ldm r1, {{r11, r12, lr}}
1:  niwaki_depthwise_channel
    bhs 3f
2:  ldm lr!, {{r4, r5, r6, r7}}
    ldm r11, {{r0, r1, r2, r3, r9}}
    smlad r8, r0, r5, r4
    smlad r4, r2, r5, r4
    smlad r8, r1, r6, r8
    smlad r4, r3, r6, r4
    smlad r8, r2, r7, r8
    smlad r4, r9, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldm r12, {{r0, r1, r2, r3, r9}}
    smlabt r8, r0, r5, r8
    smlabt r4, r2, r5, r4
    smlabt r8, r1, r6, r8
    smlabt r4, r3, r6, r4
    smlabt r8, r2, r7, r8
    smlabt r4, r9, r7, r4
    ldm lr!, {{r0, r1, r2}}
    niwaki_depthwise_finish r8
    niwaki_depthwise_finish r4
    ldm lr, {{r3, r5, r6}}
    strb r8, [r5]
    strb r4, [r5, r6]
    add r5, r5, r6, lsl #1
    add r11, r11, #16
    str r5, [lr, #4]
    add r12, r12, #16
    sub lr, lr, #40
    cmp r11, r3
    blo 2b
3:  ldr r0, [sp]
    ldr r0, [r0, #32]
    cbz r0, 4f
    ldm lr!, {{r4, r5, r6, r7}}
    ldm r11!, {{r0, r1, r2}}
    smlad r4, r0, r5, r4
    smlad r4, r1, r6, r4
    smlad r4, r2, r7, r4
    ldm lr!, {{r5, r6, r7}}
    ldm r12!, {{r0, r1, r2}}
    smlabt r4, r0, r5, r4
    smlabt r4, r1, r6, r4
    smlabt r4, r2, r7, r4
    ldm lr!, {{r0, r1, r2}}
    niwaki_depthwise_finish r4
    ldr r5, [lr, #4]
    strb r4, [r5]
    sub lr, lr, #40
    sub r11, r11, #4
    sub r12, r12, #4
4:  ldr r0, [sp]
    add lr, lr, #56
    ldr r1, [r0, #28]
    add r11, r11, #4
    add r12, r12, #4
    cmp lr, r1
    blo 1b
    pop {{r0, r4-r11, pc}}

.section .text.niwaki_depthwise_widen,"ax",%progbits
.global niwaki_depthwise_widen
.type niwaki_depthwise_widen, %function
.thumb_func
.balign 4
niwaki_depthwise_widen:
    push {{r4-r11, lr}}
    ldm r0, {{r1-r7}}
    add r0, r6, r6, lsl #1
1:  ldr r8, [r1]
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
    blo 1b
    pop {{r4-r11, pc}}
.text
"#
);

unsafe extern "C" {
    fn niwaki_depthwise_widen(widen: *const Widen);
    fn niwaki_depthwise_two_rows(outputs: *mut Outputs);
    fn niwaki_depthwise_one_row(outputs: *mut Outputs);
}

/// Bytes of a word.
const WORD: usize = 4;

/// [`PairRows`] with dual multiply-accumulates.
struct Dsp;

impl Dsp {
    /// The operands of a loop over outputs of `rows` rows, if all that it reads and writes lies in the slices.
    fn outputs(
        strip: &Strip,
        blocks: &mut [i32],
        [upper, lower]: [&[i32]; 2],
        (stride, row): (usize, usize),
        y: &mut [i8],
    ) -> Option<Outputs> {
        let lanes = strip.lanes.clamp(1, FILTERS);
        let blocks = blocks.get_mut(..lanes * BLOCK_WORDS)?.as_mut_ptr_range();
        // The loops step from one plane to the next by what outputs see.
        let seen = strip.outputs.checked_sub(1)? * stride + 3;
        let pairs_len = lanes * seen;
        let y = y.get_mut(..(strip.outputs - 1) * strip.pixel + row + lanes)?;
        Some(Outputs {
            run_bytes: strip.outputs / 2 * 2 * stride * WORD,
            y: y.as_mut_ptr(),
            pixel_bytes: strip.pixel,
            row_bytes: row,
            upper: upper.get(..pairs_len).filter(|_| seen == strip.plane)?.as_ptr(),
            lower: lower.get(..pairs_len)?.as_ptr(),
            blocks: blocks.start,
            blocks_end: blocks.end,
            odd: strip.outputs % 2,
        })
    }
}

impl PairRows for Dsp {
    #[inline]
    fn widen(&self, strip: &Strip, rows: [TileRow<'_>; 2], pairs: &mut [i32]) {
        let [upper, lower] = rows;
        let Some(last) = strip.columns.checked_sub(1) else { return };
        let inside = |row: TileRow<'_>| last * row.stride + FILTERS <= row.bytes.len();
        let pairs_len = (FILTERS - 1) * strip.plane + strip.pad_before + strip.columns;
        if !inside(upper) || !inside(lower) || pairs_len > pairs.len() {
            // The last column of the last row may end with the image.
            return Plain.widen(strip, rows, pairs);
        }
        let Some(pairs) = pairs.get_mut(strip.pad_before..) else { return };
        let widen = Widen {
            upper: upper.bytes.as_ptr(),
            lower: lower.bytes.as_ptr(),
            upper_stride: upper.stride,
            lower_stride: lower.stride,
            pairs: pairs.as_mut_ptr(),
            plane_bytes: strip.plane * WORD,
            end: pairs.as_ptr().wrapping_add(strip.columns),
        };
        // SAFETY: for each of `columns` columns (at least one) the code reads four bytes of either row at the column
        // times its stride, the last of which `inside` found in the slice, and writes a word of four planes, the last
        // of which lies below `pairs_len`. Words of rows may be unaligned: LDR allows it. It keeps what AAPCS asks.
        unsafe { niwaki_depthwise_widen(&widen) }
    }

    #[inline]
    fn two_rows(&self, strip: &Strip, blocks: &mut [i32], pairs: [&[i32]; 2], row: usize, y: &mut [i8]) {
        if let Some(mut outputs) = Self::outputs(strip, blocks, pairs, (1, row), y) {
            // SAFETY: `outputs` holds slices that cover what the code touches: for each block it reads `outputs + 2`
            // pairs of either slice and stands at the next plane then, reads and writes the block's 14 words, and
            // writes the bytes `column * pixel` and `row + column * pixel` behind `y`, which advances by one a block.
            unsafe { niwaki_depthwise_two_rows(&mut outputs) }
        }
    }

    #[inline]
    fn one_row(&self, strip: &Strip, blocks: &mut [i32], pairs: [&[i32]; 2], y: &mut [i8]) {
        if let Some(mut outputs) = Self::outputs(strip, blocks, pairs, (2, 0), y) {
            // SAFETY: as in `two_rows`, with `2 * outputs + 1` pairs and one row.
            unsafe { niwaki_depthwise_one_row(&mut outputs) }
        }
    }
}

/// [`portable`](crate::kernels::portable::depthwise_conv2d_tiled)'s twin.
///
/// # Errors
/// [`ShapeError::Len`] names the operand with the wrong length; the output is untouched.
pub fn depthwise_conv2d_tiled(
    op: &DepthwiseConv2dTiled,
    tiles: &[i32],
    memory: &mut Activations<'_>,
    scratch: &mut [i32],
) -> Result<(), ShapeError> {
    run(op, &Dsp, tiles, memory, scratch)
}
