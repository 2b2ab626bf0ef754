//! Runs the job in the emulator's working directory: any model, any number of inputs.
#![no_std]
#![no_main]

mod fault;

use defmt_semihosting as _;
use niwaki_firmware::{error::text, job, machine};
use semihosting::process;

#[cortex_m_rt::entry]
fn main() -> ! {
    machine::guard_stack();
    match job::run() {
        Ok(()) => process::exit(0),
        Err(error) => {
            defmt::error!("{=str}", text(&error).as_str());
            process::exit(1)
        }
    }
}
