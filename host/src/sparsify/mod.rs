//! Structured sparsity: which channels go together, how they are ranked in training, and their removal.

pub mod groups;
pub mod remove;
pub mod wgsef;
