//! The machine under the program: memory regions, the clock's registers, the stack.
#![expect(unsafe_code, reason = "registers, the stack and memory outside the linker's map; each block has its proof")]

use crate::board::{self, Region};
use core::{
    arch::asm,
    ptr, slice,
    sync::atomic::{AtomicBool, Ordering},
};

/// Memory that the linker does not use.
pub struct Memory {
    /// For the model.
    pub model: &'static mut [u8],
    /// For the arena.
    pub arena: &'static mut [u8],
    /// For time stamps, one more than there are operators.
    pub stamps: &'static mut [u32],
}

impl Memory {
    /// Hands out the memory, once.
    pub fn take() -> Option<Self> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::AcqRel) {
            return None;
        }
        let Region { address, bytes } = board::MODEL;
        // SAFETY: RAM of the board outside the linker's map, so no object of the program lies in it; aligned to 16;
        // the regions of a board do not overlap; `TAKEN` makes this the only reference.
        let model = unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(address), bytes) };
        let Region { address, bytes } = board::ARENA;
        // SAFETY: as for the model.
        let arena = unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(address), bytes) };
        let Region { address, bytes } = board::STAMPS;
        // SAFETY: as for the model; every bit pattern is a u32.
        let stamps = unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(address), bytes / 4) };
        Some(Self { model, arena, stamps })
    }
}

/// The FPGA's counter of [`board::TICK_HZ`].
#[inline(always)]
fn counter() -> u32 {
    // SAFETY: COUNTER of the FPGAIO block, aligned, always mapped; a read changes nothing.
    unsafe { ptr::read_volatile(ptr::with_exposed_provenance(board::FPGAIO + 0x18)) }
}

/// The FPGA's counter of 100 Hz: it tells how often the fine one wrapped.
pub fn counter_100hz() -> u32 {
    // SAFETY: CLK100HZ of the FPGAIO block, aligned, always mapped; a read changes nothing.
    unsafe { ptr::read_volatile(ptr::with_exposed_provenance(board::FPGAIO + 0x14)) }
}

/// The compiler moves no memory access across this, in either direction.
#[inline(always)]
fn barrier() {
    // SAFETY: no instruction; without options the compiler must assume that it reads and writes any memory.
    unsafe { asm!("", options(nostack, preserves_flags)) };
}

/// The time at which the measured window opens; tools that trace the window look for this symbol.
// SAFETY: no other item of the image has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn bench_begin() -> u32 {
    // SAFETY: a comment, no instruction. It differs from the other marker's, or the two would become one function.
    unsafe { asm!("@ begin", options(nostack, preserves_flags)) };
    let now = counter();
    barrier();
    now
}

/// The time at which the measured window closes; tools that trace the window look for this symbol.
// SAFETY: no other item of the image has this name.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn bench_end() -> u32 {
    // SAFETY: a comment, no instruction. It differs from the other marker's, or the two would become one function.
    unsafe { asm!("@ end", options(nostack, preserves_flags)) };
    let now = counter();
    barrier();
    now
}

/// Writes the time into `stamps[stamp_idx]` if there is such a place.
#[inline(never)]
pub fn stamp(stamps: &mut [u32], stamp_idx: usize) {
    barrier();
    if let Some(place) = stamps.get_mut(stamp_idx) {
        *place = counter();
    }
    barrier();
}

/// Executes `2 + 2 * (HIGH * 65536 + LOW)` instructions; with both 0 the loop runs 2³² times.
#[inline(always)]
pub fn spin<const HIGH: u16, const LOW: u16>() {
    // SAFETY: counts a register down and touches nothing else.
    unsafe {
        asm!(
            "movw {n}, #{low}", "movt {n}, #{high}", "2:", "subs {n}, {n}, #1", "bne 2b",
            n = out(reg) _, high = const HIGH, low = const LOW, options(nomem, nostack)
        );
    }
}

/// Executes 100 instructions.
#[inline(always)]
pub fn nops() {
    // SAFETY: no operation.
    unsafe { asm!(".rept 100", "nop", ".endr", options(nomem, nostack, preserves_flags)) };
}

