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
pub mod group_lasso;
mod half_space;
pub mod knapsack;
pub mod magnitude;
pub mod method;
pub mod options;
pub mod parameter_groups;
pub mod remove;
pub mod sap;
pub mod teddy;
pub mod wgsef;
mod zero;

#[cfg(test)]
mod tests;

pub use error::SparsifyError;
pub use options::Sparsity;

use dynamic::{Dynamic, Growth};
use group_lasso::GroupLasso;
use magnitude::Magnitude;
use method::{Method, Start};
use sap::Sap;
use wgsef::Wgsef;

/// The method that `options` names; `None` for `none`.
///
/// # Errors
/// [`SparsifyError`].
pub fn start(options: &Sparsity, start: Start<'_>) -> Result<Option<Box<dyn Method>>, SparsifyError> {
    Ok(match options.method {
        options::Method::None => None,
        options::Method::Wgsef => Some(Box::new(Wgsef::new(options, start)?)),
        options::Method::GroupLasso => Some(Box::new(GroupLasso::new(start.layers))),
        options::Method::Hspg => Some(Box::new(GroupLasso::with_half_space(&start)?)),
        options::Method::Sap => Some(Box::new(Sap::new(&start))),
        options::Method::Set => Some(Box::new(Dynamic::new(Growth::Random, options, start)?)),
        options::Method::Rigl => Some(Box::new(Dynamic::new(Growth::Gradient, options, start)?)),
        options::Method::Magnitude | options::Method::RateDistortion => Some(Box::new(Magnitude)),
    })
}
