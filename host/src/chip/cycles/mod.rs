//! Estimated cycles of a part of a firmware image: the blocks that an emulator executes, times what their
//! instructions cost on a Cortex-M4 by Arm's manual.
//!
//! An estimate for comparing programs, not a measurement: memory without wait states, every taken branch 1+2 cycles.

mod image;
#[cfg(test)]
mod tests;
mod thumb;
mod timing;
mod trace;

use super::{Activity, ChipError, setup};
use crate::hardware::QEMU_ARM;
use image::Image;
use std::{collections::BTreeMap, path::Path};
use trace::Traced;

/// The assumptions of an estimate, to be shown with it.
pub const ASSUMPTIONS: &str = "zero wait states, taken branch 1+2";

/// What a part of a program costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Executed instructions.
    pub instructions: u64,
    /// Estimated cycles.
    pub cycles: u64,
    /// The same for each function that was executed, the most expensive first.
    pub functions: Vec<FunctionCycles>,
}

/// What one function costs, without those that it calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionCycles {
    /// Its name in the image.
    pub name: String,
    /// Executed instructions.
    pub instructions: u64,
    /// Estimated cycles.
    pub cycles: u64,
}

/// What is executed from the first time that `begin` is entered to the next time that `end` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<'a> {
    /// The symbol of a function.
    pub begin: &'a str,
    /// The symbol of another function.
    pub end: &'a str,
}

/// Runs any image on one of the machines of QEMU's Arm emulator until the window closes; its files are those of the working directory.
///
/// # Errors
/// [`ChipError`]: the emulator or a symbol is missing, or the program ended before the window closed.
pub fn estimate(
    image: &Path,
    machine: &str,
    window: Window<'_>,
    progress: &mut dyn FnMut(Activity<'_>),
) -> Result<Estimate, ChipError> {
    let emulator = setup::Machine::here().emulator(&QEMU_ARM, progress)?;
    let image = image.canonicalize().map_err(ChipError::io(image))?;
    traced(&Traced { emulator: &emulator, machine, image: &image, folder: Path::new(".") }, window)
}

/// As [`estimate`], for one `Session::run` of the firmware with the job in `folder`.
pub(super) fn of_job(emulator: &Path, machine: &str, image: &Path, folder: &Path) -> Result<Estimate, ChipError> {
    let window = Window { begin: "bench_begin", end: "bench_end" };
    traced(&Traced { emulator, machine, image, folder }, window)
}

fn traced(run: &Traced<'_>, window: Window<'_>) -> Result<Estimate, ChipError> {
    let wrong = |detail: String| ChipError::Image { path: run.image.into(), detail };
    let image = Image::read(run.image)?;
    let address = |name: &str| image.address(name).ok_or_else(|| wrong(format!("it has no function {name}")));
    let pairs = run.pairs(address(window.begin)?, address(window.end)?)?;
    let mut functions = BTreeMap::<&str, (u64, u64)>::new();
    for (&(block, next), &times) in &pairs {
        let tally = image.block(block, next);
        let tally = tally.ok_or_else(|| wrong(format!("the code at {block:#010x} that was executed is not in it")))?;
        let (instructions, cycles) = functions.entry(image.function(block)).or_default();
        *instructions += tally.instructions * times;
        *cycles += tally.cycles * times;
    }
    let functions = functions.into_iter().map(|(name, (instructions, cycles))| FunctionCycles {
        name: name.to_owned(),
        instructions,
        cycles,
    });
    let mut functions: Vec<FunctionCycles> = functions.collect();
    functions.sort_by_key(|function| std::cmp::Reverse(function.cycles));
    Ok(Estimate {
        instructions: functions.iter().map(|function| function.instructions).sum(),
        cycles: functions.iter().map(|function| function.cycles).sum(),
        functions,
    })
}
