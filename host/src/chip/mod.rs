//! Where an exported model runs: on this machine, or on an emulated microcontroller with what it costs there.

pub mod cycles;
mod error;
mod firmware;
mod host;
mod kernels;
mod qemu;
mod report;
pub mod setup;
mod standalone;
#[cfg(test)]
mod tests;

pub use error::ChipError;
pub use firmware::{Image, flash_bytes};
pub use kernels::{Compared, Equal, compare_kernels};

pub use crate::hardware::Chip;

use crate::hardware::Timing;
use niwaki_protocol::JobHeader;
use std::path::PathBuf;

/// A sign of life of something slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity<'a> {
    /// What is being done now, in words.
    Doing(&'a str),
    /// A line that a program printed which works for us: a package manager, rustup, cargo.
    Tool(&'a str),
    /// A line of the firmware's log.
    Log(&'a str),
    /// So many inputs are through.
    Ran {
        /// Inputs that are through.
        done: usize,
        /// All inputs.
        total: usize,
    },
}

/// What a model answered, and what that cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// For each input the bytes of all outputs, one after the other.
    pub outputs: Vec<Vec<u8>>,
    /// What it cost; nothing is measured on [`Chip::Host`].
    pub cost: Option<Cost>,
}

/// What a model costs on an emulated chip. Instructions are executed instructions, not cycles: an emulator knows no
/// cycles. The same image, model and input always give the same numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Instructions of one `Session::run`: the median over the inputs (the lower one of two), exact to ±2.
    pub instructions: u64,
    /// The fewest over the inputs.
    pub instructions_min: u64,
    /// The most over the inputs.
    pub instructions_max: u64,
    /// Instructions of each operator for the first input, the dispatch to it included, each exact to ±2.
    pub per_op: Vec<u64>,
    /// Working memory that the caller of the session provides.
    pub arena_bytes: u64,
    /// Stack that `Session::run` used for the first input.
    pub stack_bytes: u64,
    /// Flash of the smallest program around a session of this model, without the model: vector table (1 KB), start-up,
    /// verification and the operators that the model uses.
    pub code_bytes: u64,
    /// The image that ran; the measured window lies between its symbols `bench_begin` and `bench_end`.
    pub elf: PathBuf,
}

