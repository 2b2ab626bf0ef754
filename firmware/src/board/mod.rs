//! The board that the image is for. A board is a file here, a memory map beside it and a cargo feature;
//! a chip of `host/src/hardware/table.rs` names it.

#[cfg_attr(feature = "mps2-an385", path = "mps2_an385.rs")]
#[cfg_attr(feature = "mps2-an386", path = "mps2_an386.rs")]
#[cfg_attr(feature = "mps2-an500", path = "mps2_an500.rs")]
#[cfg_attr(feature = "mps2-an505", path = "mps2_an505.rs")]
#[cfg_attr(feature = "mps3-an547", path = "mps3_an547.rs")]
mod chosen;

pub use chosen::*;

/// A piece of memory that the linker does not use.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// Its first byte, aligned to 16.
    pub address: usize,
    /// Its length.
    pub bytes: usize,
}
