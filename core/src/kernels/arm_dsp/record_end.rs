//! The end of a record of four filters in the inner loops over them: accumulators become outputs, which are clamped and
//! written. The [`Pass`](super::record::Pass) lies on the stack as at [`super::record`].

/// The output of one filter, as at `SmallMultiplier::code`, saturated. r12: zero point and half; r3: the exponent.
macro_rules! finish {
    ($acc:literal, $mantissa:literal) => {
        concat!(
            "smmlar ",
            $acc,
            ", ",
            $acc,
            ", ",
            $mantissa,
            ", ",
            $acc,
            "\n",
            "add ",
            $acc,
            ", ",
            $acc,
            ", ",
            $acc,
            ", asr #31\n",
            "add ",
            $acc,
            ", ",
            $acc,
            ", r12\n",
            "asr ",
            $acc,
            ", ",
            $acc,
            ", r3\n",
            "ssat ",
            $acc,
            ", #8, ",
            $acc,
            ", asr #1\n",
        )
    };
}

/// Four outputs in one word moved into the clamp. r0: the smallest; r1: the largest.
macro_rules! clamp {
    ($y:literal) => {
        concat!(
            "ssub8 r2, ",
            $y,
            ", r0\n",
            "sel ",
            $y,
            ", ",
            $y,
            ", r0\n",
            "ssub8 r2, r1, ",
            $y,
            "\n",
            "sel ",
            $y,
            ", ",
            $y,
            ", r1\n",
        )
    };
}

/// The end of a record for two pixels: accumulators in r4-r7 and r8-r11, lr at its mantissas. Ends the function after
/// the last record.
macro_rules! pair_end {
    () => {
        concat!(
            "ldr r3, [lr, #16]
             ldr r2, [sp, #12]
             ldrd r0, r1, [lr], #8
             lsl r12, r2, r3\n",
            finish!("r4", "r0"),
            finish!("r8", "r0"),
            "lsr r3, r3, #8
             lsl r12, r2, r3\n",
            finish!("r5", "r1"),
            finish!("r9", "r1"),
            "bfi r4, r5, #8, #8
             bfi r8, r9, #8, #8
             lsr r3, r3, #8
             ldrd r0, r1, [lr], #12
             lsl r12, r2, r3\n",
            finish!("r6", "r0"),
            finish!("r10", "r0"),
            "bfi r4, r6, #16, #8
             bfi r8, r10, #16, #8
             lsr r3, r3, #8
             lsl r12, r2, r3\n",
            finish!("r7", "r1"),
            finish!("r11", "r1"),
            "ldr r0, [sp, #64]
             bfi r4, r7, #24, #8
             bfi r8, r11, #24, #8
             cbz r0, 4f
             ldrd r0, r1, [sp, #68]\n",
            clamp!("r4"),
            clamp!("r8"),
            "4: ldrd r0, r1, [sp, #52]
             ldr r2, [sp, #60]
             cmp r0, r2
             beq 5f
             str r8, [r0, r1]
             str r4, [r0], #4
             str r0, [sp, #52]
             b 2b
             5: ldr r2, [sp, #76]
             6: strb r8, [r0, r1]
             strb r4, [r0], #1
             lsr r8, r8, #8
             lsr r4, r4, #8
             subs r2, r2, #1
             bne 6b
             add sp, sp, #16
             pop {{r4-r11, pc}}\n",
        )
    };
}

/// The end of a record for one input: accumulators in r4-r7, lr at its mantissas. Ends the function after the last
/// record.
macro_rules! single_end {
    () => {
        concat!(
            "ldm lr!, {{r8-r11}}
             ldr r3, [lr], #4
             ldr r0, [sp, #12]
             ldr r1, [sp, #64]
             lsl r12, r0, r3\n",
            finish!("r4", "r8"),
            "lsr r3, r3, #8
             lsl r12, r0, r3\n",
            finish!("r5", "r9"),
            "lsr r3, r3, #8
             lsl r12, r0, r3\n",
            finish!("r6", "r10"),
            "lsr r3, r3, #8
             lsl r12, r0, r3\n",
            finish!("r7", "r11"),
            "bfi r4, r5, #8, #8
             bfi r4, r6, #16, #8
             bfi r4, r7, #24, #8
             cbz r1, 4f
             ldrd r0, r1, [sp, #68]\n",
            clamp!("r4"),
            "4: ldr r0, [sp, #52]
             ldr r2, [sp, #60]
             cmp r0, r2
             beq 5f
             str r4, [r0], #4
             str r0, [sp, #52]
             b 2b
             5: ldr r2, [sp, #76]
             6: strb r4, [r0], #1
             lsr r4, r4, #8
             subs r2, r2, #1
             bne 6b
             add sp, sp, #16
             pop {{r4-r11, pc}}\n",
        )
    };
}
