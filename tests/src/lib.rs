//! What tests, gates and benchmarks share.
