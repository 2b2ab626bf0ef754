//! Adam and AdamW as PyTorch defines them (specs/optimizers.md §1).

use super::{Decay, Hyper, Optimizer, expect_len, in_range};
use crate::error::OptimError;
use crate::real::Real;
use core::num::NonZeroU32;

/// The rule with its hyper-parameters; the default is Adam's, without decay.
///
/// ```text
/// g += l2 x;  x *= shrink;  m += (1 − β1)(g − m);  v = β2 v + (1 − β2) g²;  x −= lr/c1 · m / (√v / √c2 + eps)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
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

impl Default for Adam {
    fn default() -> Self {
        Self { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: Decay::None }
    }
}

impl Adam {
    /// `torch.optim.Adam`: decay is part of the gradient.
    pub fn coupled(hyper: &Hyper) -> Self {
        Self { decay: Decay::coupled(hyper.weight_decay), ..Self::without_decay(hyper) }
    }

    /// `torch.optim.AdamW`: decay stands beside the step.
    pub fn decoupled(hyper: &Hyper) -> Self {
        Self { decay: Decay::decoupled(hyper.weight_decay), ..Self::without_decay(hyper) }
    }

    fn without_decay(hyper: &Hyper) -> Self {
        let Hyper { lr, beta1, beta2, eps, .. } = *hyper;
        Self { lr, beta1, beta2, eps, decay: Decay::None }
    }
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

impl Optimizer for Adam {
    /// The first and the second moment.
    fn slots(&self) -> &'static [&'static str] {
        &["m", super::SECOND_MOMENT]
    }

    // Always inlined, so that a caller compiled for wider vectors gets this loop in wider vectors.
    #[inline(always)]
    fn step<T: Real>(
        &self,
        values: &mut [T],
        gradients: &[T],
        slots: &mut [&mut [T]],
        t: NonZeroU32,
    ) -> Result<(), OptimError> {
        let got = slots.len();
        let [m, v] = slots else { return Err(OptimError::Slots { expected: 2, got }) };
        expect_len("gradients", values.len(), gradients.len())?;
        expect_len("m", values.len(), m.len())?;
        expect_len("v", values.len(), v.len())?;
        let Scalars { l2, shrink, gain1, beta2, gain2, rate, root, eps } = Scalars::<T>::of(self, t)?;
        let moments = m.iter_mut().zip(v.iter_mut());
        for ((x, g), (m, v)) in values.iter_mut().zip(gradients).zip(moments) {
            let g = *g + l2 * *x;
            *m = *m + gain1 * (g - *m);
            *v = beta2 * *v + gain2 * (g * g);
            *x = shrink * *x - rate * *m / (v.sqrt() * root + eps);
        }
        Ok(())
    }
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
    fn of(adam: &Adam, t: NonZeroU32) -> Result<Self, OptimError> {
        let Adam { lr, beta1, beta2, eps, decay } = *adam;
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
