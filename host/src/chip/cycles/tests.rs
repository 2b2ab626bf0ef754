//! Encodings, timings and the ends of blocks, against what the manuals say and GNU's assembler writes.

use super::{
    image::Image,
    thumb::{
        Branch::{self, Direct, Indirect},
        Class::{self, *},
        Instruction, decode,
    },
    timing::{REFILL, Tally},
    trace::Window,
};

/// Instructions as GNU as 2.40 encodes them, and what costs their time.
const STRAIGHT: &[(&[u16], Class, &str)] = &[
    (&[0x6808], Single, "ldr r0, [r1]"),
    (&[0x78c8], Single, "ldrb r0, [r1, #3]"),
    (&[0x531a], Single, "strh r2, [r3, r4]"),
    (&[0x9002], Single, "str r0, [sp, #8]"),
    (&[0x4801], Single, "ldr r0, [pc, #4]"),
    (&[0x5ed1], Single, "ldrsh r1, [r2, r3]"),
    (&[0xf859, 0x8f04], Single, "ldr.w r8, [r9, #4]!"),
    (&[0xf84d, 0x8d04], Single, "push.w {r8}"),
    (&[0xf992, 0x1007], Single, "ldrsb.w r1, [r2, #7]"),
    (&[0xf8df, 0x0028], Single, "ldr.w r0, [pc, #40]"),
    (&[0xe851, 0x0f00], Single, "ldrex r0, [r1]"),
    (&[0xe842, 0x1000], Single, "strex r0, r1, [r2]"),
    (&[0xe8d1, 0x0f4f], Single, "ldrexb r0, [r1]"),
    (&[0xe8f2, 0x0102], Double, "ldrd r0, r1, [r2], #8"),
    (&[0xe9c2, 0x0102], Double, "strd r0, r1, [r2, #8]"),
    (&[0xb5f0], Multiple(5), "push {r4-r7, lr}"),
    (&[0xbcf0], Multiple(4), "pop {r4-r7}"),
    (&[0xe92d, 0x4ff0], Multiple(9), "push.w {r4-r11, lr}"),
    (&[0xc80e], Multiple(3), "ldmia r0!, {r1-r3}"),
    (&[0xc01e], Multiple(4), "stmia r0!, {r1-r4}"),
    (&[0xe8bc, 0x000f], Multiple(4), "ldmia.w r12!, {r0-r3}"),
    (&[0xe900, 0x0ff0], Multiple(8), "stmdb r0, {r4-r11}"),
    (&[0xed90, 0x0a00], FloatSingle, "vldr s0, [r0]"),
    (&[0xedcd, 0x0a01], FloatSingle, "vstr s1, [sp, #4]"),
    (&[0xed90, 0x0b00], FloatDouble, "vldr d0, [r0]"),
    (&[0xecbe, 0x8a10], Multiple(16), "vldmia lr!, {s16-s31}"),
    (&[0xed2d, 0x8b10], Multiple(16), "vpush {d8-d15}"),
    (&[0xecbd, 0x8a01], Multiple(1), "vpop {s16}"),
    (&[0xee11, 0xca90], Other, "vmov r12, s3"),
    (&[0xec51, 0x0b10], Other, "vmov r0, r1, d0"),
    (&[0xec51, 0x0a11], Other, "vmov r0, r1, s2, s3"),
    (&[0xeef1, 0xfa10], Other, "vmrs APSR_nzcv, fpscr"),
    (&[0xee30, 0x0a81], Other, "vadd.f32 s0, s1, s2"),
    (&[0xee20, 0x0a81], Other, "vmul.f32 s0, s1, s2"),
    (&[0xee20, 0x0ac1], Other, "vnmul.f32 s0, s1, s2"),
    (&[0xeebd, 0x0ae0], Other, "vcvt.s32.f32 s0, s1"),
    (&[0xeeb4, 0x0a60], Other, "vcmp.f32 s0, s1"),
    (&[0xeeb7, 0x0a00], Other, "vmov.f32 s0, #1.0"),
    (&[0xfe80, 0x0a81], Other, "vmaxnm.f32 s0, s1, s2"),
    (&[0xee00, 0x0a81], FloatMultiplyAdd, "vmla.f32 s0, s1, s2"),
    (&[0xee10, 0x0a81], FloatMultiplyAdd, "vnmls.f32 s0, s1, s2"),
    (&[0xeea0, 0x0a81], FloatMultiplyAdd, "vfma.f32 s0, s1, s2"),
    (&[0xee90, 0x0ac1], FloatMultiplyAdd, "vfnma.f32 s0, s1, s2"),
    (&[0xee80, 0x0a81], FloatDivide, "vdiv.f32 s0, s1, s2"),
    (&[0xeeb1, 0x0ae0], FloatDivide, "vsqrt.f32 s0, s1"),
    (&[0xee81, 0x0b02], FloatDivide, "vdiv.f64 d0, d1, d2"),
    (&[0xfb91, 0xf0f2], Divide, "sdiv r0, r1, r2"),
    (&[0xfbb9, 0xf8fa], Divide, "udiv r8, r9, r10"),
    (&[0xfb01, 0x3002], Other, "mla r0, r1, r2, r3"),
    (&[0xfb21, 0x3002], Other, "smlad r0, r1, r2, r3"),
    (&[0xfb82, 0x0103], Other, "smull r0, r1, r2, r3"),
    (&[0xfb51, 0xf002], Other, "smmul r0, r1, r2"),
    (&[0xfa2f, 0xf091], Other, "sxtb16 r0, r1, ror #8"),
    (&[0xf301, 0x0007], Other, "ssat r0, #8, r1"),
    (&[0xeb01, 0x00c2], Other, "add.w r0, r1, r2, lsl #3"),
    (&[0xf64f, 0x70ff], Other, "movw r0, #65535"),
    (&[0xf890, 0xf000], Other, "pld [r0]"),
    (&[0xbf08], Other, "it eq"),
    (&[0x46fe], Other, "mov lr, pc"),
    (&[0xf380, 0x8810], Other, "msr PRIMASK, r0"),
    (&[0xb672], Other, "cpsid i"),
    (&[0xf3af, 0x8000], Other, "nop.w"),
    (&[0xf3bf, 0x8f4f], Barrier, "dsb sy"),
    (&[0xf3bf, 0x8f6f], Barrier, "isb sy"),
    (&[0xf3bf, 0x8f5f], Barrier, "dmb sy"),
];

