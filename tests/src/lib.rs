//! What tests, gates and benchmarks share.

pub mod edit;
pub mod layers;
pub mod models;
