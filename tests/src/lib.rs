//! What tests, gates and benchmarks share.

pub mod edit;
pub mod models;
