//! The least code that a product needs around a session: its size is what `bench` calls code. It is built, never run.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use niwaki_core::{
    format::{Model, Operator},
    ops,
    session::Session,
};
use niwaki_firmware::machine::{Memory, bench_begin, bench_end};

/// The operators of the model; written by build.rs.
const OPERATORS: &[Operator] = include!(concat!(env!("OUT_DIR"), "/operators.rs"));

#[cortex_m_rt::entry]
fn main() -> ! {
    if let Some(Memory { model, arena, .. }) = Memory::take()
        && let Ok(model) = &Model::verify(model, OPERATORS)
        && let Ok(mut session) = Session::new(*model, arena)
    {
        loop {
            // The clock stands for a sensor, `black_box` for an actuator: the compiler knows no input and drops no output.
            session.input_bytes_mut(0).fill(bench_begin() as u8);
            session.run();
            session.output_bytes(0).iter().for_each(|byte| _ = core::hint::black_box(byte));
            bench_end();
        }
    }
    halt()
}

#[panic_handler]
fn panicked(_: &PanicInfo<'_>) -> ! {
    halt()
}

fn halt() -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}
