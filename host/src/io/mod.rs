//! Files and memory as every room needs them: atomic writing, `.npy` arrays, aligned bytes.

mod aligned;
pub mod atomic;
mod error;
pub mod npy;
#[cfg(test)]
mod tests;

pub use aligned::AlignedBytes;
pub use error::FileError;
