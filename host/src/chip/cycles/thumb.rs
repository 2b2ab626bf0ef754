//! Thumb instructions by their encodings: how long one is, what costs its time, where it may lead.
//!
//! Source: Arm v7-M Architecture Reference Manual (DDI 0403), chapters A5 and A6; Arm v8-M (DDI 0553), chapter C2.

/// What an estimate needs to know about an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    /// 2 or 4.
    pub(super) bytes: u32,
    pub(super) class: Class,
    /// Where it may lead besides the next instruction; the emulator ends its block there.
    pub(super) branch: Option<Branch>,
}

/// What costs an instruction its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Loads or stores one core register.
    Single,
    /// Loads or stores two core registers.
    Double,
    /// Loads or stores so many words from a list of registers.
    Multiple(u32),
    /// Loads or stores one float register of 32 bits.
    FloatSingle,
    /// Loads or stores one float register of 64 bits.
    FloatDouble,
    /// Divides integers.
    Divide,
    /// Divides floats, or takes a square root.
    FloatDivide,
    /// Multiplies floats and adds.
    FloatMultiplyAdd,
    /// Waits for memory or for the pipeline.
    Barrier,
    /// Everything else.
    Other,
}

/// Where an instruction may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    /// To one address.
    Direct(u32),
    /// Where a register, a table or an exception says.
    Indirect,
}

impl Instruction {
    fn short(class: Class, branch: Option<Branch>) -> Self {
        Self { bytes: 2, class, branch }
    }

    fn long(class: Class, branch: Option<Branch>) -> Self {
        Self { bytes: 4, class, branch }
    }
}

/// Whether a first halfword is half of an instruction.
pub(super) fn is_long(first: u16) -> bool {
    first >> 11 > 0b11100
}

/// Decodes the instruction at `address`; `second` is looked at only if the first halfword [`is_long`].
pub(super) fn decode(address: u32, first: u16, second: u16) -> Instruction {
    if !is_long(first) {
        return short(address, first);
    }
    let (a, b) = (u32::from(first), u32::from(second));
    match a >> 8 {
        0xE8 | 0xE9 => load_store_several(a, b),
        0xEC | 0xED => float_load_store(a, b),
        0xEE => Instruction::long(float_class(a, b), None),
        0xF0..=0xF7 if b & 0x8000 != 0 => branch_or_control(address, a, b),
        0xF8 | 0xF9 => load_store_single(a, b),
        0xFB if matches!(a & 0xF0, 0x90 | 0xB0) && b & 0xF0 == 0xF0 => Instruction::long(Class::Divide, None),
        _ => Instruction::long(Class::Other, None),
    }
}

fn short(address: u32, code: u16) -> Instruction {
    let code = u32::from(code);
    let plain = |class| Instruction::short(class, None);
    let direct = |offset: i32| {
        let target = address.wrapping_add(4).wrapping_add_signed(offset);
        Instruction::short(Class::Other, Some(Branch::Direct(target)))
    };
    let indirect = |class| Instruction::short(class, Some(Branch::Indirect));
    match code >> 8 {
        // ADD and MOV whose destination is the program counter.
        0x44 | 0x46 if code & 0x87 == 0x87 => indirect(Class::Other),
        // BX, BLX
        0x47 => indirect(Class::Other),
        // LDR from a literal, with a register, an offset, the stack pointer; STR likewise.
        0x48..=0x9F => plain(Class::Single),
        // CBZ, CBNZ
        0xB1 | 0xB3 | 0xB9 | 0xBB => direct((code >> 3 & 0x40 | code >> 2 & 0x3E) as i32),
        // PUSH; the ninth bit is the link register.
        0xB4 | 0xB5 => plain(Class::Multiple((code & 0x1FF).count_ones())),
        // POP; the ninth bit is the program counter.
        0xBC => plain(Class::Multiple((code & 0xFF).count_ones())),
        0xBD => indirect(Class::Multiple((code & 0x1FF).count_ones())),
        // BKPT
        0xBE => indirect(Class::Other),
        // STM, LDM
        0xC0..=0xCF => plain(Class::Multiple((code & 0xFF).count_ones())),
        // B with a condition
        0xD0..=0xDD => direct(signed(code & 0xFF, 8) * 2),
        // UDF, SVC
        0xDE | 0xDF => indirect(Class::Other),
        // B
        0xE0..=0xE7 => direct(signed(code & 0x7FF, 11) * 2),
        _ => plain(Class::Other),
    }
}

