//! What instructions cost on a Cortex-M4, from Arm's Technical Reference Manual (DDI 0439, section 3.3).

use super::thumb::Class;

/// Cycles that a branch which is taken costs beside its own: the manual's P, 1 to 3, here that of aligned targets.
pub(super) const REFILL: u64 = 2;

/// Adds cycles up, instruction by instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) instructions: u64,
    pub(super) cycles: u64,
    /// The last one loaded or stored one register: the next that does follows in its pipeline.
    pipelined: bool,
}

impl Tally {
    /// One more instruction, from memory without wait states.
    pub(super) fn add(&mut self, class: Class) {
        self.instructions += 1;
        self.cycles += match class {
            Class::Single if self.pipelined => 1,
            Class::Single | Class::FloatSingle => 2,
            Class::Double | Class::FloatDouble | Class::FloatMultiplyAdd => 3,
            Class::Multiple(words) => 1 + u64::from(words),
            Class::Divide => 6,
            Class::FloatDivide => 14,
            Class::Barrier => 4,
            Class::Other => 1,
        };
        self.pipelined = class == Class::Single;
    }

    /// The last instruction was a branch that was taken.
    pub(super) fn refill(&mut self) {
        self.cycles += REFILL;
    }
}
