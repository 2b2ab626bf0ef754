//! When the program breaks: a last record, a log line, and the emulator ends with a failure.
#![expect(unsafe_code, reason = "the signature that cortex-m-rt asks for; its body has no unsafe operation")]

use core::{
    fmt,
    panic::PanicInfo,
    sync::atomic::{AtomicBool, Ordering},
};
use niwaki_firmware::{error::text, job::ResultFile, semihosting::exit};
use niwaki_protocol::Record;

/// Leaves the reason in the result and in the log and ends the program.
fn give_up(reason: fmt::Arguments<'_>) -> ! {
    static GIVING_UP: AtomicBool = AtomicBool::new(false);
    if !GIVING_UP.swap(true, Ordering::AcqRel) {
        let reason = text(&reason);
        // If even this cannot be written, nobody can be told.
        let _ = ResultFile::append().map(|mut result| result.write(&Record::Failure(reason.as_bytes())));
        defmt::error!("{=str}", reason.as_str());
    }
    exit(1)
}

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    give_up(format_args!("the firmware {info}"))
}

/// A fault of the processor. After a stack overflow it has no stack either: the processor locks up, the emulator aborts.
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    let (pc, lr) = (frame.pc(), frame.lr());
    give_up(format_args!("hard fault at {pc:#010x}, called from {lr:#010x}"))
}
