//! Structured sparsity: which groups go together, how they are ranked in training, how many stay, and their removal.

pub mod alive;
pub mod allocate;
pub mod blocks;
pub mod channels;
pub mod cost;
pub mod distortion;
pub mod dynamic;
pub mod erdos_renyi;
mod error;
pub mod family;
pub mod group_lasso;
mod half_space;
pub mod knapsack;
pub mod magnitude;
pub mod method;
pub mod options;
pub mod remove;
pub mod sap;
pub mod teddy;
pub mod wgsef;
mod zero;

#[cfg(test)]
mod tests;

pub use error::SparsifyError;
pub use options::Sparsity;
