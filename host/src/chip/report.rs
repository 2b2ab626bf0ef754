//! What the firmware reported, record by record, and what that means in instructions.

use super::{Calibration, ChipError, Cost, Measured, firmware::Image};
use crate::hardware::Emulator;
use niwaki_protocol::{ProtocolError, RESULT_MAGIC, Record, operator_ticks, result_records};

/// The records of a result so far.
#[derive(Debug, Default)]
pub(super) struct JobReport {
    /// [`Emulator::icount_shift`]
    icount_shift: u32,
    /// Bytes that were understood.
    offset: usize,
    arena_bytes: u32,
    outputs: Vec<Vec<u8>>,
    run_ticks: Vec<u64>,
    operator_ticks: Vec<u32>,
    stack_bytes: u32,
    /// Executed instructions and ticks.
    self_tests: Vec<(u64, u64)>,
    clock: Option<Clock>,
    failure: Option<String>,
    complete: bool,
}

#[derive(Debug, Clone, Copy)]
struct Clock {
    icount_shift: u32,
    tick_hz: u32,
    run_overhead: u32,
    operator_overhead: u32,
}

impl Clock {
    /// Instructions of an interval, to the nearest: each takes 2^[`Emulator::icount_shift`] ns.
    fn instructions(&self, ticks: u64, overhead: u32) -> u64 {
        let ticks = u128::from(ticks.saturating_sub(u64::from(overhead)));
        let ticks_in_a_second = u128::from(self.tick_hz.max(1)) << self.icount_shift;
        ((ticks * 1_000_000_000 + ticks_in_a_second / 2) / ticks_in_a_second) as u64
    }
}

impl JobReport {
    /// Nothing is known yet of what runs in `emulator`.
    pub(super) fn new(emulator: &Emulator) -> Self {
        Self { icount_shift: emulator.icount_shift, ..Self::default() }
    }

    /// Understands the records at the start of `bytes`, which follow those of the calls before; how many bytes that
    /// were.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<usize, ChipError> {
        let start = self.offset;
        if self.offset == 0 {
            match result_records(bytes) {
                Ok(_) => self.offset = RESULT_MAGIC.len(),
                Err(ProtocolError::Truncated) => return Ok(0),
                Err(source) => return Err(ChipError::Result { offset: 0, source }),
            }
        }
        let wrong = |offset| move |source| ChipError::Result { offset, source };
        while let Some((record, len)) = Record::decode(&bytes[self.offset - start..]).map_err(wrong(self.offset))? {
            self.push(record);
            self.offset += len;
        }
        Ok(self.offset - start)
    }

    fn push(&mut self, record: Record<'_>) {
        match record {
            Record::Model { arena_bytes, .. } => self.arena_bytes = arena_bytes,
            Record::Run { ticks, outputs } => {
                self.run_ticks.push(ticks);
                self.outputs.push(outputs.to_vec());
            }
            Record::Operators(ticks) => self.operator_ticks = operator_ticks(ticks).collect(),
            Record::Stack { run_bytes, .. } => self.stack_bytes = run_bytes,
            Record::SelfTest { instructions, ticks } => self.self_tests.push((instructions, ticks)),
            Record::Clock { tick_hz, run_overhead, operator_overhead } => {
                self.clock = Some(Clock { icount_shift: self.icount_shift, tick_hz, run_overhead, operator_overhead });
            }
            Record::Failure(reason) => self.failure = Some(String::from_utf8_lossy(reason).into_owned()),
            Record::End { .. } => self.complete = true,
        }
    }

    /// Finished runs.
    pub(super) fn runs(&self) -> usize {
        self.outputs.len()
    }

    /// Why the firmware gave up, if it did.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether the firmware said that it was done.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    fn clock(&self) -> Result<Clock, ChipError> {
        self.clock.ok_or(ChipError::Incomplete { what: "a clock" })
    }

    /// Outputs and cost; there is no cost without inputs.
    pub(super) fn measured(self, image: &Image) -> Result<Measured, ChipError> {
        let clock = self.clock()?;
        let runs = self.run_ticks.iter().map(|ticks| clock.instructions(*ticks, clock.run_overhead));
        let mut runs: Vec<u64> = runs.collect();
        runs.sort_unstable();
        let operators = self.operator_ticks.iter();
        let cost = match runs.as_slice() {
            [] => None,
            [fewest, ..] => Some(Cost {
                instructions: runs[(runs.len() - 1) / 2],
                instructions_min: *fewest,
                instructions_max: runs[runs.len() - 1],
                per_op: operators.map(|t| clock.instructions(u64::from(*t), clock.operator_overhead)).collect(),
                arena_bytes: u64::from(self.arena_bytes),
                stack_bytes: u64::from(self.stack_bytes),
                code_bytes: image.code_bytes,
                elf: image.runner.clone(),
            }),
        };
        Ok(Measured { outputs: self.outputs, cost })
    }

    /// What the self-test found.
    pub(super) fn calibrations(&self) -> Result<Vec<Calibration>, ChipError> {
        let clock = self.clock()?;
        let counted = |ticks| clock.instructions(ticks, clock.run_overhead);
        Ok(self.self_tests.iter().map(|&(executed, ticks)| Calibration { executed, counted: counted(ticks) }).collect())
    }
}
