//! Structured sparsity: which channels and layers go together, how they are ranked in training, and their removal.

pub mod blocks;
pub mod channels;
pub mod cost;
pub mod remove;
pub mod wgsef;
mod zero;