/// Instructions at an address that may lead elsewhere, and where.
const BRANCHES: &[(u32, &[u16], Class, Branch, &str)] = &[
    (0x0e2, &[0x46f7], Other, Indirect, "mov pc, lr"),
    (0x0e6, &[0x4487], Other, Indirect, "add pc, r0"),
    (0x0e8, &[0x4770], Other, Indirect, "bx lr"),
    (0x0ea, &[0x4798], Other, Indirect, "blx r3"),
    (0x038, &[0xbd10], Multiple(2), Indirect, "pop {r4, pc}"),
    (0x03e, &[0xe8bd, 0x8ff0], Multiple(9), Indirect, "pop.w {r4-r11, pc}"),
    (0x0ec, &[0xf8d0, 0xf004], Single, Indirect, "ldr.w pc, [r0, #4]"),
    (0x0f0, &[0xf85d, 0xfb04], Single, Indirect, "pop.w {pc}"),
    (0x0f4, &[0xe8df, 0xf000], Other, Indirect, "tbb [pc, r0]"),
    (0x0f8, &[0xe8df, 0xf010], Other, Indirect, "tbh [pc, r0, lsl #1]"),
    (0x112, &[0xdf00], Other, Indirect, "svc #0"),
    (0x114, &[0xbeab], Other, Indirect, "bkpt 0xab"),
    (0x116, &[0xde01], Other, Indirect, "udf #1"),
    (0x118, &[0xf7f0, 0xa001], Other, Indirect, "udf.w #1"),
    (0x11c, &[0xe7fe], Other, Direct(0x11c), "b .-0"),
    (0x11e, &[0xd0fd], Other, Direct(0x11c), "beq .-2"),
    (0x120, &[0xe76e], Other, Direct(0), "b 0"),
    (0x122, &[0xf7ff, 0xbf6d], Other, Direct(0), "b.w 0"),
    (0x126, &[0xf7ff, 0xff6b], Other, Direct(0), "bl 0"),
    (0x12a, &[0xf47f, 0xaf69], Other, Direct(0), "bne.w 0"),
    (0x12e, &[0xf049, 0xfa1d], Other, Direct(0x4956c), "bl 0x4956c"),
    (0x132, &[0xf049, 0xba1b], Other, Direct(0x4956c), "b.w 0x4956c"),
    (0x136, &[0xf209, 0xa219], Other, Direct(0x4956c), "bhi.w 0x4956c"),
    (0x13a, &[0xb108], Other, Direct(0x140), "cbz r0, 0x140"),
    (0x140, &[0xbb1f], Other, Direct(0x18a), "cbnz r7, 0x18a"),
];

fn decoded(address: u32, code: &[u16]) -> Instruction {
    decode(address, code[0], code.get(1).copied().unwrap_or(0))
}

