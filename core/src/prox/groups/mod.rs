//! Where the parameter groups of a tensor lie, and the passes over them: one sum and one scale factor for each group.

mod index_sets;
mod kind;
mod layout;

pub use index_sets::IndexSets;
pub use kind::GroupKind;
pub use layout::{GroupLayout, LayoutSpec, Loop};

use crate::error::GroupError;
use crate::real::Real;

/// Disjoint groups of a part: [`GroupLayout`] at strides, [`IndexSets`] element by element.
pub trait Groups {
    /// How many groups there are.
    fn groups(&self) -> usize;
    /// Elements that a part must have.
    fn span(&self) -> usize;
    /// Visits every member of every group once, the members of each group in the same order in every implementation
    /// (for those of this crate: in memory order, unless the loops of a [`LayoutSpec`] say another).
    fn walk(&self, visit: impl FnMut(Run<'_>));
}

/// Elements that one step of [`Groups::walk`] visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run<'a> {
    /// Members of one group at a stride.
    Members {
        /// The group.
        group: usize,
        /// The first element.
        first: usize,
        /// How many.
        len: usize,
        /// Elements from one to the next.
        stride: usize,
    },
    /// One member of each of consecutive groups.
    Across {
        /// The first group.
        group: usize,
        /// Its element.
        first: usize,
        /// How many groups.
        len: usize,
        /// Elements from one to the next.
        stride: usize,
    },
    /// Members of one group, listed.
    Listed {
        /// The group.
        group: usize,
        /// The elements.
        elements: &'a [u32],
    },
}

fn check<T>(part: &[T], groups: &impl Groups, operand: &'static str, got: usize) -> Result<(), GroupError> {
    if part.len() < groups.span() {
        return Err(GroupError::Part { span: groups.span(), got: part.len() });
    }
    if got != groups.groups() {
        return Err(GroupError::Len { operand, expected: groups.groups(), got });
    }
    Ok(())
}

/// Adds the square of every element to the sum of its group.
///
/// Groups may have members in several parts (filters and their biases): call it for each part, starting from zeros.
///
/// # Shapes
/// `part`: at least [`Groups::span`] elements · `sums: [groups]`
/// # Numerics
/// Squares and sums in `f64`, members in the order of [`Groups::walk`]: the bits of a sum do not depend on how the
/// groups lie in memory.
/// # Errors
/// [`GroupError`] names the operand; nothing is written then.
pub fn accumulate_squared_norms<T: Real>(part: &[T], groups: &impl Groups, sums: &mut [f64]) -> Result<(), GroupError> {
    accumulate([part; 2], groups, sums, |x, _| x * x)
}

/// Adds the products of two parts, element by element, to the sums of their groups: the inner products that
/// [`super::half_space`] needs.
///
/// # Shapes
/// `left, right`: at least [`Groups::span`] elements each · `sums: [groups]`
/// # Numerics
/// As [`accumulate_squared_norms`], whose bits it gives when both parts are the same.
/// # Errors
/// [`GroupError`] names the operand; nothing is written then.
pub fn accumulate_products<T: Real>(
    left: &[T],
    right: &[T],
    groups: &impl Groups,
    sums: &mut [f64],
) -> Result<(), GroupError> {
    accumulate([left, right], groups, sums, |x, y| x * y)
}

/// Adds every element to the sum of its group: with the sizes of the groups, the mean of a diagonal metric over each.
///
/// # Shapes
/// `part`: at least [`Groups::span`] elements · `sums: [groups]`
/// # Numerics
/// As [`accumulate_squared_norms`].
/// # Errors
/// [`GroupError`] names the operand; nothing is written then.
pub fn accumulate_sums<T: Real>(part: &[T], groups: &impl Groups, sums: &mut [f64]) -> Result<(), GroupError> {
    accumulate([part; 2], groups, sums, |x, _| x)
}

fn accumulate<T: Real>(
    [left, right]: [&[T]; 2],
    groups: &impl Groups,
    sums: &mut [f64],
    term: impl Fn(f64, f64) -> f64,
) -> Result<(), GroupError> {
    check(left, groups, "sums", sums.len())?;
    check(right, groups, "sums", sums.len())?;
    let term = |x: &T, y: &T| term(x.to_f64(), y.to_f64());
    groups.walk(|run| match run {
        Run::Members { group, first, len, stride } => {
            let (Some(left), Some(right)) = (left.get(first..), right.get(first..)) else { return };
            let Some(sum) = sums.get_mut(group) else { return };
            let mut acc = *sum;
            if stride == 1 {
                left.iter().zip(right).take(len).for_each(|(x, y)| acc += term(x, y));
            } else {
                let members = (0..len).filter_map(|i| left.get(i * stride).zip(right.get(i * stride)));
                members.for_each(|(x, y)| acc += term(x, y));
            }
            *sum = acc;
        }
        Run::Across { group, first, len, stride } => {
            let (Some(left), Some(right)) = (left.get(first..), right.get(first..)) else { return };
            let Some(sums) = sums.get_mut(group..) else { return };
            if stride == 1 {
                sums.iter_mut().zip(left.iter().zip(right)).take(len).for_each(|(sum, (x, y))| *sum += term(x, y));
            } else {
                for (i, sum) in sums.iter_mut().take(len).enumerate() {
                    let Some((x, y)) = left.get(i * stride).zip(right.get(i * stride)) else { return };
                    *sum += term(x, y);
                }
            }
        }
        Run::Listed { group, elements } => {
            let Some(sum) = sums.get_mut(group) else { return };
            let mut acc = *sum;
            let members = elements.iter().filter_map(|e| left.get(*e as usize).zip(right.get(*e as usize)));
            members.for_each(|(x, y)| acc += term(x, y));
            *sum = acc;
        }
    });
    Ok(())
}

/// The norms of groups from their sums of squares, rounded to `T` once.
///
/// # Errors
/// [`GroupError::Len`]; nothing is written then.
pub fn norms<T: Real>(sums: &[f64], norms: &mut [T]) -> Result<(), GroupError> {
    if norms.len() != sums.len() {
        return Err(GroupError::Len { operand: "norms", expected: sums.len(), got: norms.len() });
    }
    norms.iter_mut().zip(sums).for_each(|(norm, sum)| *norm = T::from_f64(Real::sqrt(*sum)));
    Ok(())
}

/// Multiplies every element by the scale of its group.
///
/// # Shapes
/// `part`: at least [`Groups::span`] elements · `scales: [groups]`
/// # Numerics
/// One rounding an element; a zero is always `+0`, so that a removed group is all zero bits.
/// # Errors
/// [`GroupError`] names the operand; nothing is written then.
pub fn scale<T: Real>(part: &mut [T], groups: &impl Groups, scales: &[T]) -> Result<(), GroupError> {
    check(part, groups, "scales", scales.len())?;
    let by = |x: &mut T, s: &T| *x = *x * *s + T::ZERO;
    groups.walk(|run| match run {
        Run::Members { group, first, len, stride } => {
            let (Some(part), Some(s)) = (part.get_mut(first..), scales.get(group)) else { return };
            if stride == 1 {
                part.iter_mut().take(len).for_each(|x| by(x, s));
            } else {
                for i in 0..len {
                    let Some(x) = part.get_mut(i * stride) else { return };
                    by(x, s);
                }
            }
        }
        Run::Across { group, first, len, stride } => {
            let (Some(part), Some(scales)) = (part.get_mut(first..), scales.get(group..)) else { return };
            if stride == 1 {
                part.iter_mut().zip(scales).take(len).for_each(|(x, s)| by(x, s));
            } else {
                for (i, s) in scales.iter().take(len).enumerate() {
                    let Some(x) = part.get_mut(i * stride) else { return };
                    by(x, s);
                }
            }
        }
        Run::Listed { group, elements } => {
            let Some(s) = scales.get(group) else { return };
            for element in elements {
                let Some(x) = part.get_mut(*element as usize) else { return };
                by(x, s);
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests;
