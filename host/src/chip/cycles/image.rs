//! A firmware image: its code, its symbols, and the instructions of the blocks that the emulator makes of it.

use super::super::{ChipError, firmware::with_elf};
use super::{
    thumb::{Branch, Instruction, decode, is_long},
    timing::Tally,
};
use object::{
    Endianness, Object as _, ObjectSymbol as _, SymbolKind,
    elf::PT_LOAD,
    read::elf::{ElfSymbol32, ProgramHeader as _},
};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

/// Bytes that the emulator translates at once at most: its page of Arm's M profile.
const PAGE: u32 = 1 << 10;

/// Instructions of a block at most, with room for an emulator that makes longer ones.
const BLOCK_LEN: u64 = 4096;

/// Code and symbols of an image.
pub(super) struct Image {
    /// What is loaded, and where.
    segments: Vec<(u32, Vec<u8>)>,
    /// Functions by their address.
    functions: BTreeMap<u32, String>,
    /// Addresses of everything that has a name.
    symbols: HashMap<String, u32>,
}

impl Image {
    pub(super) fn read(path: &Path) -> Result<Self, ChipError> {
        with_elf(path, |elf| {
            let endian = elf.endian();
            let loaded = elf.elf_program_headers().iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
            let segments = loaded
                .filter_map(|segment| Some((segment.p_vaddr(endian), segment.data(endian, elf.data()).ok()?.to_vec())));
            // The lowest bit of a function's address says that it is Thumb code.
            let named = |symbol: &ElfSymbol32<'_, '_, Endianness>| {
                Some((symbol.address() as u32 & !1, symbol.name().ok()?.to_owned()))
            };
            let functions = elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text).filter_map(|s| named(&s));
            let functions =
                functions.map(|(address, name)| (address, format!("{:#}", rustc_demangle::demangle(&name))));
            let symbols = elf.symbols().filter_map(|s| named(&s)).map(|(address, name)| (name, address));
            Self { segments: segments.collect(), functions: functions.collect(), symbols: symbols.collect() }
        })
    }

    /// The address of the code that a symbol names.
    pub(super) fn address(&self, name: &str) -> Option<u32> {
        self.symbols.get(name).copied()
    }

    /// The function that an address lies in.
    pub(super) fn function(&self, address: u32) -> &str {
        self.functions.range(..=address).next_back().map_or("?", |(_, name)| name)
    }

    fn halfword(&self, address: u32) -> Option<u16> {
        self.segments.iter().find_map(|(start, bytes)| {
            let offset = address.checked_sub(*start)? as usize;
            Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
        })
    }

    fn instruction(&self, address: u32) -> Option<Instruction> {
        let first = self.halfword(address)?;
        let second = if is_long(first) { self.halfword(address + 2)? } else { 0 };
        Some(decode(address, first, second))
    }

    /// Instructions and cycles of the block at `start`, after which the one at `next` was executed; `None` if that is
    /// not code of this image.
    ///
    /// The trace tells where blocks start, not where they end. They end after an instruction that may lead elsewhere,
    /// and where a page ends: an instruction that starts in the page, but not with the block, must end in it too. For
    /// every other end, the block is taken to have been cut at `next` where `next` lies in it and the branch at its
    /// end cannot have led there.
    pub(super) fn block(&self, start: u32, next: u32) -> Option<Tally> {
        let page_end = (start & !(PAGE - 1)).wrapping_add(PAGE);
        let (mut at, mut tally, mut cut) = (start, Tally::default(), None);
        for idx in 0..BLOCK_LEN {
            let Some(instruction) = self.instruction(at) else { break };
            if idx > 0 && at == next {
                if at.wrapping_add(instruction.bytes) > page_end {
                    return Some(tally);
                }
                cut = Some(tally);
            }
            tally.add(instruction.class);
            at = at.wrapping_add(instruction.bytes);
            let led_there = match instruction.branch {
                None => continue,
                Some(Branch::Direct(target)) => next == target || next == at,
                Some(Branch::Indirect) => cut.is_none(),
            };
            if !led_there && cut.is_some() {
                return cut;
            }
            if next != at {
                tally.refill();
            }
            return Some(tally);
        }
        cut
    }

    #[cfg(test)]
    pub(super) fn of_code(start: u32, halfwords: &[u16]) -> Self {
        let bytes = halfwords.iter().flat_map(|halfword| halfword.to_le_bytes()).collect();
        Self { segments: vec![(start, bytes)], functions: BTreeMap::new(), symbols: HashMap::new() }
    }
}