#[test]
fn an_instruction_is_known_by_its_encoding() {
    let straight = STRAIGHT.iter().map(|&(code, class, text)| (0, code, class, None, text));
    let branches = BRANCHES.iter().map(|&(address, code, class, to, text)| (address, code, class, Some(to), text));
    for (address, code, class, branch, text) in straight.chain(branches) {
        let bytes = 2 * code.len() as u32;
        assert_eq!(decoded(address, code), Instruction { bytes, class, branch }, "{text}");
    }
}

#[test]
fn timings_are_those_of_the_manual() {
    let cycles = |classes: &[Class]| {
        let mut tally = Tally::default();
        classes.iter().for_each(|class| tally.add(*class));
        tally.cycles
    };
    assert_eq!(cycles(&[Single, Single, Single]), 4, "singles that follow each other are pipelined");
    assert_eq!(cycles(&[Single, Other, Single]), 5);
    assert_eq!(cycles(&[Multiple(8)]), 9);
    assert_eq!(cycles(&[Double, FloatSingle, FloatDouble]), 8);
    assert_eq!(cycles(&[Divide, FloatDivide, FloatMultiplyAdd, Barrier]), 27);
    assert_eq!(REFILL, 2);
}

const NOP: u16 = 0xbf00;
const BNE_BACK_8: u16 = 0xd1fa;
const BX_LR: u16 = 0x4770;

/// Instructions and cycles of the block at `start` of `code` at 0x1000 that was followed by `next`.
fn block(code: &[u16], start: u32, next: u32) -> (u64, u64) {
    let tally = Image::of_code(0x1000, code).block(start, next).unwrap();
    (tally.instructions, tally.cycles)
}

#[test]
fn a_block_ends_at_its_branch_and_pays_for_it_if_it_is_taken() {
    // A loop: three instructions and the branch back to the first.
    let code = [NOP, NOP, NOP, NOP, BNE_BACK_8, NOP];
    assert_eq!(block(&code, 0x1004, 0x1000), (3, 5), "taken");
    assert_eq!(block(&code, 0x1004, 0x100a), (3, 3), "not taken");
    assert_eq!(block(&code, 0x1000, 0x1000), (5, 7), "the target lies in the block and the branch leads there");
}

#[test]
fn a_block_that_was_cut_ends_where_the_next_one_starts() {
    let isb = [NOP, 0xf3bf, 0x8f6f, NOP, NOP, BX_LR];
    assert_eq!(block(&isb, 0x1000, 0x1006), (2, 5), "the emulator starts a new block after a barrier");
    assert_eq!(block(&isb, 0x1006, 0x4000), (3, 5), "a return leads anywhere");
    assert_eq!(Image::of_code(0x1000, &isb).block(0x5000, 0x6000), None, "that is not code of the image");
}

#[test]
fn a_block_ends_with_its_page() {
    // A loop whose head is the page's first instruction, entered from the page before.
    let mut code = vec![NOP; 0x200];
    code.extend([NOP, 0xe7fd]);
    assert_eq!(block(&code, 0x13fc, 0x1400), (2, 2), "not on to the branch, although it leads there too");
    assert_eq!(block(&code, 0x1400, 0x1400), (2, 4));
    // The last halfword of the page belongs to an instruction of the next one.
    code[0x1ff] = 0xf3af;
    code[0x200] = 0x8000;
    assert_eq!(block(&code, 0x13fc, 0x13fe), (1, 1));
    assert_eq!(block(&code, 0x13fe, 0x1402), (1, 1));
}

#[test]
fn a_window_opens_and_closes_at_its_blocks() {
    let line = |address: u32| format!("Trace 0: 0x7f00deadbeef [00000000/{address:08x}/00000110/ff021200] name\n");
    let mut window = Window::new(0x20, 0x40);
    for address in [0x40, 0x10, 0x20, 0x30, 0x20] {
        assert!(window.read(line(address).as_bytes()));
    }
    assert!(window.read(b"Stopped execution of TB chain before 0x7f00deadbeef [00000020] name\n"));
    assert!(window.read(line(0x20).as_bytes()), "listed twice, executed once");
    assert!(!window.read(b"qemu-system-arm: cannot open anything\n") && !window.closed);
    assert!(window.read(b"Trace 0: 0x7f00deadbeef [00000000/0000000000000040/00000110/ff021200] wide\n"));
    assert!(window.closed);
    let mut pairs: Vec<((u32, u32), u64)> = window.pairs.into_iter().collect();
    pairs.sort_unstable();
    assert_eq!(pairs, [((0x20, 0x30), 1), ((0x20, 0x40), 1), ((0x30, 0x20), 1)]);
}
