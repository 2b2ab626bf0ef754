//! Three kernels: squared norms of groups, factors of the WGSEF prox, scaling.

use super::{BLOCK, Buffer, block_max, block_sum, grid};
use crate::error::GpuError;
use crate::wgsef::{Part, WgsefSpec};
use cubecl::client::ComputeClient;
use cubecl::prelude::*;
use niwaki_core::prox::wgsef::Weights;
use niwaki_core::real::Real;

/// Bits of the exponent of an `f32`: all set for infinities and NaNs.
const EXPONENT: u32 = 0x7f80_0000;
/// Norms below this count as zero.
const TINY: f32 = <f32 as Real>::TINY;
/// A quiet NaN.
const NAN: u32 = 0x7fc0_0000;

/// Runs the kernels over parts that have been checked.
pub(crate) fn prox<R: Runtime>(
    client: &ComputeClient<R>,
    parts: &mut [Part<'_>],
    groups: usize,
    weights: Weights<'_, f32>,
    spec: WgsefSpec,
) -> Result<(), GpuError> {
    let block = CubeDim::new_1d(BLOCK);
    let zeros = vec![0.0; groups];
    let sums = Buffer::upload(client, &zeros)?;
    let scales = Buffer::upload(client, &zeros)?;
    let weights = match weights {
        Weights::One => Buffer::upload(client, &vec![1.0; groups])?,
        Weights::Each(each) => Buffer::upload(client, each)?,
    };
    let mut parts: Vec<&mut Part<'_>> = parts.iter_mut().filter(|p| p.row_len > 0).collect();
    let buffers = parts.iter().map(|p| Buffer::upload(client, p.values)).collect::<Result<Vec<Buffer>, GpuError>>()?;
    for (part, buffer) in parts.iter().zip(&buffers) {
        add_squared_norms::launch(client, grid(groups), block, buffer.arg(), sums.arg(), part.row_len as u32);
    }
    // A budget above the number of groups is the same as that number, which fits.
    let k = spec.k.min(groups) as u32;
    wgsef_scales::launch(client, grid(1), block, sums.arg(), weights.arg(), scales.arg(), k, spec.lambda);
    for (part, buffer) in parts.iter().zip(&buffers) {
        let blocks = part.values.len().div_ceil(BLOCK as usize);
        scale_rows::launch(client, grid(blocks), block, scales.arg(), buffer.arg(), part.row_len as u32);
    }
    client.flush().map_err(|e| GpuError::Device { reason: e.to_string() })?;
    let results = buffers.into_iter().map(|b| b.download(client)).collect::<Result<Vec<Vec<f32>>, GpuError>>()?;
    parts.iter_mut().zip(&results).for_each(|(part, result)| part.values.copy_from_slice(result));
    Ok(())
}

/// One block for each group adds the squares of its row.
///
/// # Shapes
/// `part: [groups, row_len]` · `sums: [groups]`
/// # Numerics
/// Every unit sums `row_len / BLOCK` squares with compensation, then the block sums in a tree: the error stays at a few
/// roundings of the sum for rows of any length.
#[cube(launch)]
fn add_squared_norms(part: &Array<f32>, sums: &mut Array<f32>, row_len: u32) {
    let mut shared = SharedMemory::<f32>::new(BLOCK as usize);
    let group = CUBE_POS;
    // The same for all units of a block.
    if group < sums.len() {
        let start = group * row_len as usize;
        let mut sum = 0.0f32;
        let mut lost = 0.0f32;
        let mut i = UNIT_POS;
        while i < row_len {
            let x = part[start + i as usize];
            let term = x * x - lost;
            let next = sum + term;
            lost = (next - sum) - term;
            sum = next;
            i += BLOCK;
        }
        let total = block_sum(sum, &mut shared);
        if UNIT_POS == 0 {
            sums[group] += total;
        }
    }
}

/// One block finds the factors: bisection over the bits of `η`, then one linear solve, as `Wgsef::prox_scales`.
///
/// # Shapes
/// `sums, weights, scales: [groups]`
/// # Numerics
/// `f32`. Saturated groups are counted, only fractions are summed, so that a large budget costs no accuracy.
#[cube(launch)]
fn wgsef_scales(sums: &Array<f32>, weights: &Array<f32>, scales: &mut Array<f32>, k: u32, lambda: f32) {
    let mut shared = SharedMemory::<f32>::new(BLOCK as usize);
    let budget = k as f32;
    let groups = sums.len();
    // `scales` holds √d ||t|| until the end: 0 for zero groups, NaN for diverged ones. Every unit owns its entries.
    let mut alive = 0.0f32;
    let mut top = 0.0f32;
    let mut j = UNIT_POS as usize;
    while j < groups {
        let norm = sums[j].sqrt();
        let c = weights[j].sqrt() * norm;
        if u32::reinterpret(c) & EXPONENT == EXPONENT {
            scales[j] = f32::reinterpret(NAN);
        } else if norm < TINY {
            scales[j] = 0.0;
        } else {
            scales[j] = c;
            alive += 1.0;
            top = max(top, (1.0 + lambda * weights[j]) / c);
        }
        j += BLOCK as usize;
    }
    let alive = block_sum(alive, &mut shared);
    let mut hi = u32::reinterpret(block_max(top, &mut shared));
    let mut lo = 0u32;
    // No bisection when all factors are those of ridge, or 0; the same for all units.
    let free = alive <= budget || lambda == 0.0;
    if !free && k > 0 {
        for _ in 0..31 {
            let mid = lo + (hi - lo) / 2;
            let eta = f32::reinterpret(mid);
            let mut full = 0.0f32;
            let mut open = 0.0f32;
            let mut j = UNIT_POS as usize;
            while j < groups {
                let u = eta * scales[j] - lambda * weights[j];
                if u >= 1.0 {
                    full += 1.0;
                } else if u > 0.0 {
                    open += u;
                }
                j += BLOCK as usize;
            }
            let full = block_sum(full, &mut shared);
            let open = block_sum(open, &mut shared);
            if open >= budget - full {
                hi = mid;
            } else {
                lo = mid;
            }
        }
    }
    let eta = f32::reinterpret(hi);
    let mut full = 0.0f32;
    let mut open = 0.0f32;
    let mut slope = 0.0f32;
    let mut j = UNIT_POS as usize;
    while j < groups {
        let u = eta * scales[j] - lambda * weights[j];
        if u >= 1.0 {
            full += 1.0;
        } else if u > 0.0 {
            open += u;
            slope += scales[j];
        }
        j += BLOCK as usize;
    }
    let full = block_sum(full, &mut shared);
    let open = block_sum(open, &mut shared);
    let slope = block_sum(slope, &mut shared);
    let mut back = 0.0f32;
    if slope > 0.0 {
        back = (open - (budget - full)) / slope;
    }
    let mut j = UNIT_POS as usize;
    while j < groups {
        let c = scales[j];
        let ld = lambda * weights[j];
        if u32::reinterpret(c) & EXPONENT != EXPONENT {
            let mut u = 0.0f32;
            if k > 0 && c > 0.0 {
                u = 1.0;
                if !free {
                    let at_hi = eta * c - ld;
                    // A group at its bound stays there.
                    if at_hi < 1.0 {
                        u = min(max(at_hi - back * c, 0.0), 1.0);
                    }
                }
            }
            // 0/0 for a zero group when lambda is 0.
            if u > 0.0 {
                u /= u + ld;
            }
            scales[j] = u;
        }
        j += BLOCK as usize;
    }
}

/// One unit for each element.
///
/// # Shapes
/// `scales: [groups]` · `part: [groups, row_len]`
#[cube(launch)]
fn scale_rows(scales: &Array<f32>, part: &mut Array<f32>, row_len: u32) {
    let i = ABSOLUTE_POS;
    if i < part.len() {
        let s = scales[i / row_len as usize];
        // A removed group is all zero bits.
        if s == 0.0 {
            part[i] = 0.0;
        } else {
            part[i] *= s;
        }
    }
}
