//! The projection that sets the smallest values to zero, over one pool of all parameters (specs/optimizers.md §6).

use crate::real::Real;
use crate::select::Cut;

/// How many of `len` values are zero at a ratio: `ceil(len * ratio)`.
pub fn zero_count(len: usize, ratio: f64) -> usize {
    (libm::ceil(len as f64 * ratio.clamp(0.0, 1.0)) as usize).min(len)
}

/// Sets the `zeros` values of smallest magnitude among all parts to zero: exactly so many, counting first those that are
/// zero already. Of equal magnitudes the one with the lower index goes first.
///
/// # Numerics
/// Compares bits, so that the result is the same on every target; NaN counts as larger than infinity. Four passes over
/// `f32`, eight over `f64`, no memory.
pub fn project_l0<T: Real>(parts: &mut [&mut [T]], zeros: usize) {
    let shared = &*parts;
    let mut cut = Cut::above_smallest_of(|| shared.iter().flat_map(|part| part.iter().copied()), zeros);
    for value in parts.iter_mut().flat_map(|part| part.iter_mut()) {
        if cut.takes(value.magnitude_bits()) {
            *value = T::ZERO;
        }
    }
}
