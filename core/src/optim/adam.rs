//! Adam and AdamW as PyTorch defines them (specs/optimizers.md §1).

use super::{Decay, expect_len, in_range};
use crate::error::OptimError;
use crate::real::Real;
use core::num::NonZeroU32;

/// Hyper-parameters; the default is Adam's, without decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hyper {
    /// Learning rate of this step.
    pub lr: f64,
    /// Decay of the first moment, in `[0, 1)`.
    pub beta1: f64,
    /// Decay of the second moment, in `[0, 1)`.
    pub beta2: f64,
    /// Added to the root of the corrected second moment.
    pub eps: f64,
    /// [`Decay::Coupled`] makes it `torch.optim.Adam(weight_decay)`, [`Decay::Decoupled`] `torch.optim.AdamW`.
    pub decay: Decay,
}

impl Default for Hyper {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: Decay::None }
    }
}

/// The moments of a tensor, zero before the first step.
#[derive(Debug)]
pub struct State<'a, T> {
    /// First moment, one entry a value.
    pub m: &'a mut [T],
    /// Second moment, one entry a value.
    pub v: &'a mut [T],
}

/// `1 − beta^t`, the bias correction of a moment after `t` steps.
pub fn bias_correction(beta: f64, t: NonZeroU32) -> f64 {
    let (mut power, mut square, mut rest) = (1.0, beta, t.get());
    while rest > 0 {
        if rest & 1 == 1 {
            power *= square;
        }
        square *= square;
        rest >>= 1;
    }
    1.0 - power
}

/// One step; `t` counts from 1.
///
/// ```text
/// g += l2 x;  x *= shrink;  m += (1 − β1)(g − m);  v = β2 v + (1 − β2) g²;  x −= lr/c1 · m / (√v / √c2 + eps)
/// ```
/// # Shapes
/// `values, gradients, state.m, state.v: [n]`
/// # Numerics
/// Elementwise in `T`, without fused multiply-add; scalars in `f64`, rounded once. The same bits on every target. A NaN
/// or infinite gradient makes its own element NaN and no other.
/// # Errors
/// [`OptimError`] names the operand or the hyper-parameter; nothing is written then.
// Always inlined, so that a caller compiled for wider vectors gets this loop in wider vectors.
#[inline(always)]
pub fn step<T: Real>(
    values: &mut [T],
    gradients: &[T],
    state: State<'_, T>,
    hyper: &Hyper,
    t: NonZeroU32,
) -> Result<(), OptimError> {
    expect_len("gradients", values.len(), gradients.len())?;
    expect_len("m", values.len(), state.m.len())?;
    expect_len("v", values.len(), state.v.len())?;
    let Scalars { l2, shrink, gain1, beta2, gain2, rate, root, eps } = Scalars::<T>::of(hyper, t)?;
    let moments = state.m.iter_mut().zip(state.v.iter_mut());
    for ((x, g), (m, v)) in values.iter_mut().zip(gradients).zip(moments) {
        let g = *g + l2 * *x;
        *m = *m + gain1 * (g - *m);
        *v = beta2 * *v + gain2 * (g * g);
        *x = shrink * *x - rate * *m / (v.sqrt() * root + eps);
    }
    Ok(())
}

/// Everything in a step that is not an element.
struct Scalars<T> {
    l2: T,
    shrink: T,
    gain1: T,
    beta2: T,
    gain2: T,
    /// `lr / c1`
    rate: T,
    /// `1 / √c2`
    root: T,
    eps: T,
}

impl<T: Real> Scalars<T> {
    fn of(hyper: &Hyper, t: NonZeroU32) -> Result<Self, OptimError> {
        let Hyper { lr, beta1, beta2, eps, decay } = *hyper;
        in_range("lr", lr.is_finite())?;
        in_range("beta1", (0.0..1.0).contains(&beta1))?;
        in_range("beta2", (0.0..1.0).contains(&beta2))?;
        in_range("eps", eps.is_finite() && eps >= 0.0)?;
        let (l2, shrink) = decay.factors(lr)?;
        Ok(Self {
            l2: T::from_f64(l2),
            shrink: T::from_f64(shrink),
            gain1: T::from_f64(1.0 - beta1),
            beta2: T::from_f64(beta2),
            gain2: T::from_f64(1.0 - beta2),
            rate: T::from_f64(lr / bias_correction(beta1, t)),
            root: T::from_f64(1.0 / Real::sqrt(bias_correction(beta2, t))),
            eps: T::from_f64(eps),
        })
    }
}
