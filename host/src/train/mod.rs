//! (being written)

pub mod recipe;