/// Runs every input through a model.
///
/// `model` is a `.niwaki` file; each of `inputs` holds all input tensors of one run, one after the other. The first
/// call for an emulated chip builds the firmware and, where that needs no password, installs the Rust target and QEMU;
/// the environment variable `NIWAKI_NO_INSTALL` forbids the installing.
///
/// # Errors
/// [`ChipError`]: the model or an input was refused, something is missing and how to get it, or the firmware failed.
pub fn run(
    chip: Chip,
    model: &[u8],
    inputs: &[Vec<u8>],
    progress: &mut dyn FnMut(Activity<'_>),
) -> Result<Measured, ChipError> {
    let Some(spec) = chip.spec() else {
        return Ok(Measured { outputs: host::run(model, inputs, progress)?, cost: None });
    };
    let header = header(model, inputs)?;
    let operators = host::operators(chip, model)?;
    let emulator = setup::Machine::here().emulator(spec.emulator, progress)?;
    let image = firmware::build(spec, &operators, progress)?;
    let emulation = qemu::Emulation { emulator: &emulator, spec, image: &image.runner, patience: qemu::PATIENCE };
    emulation.run(&qemu::Job { header, model, inputs }, progress)?.measured(&image)
}

/// Instructions by which the counter and a trace of the same run may differ: the ends of their windows.
const TRACE_TOLERANCE: u64 = 10;

/// Estimates the cycles of one `Session::run`, in total and for each function of the firmware.
///
/// The timings are those of the Cortex-M4; for other chips the answer is `None`. `input` is one as for [`run`]. The
/// model runs twice, once of it block by block: a network of 10⁷ instructions takes some seconds.
///
/// # Errors
/// [`ChipError`], as for [`run`]; [`ChipError::Estimate`] if the blocks do not add up to the instructions that the
/// chip's clock counts.
pub fn estimate_cycles(
    chip: Chip,
    model: &[u8],
    input: &[u8],
    progress: &mut dyn FnMut(Activity<'_>),
) -> Result<Option<cycles::Estimate>, ChipError> {
    let Some((spec, Timing::CortexM4)) = chip.spec().and_then(|spec| Some((spec, spec.timing?))) else {
        return Ok(None);
    };
    let inputs = [input.to_vec()];
    let Some(cost) = run(chip, model, &inputs, progress)?.cost else { return Ok(None) };
    let emulator = setup::Machine::here().emulator(spec.emulator, progress)?;
    let folder = qemu::folder()?;
    qemu::Job { header: header(model, &inputs)?, model, inputs: &inputs }.write(folder.path())?;
    progress(Activity::Doing("listing the blocks that it executes"));
    let estimate = cycles::of_job(&emulator, spec.machine, &cost.elf, folder.path())?;
    if estimate.instructions.abs_diff(cost.instructions) > TRACE_TOLERANCE {
        return Err(ChipError::Estimate { traced: estimate.instructions, counted: cost.instructions });
    }
    Ok(Some(estimate))
}

/// Writes an image that runs `model` on `input` and needs no file, for tools that run or trace images; where it is.
/// On [`Chip::Host`] there is none. The next call for the same chip replaces it.
///
/// # Errors
/// [`ChipError`], as for [`run`]; or the model and its input do not fit into the board's memory for them (8 MB).
pub fn bench_image(
    chip: Chip,
    model: &[u8],
    input: &[u8],
    progress: &mut dyn FnMut(Activity<'_>),
) -> Result<Option<PathBuf>, ChipError> {
    let Some(spec) = chip.spec() else { return Ok(None) };
    let inputs = [input.to_vec()];
    let image = firmware::build(spec, &host::operators(chip, model)?, progress)?;
    let path = image.runner.with_file_name("bench.elf");
    let mut job = Vec::new();
    let written = qemu::Job { header: header(model, &inputs)?, model, inputs: &inputs }.write_to(&mut job);
    written.map_err(ChipError::io("a job in memory"))?;
    standalone::write(&image.runner, &job, &path)?;
    Ok(Some(path))
}

/// One piece of code of known length, timed on an emulated chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    /// Instructions that the code has.
    pub executed: u64,
    /// Instructions that were counted.
    pub counted: u64,
}

/// Checks an emulated chip's instruction counter against code of known length. On [`Chip::Host`] there is none.
///
/// # Errors
/// [`ChipError`], as for [`run`].
pub fn self_test(chip: Chip, progress: &mut dyn FnMut(Activity<'_>)) -> Result<Vec<Calibration>, ChipError> {
    let Some(spec) = chip.spec() else { return Ok(Vec::new()) };
    let header = JobHeader { self_test: true, model_bytes: 0, input_count: 0, input_bytes: 0 };
    let emulator = setup::Machine::here().emulator(spec.emulator, progress)?;
    let image = firmware::build(spec, &[], progress)?;
    let emulation = qemu::Emulation { emulator: &emulator, spec, image: &image.runner, patience: qemu::PATIENCE };
    emulation.run(&qemu::Job { header, model: &[], inputs: &[] }, progress)?.calibrations()
}

/// Builds the images of an emulated chip, the small one with every operator. On [`Chip::Host`] there are none.
///
/// # Errors
/// [`ChipError`]: there are no sources or no toolchain, or cargo failed.
pub fn images(chip: Chip, progress: &mut dyn FnMut(Activity<'_>)) -> Result<Option<Image>, ChipError> {
    chip.spec().map(|spec| firmware::build(spec, &[], progress)).transpose()
}

fn header(model: &[u8], inputs: &[Vec<u8>]) -> Result<JobHeader, ChipError> {
    let too_large = |what, bytes| ChipError::TooLarge { what, count: bytes };
    let input_bytes = inputs.first().map_or(0, Vec::len);
    if let Some(input_idx) = inputs.iter().position(|input| input.len() != input_bytes) {
        let got = inputs[input_idx].len();
        return Err(ChipError::Input { input_idx, expected: input_bytes, got });
    }
    Ok(JobHeader {
        self_test: false,
        model_bytes: u32::try_from(model.len()).map_err(|_| too_large("bytes of the model", model.len()))?,
        input_count: u32::try_from(inputs.len()).map_err(|_| too_large("inputs", inputs.len()))?,
        input_bytes: u32::try_from(input_bytes).map_err(|_| too_large("bytes of an input", input_bytes))?,
    })
}
