//! What tests, gates and benchmarks share.

pub mod edit;
pub mod fuzz;
pub mod layers;
pub mod models;
pub mod param;
pub mod parity;
pub mod sparse;
pub mod tflm;
