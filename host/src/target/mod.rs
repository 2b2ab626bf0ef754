//! What models are made for.

/// The instruction set that a file's weights are packed for. Every file runs everywhere; this decides which kernels run fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isa {
    /// Any.
    #[default]
    Portable,
    /// Armv7E-M, or Armv8-M with the DSP extension: Cortex-M4, M7, M33, M55.
    ArmDsp,
}