unsafe extern "C" {
    /// One past the highest byte of the stack, by the linker script.
    static _stack_start: u32;
    /// The lowest byte of the stack, by the linker script.
    static _stack_end: u32;
}

/// Sets the processor's stack limit to [`board::STACK_FLOOR`]: otherwise the emulator silently drops what a stack that
/// overflows writes below it. With it the processor stops with a lockup, since the fault has no stack either.
#[cfg(armv8m)]
pub fn guard_stack() {
    // SAFETY: the stack is above its floor, so nothing that is in use becomes a fault.
    unsafe { cortex_m::register::msplim::write(board::STACK_FLOOR as u32) };
}

unsafe extern "C" {
    /// The first byte of the memory for a job that is part of the image, by the linker script.
    static _job_start: u8;
    /// One past its last byte, by the linker script.
    static _job_end: u8;
}

/// The memory that holds a job if the host made one part of the image.
pub fn job_memory() -> &'static [u8] {
    let start = ptr::with_exposed_provenance::<u8>((&raw const _job_start).expose_provenance());
    // SAFETY: RAM of the board outside the linker's map and outside the regions of `Memory`: the loader may have filled
    // it, and nothing writes to it afterwards.
    unsafe { slice::from_raw_parts(start, (&raw const _job_end).addr() - start.addr()) }
}

/// Forbids all access to the 256 MB below [`board::STACK_FLOOR`]: otherwise the emulator silently drops what a stack that
/// overflows writes there. With it the processor stops with a lockup, since the fault has no stack either.
#[cfg(not(armv8m))]
pub fn guard_stack() {
    const REGION_256_MB_WITHOUT_ACCESS: u32 = 27 << 1 | 1;
    const VALID: u32 = 1 << 4;
    const DEFAULT_MAP_ELSEWHERE_ALSO_IN_FAULTS: u32 = 0b111;
    let Some(cortex_m::Peripherals { MPU: mpu, .. }) = cortex_m::Peripherals::take() else { return };
    // SAFETY: region 0 starts 256 MB below the stack, where no memory of the program lies.
    unsafe { mpu.rbar.write((board::STACK_FLOOR - (256 << 20)) as u32 | VALID) };
    // SAFETY: as above; the region ends where the stack begins.
    unsafe { mpu.rasr.write(REGION_256_MB_WITHOUT_ACCESS) };
    // SAFETY: outside the region nothing changes.
    unsafe { mpu.ctrl.write(DEFAULT_MAP_ELSEWHERE_ALSO_IN_FAULTS) };
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

const PAINT: u32 = cortex_m_rt::STACK_PAINT_VALUE;

fn stack_top() -> usize {
    (&raw const _stack_start).addr()
}

/// Bytes of stack in use at the deepest point since the start or the last [`stack_used`].
pub fn stack_depth() -> u32 {
    let lowest = &raw const _stack_end;
    let mut words = 0;
    while words < (stack_top() - lowest.addr()) / 4 {
        let word = lowest.wrapping_add(words);
        // SAFETY: a word between the stack's ends; volatile because it belongs to no object that the compiler knows.
        if unsafe { ptr::read_volatile(word) } != PAINT {
            break;
        }
        words += 1;
    }
    (stack_top() - lowest.addr() - 4 * words) as u32
}

/// Bytes of stack that `body` uses below this function's frame. `body` should do no more than call a function that
/// is never inlined.
#[inline(never)]
pub fn stack_used(body: impl FnOnce()) -> u32 {
    let top: usize;
    // SAFETY: paints from the stack's lowest word up to the stack pointer: below it no live object lies, and no
    // interrupt is enabled that could use it meanwhile.
    unsafe {
        asm!(
            "mov {top}, sp",
            "2:",
            "cmp {word}, {top}",
            "bhs 3f",
            "str {paint}, [{word}], #4",
            "b 2b",
            "3:",
            top = out(reg) top,
            word = inout(reg) (&raw const _stack_end) => _,
            paint = in(reg) PAINT,
            options(nostack)
        );
    }
    body();
    stack_depth().saturating_sub((stack_top() - top) as u32)
}
