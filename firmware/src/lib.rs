//! What the programs for the chips share: the board, its clock and memory, and how a job is run.
#![no_std]

use cortex_m as _; // its critical section, which the logger needs

pub mod board;
pub mod error;
pub mod job;
pub mod machine;
pub mod measure;
pub mod semihosting;
