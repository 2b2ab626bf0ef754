//! The WGSEF prox of tensors on a device: checks, and the choice of the back end.

use crate::device::Gpu;
use crate::error::GpuError;
use niwaki_core::error::ProxError;
use niwaki_core::prox::wgsef::{Weights, Wgsef};

#[cfg(any(feature = "vulkan", feature = "cuda"))]
use crate::{device::Backend, kernels};

/// The envelope and the step of its prox.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WgsefSpec {
    /// The budget: how many groups may stay.
    pub k: usize,
    /// Learning rate times penalty.
    pub lambda: f32,
}

/// A tensor in which every group is one row: filters, or their biases with `row_len` 1.
#[derive(Debug)]
pub struct Part<'a> {
    /// `[groups, row_len]`, row-major.
    pub values: &'a mut [f32],
    /// Elements of one group.
    pub row_len: usize,
}

impl Gpu {
    /// Replaces filters and biases by their `prox_{λF}`; a filter and its bias are one group of weight 1.
    ///
    /// # Shapes
    /// `weight: [groups, row_len]` row-major (OHWI) · `bias: [groups]`
    /// # Numerics
    /// As [`Gpu::wgsef_prox_parts`].
    /// # Errors
    /// As [`Gpu::wgsef_prox_parts`]; also when `weight` is not a whole number of rows.
    pub fn wgsef_prox(
        &mut self,
        weight: &mut [f32],
        bias: Option<&mut [f32]>,
        groups: usize,
        spec: WgsefSpec,
    ) -> Result<(), GpuError> {
        let row_len = weight.len().checked_div(groups).unwrap_or(0);
        let mut parts = vec![Part { values: weight, row_len }];
        parts.extend(bias.map(|values| Part { values, row_len: 1 }));
        self.wgsef_prox_parts(&mut parts, groups, Weights::One, spec)
    }

    /// Replaces tensors that share their groups by their `prox_{λF}`, in place.
    ///
    /// # Shapes
    /// every part: `[groups, row_len]` row-major · `weights: [groups]`
    /// # Numerics
    /// The definition is [`Wgsef::prox_scales`]. Squares in compensated `f32`, so norms above about `1e19` diverge and
    /// those below about `1e-19` count as zero (core: `1e-20`). Within `2e-6` of core, relative to each element's old
    /// value; not bit-exact between devices.
    /// # Errors
    /// [`GpuError::Prox`] for a bad weight or `lambda`, [`GpuError::Len`], [`GpuError::TooLarge`], [`GpuError::Device`];
    /// the parts are untouched then.
    pub fn wgsef_prox_parts(
        &mut self,
        parts: &mut [Part<'_>],
        groups: usize,
        weights: Weights<'_, f32>,
        spec: WgsefSpec,
    ) -> Result<(), GpuError> {
        check(parts, groups, weights, spec)?;
        if groups == 0 {
            return Ok(());
        }
        match self.backend {
            #[cfg(feature = "vulkan")]
            Backend::Vulkan(ref client) => kernels::wgsef::prox(client, parts, groups, weights, spec),
            #[cfg(feature = "cuda")]
            Backend::Cuda(ref client) => kernels::wgsef::prox(client, parts, groups, weights, spec),
        }
    }
}

fn check(parts: &[Part<'_>], groups: usize, weights: Weights<'_, f32>, spec: WgsefSpec) -> Result<(), GpuError> {
    Wgsef::try_new(spec.k, weights)?;
    if !(spec.lambda.is_finite() && spec.lambda >= 0.0) {
        return Err(ProxError::Lambda.into());
    }
    if let Weights::Each(each) = weights
        && each.len() != groups
    {
        return Err(ProxError::Len { operand: "weights", expected: groups, got: each.len() }.into());
    }
    for (i, part) in parts.iter().enumerate() {
        let expected = groups.saturating_mul(part.row_len);
        if part.values.len() != expected {
            return Err(GpuError::Len { operand: format!("part {i}"), expected, got: part.values.len() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_checked_without_a_device() {
        let mut values = [1.0; 6];
        let mut run = |groups, row_len, weights, lambda| {
            check(&[Part { values: &mut values, row_len }], groups, weights, WgsefSpec { k: 1, lambda })
        };
        assert_eq!(run(2, 3, Weights::One, 0.5), Ok(()));
        let short = GpuError::Len { operand: "part 0".into(), expected: 8, got: 6 };
        assert_eq!(run(2, 4, Weights::One, 0.5), Err(short));
        assert_eq!(run(2, 3, Weights::One, f32::NAN), Err(ProxError::Lambda.into()));
        assert_eq!(run(2, 3, Weights::Each(&[1.0, 0.0]), 0.5), Err(ProxError::Weight { group: 1 }.into()));
        let short = ProxError::Len { operand: "weights", expected: 2, got: 1 };
        assert_eq!(run(2, 3, Weights::Each(&[1.0]), 0.5), Err(short.into()));
    }
}
