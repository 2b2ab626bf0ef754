//! int8 addition: the operand with the larger scale only shifts, the other and the sum take one rounding
//! multiply-accumulate each.
#![allow(unsafe_code, reason = "DSP instructions that no safe intrinsic offers")]

use crate::error::ShapeError;
use crate::kernels::{AddInt, BackEnd as _, Clamp, Portable, Side};
use crate::num::{Multiplier, Rounding, SmallMultiplier, saturate_i8};
use crate::shape::expect_len;
use core::arch::global_asm;

/// The constants of an addition as the code takes them.
///
/// With `b` the scaled operand and `a` the other: `t = half_away(high((b - z_b) << 21) * m_b) >> e_b) - (z_a << 19)`,
/// `acc = (a << 19) + t`, and the output is that of the [`SmallMultiplier`] of the sum.
#[repr(C)]
struct Constants {
    /// `z_b << 21`, or `<< 22` where the scales are equal.
    scaled_zero: i32,
    /// A half of `2^e_b`, and `-(z_a << 19)` at `e_b` fraction bits.
    scaled_addend: i32,
    scaled_mantissa_q31: i32,
    /// `e_b` in `1..=4`.
    scaled_exponent: u32,
    sum_addend: i32,
    sum_mantissa_q32: u32,
    sum_exponent: u32,
}

// r0 a, r1 b, r2 y, r3 end of y; r4-r10 the constants; r11 r12 lr.
global_asm!(
    ".cpu cortex-m4", // an Armv8-M target does not tell the assembler that there is DSP
    r#"
.macro niwaki_add_element shift
    ldrsb r11, [r1], #1
    ldrsb r12, [r0], #1
    rsb r11, r4, r11, lsl #\shift
    add lr, r5, r11, asr #31        @ less one below zero: halves go away from zero
    smmlar r11, r11, r6, lr
    asr r11, r11, r7
    add r12, r11, r12, lsl #19
    add lr, r8, r12, asr #31
    add lr, lr, r12                 @ the mantissa has 32 bits: as a signed number it is 2^32 too small
    smmlar r12, r12, r9, lr
    asr r12, r12, r10
    ssat r12, #8, r12, asr #1
    strb r12, [r2], #1
.endm

.macro niwaki_add name, shift
.section .text.\name,"ax",%progbits
.global \name
.type \name, %function
.thumb_func
.balign 4
\name:
    push {{r4-r11, lr}}
    ldr r4, [sp, #36]
    ldm r4, {{r4-r10}}
    b 2f
1:  niwaki_add_element \shift
    niwaki_add_element \shift
    niwaki_add_element \shift
    niwaki_add_element \shift
2:  sub lr, r3, r2
    cmp lr, #4
    bhs 1b
    b 4f
3:  niwaki_add_element \shift
4:  cmp r2, r3
    blo 3b
    pop {{r4-r11, pc}}
.endm

    niwaki_add niwaki_add_int8, 21
    niwaki_add niwaki_add_int8_equal_scales, 22
.text
"#
);

unsafe extern "C" {
    fn niwaki_add_int8(a: *const i8, b: *const i8, y: *mut i8, y_end: *const i8, constants: *const Constants);
    fn niwaki_add_int8_equal_scales(
        a: *const i8,
        b: *const i8,
        y: *mut i8,
        y_end: *const i8,
        constants: *const Constants,
    );
}

/// The multiplier of the operand with the larger scale.
const HALF: Multiplier = Multiplier { mantissa_q31: 1 << 30, shift: 0 };

/// An addition that the code can do.
struct Addition {
    constants: Constants,
    /// Whether operand 1 is the one that only shifts.
    swapped: bool,
    equal_scales: bool,
}

impl Addition {
    fn new(op: &AddInt) -> Option<Self> {
        let sum = SmallMultiplier::new(op.output_multiplier).filter(|_| op.rounding == Rounding::Double)?;
        let [first, second] = op.input_multipliers;
        let [first_zero, second_zero] = op.input_zero_points;
        let swapped = first != HALF;
        let (plain, plain_zero, scaled, scaled_zero) =
            if swapped { (second, second_zero, first, first_zero) } else { (first, first_zero, second, second_zero) };
        let equal_scales = scaled == HALF;
        // A half is twice a quarter: one bit more in the operand and one more to shift out.
        let exponent = if equal_scales { 1 } else { scaled.shift.checked_neg()? };
        let codes = -128..=127;
        let fits = plain == HALF
            && (1..=4).contains(&exponent)
            && scaled.mantissa_q31 >= 0
            && codes.contains(&plain_zero)
            && codes.contains(&scaled_zero)
            && codes.contains(&op.output_zero_point);
        if !fits {
            return None;
        }
        let sum_exponent = u32::from(sum.exponent);
        let constants = Constants {
            scaled_zero: scaled_zero << if equal_scales { 22 } else { 21 },
            scaled_addend: (1 << (exponent - 1)) - (plain_zero << (19 + exponent)),
            scaled_mantissa_q31: scaled.mantissa_q31,
            scaled_exponent: exponent as u32,
            sum_addend: (2 * op.output_zero_point + 1) << (sum_exponent & 31),
            sum_mantissa_q32: sum.mantissa_q32,
            sum_exponent,
        };
        Some(Self { constants, swapped, equal_scales })
    }

    /// Adds the `y.len()` elements from `a` and from `b` on, either of which may be `y`.
    ///
    /// # Safety
    /// `a` and `b` have so many elements to read.
    unsafe fn run(&self, a: *const i8, b: *const i8, y: &mut [i8]) {
        let (a, b) = if self.swapped { (b, a) } else { (a, b) };
        let y = y.as_mut_ptr_range();
        let code = if self.equal_scales { niwaki_add_int8_equal_scales } else { niwaki_add_int8 };
        // SAFETY: the code reads one element of `a` and of `b` for each of `y`, then writes it, from the first to the last,
        // and reads `constants`; it keeps r4-r11 as AAPCS asks.
        unsafe { code(a, b, y.start, y.end.cast_const(), &self.constants) }
    }
}

fn clamp(clamp: Clamp<i32>, y: &mut [i8]) {
    if clamp.min > -128 || clamp.max < 127 {
        y.iter_mut().for_each(|y| *y = saturate_i8(clamp.apply((*y).into())));
    }
}

/// [`BackEnd::add_int8`](crate::kernels::BackEnd::add_int8)
pub(super) fn add(op: &AddInt, a: &[i8], b: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    let Some(addition) = Addition::new(op) else { return Portable::add_int8(op, a, b, y) };
    expect_len("a", y.len(), a.len())?;
    expect_len("b", y.len(), b.len())?;
    // SAFETY: both have the length of `y`.
    unsafe { addition.run(a.as_ptr(), b.as_ptr(), y) }
    clamp(op.clamp, y);
    Ok(())
}

/// [`BackEnd::add_int8_in_place`](crate::kernels::BackEnd::add_int8_in_place)
pub(super) fn add_in_place(op: &AddInt, side: Side, other: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    let Some(addition) = Addition::new(op) else { return Portable::add_int8_in_place(op, side, other, y) };
    expect_len("b", y.len(), other.len())?;
    let own = y.as_mut_ptr().cast_const();
    let (a, b) = match side {
        Side::Left => (own, other.as_ptr()),
        Side::Right => (other.as_ptr(), own),
    };
    // SAFETY: `other` has the length of `y`, and the third operand is `y` itself.
    unsafe { addition.run(a, b, y) }
    clamp(op.clamp, y);
    Ok(())
}
