//! Why a model did not run: the place, and what helps.

use crate::hardware::UnknownChip;
use niwaki_protocol::ProtocolError;
use std::{io, path::PathBuf, time::Duration};

/// Why a model did not run on a chip.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChipError {
    /// There is no such chip.
    #[error(transparent)]
    Unknown(#[from] UnknownChip),
    /// An input is not as long as it has to be.
    #[error("input {input_idx} has {got} bytes, expected {expected}")]
    Input {
        /// Which one.
        input_idx: usize,
        /// Bytes that it should have.
        expected: usize,
        /// Bytes that it has.
        got: usize,
    },
    /// A size does not fit into a job.
    #[error("{count} {what} do not fit into a job")]
    TooLarge {
        /// The quantity.
        what: &'static str,
        /// Its value.
        count: usize,
    },
    /// The chip did not take the job.
    #[error("{chip}: {reason}")]
    Refused {
        /// Who refused it.
        chip: String,
        /// Why, in its words.
        reason: String,
    },
    /// A program is missing and cannot be installed without being asked.
    #[error("{program} is not installed; {remedy}")]
    Missing {
        /// The program.
        program: &'static str,
        /// What to do.
        remedy: String,
    },
    /// A command that should have helped did not.
    #[error("`{command}` failed: {detail}")]
    Command {
        /// The command.
        command: String,
        /// What it said last, or how it ended.
        detail: String,
    },
    /// The firmware's sources are not there.
    #[error("there is no firmware at {}; set NIWAKI_FIRMWARE to the folder `firmware` of niwaki's sources", path.display())]
    NoFirmware {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A firmware image is none.
    #[error("{}: {detail}", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The emulator ended without the firmware's good-bye.
    #[error("the emulator ended ({status}) after {runs} runs: {detail}")]
    Died {
        /// How it ended.
        status: String,
        /// Runs that were finished.
        runs: usize,
        /// What is known about the reason.
        detail: String,
    },
    /// Nothing was heard of the firmware for too long; the emulator was stopped.
    #[error("nothing heard of the firmware for {} s after {runs} runs; the emulator was stopped", silence.as_secs())]
    Stalled {
        /// How long.
        silence: Duration,
        /// Runs that were finished.
        runs: usize,
    },
    /// The result is not what the protocol says.
    #[error("result.bin at byte {offset}: {source}")]
    Result {
        /// Where.
        offset: usize,
        /// What.
        source: ProtocolError,
    },
    /// Two ways to count the same instructions do not agree.
    #[error("the traced run executed {traced} instructions, the counter shows {counted}: no cycles can be estimated")]
    Estimate {
        /// By the blocks that were executed.
        traced: u64,
        /// By the chip's clock.
        counted: u64,
    },
    /// The result lacks a record.
    #[error("result.bin ended without {what}")]
    Incomplete {
        /// What is not there.
        what: &'static str,
    },
}

impl ChipError {
    /// For `map_err`: the file that the error is about.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.into(), source }
    }
}
