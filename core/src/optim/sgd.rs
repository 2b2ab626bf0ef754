//! Stochastic gradient descent with momentum as PyTorch defines it, without dampening (specs/optimizers.md §1).

use super::{Decay, Hyper, Optimizer, expect_len, in_range};
use crate::error::OptimError;
use crate::real::Real;
use core::num::NonZeroU32;

/// The rule with its hyper-parameters.
///
/// ```text
/// g += l2 x;  x *= shrink;  b = factor b + g;  x −= lr (nesterov ? g + factor b : b)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Learning rate of this step; it stays outside the momentum buffer.
    pub lr: f64,
    /// Decay of the weights.
    pub decay: Decay,
    /// Heavy-ball or Nesterov momentum; without it the rule has no state.
    pub momentum: Option<Momentum>,
}

/// Heavy-ball or Nesterov momentum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Momentum {
    /// Share of the buffer that each step keeps, in `[0, 1)`.
    pub factor: f64,
    /// Look ahead: step along `g + factor · buffer` instead of the buffer.
    pub nesterov: bool,
}

impl Sgd {
    /// `torch.optim.SGD` with heavy-ball momentum.
    pub fn with_momentum(hyper: &Hyper) -> Self {
        let momentum = Momentum { factor: hyper.momentum, nesterov: false };
        Self { lr: hyper.lr, decay: Decay::coupled(hyper.weight_decay), momentum: Some(momentum) }
    }
}

impl Optimizer for Sgd {
    /// The momentum buffer, if there is momentum.
    fn slots(&self) -> &'static [&'static str] {
        if self.momentum.is_some() { &["m"] } else { &[] }
    }

    // Always inlined, so that a caller compiled for wider vectors gets this loop in wider vectors.
    #[inline(always)]
    fn step<T: Real>(
        &self,
        values: &mut [T],
        gradients: &[T],
        slots: &mut [&mut [T]],
        _t: NonZeroU32,
    ) -> Result<(), OptimError> {
        expect_len("gradients", values.len(), gradients.len())?;
        in_range("lr", self.lr.is_finite())?;
        let (l2, shrink) = self.decay.factors(self.lr)?;
        let (l2, shrink, lr) = (T::from_f64(l2), T::from_f64(shrink), T::from_f64(self.lr));
        let got = slots.len();
        let pairs = values.iter_mut().zip(gradients);
        let Some(Momentum { factor, nesterov }) = self.momentum else {
            let [] = slots else { return Err(OptimError::Slots { expected: 0, got }) };
            pairs.for_each(|(x, g)| *x = shrink * *x - lr * (*g + l2 * *x));
            return Ok(());
        };
        let [buffer] = slots else { return Err(OptimError::Slots { expected: 1, got }) };
        expect_len("m", gradients.len(), buffer.len())?;
        in_range("momentum", (0.0..1.0).contains(&factor))?;
        let factor = T::from_f64(factor);
        // d = ahead · g + along · b
        let (ahead, along) = if nesterov { (T::ONE, factor) } else { (T::ZERO, T::ONE) };
        for ((x, g), b) in pairs.zip(buffer.iter_mut()) {
            let g = *g + l2 * *x;
            *b = factor * *b + g;
            *x = shrink * *x - lr * (ahead * g + along * *b);
        }
        Ok(())
    }
}
