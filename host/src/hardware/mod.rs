//! What models are made for: instruction sets, and one table of chips ([`mod@table`]) with the emulators that stand for them.

mod emulator;
pub mod table;

pub use emulator::{Emulator, QEMU_ARM};
pub use table::{Chip, ChipSpec};

/// The instruction set that a file's weights are packed for. Every file runs everywhere; this decides which kernels run fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isa {
    /// Any.
    #[default]
    Portable,
    /// Armv7E-M, or Armv8-M with the DSP extension: Cortex-M4, M7, M33, M55.
    ArmDsp,
}

/// Rules by which cycles are estimated from executed instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Of Arm's manual for the Cortex-M4 (DDI 0439).
    CortexM4,
}

/// There is no such chip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no chip \"{name}\"; known: {}", Chip::NAMES.join(", "))]
pub struct UnknownChip {
    /// What was asked for.
    pub name: String,
}
