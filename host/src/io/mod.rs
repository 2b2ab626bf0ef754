//! What every room reads and writes with: atomic writing, `.npy` arrays, aligned bytes, numbers as text.

mod aligned;
pub mod atomic;
mod error;
pub mod format;
pub mod npy;
#[cfg(test)]
mod tests;

pub use aligned::AlignedBytes;
pub use error::FileError;
