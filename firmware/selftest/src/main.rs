//! Compares every kernel of the chip's back end with its definition and prints a line for each: `ok NAME CASES OUTPUTS`,
//! or `wrong NAME: what is wrong where`. It ends with a failure if one is wrong.
#![no_std]
#![no_main]

use core::fmt::{self, Write as _};
use core::panic::PanicInfo;
use embedded_alloc::LlffHeap;
use niwaki_core::kernels::{Best, suite};
use niwaki_firmware::machine::{self, Memory};
use niwaki_firmware::semihosting::{File, HostError, exit};

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

/// Cases of each kernel.
const CASES: u32 = 40;

/// The emulator's standard output.
struct Output(File);

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

impl Output {
    fn open() -> Result<Self, HostError> {
        File::stdout().map(Self)
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    machine::guard_stack();
    exit(usize::from(!compared()))
}

/// Whether every kernel gives what its definition does, and all of it could be printed.
fn compared() -> bool {
    let (Some(memory), Ok(mut output)) = (Memory::take(), Output::open()) else { return false };
    heap::give(&HEAP, memory.arena);
    let mut good = true;
    for kernel in suite::kernels::<Best>() {
        let seen = kernel.run(CASES);
        let told = match &seen.mismatch {
            None => writeln!(output, "ok {} {} {}", kernel.name, seen.cases, seen.outputs),
            Some(mismatch) => writeln!(output, "wrong {}: {mismatch}", kernel.name),
        };
        good &= told.is_ok() && seen.mismatch.is_none();
    }
    good
}

mod heap {
    //! The suite's memory.
    #![expect(unsafe_code, reason = "the allocator's door; the block has its proof")]

    use embedded_alloc::LlffHeap;

    /// Gives the allocator its memory.
    pub(crate) fn give(heap: &LlffHeap, memory: &'static mut [u8]) {
        // SAFETY: the memory is nobody else's from here on, and `Memory::take` hands it out once, so this runs once.
        unsafe { heap.init(memory.as_mut_ptr().expose_provenance(), memory.len()) }
    }
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    // There is nobody left to tell if even this cannot be written.
    let _ = Output::open().map(|mut output| writeln!(output, "wrong back end: {info}"));
    exit(1)
}
