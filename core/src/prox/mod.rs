//! Proximal operators: where the parameter groups of a tensor lie, their norms, and one scale factor for each group.
//!
//! Every operator here works in three passes, so that it never copies a tensor and never needs to know its layout:
//! 1. [`groups::accumulate_squared_norms`] over each part (filters, then their biases, then the input channels of the
//!    next layer, …) adds to one sum for each group;
//! 2. the operator turns `m` norms into `m` scale factors: [`wgsef::Wgsef`] or [`group_lasso::GroupLasso`], and with
//!    inner products in place of norms [`half_space`];
//! 3. [`groups::scale`] applies them to the same parts.
//!
//! Groups are strided views with a name ([`groups::GroupKind`]), any other nest of loops ([`groups::LayoutSpec`]), or
//! lists of elements ([`groups::IndexSets`]). The result has the same bits whichever of them describes the groups.
//!
//! [`wgsef::Wgsef::prox_scales`] needs no memory: the choice on a chip and for the channels of a layer. For thousands of
//! groups and more (single weights, blocks, one budget over a whole network) give [`wgsef::Wgsef::prox_scales_by`] memory
//! for [`wgsef::Solver::Pivoting`]: about 4 visits to each group in place of some 30 (`f32`) or 60 (`f64`).
//! [`wgsef::Solver::Sorting`] is the slowest, and the only one whose work does not depend on the values or a seed.
//!
//! # Examples
//! Keep about two of four filters, each with its bias in its group:
//! ```
//! use niwaki_core::prox::{groups::{self, GroupLayout}, wgsef::{Weights, Wgsef}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut filters, mut bias) = ([0.5_f32; 4 * 9], [0.1, 0.2, 3.0, 4.0]);
//! let rows = GroupLayout::rows(4, 9)?;
//! let each = GroupLayout::elements(4)?;
//! let (mut sums, mut norms, mut scales) = ([0.0; 4], [0.0; 4], [0.0; 4]);
//! groups::accumulate_squared_norms(&filters, &rows, &mut sums)?;
//! groups::accumulate_squared_norms(&bias, &each, &mut sums)?;
//! groups::norms(&sums, &mut norms)?;
//! Wgsef::try_new(2, Weights::One)?.prox_scales(&norms, 0.5, &mut scales)?;
//! groups::scale(&mut filters, &rows, &scales)?;
//! groups::scale(&mut bias, &each, &scales)?;
//! assert!(scales[3] > scales[0]);
//! # Ok(())
//! # }
//! ```

pub mod group_lasso;
pub mod groups;
pub mod half_space;
pub mod wgsef;

#[cfg(test)]
mod lcg;
