//! The board that the image is for. A board is a file here, a memory map beside it and a cargo feature.

#[cfg(feature = "mps2-an385")]
mod mps2_an385;
#[cfg(feature = "mps2-an386")]
mod mps2_an386;
#[cfg(feature = "mps2-an500")]
mod mps2_an500;
#[cfg(feature = "mps2-an505")]
mod mps2_an505;
#[cfg(feature = "mps3-an547")]
mod mps3_an547;
#[cfg(feature = "mps2-an385")]
pub use mps2_an385::*;
#[cfg(feature = "mps2-an386")]
pub use mps2_an386::*;
#[cfg(feature = "mps2-an500")]
pub use mps2_an500::*;
#[cfg(feature = "mps2-an505")]
pub use mps2_an505::*;
#[cfg(feature = "mps3-an547")]
pub use mps3_an547::*;

/// A piece of memory that the linker does not use.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// Its first byte, aligned to 16.
    pub address: usize,
    /// Its length.
    pub bytes: usize,
}