/// LDM, STM, LDRD, STRD, exclusive accesses, table branches.
fn load_store_several(a: u32, b: u32) -> Instruction {
    const LOADS: u32 = 1 << 4;
    const LISTS_PC: u32 = 1 << 15;
    if a & 0x40 == 0 {
        let branch = (a & LOADS != 0 && b & LISTS_PC != 0).then_some(Branch::Indirect);
        return Instruction::long(Class::Multiple(b.count_ones()), branch);
    }
    if (a, b) == (0xE97F, 0xE97F) {
        // SG, the entry of a secure function.
        return Instruction::long(Class::Other, None);
    }
    if a & 0x120 != 0 {
        return Instruction::long(Class::Double, None);
    }
    if a & 0xFFF0 == 0xE8D0 && b & 0xE0 == 0 {
        // TBB, TBH
        return Instruction::long(Class::Other, Some(Branch::Indirect));
    }
    Instruction::long(Class::Single, None)
}

fn load_store_single(a: u32, b: u32) -> Instruction {
    const WORD: u32 = 0x40;
    let loads = a & 0x10 != 0;
    let register = b >> 12;
    match (loads, register, a & 0x60) {
        (false, ..) if a >> 8 == 0xF9 => Instruction::long(Class::Other, None),
        (true, 15, WORD) => Instruction::long(Class::Single, Some(Branch::Indirect)),
        // PLD and other hints
        (true, 15, _) => Instruction::long(Class::Other, None),
        _ => Instruction::long(Class::Single, None),
    }
}

fn branch_or_control(address: u32, a: u32, b: u32) -> Instruction {
    let direct = |offset: i32| {
        let target = address.wrapping_add(4).wrapping_add_signed(offset);
        Instruction::long(Class::Other, Some(Branch::Direct(target)))
    };
    let sign = a >> 10 & 1;
    let (j1, j2) = (b >> 13 & 1, b >> 11 & 1);
    match b & 0x5000 {
        // Barriers: DSB, DMB, ISB
        0x0000 if a == 0xF3BF && matches!(b & 0xF0, 0x40..=0x60) => Instruction::long(Class::Barrier, None),
        // UDF
        0x0000 if a & 0xFFF0 == 0xF7F0 && b & 0xF000 == 0xA000 => {
            Instruction::long(Class::Other, Some(Branch::Indirect))
        }
        // MSR, MRS, NOP and their like, where a branch would have the conditions 14 and 15.
        0x0000 if a & 0x380 == 0x380 => Instruction::long(Class::Other, None),
        0x0000 => {
            let offset = sign << 19 | j2 << 18 | j1 << 17 | (a & 0x3F) << 11 | b & 0x7FF;
            direct(signed(offset, 20) * 2)
        }
        // LE and other loops of Armv8.1-M: the address is not needed to tell that a block ends.
        0x4000 => Instruction::long(Class::Other, Some(Branch::Indirect)),
        // B and BL: the bits of the offset are inverted where they differ from the sign.
        _ => {
            let bit = |j: u32| (j ^ sign ^ 1) & 1;
            let offset = sign << 23 | bit(j1) << 22 | bit(j2) << 21 | (a & 0x3FF) << 11 | b & 0x7FF;
            direct(signed(offset, 24) * 2)
        }
    }
}

/// Whether the second halfword names the float unit.
fn is_float(b: u32) -> bool {
    matches!(b >> 8 & 0xF, 10 | 11)
}

/// VLDR, VSTR, VLDM, VSTM, and moves between two core registers and float registers.
fn float_load_store(a: u32, b: u32) -> Instruction {
    let double = b & 0x100 != 0;
    let class = match (a >> 8 & 1, a >> 7 & 1, a >> 5 & 1) {
        _ if !is_float(b) => Class::Other,
        (0, 0, 0) => Class::Other,
        (1, _, 0) if double => Class::FloatDouble,
        (1, _, 0) => Class::FloatSingle,
        // The immediate counts words; an odd one of doubles is an old format with a word that is not used.
        _ if double => Class::Multiple(b & 0xFE),
        _ => Class::Multiple(b & 0xFF),
    };
    Instruction::long(class, None)
}

fn float_class(a: u32, b: u32) -> Class {
    if !is_float(b) || b & 0x10 != 0 {
        return Class::Other;
    }
    let square_root = a & 0xF == 1 && b & 0xC0 == 0xC0;
    match a >> 4 & 0b1011 {
        // VMLA, VMLS; VNMLA, VNMLS; VFNMA, VFNMS; VFMA, VFMS
        0b0000 | 0b0001 | 0b1001 | 0b1010 => Class::FloatMultiplyAdd,
        0b1000 => Class::FloatDivide,
        0b1011 if square_root => Class::FloatDivide,
        _ => Class::Other,
    }
}

/// The lowest `bits` bits as a number in two's complement.
fn signed(value: u32, bits: u32) -> i32 {
    let unused = 32 - bits;
    (value << unused) as i32 >> unused
}
