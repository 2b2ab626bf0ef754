//! The log: defmt's frames on the emulator's standard output, written by code that cannot panic.
#![expect(unsafe_code, reason = "the trait that defmt asks for; its functions have no unsafe operation")]

use core::cell::RefCell;
use critical_section::Mutex;
use defmt::Encoder;
use niwaki_firmware::semihosting::File;

/// The frame that is being written.
struct State {
    encoder: Encoder,
    output: Option<File>,
}

static STATE: Mutex<RefCell<State>> = Mutex::new(RefCell::new(State { encoder: Encoder::new(), output: None }));

/// Does `step` with a writer to the host. A fault in the middle of a step finds the state in use: its message then stands in
/// the result alone. What the host does not take is lost.
fn with(step: impl FnOnce(&mut Encoder, &mut dyn FnMut(&[u8]))) {
    critical_section::with(|section| {
        let Ok(mut state) = STATE.borrow(section).try_borrow_mut() else { return };
        let State { encoder, output } = &mut *state;
        if output.is_none() {
            *output = File::stdout().ok();
        }
        step(encoder, &mut |bytes| {
            if let Some(output) = output {
                let _ = output.write(bytes);
            }
        });
    });
}

#[defmt::global_logger]
struct Log;

// SAFETY: the program has one thread and no interrupt that logs, so that frames follow each other; every step has the
// state to itself.
unsafe impl defmt::Logger for Log {
    fn acquire() {
        with(|encoder, write| encoder.start_frame(write));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        with(|encoder, write| encoder.end_frame(write));
    }

    unsafe fn write(bytes: &[u8]) {
        with(|encoder, write| encoder.write(bytes, write));
    }
}
