//! Runs the job in the emulator's working directory: any model, any number of inputs.
#![no_std]
#![no_main]

mod fault;

use niwaki_firmware::{error::text, job, machine, semihosting::exit};

#[cortex_m_rt::entry]
fn main() -> ! {
    machine::guard_stack();
    match job::run() {
        Ok(()) => exit(0),
        Err(error) => {
            defmt::error!("{=str}", text(&error).as_str());
            exit(1)
        }
    }
}
